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

// keepTwoWeeks has an approver from the first hour on, and puts quiet weeks with good backups in the middle of a plan.
func (p *Plan) keepTwoWeeks(dice *rand.Rand) {
	from := time.Duration(max(1, p.Days/2))*Day + 137
	for i := range p.Events {
		if p.Events[i].At >= from {
			p.Events[i].At += quietWeeks
		}
	}
	p.add(30*time.Minute+137, "appoint")
	for _, quiet := range []time.Duration{0, Day, 8 * Day} {
		p.Events = append(p.Events, Event{At: from + quiet + time.Hour, Kind: "swipe", N: numbers(dice)})
		p.add(from+quiet+4*time.Hour, "safe backup")
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
