package plan

import (
	"math/rand/v2"
	"time"
)

// starts are what a climate brings that is not drawn.
var starts = map[string]func(p *Plan, dice *rand.Rand){
	"certificates":    (*Plan).wear,
	"year":            (*Plan).silence,
	"landlord":        (*Plan).lieInWait,
	"mandates":        (*Plan).keepTwoWeeks,
	"policy":          (*Plan).keepByPolicy,
	"hostile gateway": (*Plan).stealCard,
	"hostile witness": (*Plan).stealKeys,
	"hostile issuer":  (*Plan).stealKeys,
}

// wear makes the front's certificate, or the registry's CA, one that ends within the days
// of the plan. Somebody looks at the status hours later only.
func (p *Plan) wear(dice *rand.Rand) {
	hours := 8 + dice.IntN(max(1, 24*p.Days-10))
	what, look := "front certificate", float64(hours+3+dice.IntN(12))
	if dice.IntN(3) == 0 {
		what, look = "CA", look-float64(12*dice.IntN(2))
	}
	p.Events = append(p.Events, at(0.06, what, hours), at(float64(hours)-1, "endings shown"), at(float64(hours)+2, "endings shown"),
		at(max(look, 1), "operator looks"))
}

// CAEnds is after how long the registry's first CA ends: 20 years, or what the plan
// says.
func (p *Plan) CAEnds() (after time.Duration, ok bool) {
	for _, e := range p.Events {
		if e.Kind == "CA" {
			return time.Duration(e.N[0]) * time.Hour, true
		}
	}
	return 0, false
}

const (
	longSilence = 400 * Day
	mostWakes   = 5
)

// silence puts a year without contact in the middle of a plan. What would have
// come after it comes as much later.
func (p *Plan) silence(dice *rand.Rand) {
	from := time.Duration(max(1, p.Days/2))*Day + 137
	for i := range p.Events {
		if p.Events[i].At >= from {
			p.Events[i].At += longSilence
		}
	}
	which, battery := dice.IntN(2), dice.IntN(2)
	p.add(from-time.Hour, "silence", which, battery)
	for range 2 + dice.IntN(mostWakes-1) {
		after := time.Duration(dice.Int64N(int64(longSilence-2*Day))) + Day
		p.add(from+after.Truncate(time.Microsecond), "wake", which, dice.IntN(3), dice.IntN(20))
	}
	p.add(from+longSilence-4*time.Hour, "silence ends", which, dice.IntN(1<<20), dice.IntN(2))
}

// quietWeeks is how long nothing happens but that people come home, so that what may be kept for two days is over at both ends.
const quietWeeks = 13 * Day

// keepTwoWeeks has an approver from the first hour on, and quiet weeks.
func (p *Plan) keepTwoWeeks(dice *rand.Rand) {
	from := p.makeRoom()
	p.add(30*time.Minute+137, "appoint")
	p.quiet(from, dice, 0, 1, 8)
}

// keepByPolicy has the root sign for how long it is kept who passed, from the first day on, and once more in quiet weeks: while one gateway
// has no line for five days and has a wrong clock, or wakes without any. One time in three the other is of a version before.
func (p *Plan) keepByPolicy(dice *rand.Rand) {
	from, which := p.makeRoom(), dice.IntN(p.Gateways)
	p.add(2*time.Hour+137, "policy", dice.IntN(4))
	if dice.IntN(3) == 0 {
		p.add(time.Hour+137, "old version", 1-which, dice.IntN(1<<20))
	}
	p.quiet(from, dice, 0, 1, 11)
	p.add(from+Day, "line cut", which)
	if dice.IntN(2) == 0 {
		p.add(from+2*Day, "set clock", clockGW1+which, dice.IntN(len(Wrongs)), 1)
	} else {
		p.add(from+2*Day, "no time server", which)
		p.add(from+2*Day+time.Hour, "power cut", which)
	}
	p.add(from+3*Day, "policy", dice.IntN(2))
	for n := range 4 { // of whom no backup knows for a week
		p.Events = append(p.Events, Event{At: from + 4*Day + time.Duration(n)*3*time.Hour, Kind: "swipe", N: numbers(dice)})
	}
	p.add(from+5*Day, "clocks right")
	p.add(from+6*Day, "line back", which)
}

// makeRoom lets all that comes after the middle of a plan come quiet weeks later, and returns when they begin.
func (p *Plan) makeRoom() time.Duration {
	from := time.Duration(max(1, p.Days/2))*Day + 137
	for i := range p.Events {
		if p.Events[i].At >= from {
			p.Events[i].At += quietWeeks
		}
	}
	return from
}

// quiet is what happens on some days of quiet weeks.
func (p *Plan) quiet(from time.Duration, dice *rand.Rand, days ...time.Duration) {
	for _, day := range days {
		p.Events = append(p.Events, Event{At: from + day*Day + time.Hour, Kind: "swipe", N: numbers(dice)})
		p.add(from+day*Day+4*time.Hour, "safe backup")
	}
}

// lieInWait has the landlord wait at a door for tenants who only come home, twice a day.
func (p *Plan) lieInWait(dice *rand.Rand) {
	for d := range 2 * p.Days {
		when := time.Duration(d)*Day/2 + time.Hour + time.Duration(dice.Int64N(int64(10*time.Hour)))/1000*1000 + 137
		p.Events = append(p.Events, Event{At: when, Kind: "lie in wait", N: numbers(dice)})
	}
}

// stealKeys is when keys of the registry are stolen.
func (p *Plan) stealKeys(*rand.Rand) { p.add(25*time.Minute+137, "steal keys") }

// stealCard is when the card of a gateway is stolen, and when that comes out.
func (p *Plan) stealCard(dice *rand.Rand) {
	p.Gateways = 2 // the other one is honest
	p.add(25*time.Minute+137, "steal card", dice.IntN(2))
	p.add(time.Duration(p.Days)*Day-2*time.Hour+137, "remove gateway")
}
