// Package retention erases who parts of stored entries when their time is over, and the contexts that nothing
// else is sealed in. Headers and hashes stay, so that trees, ranges and cosignatures can be proved for ever.
//
// It refuses to erase anything while the front's clock is in doubt. Each erasing is in a ledger outside the database
// before it happens; Open repeats it on a copy that was put back, before anybody is served.
package retention

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

const (
	lookEvery  = time.Minute
	roundEvery = 24 * time.Hour
	scrubEvery = 7 * 24 * time.Hour // rewriting a large database takes minutes
	page       = 256                // batches of one transaction, so that no message waits for long
)

// Periods are for how long who parts stay.
type Periods struct {
	Passages time.Duration // of passages
	Acts     time.Duration // of all other entries: what landlords, operators and installers did
}

// Options of an Eraser; all are needed.
type Options struct {
	Periods func() Periods // those of today; safe for concurrent use
	Store   *store.Store
	Clock   *agreed.Clock
	Trust   func() wire.Trust                                                   // the document of today; safe for concurrent use
	Doors   func(context.Context, wire.Place, mandates.Order) ([]string, error) // that an order may name at a gateway; nil: not known. Safe for concurrent use
	Path    string                                                              // of the ledger
	Log     zerolog.Logger
}

// Eraser erases who parts. All but Run, which is for one goroutine, is safe for concurrent use.
type Eraser struct {
	o      Options
	one    sync.Mutex // held while something is erased; it guards ledger
	ledger *ledger
	mark   uint64 // the newest line that the database knows of; guarded by one, too

	mu    sync.Mutex
	state api.Retention
}

// Open reads the ledger and erases what a copy of the database has brought back.
func Open(ctx context.Context, o Options) (*Eraser, error) {
	l, err := readLedger(o.Path)
	if err != nil {
		return nil, err
	}
	e := &Eraser{o: o, ledger: l}
	e.state = api.Retention{Erased: l.erased()}
	if err := e.compare(ctx); err != nil {
		return nil, err
	}
	n, err := e.again(ctx)
	if err == nil && n > 0 {
		o.Log.Warn().Int("who_parts", n).Msg("what was erased before came back with a copy of the database, and is erased again")
		now, _ := o.Clock.Now()
		err = e.scrub(ctx, now)
	}
	return e, err
}

// compare holds the ledger against what the database knows of it, and says when it is gone or an older one: what only the
// lost lines had erased may be back.
func (e *Eraser) compare(ctx context.Context) error {
	var err error
	if e.mark, err = e.o.Store.Seals().Ledger(ctx); err != nil || e.mark <= e.ledger.last {
		return err
	}
	said := fmt.Sprintf("%s has line %d, the database knows of line %d", api.FileErasures, e.ledger.last, e.mark)
	if len(e.ledger.lines) == 0 {
		said = fmt.Sprintf("%s is not there, the database knows of line %d", api.FileErasures, e.mark)
	}
	e.o.Log.Warn().Str("ledger", e.o.Path).Msg(said)
	now, _ := e.o.Clock.Now()
	return e.update(ctx, func(tx *store.Tx) error {
		return tx.Backups.Remark(said+": whom it had erased may be named again. Stop the front, and put back the newest that a backup has; "+
			"with none, give registryd forget and registryd preserve again. docs/restore.md", now)
	})
}

// add appends lines to the ledger, and tells the database how far that has come.
func (e *Eraser) add(ctx context.Context, more ...line) error {
	if err := e.ledger.add(more...); err != nil {
		return err
	}
	if e.ledger.last <= e.mark {
		return nil // lines are lost: it has less than there was until they are put back, or that is put away
	}
	return e.setMark(ctx, func(*store.Tx) error { return nil })
}

// PutAway dismisses the remarks of restores: from now on the database knows of the ledger as it is.
func (e *Eraser) PutAway(ctx context.Context) error {
	e.one.Lock()
	defer e.one.Unlock()
	return e.setMark(ctx, func(tx *store.Tx) error { return tx.Backups.PutAway() })
}

// setMark tells the database how far the ledger has come, with another change.
func (e *Eraser) setMark(ctx context.Context, with func(*store.Tx) error) error {
	last := e.ledger.last
	err := e.update(ctx, func(tx *store.Tx) error { return errors.Join(with(tx), tx.Backups.SetLedger(last)) })
	if err == nil {
		e.mark = last
	}
	return err
}

// Ledger returns the ledger as of now, for a backup: it has all that a copy of the database from before says it has.
func (e *Eraser) Ledger() ([]byte, error) {
	e.one.Lock()
	defer e.one.Unlock()
	return e.ledger.read()
}

// again erases what the ledger says.
func (e *Eraser) again(ctx context.Context) (n int, err error) {
	now, _ := e.o.Clock.Now()
	holds := e.ledger.holds(now)
	f, err := e.forget(ctx, e.ledger.forgot(), holds)
	if err != nil || e.ledger.over().isZero() {
		return f.Erased, err
	}
	more, err := e.erase(ctx, judgement{e.ledger.over(), holds})
	return f.Erased + more, err
}

// Run erases once a day what is over, until ctx ends.
func (e *Eraser) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last time.Time
	for {
		now, doubt := e.o.Clock.Now()
		switch {
		case doubt != agreed.None:
			e.note(func(s *api.Retention) { s.Waits = true })
		case last.IsZero() || now.Sub(last) >= roundEvery:
			if err := e.round(ctx, now); err != nil && ctx.Err() == nil {
				e.o.Log.Error().Err(err).Msg("who parts whose time is over can't be erased; tried again in a minute")
				break
			}
			last = now
			e.note(func(s *api.Retention) { s.Waits, s.Last = false, &now })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round erases what is over at a time that is not in doubt.
func (e *Eraser) round(ctx context.Context, now time.Time) error {
	e.one.Lock()
	defer e.one.Unlock()
	if err := e.add(ctx, line{At: now, Over: new(e.o.Periods().cutoffAt(now))}); err != nil {
		return err
	}
	n, err := e.again(ctx)
	err = errors.Join(err, e.count(ctx, now, n))
	if err == nil && n > 0 {
		err = e.o.Store.Seals().Settle(ctx)
	}
	if err == nil && e.ledger.owes() && now.Sub(e.ledger.scrubbed()) >= scrubEvery {
		err = e.scrub(ctx, now)
	}
	return err
}

// count notes that who parts went.
func (e *Eraser) count(ctx context.Context, now time.Time, n int) error {
	if n == 0 {
		return nil
	}
	e.note(func(s *api.Retention) { s.Erased += uint64(n) })
	e.o.Log.Info().Int("who_parts", n).Msg("who parts are erased")
	return e.add(ctx, line{At: now, Erased: n})
}

// scrub rewrites the database without what was erased.
func (e *Eraser) scrub(ctx context.Context, now time.Time) error {
	began := time.Now()
	if err := e.o.Store.Seals().Scrub(ctx); err != nil {
		return err
	}
	e.o.Log.Info().Dur("took_ms", time.Since(began)).Msg("the database was rewritten without what was erased")
	return e.add(ctx, line{At: now, Scrubbed: true})
}

// State says what was erased.
func (e *Eraser) State() api.Retention {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, now := e.state, e.o.Periods()
	s.Passages, s.Acts = now.Passages, now.Acts
	return s
}

func (e *Eraser) note(change func(*api.Retention)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.state)
}

// erase erases what is over, some batches at a time, and returns how many who parts went.
func (e *Eraser) erase(ctx context.Context, c judgement) (n int, err error) {
	var after store.Batch
	for {
		rows, err := e.o.Store.Seals().Page(ctx, c.latest(), after, page)
		if err != nil {
			return n, err
		}
		if len(rows) == 0 {
			break
		}
		gone, err := e.erasePage(ctx, rows, c)
		if n += gone; err != nil {
			return n, err
		}
		after = rows[len(rows)-1]
	}
	if err := e.eraseForks(ctx, c.Acts); err != nil {
		return n, err
	}
	if n == 0 {
		return 0, nil
	}
	return n, e.update(ctx, func(tx *store.Tx) error { return tx.DropContexts(c.latest()) })
}

// update writes, also while the front ends: nothing takes long.
func (e *Eraser) update(ctx context.Context, f func(*store.Tx) error) error {
	return e.o.Store.Update(context.WithoutCancel(ctx), f)
}

func (e *Eraser) erasePage(ctx context.Context, rows []store.Batch, c judgement) (n int, err error) {
	var changed []store.Batch
	for _, row := range rows {
		rest, gone, err := c.left(row)
		if err != nil {
			return 0, err
		}
		if gone > 0 {
			row.Sealed = rest
			changed, n = append(changed, row), n+gone
		}
	}
	if n == 0 {
		return 0, nil
	}
	err = e.update(ctx, func(tx *store.Tx) error {
		for _, row := range changed {
			if err := tx.Reseal(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// eraseForks leaves of old forks the batch without who parts, with the gateway's signature on its checkpoint.
func (e *Eraser) eraseForks(ctx context.Context, until time.Time) error {
	all, err := e.o.Store.Seals().Forks(ctx, until)
	if err != nil {
		return err
	}
	var changed []store.Fork
	for _, f := range all {
		payload, err := wire.PayloadOf(f.Envelope)
		if err != nil {
			continue // it was erased before
		}
		var b wire.Batch
		if err := wire.Decode(payload, &b); err != nil {
			return fmt.Errorf("stored fork: %w", err)
		}
		b.Sealed, b.Context = nil, nil
		if f.Envelope, err = wire.Encode(b); err != nil {
			return err
		}
		changed = append(changed, f)
	}
	if len(changed) == 0 {
		return nil
	}
	return e.update(ctx, func(tx *store.Tx) error {
		for _, f := range changed {
			if err := tx.SetFork(f); err != nil {
				return err
			}
		}
		return nil
	})
}
