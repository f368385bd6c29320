// Package plan makes the days of a run: what happens, and when. It is data in and data out:
// a seed, or the number of a scenario, and the events that come of it. What an event does
// is others' business.
package plan

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Plan is what happens in a run, all of it. The same plan gives the same run.
type Plan struct {
	Seed     uint64
	Number   int `json:",omitempty"` // among several of one seed
	Days     int
	Gateways int
	Climate  string // what may go wrong in it, in words; empty: nothing
	Scans    bool   `json:",omitempty"` // there are scanners of passes
	Named    bool   `json:",omitempty"` // a scenario: all of it happens, whatever was lost before
	Twin     int    `json:",omitempty"` // 1 and 2: runs that differ only in who walks; 3: both, and law W7
	First    bool   `json:",omitempty"` // stop at the first breach
	Trace    bool   `json:",omitempty"` // tell the journals' entries too
	Events   []Event
}

// Event is one thing that happens. What its numbers mean is its kind's business;
// they are all the chance that it uses, so that a plan without one of its events
// is the same plan otherwise.
type Event struct {
	At   time.Duration // true time since the beginning
	Kind string
	N    [4]int
}

// Begin is the true time at which every run begins: 8 in the morning in the
// building.
var Begin = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)

// Day is one of them.
const Day = 24 * time.Hour

// New makes the plan of a seed, of so many days.
func New(seed uint64, days int) Plan {
	dice := rand.New(rand.NewPCG(seed, 0x67617465))
	p := Plan{Seed: seed, Days: days, Gateways: 1 + dice.IntN(2)}
	climate := climates[dice.IntN(len(climates))]
	for _, rare := range rarer {
		if other := rare.of(seed); other != nil {
			climate = other
		}
	}
	p.Climate = strings.Join(climate, ", ")
	if len(climate) == 0 && dice.IntN(2) == 0 {
		p.Twin = 3
	}
	for d := range days {
		p.day(dice, climate, d)
	}
	for _, c := range climate {
		if start := starts[c]; start != nil {
			start(&p, dice)
		}
	}
	p.sort()
	return p
}

func (p *Plan) sort() {
	slices.SortStableFunc(p.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
}

func (p *Plan) add(at time.Duration, kind string, n ...int) {
	e := Event{At: at, Kind: kind}
	copy(e.N[:], n)
	p.Events = append(p.Events, e)
}

func (p *Plan) day(dice *rand.Rand, climate []string, d int) {
	begin := time.Duration(d) * Day
	when := func() time.Duration {
		// Odd nanoseconds: nothing of ours falls on a tick of a program's.
		return begin + 10*time.Minute + time.Duration(dice.Int64N(int64(Day-20*time.Minute)))/1000*1000 + 137
	}
	p.add(begin+19*time.Hour+137, "back up")
	if d == 0 {
		for n := range 3 {
			p.add(time.Duration(5+n)*time.Minute+137, "check in", n, dice.IntN(1000), dice.IntN(1000), 1)
		}
	}
	p.draw(dice, "people", 14+dice.IntN(8), when)
	for _, c := range climate {
		p.draw(dice, c, 1+dice.IntN(3), when)
	}
}

// draw takes so many events of people, or of a climate, by their weights.
func (p *Plan) draw(dice *rand.Rand, of string, n int, when func() time.Duration) {
	shares, sum := drawn[of], 0
	for _, s := range shares {
		sum += s.weight
	}
	for range n {
		which := dice.IntN(sum)
		i := 0
		for which >= shares[i].weight {
			which -= shares[i].weight
			i++
		}
		s := shares[i]
		e := Event{At: when(), Kind: s.kind, N: numbers(dice)}
		p.Events = append(p.Events, e)
		if end := s.end; end.kind != "" {
			after := end.least + time.Duration(dice.Int64N(int64(end.most-end.least+1)))/1000*1000
			p.Events = append(p.Events, Event{At: e.At + after, Kind: end.kind, N: e.N})
		}
	}
}

// numbers are those of one event.
func numbers(dice *rand.Rand) (n [4]int) {
	for i := range n {
		n[i] = dice.IntN(1 << 20)
	}
	return n
}

func (e Event) String() string { return fmt.Sprintf("%v %s %v", e.At, e.Kind, e.N) }
