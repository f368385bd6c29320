package plan

import (
	"fmt"
	"time"
)

// scenario is one of the worst days.
type scenario struct {
	name  string
	words string // why it can't be played; empty: it can
	days  int
	scans bool // there are scanners of passes

	events func() []Event
}

// NewScenario makes the plan of a named scenario. The seed says what the broker
// and the waits by chance do. An error says why there is none.
func NewScenario(number int, seed uint64) (Plan, error) {
	s, ok := scenarios[number]
	switch {
	case !ok:
		return Plan{}, fmt.Errorf("there is no scenario %d: they are 1 to 12", number)
	case s.words != "":
		return Plan{}, fmt.Errorf("scenario %d, %s, can't be played yet: %s", number, s.name, s.words)
	}
	p := Plan{Seed: seed, Named: true, Scans: s.scans, Days: s.days, Gateways: 2, Climate: s.name, Events: s.events()}
	p.sort()
	return p, nil
}

// scenarios are the worst days, by number.
var scenarios = map[int]scenario{
	1:  {name: "the issuer is restored to yesterday", days: 4, events: restoredIssuer},
	2:  {name: "the registry's clock 200 days ahead, then a year behind", days: 5, events: registryClocks},
	3:  {name: "a stolen witness and issuer walk the time ahead", days: 6, events: walkedTime},
	4:  {name: "a thief's list of the highest number, by stick", days: 4, events: thiefsLists},
	5:  {name: "the broker holds the answer to hello and says it again", days: 3, scans: true, events: lateAnswers},
	6:  {name: "a revocation, a power cut at once, three weeks without a line", days: 24, events: threeWeeks},
	7:  {name: "the primary is killed, the old issuer wakes", words: "it comes with the city's replicas"},
	8:  {name: "notice, a clock confirmed a year ahead, an old image", days: 6, events: landlordsClock},
	9:  {name: "mandates: erase, court order and hold in one file", days: 12, events: oneFile},
	10: {name: "a gateway a version behind, a flood at the other, disk full, certificates over, clock 1970", days: 5, events: versionBehind},
	11: {name: "links that die in silence", days: 2, events: silentLinks},
	12: {name: "each file of a gateway is lost, one after the other", days: 13, events: eachFile},
}

// at is an event at an hour of a plan's days.
func at(hours float64, kind string, n ...int) Event {
	e := Event{At: time.Duration(hours*float64(time.Hour)).Truncate(time.Microsecond) + 137, Kind: kind}
	copy(e.N[:], n)
	return e
}

// moveIn lets three people move in, one at the second gateway.
func moveIn() []Event {
	return []Event{at(0.1, "check in", 0, 0, 0, 1), at(0.2, "check in", 1, 4, 1, 1), at(0.3, "check in", 0, 0, 2, 1)}
}

// Machines as events name them.
const (
	gw1, gw2  = 0, 1
	theFront  = 0
	theIssuer = 1
	clockGW1  = 2
	clockGW2  = 3
)

// exactly names a tenant by number, whether he lives there or not.
func exactly(tenant int) int { return 5 * (tenant - 1) }

// everybody swipes at both doors.
func everybody(hours float64) (all []Event) {
	for t := range 3 {
		for g := range 2 {
			all = append(all, at(hours+float64(t*2+g)/60, "swipe", exactly(t+1), g, 0))
		}
	}
	return all
}

// passesAllDay gives somebody a pass every quarter of an hour.
func passesAllDay(from, to float64) (all []Event) {
	for n := 0; from < to; n++ {
		all = append(all, at(from, "keep pass", exactly(1+n%3), 15))
		from += 0.23
	}
	return all
}

// oldPassesOften shows the passes that are over at a gateway, every few minutes.
func oldPassesOften(from, to float64, gateway int) (all []Event) {
	for ; from < to; from += 0.14 {
		all = append(all, at(from, "old passes", gateway))
	}
	return all
}

// inSteps walks the time ahead, a day each two hours.
func inSteps(hours float64, days int) (all []Event) {
	for d := range days {
		all = append(all, at(hours+2*float64(d), "walk time", 24*(d+1)))
	}
	return all
}
