package front

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

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
	"gatehouse/internal/registry/front/status"
	"gatehouse/internal/registry/ratelog"
	"gatehouse/internal/registry/store"
)

// load makes the parts, and reads into them the documents and what is known of the
// gateways.
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

// makeParts makes what a front consists of, and starts nothing.
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
	f.enrolment = enrolment.New(enrolment.Options{Roster: f.roster, Inbox: f.inbox, Certificate: f.keys.server.Get, PerMinute: o.Config.EnrolPerMinute,
		Log: o.Log, ErrorLog: connLog(ratelog.New(o.Log))})
	endings := &status.Endings{Active: &f.active, Server: f.keys.server, Dir: o.Config.State, Clock: f.clock, Log: o.Log}
	if own := o.Config.BrokerCertificate; o.Config.Broker != Embedded && own != o.Config.path(api.FileServerCert) {
		endings.Broker = own
	}
	f.page = &status.Page{Options: status.Options{Store: f.store, Roster: f.roster, Active: &f.active, Committer: f.committer, Inbox: f.inbox,
		Safety: f.safety, Clock: f.clock, Now: o.Now, Endings: endings}}
	return nil
}

// loadUndos reads those that were not taken before this start.
func (f *Front) loadUndos(ctx context.Context) error {
	return f.store.Undos(ctx, func(building, gateway string, envelope []byte) {
		g := f.roster.Find(building + "/" + gateway)
		if g == nil {
			return
		}
		if floor, err := keys.OpenUndo(envelope, f.roster.Look(g).Place, f.active.Load().Trust); err == nil {
			f.roster.SetUndo(g, roster.Undo{Floor: floor, Envelope: envelope})
		}
	})
}

// loadDocuments reads the documents and lists of all buildings.
func (f *Front) loadDocuments(ctx context.Context, known []store.Gateway) error {
	a := f.active.Load()
	err := f.store.Houses(ctx, func(building string, envelope, old []byte) error {
		h, err := a.OpenHouse(building, envelope)
		if err != nil {
			// Its issuer is trusted no more: its gateways wait for a new one.
			f.o.Log.Error().Err(err).Msg("a stored document is not active")
			return nil
		}
		f.roster.SetHouse(building, h, envelope, old)
		return nil
	})
	if err != nil {
		return err
	}
	err = f.store.Lists(ctx, func(l store.List, at time.Time) error {
		head, err := document.HeadOf(l)
		if err != nil {
			return fmt.Errorf("stored list of %s: %w", l.Building, err)
		}
		f.roster.SetList(head, at)
		return nil
	})
	// The last run may not have sent a list that it stored. A gateway that stayed
	// connected to a broker elsewhere says no hello, and would hear of it in hours.
	for _, k := range known {
		if l := f.roster.Building(k.Place.Building).List; l.Version > 0 && k.Applied != l.Version {
			f.downlink.Unproved.Sent(f.roster.Find(k.Place.Address()), l.List)
		}
	}
	return err
}

// loadTrust takes the newer of the stored Trust document and the one in the
// directory of keys.
func (f *Front) loadTrust(ctx context.Context) error {
	first := f.active.Load()
	var stored *document.Authority
	err := f.store.Trusts(ctx, func(envelope []byte) error {
		next, err := document.OpenTrust(envelope, f.keys.root, f.keys.witnessPublic())
		if err != nil {
			return fmt.Errorf("stored %w", err)
		}
		if stored != nil {
			next, err = stored.Follow(next)
		}
		stored = next
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case stored == nil:
		stored = first
	case stored.Trust.Registry != first.Trust.Registry:
		return fmt.Errorf("the database in %s is of registry %s, the keys are of %s", filepath.Dir(f.o.Config.path("x")), stored.Trust.Registry, first.Trust.Registry)
	case stored.Trust.Version < first.Trust.Version:
		if stored, err = stored.Follow(first); err != nil {
			return err
		}
	}
	f.active.Store(stored)
	return f.store.Update(ctx, func(tx *store.Tx) error { return tx.Documents.PutTrust(stored.Trust.Version, stored.Envelope) })
}
