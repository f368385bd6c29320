// Package forward fits the gateway's journal, keyring and desk to what the uplink needs
// of them. It has no state and decides nothing.
package forward

import (
	"context"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal"
	"gatehouse/internal/tree"
	"gatehouse/sync/uplink"
	"gatehouse/sync/uplink/entries"
)

// Journal is the journal as the uplink sees it.
type Journal struct{ *journal.Journal }

// Head returns where it stands.
func (j Journal) Head() entries.Head {
	s := j.Status()
	return entries.Head{Position: entries.Position(s.Position), Root: s.Root, Oldest: entries.Position(s.Oldest), Boot: s.Boot}
}

// Entries returns entries from a position on, and the position after them.
func (j Journal) Entries(ctx context.Context, from entries.Position, n int) ([]entries.Entry, entries.Position, error) {
	list, next, err := j.Journal.Entries(ctx, journal.Position(from), n)
	var out []entries.Entry
	if len(list) > 0 {
		out = make([]entries.Entry, len(list))
	}
	for i, e := range list {
		out[i] = entries.Entry{Position: entries.Position(e.Position), Stored: e.Stored}
	}
	return out, entries.Position(next), placed(err)
}

// Root returns the root of the tree over an epoch's entries before a position.
func (j Journal) Root(ctx context.Context, p entries.Position) (tlog.Hash, error) {
	root, err := j.Journal.Root(ctx, journal.Position(p))
	return root, placed(err)
}

// Range returns that tree.
func (j Journal) Range(ctx context.Context, p entries.Position) (tree.Range, error) {
	r, err := j.Journal.Range(ctx, journal.Position(p))
	return r, placed(err)
}

// Acked returns the place before which all is at the registry.
func (j Journal) Acked() entries.Position { return entries.Position(j.Journal.Acked()) }

// Ack moves it.
func (j Journal) Ack(p entries.Position) error { return j.Journal.Ack(journal.Position(p)) }

// Safe notes that the registry can't lose what is before a position.
func (j Journal) Safe(p entries.Position) error { return j.Journal.Safe(journal.Position(p)) }

// NewEpoch has everything from a position on appended again in a new epoch.
func (j Journal) NewEpoch(ctx context.Context, from entries.Position, detail []byte) (entries.Position, error) {
	at, err := j.Journal.NewEpoch(ctx, journal.Position(from), detail)
	return entries.Position(at), placed(err)
}

// placed names the errors of a position that the uplink tells apart.
func placed(err error) error {
	switch {
	case errors.Is(err, journal.ErrGone):
		return elsewhere{err, entries.ErrGone}
	case errors.Is(err, journal.ErrAhead):
		return elsewhere{err, entries.ErrAhead}
	}
	return err
}

// elsewhere is a journal's error that is one of the uplink's too.
type elsewhere struct {
	error
	is error
}

func (e elsewhere) Unwrap() []error { return []error{e.error, e.is} }

// Clock is the gateway's clock as the uplink sees it.
func Clock(stamp func() journal.Stamp) func() uplink.Stamp {
	return func() uplink.Stamp { return uplink.Stamp(stamp()) }
}
