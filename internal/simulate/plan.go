package simulate

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

const day = 24 * time.Hour

// kind is one kind of event. Weights say how often it comes on a day of its
// climate.
type kind struct {
	group  string
	name   string
	weight int
	do     func(w *world, n [4]int)
	after  string        // what ends it
	least  time.Duration // until then
	most   time.Duration
}

func (e Event) do(w *world) {
	for _, k := range kinds() {
		if k.name == e.Kind {
			k.do(w, e.N)
			return
		}
	}
	w.breach("plan", "no kind of event %q", e.Kind)
}

// climates are what may go wrong in a run; each seed has one, so that some runs
// show that nothing is told where nothing is wrong.
var climates = [][]string{
	{},
	{"machines"},
	{"clocks"},
	{"links", "machines"},
	{"restores"},
	{"losses"},
	{"restores", "links"},
	{"clocks", "machines", "links"},
	{"landlord"},
}

// decaying are climates of what gets old, fills up, comes back or is there for
// minutes only. A quarter of the seeds has one of them, by dice of its own.
var decaying = [][]string{
	{"certificates"},
	{"certificates", "machines"},
	{"year"},
	{"disks"},
	{"disks", "machines"},
	{"reinstate"},
	{"reinstate", "restores"},
	{"reinstate", "links"},
	{"visitors", "clocks"},
	{"visitors", "machines"},
}

// decays returns the climate of a seed that has one of these; nil: it has another.
func decays(seed uint64) []string {
	dice := rand.New(rand.NewPCG(seed, 0x6465636179))
	if dice.IntN(4) > 0 {
		return nil
	}
	return decaying[dice.IntN(len(decaying))]
}

// starts are what a climate brings that is not drawn.
func starts() map[string]func(p *Plan, dice *rand.Rand) {
	return map[string]func(p *Plan, dice *rand.Rand){
		"certificates": (*Plan).wear,
		"year":         (*Plan).silence,
		"landlord":     (*Plan).lieInWait,

		"hostile gateway": (*Plan).stealCard,
		"hostile witness": (*Plan).steal,
		"hostile issuer":  (*Plan).steal,
	}
}

// NewPlan makes the plan of a seed.
func NewPlan(seed uint64, days int) Plan {
	dice := rand.New(rand.NewPCG(seed, 0x67617465))
	p := Plan{Seed: seed, Days: days, Gateways: 1 + dice.IntN(2)}
	climate := climates[dice.IntN(len(climates))]
	if other := decays(seed); other != nil {
		climate = other
	}
	if other := turns(seed); other != nil {
		climate = other
	}
	p.Climate = strings.Join(climate, ", ")
	if len(climate) == 0 && dice.IntN(2) == 0 {
		p.Twin = 3
	}
	all := kinds()
	for d := range days {
		p.day(dice, all, climate, d)
	}
	for _, c := range climate {
		if begin := starts()[c]; begin != nil {
			begin(&p, dice)
		}
	}
	slices.SortStableFunc(p.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return p
}

func (p *Plan) day(dice *rand.Rand, all []kind, climate []string, d int) {
	at := func() time.Duration {
		// Odd nanoseconds: nothing of ours falls on a tick of a program's.
		return time.Duration(d)*day + 10*time.Minute + time.Duration(dice.Int64N(int64(day-20*time.Minute)))/1000*1000 + 137
	}
	p.Events = append(p.Events, Event{At: time.Duration(d)*day + 19*time.Hour + 137, Kind: "back up"})
	if d == 0 {
		for n := range 3 {
			p.Events = append(p.Events, Event{At: time.Duration(5+n)*time.Minute + 137, Kind: "check in", N: [4]int{n, dice.IntN(1000), dice.IntN(1000), 1}})
		}
	}
	p.draw(dice, all, "people", 14+dice.IntN(8), at)
	for _, c := range climate {
		p.draw(dice, all, c, 1+dice.IntN(3), at)
	}
}

// draw takes events of one group by their weights.
func (p *Plan) draw(dice *rand.Rand, all []kind, group string, n int, at func() time.Duration) {
	sum := 0
	var some []kind
	for _, k := range all {
		if k.group == group {
			some, sum = append(some, k), sum+k.weight
		}
	}
	for range n {
		which := dice.IntN(sum)
		i := 0
		for which >= some[i].weight {
			which -= some[i].weight
			i++
		}
		k := some[i]
		e := Event{At: at(), Kind: k.name, N: [4]int{dice.IntN(1 << 20), dice.IntN(1 << 20), dice.IntN(1 << 20), dice.IntN(1 << 20)}}
		p.Events = append(p.Events, e)
		if k.after != "" {
			p.Events = append(p.Events, Event{At: e.At + k.least + time.Duration(dice.Int64N(int64(k.most-k.least+1)))/1000*1000, Kind: k.after, N: e.N})
		}
	}
}

func (e Event) String() string { return fmt.Sprintf("%v %s %v", e.At, e.Kind, e.N) }
