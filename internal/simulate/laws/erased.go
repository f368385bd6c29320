package laws

import (
	"slices"
	"time"

	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/sync/wire"
)

// Erased is law W10: what was erased is nowhere, and what is preserved stays. It keeps whom entries
// named, as they stood in the gateways' logs.
type Erased struct {
	named   map[string]map[testbed.Spot]named
	gone    map[string]map[testbed.Spot][]byte // at the gateway, with the salts
	forgot  map[string]map[testbed.Spot]forgotten
	holds   []hold                           // at the registry
	onSite  map[string][]hold                // at the gateway
	orders  map[string][]order               // that it has taken
	asked   map[string]bool                  // tenancies that were to be forgotten anywhere
	keeps   map[string]keeping               // for how long each keeps who passed
	safe    map[string]map[testbed.Spot]bool // by gateway: what a backup of the registry has
	looked  map[string]time.Duration         // when the disk of each was looked at last
	putBack time.Duration                    // when the front's database was last put back
}

// named is an entry that named somebody.
type named struct {
	testbed.Entry
	seen time.Duration
	made time.Duration // no later
}

// forgotten is an entry that shall name nobody at the registry.
type forgotten struct {
	sealed []byte // as it was stored
	from   time.Duration
}

// hold is an order to preserve.
type hold struct {
	gateway, door string
	from, to      time.Time
	until         time.Duration
	kept          map[testbed.Spot]bool // what was there of it
}

// order is one to forget, that a gateway has taken.
type order struct {
	tenancy string
	made    time.Time
	at      time.Duration
}

// slack is how much later than promised a daily look at what is over may come.
const slack = 26 * time.Hour

// NewErased is that of a house in which nothing was erased.
func NewErased() *Erased {
	return &Erased{named: map[string]map[testbed.Spot]named{}, gone: map[string]map[testbed.Spot][]byte{}, forgot: map[string]map[testbed.Spot]forgotten{},
		onSite: map[string][]hold{}, orders: map[string][]order{}, asked: map[string]bool{}, keeps: map[string]keeping{}, safe: map[string]map[testbed.Spot]bool{},
		looked: map[string]time.Duration{}}
}

// Note notes the entries that lie on a gateway's disk. One that named nobody any more names nobody ever again. In the dark nothing has told
// the gateway the time.
func (e *Erased) Note(gateway string, all []testbed.Entry, dark bool, now time.Duration, r *report.Report) {
	if e.named[gateway] == nil {
		e.named[gateway], e.gone[gateway] = map[testbed.Spot]named{}, map[testbed.Spot][]byte{}
	}
	for _, one := range all {
		was, known := e.named[gateway][one.At]
		switch {
		case one.Salt == nil && one.Erased && known:
			if e.gone[gateway][one.At] == nil {
				e.went(gateway, was, dark, now, r)
			}
			e.gone[gateway][one.At] = was.Salt
		case one.Salt == nil:
		case e.gone[gateway][one.At] != nil:
			r.Breach("W10", "an entry of %s names somebody again, after it was erased there", gateway)
			return
		case !known:
			e.named[gateway][one.At] = named{one, now, madeBy(one, e.looked[gateway], now)}
		}
	}
	e.looked[gateway] = now
}

// Another says that another machine, or an old image, stands in the place of a gateway: it knows of no hold, and an order has to be given again.
func (e *Erased) Another(gateway string) {
	e.gone[gateway] = map[testbed.Spot][]byte{}
	delete(e.onSite, gateway)
	delete(e.orders, gateway)
}

// PutBack says that an old copy of the front's database was put back: what came later is gone with the database,
// and gateways bring again what they still have.
func (e *Erased) PutBack(now time.Duration) {
	e.putBack = now
	for i := range e.holds {
		e.holds[i].kept = nil
	}
}

// Preserve notes an order for a span of a door, until some time since the beginning.
func (e *Erased) Preserve(gateway, door string, from, to time.Time, until time.Duration, there frontdb.Stored) {
	h := hold{gateway, door, from, to, until, map[testbed.Spot]bool{}}
	for at, one := range e.named[gateway] {
		if there.Seals[gateway][at] != nil && h.has(one.Entry) && sure(one.Entry) {
			h.kept[at] = true
		}
	}
	e.holds = append(e.holds, h)
}

// PreserveOnSite notes an order that a gateway has taken.
func (e *Erased) PreserveOnSite(gateway, door string, from, to time.Time, until time.Duration) {
	h := hold{gateway, door, from, to, until, map[testbed.Spot]bool{}}
	for at, one := range e.named[gateway] {
		if e.gone[gateway][at] == nil && h.has(one.Entry) && sure(one.Entry) {
			h.kept[at] = true
		}
	}
	e.onSite[gateway] = append(e.onSite[gateway], h)
}

// Order notes an order to forget a tenancy that a gateway has taken.
func (e *Erased) Order(gateway, tenancy string, made time.Time, now time.Duration) {
	e.orders[gateway], e.asked[tenancy] = append(e.orders[gateway], order{tenancy, made, now}), true
}

// ordered reports whether an entry is to name nobody by an order that a gateway has had for an hour.
func (e *Erased) ordered(gateway string, one testbed.Entry, now time.Duration) bool {
	return one.Who.Tenancy != nil && slices.ContainsFunc(e.orders[gateway], func(o order) bool {
		return o.tenancy == one.Who.Tenancy.String() && e.named[gateway][one.At].seen <= o.at && one.Time.Before(o.made) && now-o.at > time.Hour
	})
}

// has reports whether an order may mean an entry.
func (h hold) has(one testbed.Entry) bool {
	return one.Door == h.door && (!sure(one) || !one.Time.Before(h.from) && !one.Time.After(h.to))
}

// sure reports whether the time of an entry is that of a clock which was set.
func sure(one testbed.Entry) bool { return one.Clock >= wire.ClockRTC }

// heldUntil is when the last order ends that may mean an entry; 0: none does.
func (e *Erased) heldUntil(gateway string, one testbed.Entry) (until time.Duration) {
	for _, h := range e.holds {
		if h.gateway == gateway && h.has(one) {
			until = max(until, h.until)
		}
	}
	return until
}

// Forget notes that the registry was told to forget a tenancy, with what it had before.
func (e *Erased) Forget(tenancy string, before frontdb.Stored, now time.Duration) (n int) {
	for gateway, all := range e.named {
		for at, one := range all {
			sealed := before.Seals[gateway][at]
			if sealed == nil || one.Who.Tenancy == nil || one.Who.Tenancy.String() != tenancy {
				continue
			}
			if e.forgot[gateway] == nil {
				e.forgot[gateway] = map[testbed.Spot]forgotten{}
			}
			from := now
			if until := e.heldUntil(gateway, one.Entry); until > now {
				from = until + slack
			}
			e.forgot[gateway][at] = forgotten{sealed, from}
			n++
		}
	}
	return n
}

// Registry holds what the front has against what it should have, and search is asked for the bytes of what it forgot.
func (e *Erased) Registry(there frontdb.Stored, search func([][]byte) string, now time.Duration, r *report.Report) {
	var bytes [][]byte
	for gateway, all := range e.forgot {
		for at, one := range all {
			switch {
			case now < one.from:
			case there.Seals[gateway][at] != nil:
				r.Breach("W10", "the registry was told to forget whom an entry of %s names, and has it", gateway)
				return
			default:
				bytes = append(bytes, one.sealed)
			}
		}
	}
	e.searched("the registry", bytes, search, r)
	for _, h := range e.holds {
		for at := range h.kept {
			if now < h.until && there.Seals[h.gateway][at] == nil {
				r.Breach("W10", "whom an entry of %s names is preserved, and gone from the registry", h.gateway)
				return
			}
		}
	}
}

// Gateway looks on a gateway's disk for the bytes of what is erased there, and for what is older than it may be, or ordered to be forgotten, and not held.
func (e *Erased) Gateway(gateway string, all []testbed.Entry, held func(testbed.Entry) bool, search func([][]byte) string, now time.Duration, r *report.Report) {
	var bytes [][]byte
	for _, salt := range e.gone[gateway] {
		bytes = append(bytes, salt)
	}
	e.searched(gateway, bytes, search, r)
	for _, one := range all {
		was, known := e.named[gateway][one.At]
		switch {
		case !known || one.Salt == nil || held(one):
		case e.late(gateway, was, now):
			r.Breach("W10", "an entry of %s names somebody, %v after it was made", gateway, now-was.seen)
			return
		case e.ordered(gateway, one, now):
			r.Breach("W10", "%s was told to forget whom an entry names, and has it", gateway)
			return
		}
	}
}

func (e *Erased) searched(where string, bytes [][]byte, search func([][]byte) string, r *report.Report) {
	if len(bytes) == 0 {
		return
	}
	if file := search(bytes); file != "" {
		r.Breach("W10", "bytes of what was erased at %s stand in its file %s", where, file)
	}
}
