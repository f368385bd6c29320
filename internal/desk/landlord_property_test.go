package desk

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// landlord is an adversary: he holds cards of his own, types the PIN that he saw
// at the check-in, restarts gateways, sets and confirms their clocks, cuts them off from each
// other and goes to whichever desk suits him. The tenant holds the card of the check-in, and
// perhaps a PIN and another card, and says nothing.
type landlord struct {
	t       *rapid.T
	at      []*office
	now     float64 // true time, days
	notice  float64 // since when a notice of his runs; -1: none does
	stops   float64 // since when a card is to stop that nobody has used since; -1: none is
	tenant  []device.Card
	own     []device.Card
	given   uint64
	history []string
}

const noticeDays = 3

// request is what he can think of.
func (l *landlord) request() (r Request, proof, fresh []device.Card) {
	r = Request{Tenancy: "3B", Cause: "agreed",
		Action: rapid.SampledFrom([]string{tenancy.CheckOut, tenancy.Dispute, tenancy.Withdraw, tenancy.Suspend, tenancy.Resume, tenancy.Replace, tenancy.AddCard, tenancy.Confirm, tenancy.SetPIN}).Draw(l.t, "action"),
		Proof:  rapid.SampledFrom([]string{"landlord", "card", "pin"}).Draw(l.t, "proof"),
		PIN:    rapid.SampledFrom([]string{"4711", "1379"}).Draw(l.t, "PIN"),
		Card:   rapid.IntRange(0, 4).Draw(l.t, "card")}
	if r.Action == tenancy.SetPIN {
		r.NewPIN = "1379"
	}
	if r.Proof == "card" {
		if len(l.own) == 0 {
			r.Proof = "landlord"
		} else {
			proof = cards(rapid.SampledFrom(l.own).Draw(l.t, "held up"))
		}
	}
	if r.Action == tenancy.AddCard || r.Action == tenancy.Replace {
		fresh = cards(em(100 + l.given))
		l.given++
	}
	return r, proof, fresh
}

// act does it, and notes what he may await of it.
func (l *landlord) act() {
	o := l.at[rapid.IntRange(0, len(l.at)-1).Draw(l.t, "desk")]
	r, proof, fresh := l.request()
	_, err := o.ask(r, proof, fresh)
	if err != nil {
		return
	}
	l.history = append(l.history, o.gateway+" "+r.Action+" by "+r.Proof)
	l.own = append(l.own, fresh...)
	switch {
	case (r.Action == tenancy.Withdraw || r.Action == tenancy.Dispute) && len(l.at) == 1: // else the other may not know of it
		l.notice = -1
	case r.Action == tenancy.CheckOut && l.notice < 0:
		l.notice = l.now
	case (r.Action == tenancy.Suspend || r.Action == tenancy.Replace) && l.stops < 0:
		l.stops = l.now
	}
}

// passes lets some of a day go by; the tenant may come home.
func (l *landlord) passes() {
	n := rapid.SampledFrom([]float64{0.1, 0.5, 1, 2, 3}).Draw(l.t, "days")
	l.now += n
	for _, o := range l.at {
		o.days(n)
	}
	if rapid.Bool().Draw(l.t, "home") {
		l.home()
	}
}

// home uses every card of the tenant's at the door of one gateway.
func (l *landlord) home() {
	i := rapid.IntRange(0, len(l.at)-1).Draw(l.t, "door")
	for _, c := range l.tenant {
		l.at[i].swipes([]string{"front", "yard"}[i], c)
	}
	if len(l.at) == 1 && !l.over() { // no gateway that could not know of it
		l.stops = -1
	}
	l.history = append(l.history, "home at "+l.at[i].gateway)
}

// over reports whether he may have had his way by now.
func (l *landlord) over() bool {
	old := func(since float64) bool { return since >= 0 && l.now-since >= noticeDays-1e-6 }
	return old(l.notice) || old(l.stops)
}

// law W8: nothing of his stops a card of the tenant's before a notice of his, or
// his wish to stop it, is as old as a notice runs.
func (l *landlord) law() {
	for _, o := range l.at {
		for i, c := range l.tenant {
			for _, door := range []string{"front", "yard"} {
				if got := o.answer(door, c); got != wire.ReasonGranted {
					l.t.Fatalf("day %.1f: %s denies card %d of the tenant at the %s: %s\n%q", l.now, o.gateway, i+1, door, got, l.history)
				}
			}
		}
	}
}

// TestAdversarialLandlord is law W8 at the desk.
func TestAdversarialLandlord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newTown(t)
		l := &landlord{t: rt, notice: -1, stops: -1, tenant: cards(em(1))}
		for _, id := range []string{"gw1", "gw2"}[:rapid.IntRange(1, 2).Draw(rt, "gateways")] {
			o := newOffice(t, w, id)
			defer o.keyring.Close()
			l.at = append(l.at, o)
		}
		first := l.at[0]
		_, err := first.arrive(em(1))
		must(t, err)
		if rapid.Bool().Draw(rt, "another card") {
			_, err := first.ask(Request{Action: tenancy.AddCard, Tenancy: "3B", Proof: "card"}, cards(em(1)), cards(em(2)))
			must(t, err)
			l.tenant = append(l.tenant, em(2))
		}
		if rapid.Bool().Draw(rt, "lost card") { // reported, and found by the landlord
			done, err := first.ask(Request{Action: tenancy.AddCard, Tenancy: "3B", Proof: "card"}, cards(em(1)), cards(em(3)))
			must(t, err)
			_, err = first.ask(Request{Action: tenancy.Suspend, Proof: "card", Card: len(done.Tenancy.Cards)}, cards(em(1)), nil)
			must(t, err)
			l.own = append(l.own, em(3))
		}
		for _, o := range l.at[1:] {
			o.hears(first)
		}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			if l.over() {
				return
			}
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			default:
				l.act()
			case 6, 7:
				l.passes()
			case 5: // he sets a clock and confirms it
				o := l.at[rapid.IntRange(0, len(l.at)-1).Draw(rt, "clock")]
				o.apart, o.clock.Sure, o.clock.Latest = true, noon+int64(l.now*tenancy.DaySeconds), math.MaxInt64
				o.clock.Now = o.clock.Sure + tenancy.DaySeconds*rapid.Int64Range(-400, 400).Draw(rt, "off by days")
			case 8:
				for _, o := range l.at {
					for _, from := range slices.Backward(l.at) {
						if o != from {
							o.hears(from)
						}
					}
				}
			case 9:
				l.at[rapid.IntRange(0, len(l.at)-1).Draw(rt, "restarted")].restart()
			}
			if !l.over() {
				l.law()
			}
		}
	})
}
