package ledger

import (
	"errors"
	"maps"
	"slices"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// Outgoing is what the front lacks of a building. Nothing in it is changed by anybody.
type Outgoing struct {
	House, Old []byte // House document, and the same in the first format; nil: none
	List       lists.Signed
	Known      map[wire.Hash]bool // buckets that the front has
	LogFrom    uint64             // manifests of the log that it has
	Ended      uint64             // grants of the building that were ended
}

// Unsent are the buildings of which the front lacks something.
func (l *Ledger) Unsent() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.state.unsent))
}

// Outgoing is what the front lacks of a building; false: nothing.
func (l *Ledger) Outgoing(id string) (o Outgoing, lacks bool, err error) {
	err = l.View(func(v View) error {
		b, err := v.Building(id)
		if err != nil || b == nil || !v.Unsent(id) {
			return err
		}
		lacks = true
		o = Outgoing{b.HouseEnvelope, b.HouseOld, b.Lists.Newest, b.Sent.Buckets, b.Sent.Log, b.Tenancies.Ended()}
		return nil
	})
	return o, lacks, err
}

// LogFrom is the part of a building's log from a place on.
func (l *Ledger) LogFrom(id string, from uint64) (log []api.Logged, err error) {
	err = l.View(func(v View) error {
		log, err = store.LogFrom(v, id, from)
		return err
	})
	return log, err
}

// SetSent notes that the front has got what was outgoing.
func (l *Ledger) SetSent(id string, o Outgoing) error {
	return l.View(func(v View) error {
		b, err := v.Building(id)
		if err != nil || b == nil {
			return err
		}
		b.Sent.Buckets, b.Sent.Log = make(map[wire.Hash]bool, len(o.List.Buckets)), o.List.Manifest.Earlier
		for hash := range o.List.Buckets {
			b.Sent.Buckets[hash] = true
		}
		if b.Lists.Newest.Hash != o.List.Hash || !slices.Equal(b.HouseEnvelope, o.House) {
			return nil // a newer one has been made meanwhile, and waits
		}
		delete(l.state.unsent, id)
		l.state.sent[id] = true
		return nil
	})
}

// SendAgain makes everything be handed over again.
func (l *Ledger) SendAgain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sendAgain(func(*Change) {})
}

func (l *Ledger) sendAgain(f func(*Change)) error {
	err := l.update(func(c *Change) error {
		f(c)
		store.SetUnsent(c.Tx)
		return nil
	})
	for _, b := range l.state.buildings {
		b.Sent = building.Sent{}
	}
	return errors.Join(err, l.state.loadUnsent(l.db))
}

// Restart is for a front that knows fewer deliveries than were taken in from it: it was
// put back to an earlier day, or is new. It gets everything again, and a remark says so.
func (l *Ledger) Restart(last uint64, remark func(after uint64) string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last >= l.state.after {
		return nil
	}
	text := remark(l.state.after)
	l.state.after = last
	return l.sendAgain(func(c *Change) { c.Remark("", "%s", text) })
}
