package desk

import (
	"bytes"
	"slices"
	"sync/atomic"
	"time"

	"gatehouse/sync/wire"
)

// toldQueued is how many sightings may wait for Run; what comes beyond is told
// of at the tenant's next swipe.
const toldQueued = 64

// toldEvery is how often one tenant is told at one door, at most.
const toldEvery = time.Hour

// sighting is a card that a door took, and whose tenant has to be told.
type sighting struct {
	door, source string
	who          wire.Who
	ref          wire.Ref // the access entry
	recorded     bool     // there is such an entry
	stop         bool     // of a card that is to stop, for the first time
}

type toldAt struct {
	tenancy wire.ID
	door    string
}

// OnNotice reports whether a notice runs against the tenancy: its tenant has to
// be told. It is one atomic load, for the doors.
func (d *Desk) OnNotice(tenancy wire.ID) bool { return (*d.notices.Load())[tenancy] }

// Tells reports whether the tenant has to be told something at the door: that a
// notice runs, or that this card is to stop on the landlord's word. It is two
// atomic loads.
func (d *Desk) Tells(who wire.Who) bool {
	if who.Tenancy != nil && d.OnNotice(*who.Tenancy) {
		return true
	}
	used := d.stopping(who)
	return used != nil && !used.Load()
}

// stopping returns the mark of a card that is to stop, nil where it is not.
func (d *Desk) stopping(who wire.Who) *atomic.Bool {
	if who.Credential == nil {
		return nil
	}
	return (*d.stops.Load())[*who.Credential]
}

// Saw hears of a card that a door took; Source is by what the tenant was told
// there, empty where the door can't. A card that is to stop on the landlord's
// word is not lost: that counts at once, and the rest is written down beside the
// door's path. It never blocks. Without recorded there is no access entry.
func (d *Desk) Saw(h wire.Header, who wire.Who, ref wire.Ref, recorded bool) {
	if h.Kind != wire.KindAccess || who.Tenancy == nil {
		return
	}
	s := sighting{door: h.Door, source: h.Source, who: who, ref: ref, recorded: recorded}
	if used := d.stopping(who); used != nil {
		s.stop = used.CompareAndSwap(false, true)
	}
	if !s.stop && !d.OnNotice(*who.Tenancy) {
		return
	}
	select {
	case d.told <- s:
	default:
	}
}

// tell enters that a tenant was told, of a notice once an hour and door.
func (d *Desk) tell(s sighting) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.stop {
		d.foldUses()
		d.enterTold(s, wire.ReasonSuspend)
		_ = d.save() // logged there; the mark stays in memory
	}
	at, now := toldAt{*s.who.Tenancy, s.door}, time.Now()
	t := d.book.find(at.tenancy)
	if last, ok := d.lastTold[at]; t == nil || !d.OnNotice(at.tenancy) || ok && now.Sub(last) < toldEvery {
		return
	}
	d.lastTold[at] = now
	d.enterTold(s, wire.ReasonNotice)
	if !t.Told {
		t.Told = true
		_ = d.save() // logged there; the entry counts
	}
}

func (d *Desk) enterTold(s sighting, of wire.Reason) {
	if s.recorded {
		d.p.Journal.Queue(wire.Header{Kind: wire.KindTold, Outcome: wire.OutcomeDone, Reason: of, Door: s.door, Source: s.source, Ref: &s.ref},
			wire.Who{Credential: s.who.Credential, Grant: s.who.Grant, Tenancy: s.who.Tenancy})
	}
}

// publish tells the doors who has a PIN and who is on notice: also who has
// objected to one that the registry has upheld, as the list in force shows.
func (d *Desk) publish() {
	d.takeDecisions()
	pins := map[wire.ID]*pin{}
	for _, t := range d.book.Tenancies {
		if t.PIN != nil {
			pins[t.ID] = &pin{Salt: t.PIN.Salt, Hash: t.PIN.Hash, Rounds: t.PIN.Rounds}
		}
	}
	d.pins.Store(&pins)
	d.publishStops()
	all := d.onNotice()
	d.notices.Store(&all)
}

// onNotice are the tenancies whose tenants have to be told of a notice.
func (d *Desk) onNotice() map[wire.ID]bool {
	all := map[wire.ID]bool{}
	for id, c := range d.decided {
		if c.upheld != 0 && d.book.find(id) == nil {
			all[id] = true
		}
	}
	var held map[wire.ID][]holding // only read where the list may say more than the book
	for _, t := range d.book.Tenancies {
		id, plain := t.ID, t.notice() != 0 && !t.disputed()
		if t.Ended != 0 || t.Gone != 0 {
			continue
		}
		if ask := t.disputed() || t.decided.upheld != 0 || !t.decided.said && t.Since != 0; !plain && ask && held == nil {
			held = holdings(d.p.Keyring.Grants())
		}
		if st := t.stand(held[id]); plain || held != nil && max(st.upheld, st.noticed) != 0 {
			all[id] = true
		}
	}
	return all
}

// Tenancies returns all that this gateway knows: those of its desk and its
// siblings', and those that only the list names.
func (d *Desk) Tenancies() []Tenancy {
	d.mu.Lock()
	defer d.mu.Unlock()
	held, clock := d.held(), d.p.Clock()
	unstored := d.unstored()
	var all []Tenancy
	for _, t := range d.everyone(held) {
		id := t.ID
		all = append(all, t.show(d.standing(t, held[id]), clock.surely(), unstored[id]).by(clock))
	}
	slices.SortFunc(all, func(a, b Tenancy) int { return compareIDs(a.ID, b.ID) })
	return all
}

// Find returns the tenancy of an id (or the start of it), a flat or a label.
func (d *Desk) Find(text string) (Tenancy, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := d.lookup(text, d.held())
	if err != nil {
		return Tenancy{}, err
	}
	return d.done(t, nil).Tenancy, nil
}

// done shows what came of an action.
func (d *Desk) done(t *tenancy, remarks []string) Done {
	held := holdings(d.p.Keyring.Grants())[t.ID]
	clock := d.p.Clock()
	return Done{t.show(d.standing(t, held), clock.surely(), d.unstored()[t.ID]).by(clock), remarks}
}

// unstored counts the changes of each tenancy that the registry's list was made
// without.
func (d *Desk) unstored() map[wire.ID]int {
	n := map[wire.ID]int{}
	for _, l := range d.p.Keyring.Records.All() {
		if !l.Aging {
			n[l.Change.Tenancy]++
		}
	}
	return n
}

// forgetAfter is how long a tenancy that is over stays in the list for people.
const forgetAfter = 30 * daySeconds

// tidy notes which tenancies the list in force names no more, and forgets those
// that have been over for 30 days. Without a list, or without the time, it
// forgets nobody.
func (d *Desk) tidy() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.held()
	d.publish() // a list may have decided on a notice
	clock, status := d.p.Clock(), d.p.Keyring.Status()
	if len(d.book.Tenancies) == 0 || !clock.Trusted || status.Version == 0 || status.Lost {
		return
	}
	held, unstored, now := d.held(), d.unstored(), clock.surely()
	changed := false
	d.book.Tenancies = slices.DeleteFunc(d.book.Tenancies, func(t *tenancy) bool {
		id := t.ID
		was := *t
		st := t.stand(held[id])
		if t.gone(st.cards) && unstored[id] == 0 {
			// The likeliest time: what surely has come may be long before it, and the
			// 30 days would be over when the time is sure.
			if t.Gone == 0 || t.Gone > clock.now() {
				t.Gone = clock.now()
			}
		} else {
			t.Gone = 0
		}
		over := t.over()
		old := over != 0 && now > over && now-over > forgetAfter && unstored[id] == 0
		changed = changed || old || was.Gone != t.Gone
		return old
	})
	if changed {
		_ = d.save() // logged there, tried again in a minute
	}
	for at, last := range d.lastTold {
		if time.Since(last) >= toldEvery {
			delete(d.lastTold, at)
		}
	}
}

// gone reports whether no card of the tenancy opens or could again.
func (t *tenancy) gone(cards []Card) bool {
	return count(cards, stateActive)+count(cards, stateSuspended) == 0
}

// over is since when the tenancy is over by a record or the list; 0: it is not. A
// date alone makes nobody forgotten, since no clock is right for good.
func (t *tenancy) over() uint32 {
	if t.Ended != 0 && (t.Gone == 0 || t.Ended < t.Gone) {
		return t.Ended
	}
	return t.Gone
}

func compareIDs(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) }
