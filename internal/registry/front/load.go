package front

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/disk"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/downlink"
	"gatehouse/internal/registry/front/enrolment"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/ingest"
	"gatehouse/internal/registry/front/query"
	"gatehouse/internal/registry/front/retention"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/front/shelf"
	"gatehouse/internal/registry/front/status"
	"gatehouse/internal/registry/front/witness"
	"gatehouse/internal/registry/ratelog"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
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
	eraser, err := retention.Open(ctx, retention.Options{Periods: func() retention.Periods { return o.Config.periods(f.active.Load().Trust.Retention) }, Store: f.store, Clock: f.clock,
		Trust: func() wire.Trust { return f.active.Load().Trust }, Doors: f.doorsOf, Path: o.Config.path(api.FileErasures), Log: o.Log})
	if err != nil {
		return err
	}
	if err = f.makeParts(eraser); err != nil {
		return err
	}
	var proofs []proof
	err = serve(ctx, []part{
		{"load gateways", func(ctx context.Context) (err error) { proofs, err = f.loadGateways(ctx); return err }},
		{"load house documents", f.loadHouses},
		{"load lists", f.loadLists},
	})
	if err == nil {
		err = ctx.Err() // serve ends without an error when its context does
	}
	if err != nil {
		return err
	}
	f.repeatLists(proofs)
	return f.loadUndos(ctx)
}

// doorsOf returns those that an order to preserve may name: the gateway's by its house document, and one of before of which
// something is stored of the order's time; nil where no document names them.
func (f *Front) doorsOf(ctx context.Context, p wire.Place, o mandates.Order) ([]string, error) {
	g := f.roster.Building(p.Building).House.Gateway(p.Gateway)
	if g == nil || len(g.Doors) == 0 {
		return nil, nil
	}
	if slices.Contains(g.Doors, o.Door) || o.Until-o.From > mandates.MostPreserved {
		return g.Doors, nil
	}
	stored, err := query.Reach(ctx, f.store, p.Building, p.Gateway, []string{o.Door}, time.Unix(int64(o.From), 0), time.Unix(int64(o.Until), 0))
	if len(stored) > 0 {
		return append(slices.Clone(g.Doors), o.Door), err
	}
	return g.Doors, err
}

// makeParts makes the parts of a front, and starts none.
func (f *Front) makeParts(eraser *retention.Eraser) (err error) {
	o := f.o
	f.roster = roster.New(o.Now)
	if f.link, err = f.newLink(); err != nil {
		return err
	}
	f.downlink = downlink.New(downlink.Options{Link: f.link, Store: f.store, Roster: f.roster, Active: &f.active, Root: f.keys.root, Witness: f.keys.witness, Marks: f.keys.marks,
		Formats: o.Formats, Now: o.Now, Chance: o.Chance, Log: o.Log, Limited: f.limited})
	f.inbox = inbox.New(inbox.Options{Store: f.store, Wait: o.WorkWait, Gather: o.WorkGather})
	f.committer = commit.New(commit.Options{Store: f.store, Roster: f.roster, Safety: f.safety, Clock: f.clock, Now: o.Now, Witness: f.keys.witnessPublic(),
		PerDay: int64(o.Config.GatewayPerDay) << 20, CosignEvery: o.CosignEvery, Log: o.Log, Limited: f.limited})
	f.intake = ingest.New(ingest.Options{Roster: f.roster, Clock: f.clock, Committer: f.committer, Downlink: f.downlink, Inbox: f.inbox,
		Formats: o.Formats, Limited: f.limited})
	others, err := f.newWitness()
	if err != nil {
		return err
	}
	f.enrolment = enrolment.New(enrolment.Options{Roster: f.roster, Inbox: f.inbox, Shelf: shelf.New(f.store, o.Now), Certificate: f.keys.server.Get, PerMinute: o.Config.EnrolPerMinute,
		Witness: others, WitnessPerMinute: o.Config.WitnessPerMinute, Log: o.Log, ErrorLog: connLog(ratelog.New(o.Log))})
	endings := &status.Endings{Active: &f.active, Server: f.keys.server, Dir: o.Config.State, Clock: f.clock, Log: o.Log}
	if own := o.Config.BrokerCertificate; o.Config.Broker != Embedded && own != o.Config.path(api.FileServerCert) {
		endings.Broker = own
	}
	f.page = &status.Page{Started: o.Now(), Store: f.store, Roster: f.roster, Active: &f.active, Committer: f.committer, Inbox: f.inbox,
		Safety: f.safety, Clock: f.clock, Now: o.Now, Endings: endings, Retention: eraser,
		Room: status.Room{Most: o.Config.MaxMB << 20, Dir: o.Config.State, Space: disk.Space}}
	return nil
}

// newWitness returns the witness for logs of others; nil without any.
func (f *Front) newWitness() (http.Handler, error) {
	if len(f.o.Config.Witness) == 0 {
		return nil, nil
	}
	w, err := witness.New(witness.Options{Logs: f.o.Config.Witness, Registry: f.active.Load().Trust.Registry, Key: f.keys.witness,
		Store: f.store, Clock: f.clock, Dir: f.o.Config.State, Log: f.o.Log, Limited: f.limited})
	if err != nil {
		return nil, err
	}
	return w, nil
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

// spread calls do for each row, on all processors. It returns the error of reading, and of each
// processor the first one of do.
func spread[T any](all iter.Seq2[T, error], do func(T) error) (err error) {
	found := make(chan T, 64)
	var doing sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for i := range errs {
		doing.Go(func() {
			for row := range found {
				if errs[i] == nil {
					errs[i] = do(row)
				}
			}
		})
	}
	var row T
	for row, err = range all {
		if err != nil {
			break
		}
		found <- row
	}
	close(found)
	doing.Wait()
	return errors.Join(append(errs, err)...)
}

// proof is the version of the newest list that a gateway has proved to be active; 0: none.
type proof struct {
	of      *roster.Gateway
	version uint64
}

// loadGateways loads what the roster has of the gateways, and returns what they have proved.
func (f *Front) loadGateways(ctx context.Context) (proofs []proof, err error) {
	var mu sync.Mutex
	err = spread(f.store.Known(ctx), func(k store.Known) error {
		g := f.roster.Know(k.Place, k.Hello, k.HelloAt)
		mu.Lock()
		defer mu.Unlock()
		proofs = append(proofs, proof{g, k.Applied})
		return nil
	})
	return proofs, err
}

// loadHouses loads the house documents of all buildings: those without the mark of this front are
// verified by their signatures, and get it.
func (f *Front) loadHouses(ctx context.Context) error {
	a := f.active.Load()
	var mu sync.Mutex
	marks := map[string][]byte{} // new ones, by building
	err := spread(f.store.Houses(ctx), func(d store.House) error {
		h, mark, err := a.ReopenHouse(d.Document, d.Mark, f.keys.marks)
		if err != nil {
			// Its issuer is no longer trusted: its gateways wait for a new document.
			f.o.Log.Error().Err(err).Msg("a stored document is not active")
			return nil
		}
		f.roster.SetHouse(h, d.Document)
		if !bytes.Equal(mark, d.Mark) {
			mu.Lock()
			defer mu.Unlock()
			marks[d.Building] = mark
		}
		return nil
	})
	if err != nil || len(marks) == 0 {
		return err
	}
	f.o.Log.Info().Int("documents", len(marks)).Msg("house documents were verified by their signatures: the next start takes its own word for it")
	return f.store.Update(ctx, func(tx *store.Tx) (err error) {
		for building, mark := range marks {
			err = errors.Join(err, tx.Documents.SetMark(building, mark))
		}
		return err
	})
}

// loadLists loads the lists of all buildings.
func (f *Front) loadLists(ctx context.Context) error {
	return spread(f.store.Lists(ctx), func(l store.List) error {
		head, err := document.HeadOf(l)
		if err != nil {
			return fmt.Errorf("stored list of %s: %w", l.Building, err)
		}
		f.roster.SetList(head, nil)
		return nil
	})
}

// repeatLists sends the lists that gateways have not proved to be active. The previous run may not
// have sent one that it stored, and a gateway that stayed connected to another broker sends no
// hello: it would get the list only hours later.
func (f *Front) repeatLists(proofs []proof) {
	for _, p := range proofs {
		if l := f.roster.Look(p.of).Building.List; l.Version > 0 && p.version != l.Version {
			f.downlink.Unproved.Sent(p.of, l.List)
		}
	}
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
