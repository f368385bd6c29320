package front

import (
	"context"
	"fmt"
	"path/filepath"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/downlink"
	"gatehouse/internal/registry/front/enrolment"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/ingest"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/front/shelf"
	"gatehouse/internal/registry/front/status"
	"gatehouse/internal/registry/ratelog"
	"gatehouse/internal/registry/store"
)

// load makes the parts, and loads the documents and the state of the gateways into them.
func (f *Front) load(ctx context.Context) (err error) {
	o := f.o
	if err = f.loadTrust(ctx); err != nil {
		return err
	}
	if f.safety, err = backup.Load(ctx, f.store, o.Config.path(api.FileDatabase), o.Now(), o.Log); err != nil {
		return err
	}
	if err = f.makeParts(); err != nil {
		return err
	}
	known, err := f.store.Gateways(ctx, "", o.Now())
	if err != nil {
		return err
	}
	for _, k := range known {
		g, epoch := f.roster.Know(k.Place, k.Hello, k.HelloAt)
		if epoch == 0 {
			epoch = k.Epoch
		}
		f.committer.Know(g, k, epoch)
	}
	if err = f.loadUndos(ctx); err != nil {
		return err
	}
	return f.loadDocuments(ctx, known)
}

// makeParts makes the parts of a front, and starts none.
func (f *Front) makeParts() (err error) {
	o := f.o
	f.roster = roster.New(o.Now)
	if f.link, err = f.newLink(); err != nil {
		return err
	}
	f.downlink = downlink.New(downlink.Options{Link: f.link, Store: f.store, Roster: f.roster, Active: &f.active, Root: f.keys.root, Witness: f.keys.witness,
		Formats: o.Formats, Now: o.Now, Chance: o.Chance, Log: o.Log, Limited: f.limited})
	f.inbox = inbox.New(inbox.Options{Store: f.store, Wait: o.WorkWait, Gather: o.WorkGather})
	f.committer = commit.New(commit.Options{Store: f.store, Roster: f.roster, Safety: f.safety, Clock: f.clock, Now: o.Now, Witness: f.keys.witnessPublic(),
		PerDay: int64(o.Config.GatewayPerDay) << 20, Log: o.Log, Limited: f.limited})
	f.intake = ingest.New(ingest.Options{Roster: f.roster, Clock: f.clock, Committer: f.committer, Downlink: f.downlink, Inbox: f.inbox,
		Formats: o.Formats, Limited: f.limited})
	f.enrolment = enrolment.New(enrolment.Options{Roster: f.roster, Inbox: f.inbox, Shelf: shelf.New(f.store, o.Now), Certificate: f.keys.server.Get, PerMinute: o.Config.EnrolPerMinute,
		Log: o.Log, ErrorLog: connLog(ratelog.New(o.Log))})
	endings := &status.Endings{Active: &f.active, Server: f.keys.server, Dir: o.Config.State, Clock: f.clock, Log: o.Log}
	if own := o.Config.BrokerCertificate; o.Config.Broker != Embedded && own != o.Config.path(api.FileServerCert) {
		endings.Broker = own
	}
	f.page = &status.Page{Store: f.store, Roster: f.roster, Active: &f.active, Committer: f.committer, Inbox: f.inbox,
		Safety: f.safety, Clock: f.clock, Now: o.Now, Endings: endings}
	return nil
}

// loadUndos loads the undos that gateways have not applied yet.
func (f *Front) loadUndos(ctx context.Context) error {
	undos, err := f.store.Undos(ctx)
	for _, u := range undos {
		g := f.roster.Find(u.Building + "/" + u.Gateway)
		if g == nil {
			continue
		}
		if floor, err := keys.OpenUndo(u.Envelope, f.roster.Look(g).Place, f.active.Load().Trust); err == nil {
			f.roster.SetUndo(g, roster.Undo{Floor: floor, Envelope: u.Envelope})
		}
	}
	return err
}

// loadDocuments loads the documents and lists of all buildings.
func (f *Front) loadDocuments(ctx context.Context, known []store.Gateway) error {
	a := f.active.Load()
	houses, err := f.store.Houses(ctx)
	if err != nil {
		return err
	}
	for _, d := range houses {
		h, err := a.OpenHouse(d.Building, d.Envelope)
		if err != nil {
			// Its issuer is no longer trusted: its gateways wait for a new document.
			f.o.Log.Error().Err(err).Msg("a stored document is not active")
			continue
		}
		f.roster.SetHouse(h, d)
	}
	for l, err := range f.store.Lists(ctx) {
		if err != nil {
			return err
		}
		head, err := document.HeadOf(l)
		if err != nil {
			return fmt.Errorf("stored list of %s: %w", l.Building, err)
		}
		f.roster.SetList(head, nil)
	}
	// The previous run may not have sent a list that it stored. A gateway that stayed
	// connected to another broker sends no hello, and would get the list only hours later.
	for _, k := range known {
		if l := f.roster.Building(k.Place.Building).List; l.Version > 0 && k.Applied != l.Version {
			f.downlink.Unproved.Sent(f.roster.Find(k.Place.Address()), l.List)
		}
	}
	return nil
}

// loadTrust activates the newer of the stored trust document and the one in the directory of keys.
func (f *Front) loadTrust(ctx context.Context) error {
	first := f.active.Load()
	var stored *document.Authority
	envelopes, err := f.store.Trusts(ctx)
	if err != nil {
		return err
	}
	for _, envelope := range envelopes {
		next, err := document.OpenTrust(envelope, f.keys.root, f.keys.witnessPublic())
		if err != nil {
			return fmt.Errorf("stored %w", err)
		}
		if stored != nil {
			if next, err = stored.Follow(next); err != nil {
				return err
			}
		}
		stored = next
	}
	switch {
	case stored == nil:
		stored = first
	case stored.Trust.Registry != first.Trust.Registry:
		return fmt.Errorf("the database in %s is of registry %s, the keys are of %s", filepath.Clean(f.o.Config.State), stored.Trust.Registry, first.Trust.Registry)
	case stored.Trust.Version < first.Trust.Version:
		if stored, err = stored.Follow(first); err != nil {
			return err
		}
	}
	f.active.Store(stored)
	return f.store.Update(ctx, func(tx *store.Tx) error { return tx.Documents.PutTrust(stored.Trust.Version, stored.Envelope) })
}
