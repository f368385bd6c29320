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
func (r *running) load(ctx context.Context) (err error) {
	o := r.front.o
	if err = r.loadTrust(ctx); err != nil {
		return err
	}
	if r.safety, err = backup.Load(ctx, r.store, o.Config.path(api.FileDatabase), o.Now(), o.Log); err != nil {
		return err
	}
	if err = r.makeParts(); err != nil {
		return err
	}
	known, err := r.store.Gateways(ctx, "", o.Now())
	if err != nil {
		return err
	}
	for _, k := range known {
		g, epoch := r.roster.Know(k.Place, k.Hello, k.HelloAt)
		if epoch == 0 {
			epoch = k.Epoch
		}
		r.committer.Know(g, k, epoch)
	}
	if err = r.loadUndos(ctx); err != nil {
		return err
	}
	return r.loadDocuments(ctx, known)
}

// makeParts makes what a front consists of, and starts nothing.
func (r *running) makeParts() (err error) {
	f, o := r.front, r.front.o
	r.roster = roster.New(o.Now)
	if r.link, err = r.newLink(); err != nil {
		return err
	}
	sender := &downlink.Sender{Link: r.link, Roster: r.roster, Active: &f.active, Witness: f.keys.witness, Formats: o.Formats, Log: o.Log}
	lists := downlink.NewLists(sender, r.store)
	r.wants, r.unproved = downlink.NewWants(lists), downlink.NewUnproved(lists, f.limited)
	r.documents = downlink.NewDocuments(downlink.Options{Sender: sender, Lists: lists, Unproved: r.unproved, Store: r.store, Root: f.keys.root, Now: o.Now})
	r.inbox = inbox.New(inbox.Options{Store: r.store, Wait: o.WorkWait, Gather: o.WorkGather})
	r.committer = commit.New(commit.Options{Store: r.store, Roster: r.roster, Safety: r.safety, Clock: f.clock, Now: o.Now, Witness: f.keys.witnessPublic(),
		PerDay: int64(o.Config.GatewayPerDay) << 20, Log: o.Log, Limited: f.limited})
	r.intake = ingest.New(ingest.Options{Roster: r.roster, Clock: f.clock, Committer: r.committer, Sender: sender, Wants: r.wants, Inbox: r.inbox,
		Formats: o.Formats, Limited: f.limited})
	r.acks = &downlink.Acks{Sender: sender, Waiting: r.intake.Waiting, Chance: o.Chance}
	r.enrolment = enrolment.New(enrolment.Options{Roster: r.roster, Inbox: r.inbox, Certificate: f.keys.server.Get, PerMinute: o.Config.EnrolPerMinute,
		Log: o.Log, ErrorLog: connLog(ratelog.New(o.Log))})
	endings := &status.Endings{Active: &f.active, Server: f.keys.server, Dir: o.Config.State, Clock: f.clock, Log: o.Log}
	if own := o.Config.BrokerCertificate; o.Config.Broker != Embedded && own != o.Config.path(api.FileServerCert) {
		endings.Broker = own
	}
	r.page = &status.Page{Options: status.Options{Store: r.store, Roster: r.roster, Active: &f.active, Committer: r.committer, Inbox: r.inbox,
		Safety: r.safety, Clock: f.clock, Now: o.Now, Endings: endings}}
	return nil
}

// loadUndos reads those that were not taken before this start.
func (r *running) loadUndos(ctx context.Context) error {
	return r.store.Undos(ctx, func(building, gateway string, envelope []byte) {
		g := r.roster.Find(building + "/" + gateway)
		if g == nil {
			return
		}
		if floor, err := keys.OpenUndo(envelope, r.roster.Look(g).Place, r.front.active.Load().Trust); err == nil {
			r.roster.SetUndo(g, roster.Undo{Floor: floor, Envelope: envelope})
		}
	})
}

// loadDocuments reads the documents and lists of all buildings.
func (r *running) loadDocuments(ctx context.Context, known []store.Gateway) error {
	a := r.front.active.Load()
	err := r.store.Houses(ctx, func(building string, envelope, old []byte) error {
		h, err := a.OpenHouse(building, envelope)
		if err != nil {
			// Its issuer is trusted no more: its gateways wait for a new one.
			r.front.o.Log.Error().Err(err).Msg("a stored document is not in force")
			return nil
		}
		r.roster.SetHouse(building, h, envelope, old)
		return nil
	})
	if err != nil {
		return err
	}
	err = r.store.Lists(ctx, func(l store.List, at time.Time) error {
		head, err := document.HeadOf(l)
		if err != nil {
			return fmt.Errorf("stored list of %s: %w", l.Building, err)
		}
		r.roster.SetList(head, at)
		return nil
	})
	// A list that this front's last run may not have sent: who stayed connected to a
	// broker elsewhere says no hello, and would hear of it in hours.
	for _, k := range known {
		if l := r.roster.Building(k.Place.Building).List; l.Version > 0 && k.Applied != l.Version {
			r.unproved.Sent(r.roster.Find(k.Place.Address()), l.List)
		}
	}
	return err
}

// loadTrust takes the newer of the stored Trust document and the one in the
// directory of keys.
func (r *running) loadTrust(ctx context.Context) error {
	f := r.front
	first := f.active.Load()
	var stored *document.Authority
	err := r.store.Trusts(ctx, func(envelope []byte) error {
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
	return r.store.Update(ctx, func(tx *store.Tx) error { return tx.PutTrust(stored.Trust.Version, stored.Envelope) })
}
