package desk

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/device"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// Journal takes the entries; *journal.Journal is one.
type Journal interface {
	Append(context.Context, wire.Header, wire.Who) (wire.Ref, error)
	Queue(wire.Header, wire.Who) wire.Ref
}

// toldQueued is how many sightings may wait for Run; tenants of dropped ones are told at their next
// swipe.
const toldQueued = 64

// Doors is the desk as the doors see it: immutable copies behind atomic loads, so that no door
// waits for the desk. It is safe for concurrent use.
type Doors struct {
	journal Journal
	told    chan sighting
	seen    atomic.Pointer[seen]

	// Wrong PINs at doors are counted apart from those at the desk, and in memory: whoever types at
	// a door holds the card already.
	mu    sync.Mutex
	wrong map[typist]wrongPINs
}

// seen is the state that the doors read. It is not changed once it is published, except for the
// marks of cards that are to stop.
type seen struct {
	notices  map[wire.ID]bool                   // tenancies whose tenants have to be told of a notice
	pins     map[wire.ID]*tenancy.PIN           // copies
	stops    map[wire.CredentialID]*atomic.Bool // cards that are to stop on the landlord's word; true: used at a door since
	marks    map[*tenancy.Stop]*atomic.Bool     // the same marks, by the file's record of the stop
	unproven map[wire.CredentialID]bool         // cards that came on the landlord's word
	lost     map[wire.CredentialID]bool         // cards that are stopped by a desk's word alone
	brief    map[wire.ID]bool                   // tenancies whom the log names for a shorter time
}

func newDoors(j Journal) *Doors {
	d := &Doors{journal: j, told: make(chan sighting, toldQueued), wrong: map[typist]wrongPINs{}}
	d.seen.Store(&seen{})
	return d
}

// publish gives the doors the tenancies with a PIN, those on notice, the cards that are to stop,
// those that came on the landlord's word, and those that are lost. barred are cards that the
// registry has suspended besides.
func (d *Doors) publish(all tenancy.List, notices map[wire.ID]bool, barred map[wire.CredentialID]bool) {
	was := d.seen.Load()
	is := &seen{notices, map[wire.ID]*tenancy.PIN{}, map[wire.CredentialID]*atomic.Bool{}, map[*tenancy.Stop]*atomic.Bool{}, map[wire.CredentialID]bool{}, map[wire.CredentialID]bool{}, map[wire.ID]bool{}}
	for _, t := range all {
		is.brief[t.ID] = t.Brief
		if p := t.PIN; p != nil {
			is.pins[t.ID] = &tenancy.PIN{Salt: p.Salt, Hash: p.Hash, Rounds: p.Rounds}
		}
		for _, k := range t.Cards {
			var mark *atomic.Bool
			if k.Stop != nil {
				if mark = was.marks[k.Stop]; mark == nil {
					mark = &atomic.Bool{}
					mark.Store(k.Stop.Used)
				}
				is.marks[k.Stop] = mark
			}
			for _, id := range k.Credentials {
				if k.Reported && !k.Barred(barred) {
					is.lost[id] = true
				}
				if k.Unproven {
					is.unproven[id] = true
				}
				if mark != nil {
					is.stops[id] = mark
				}
			}
		}
	}
	d.seen.Store(is)
}

// KeptBriefly reports whether the log names a tenancy for a shorter time: that of somebody under 14.
func (d *Doors) KeptBriefly(tenancy wire.ID) bool { return d.seen.Load().brief[tenancy] }

// Lost reports whether a card is stopped by a desk's word alone, so that who has lost it still
// lives here. It is one atomic load.
func (d *Doors) Lost(id wire.CredentialID) bool { return d.seen.Load().lost[id] }

func (d *Doors) used(s *tenancy.Stop) bool {
	mark := d.seen.Load().marks[s]
	return mark != nil && mark.Load()
}

// OnNotice reports whether a notice runs against the tenancy, so that its tenant has to be told. It
// is one atomic load.
func (d *Doors) OnNotice(tenancy wire.ID) bool { return d.seen.Load().notices[tenancy] }

// Tells reports whether the tenant has to be told something at the door: that a notice runs, or
// that this card is to stop on the landlord's word. It is two atomic loads.
func (d *Doors) Tells(who wire.Who) bool {
	if who.Tenancy != nil && d.OnNotice(*who.Tenancy) {
		return true
	}
	used := d.stopping(who)
	return used != nil && !used.Load()
}

// stopping returns the mark of a card that is to stop; nil: it is not.
func (d *Doors) stopping(who wire.Who) *atomic.Bool {
	if who.Credential == nil {
		return nil
	}
	return d.seen.Load().stops[*who.Credential]
}

// sighting is a card that opened a door, and whose tenant has to be told something.
type sighting struct {
	door, source string
	who          wire.Who
	ref          wire.Ref // the access entry
	recorded     bool     // there is such an entry
	stop         bool     // of a card that is to stop, used for the first time
}

// ownOf copies a who part, the memory of which a door uses again.
func ownOf(who wire.Who) wire.Who {
	if who.Credential != nil {
		who.Credential = new(*who.Credential)
	}
	if who.Grant != nil {
		who.Grant = new(*who.Grant)
	}
	who.Tenancy = new(*who.Tenancy)
	return who
}

// Saw takes note of a card that opened a door. h.Source is the signal by which the tenant was told,
// empty where the door has none. A card that is to stop on the landlord's word is evidently not
// lost: that counts at once, and is saved beside the door's path. It never blocks. Without recorded
// there is no access entry.
func (d *Doors) Saw(h wire.Header, who wire.Who, ref wire.Ref, recorded bool) {
	if h.Kind != wire.KindAccess || who.Tenancy == nil {
		return
	}
	s := sighting{door: h.Door, source: h.Source, ref: ref, recorded: recorded}
	if used := d.stopping(who); used != nil {
		s.stop = used.CompareAndSwap(false, true)
	}
	if !s.stop && !d.OnNotice(*who.Tenancy) {
		return
	}
	s.who = ownOf(who)
	select {
	case d.told <- s:
	default:
	}
}

// typist is the person who types a tenancy's PIN at doors: a holder of its own cards, or of those
// that came on the landlord's word. Wrong PINs of the latter cost the tenant no pause.
type typist struct {
	tenancy  wire.ID
	unproven bool
}

// wrongPINs counts wrong PINs in a row. Times are of the monotonic clock.
type wrongPINs struct {
	n    int
	last time.Time
}

// doorPause is how long a tenancy's PIN is not taken after five wrong ones in a row, and after each
// further one: a resident who mistypes gets in, and ten thousand PINs take four days.
const doorPause = 30 * time.Second

// HasPIN reports whether the tenancy chose a PIN at this gateway. It is one atomic load.
func (d *Doors) HasPIN(tenancy wire.ID) bool { return d.seen.Load().pins[tenancy] != nil }

// CheckPIN reports whether the PIN is that of the card's tenancy. It takes as long as a slow hash.
// Five wrong PINs in a row raise an alarm (as do each five more), after which one try each half
// minute is allowed.
func (d *Doors) CheckPIN(who wire.Who, typed device.PIN) (bool, error) {
	if who.Tenancy == nil {
		return false, nil
	}
	now := d.seen.Load()
	p := now.pins[*who.Tenancy]
	if p == nil {
		return false, nil
	}
	by := typist{*who.Tenancy, who.Credential != nil && now.unproven[*who.Credential]}
	n, ok := d.try(by, time.Now())
	if !ok {
		return false, nil
	}
	switch right, err := p.Is(typed.Digits()); {
	case err != nil:
		return false, err
	case right:
		d.forgive(by)
		return true, nil
	}
	if n%tenancy.PINTries == 0 {
		d.journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN, Count: uint64(n)},
			wire.Who{Tenancy: who.Tenancy})
	}
	return false, nil
}

// try counts a try as a wrong one before it is checked, so that several doors at once get no more
// tries. It returns the number in a row, and false if the tries are paused.
func (d *Doors) try(by typist, now time.Time) (int, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.wrong[by]
	if t.n >= tenancy.PINTries && now.Sub(t.last) < doorPause {
		return t.n, false
	}
	d.wrong[by] = wrongPINs{t.n + 1, now}
	return t.n + 1, true
}

func (d *Doors) forgive(by typist) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.wrong, by)
}
