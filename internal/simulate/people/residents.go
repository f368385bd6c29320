package people

import (
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Residents are those who live in the house.
type Residents struct {
	w    *world.World
	desk *Desk
}

// NewResidents is an empty house.
func NewResidents(w *world.World, desk *Desk) *Residents { return &Residents{w, desk} }

// Events are what residents do, by the names that plans have for it.
func (r *Residents) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"swipe":     r.swipe,
		"check in":  r.checkIn,
		"long stay": r.longStay,
		"leave":     r.leave,
		"object":    r.object,
		"lose card": r.lose,
		"find card": r.find,
	}
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

// swipe holds somebody's card up, whether it still opens or not.
func (r *Residents) swipe(n [4]int) {
	t, ok := r.w.Someone(n[0])
	b, ok2 := world.Pick(n[1], r.w.Bed.Running())
	if !ok || !ok2 {
		return
	}
	c, _ := world.Pick(n[2], t.Cards)
	if r.w.Plan.Twin == 2 {
		t, c = r.w.OtherWalker(b, t, c)
	}
	r.w.Hold(b, t, c)
}

// checkIn lets a person arrive at a desk. The term is none, or some days or weeks.
func (r *Residents) checkIn(n [4]int) {
	b, ok := world.Pick(n[0], r.w.Bed.Running())
	if !ok {
		return
	}
	var until time.Time
	if days := []int{0, 0, 2, 5, 30, 400}[n[1]%6]; days > 0 {
		y, m, d := plan.Begin.Add(r.w.Now() + time.Duration(days)*plan.Day).In(shanghai).Date()
		until = time.Date(y, m, d, 0, 0, 0, 0, shanghai)
	}
	flat, _ := world.Pick(n[2], testbed.Flats)
	c := r.w.Model.NewCard()
	if n[3]%12 == 0 { // somebody else's card
		if other, ok := world.Pick(n[2], r.w.Model.Tenancies); ok {
			c = &model.Card{Number: other.Cards[0].Number}
		}
	}
	r.desk.CheckIn(b, flat, c, until)
}

// longStay lets somebody move in for years.
func (r *Residents) longStay(n [4]int) {
	b, ok := world.Pick(n[0], r.w.Bed.Running())
	if !ok {
		return
	}
	y, m, d := plan.Begin.Add(r.w.Now()).In(shanghai).Date()
	flat, _ := world.Pick(n[1], testbed.Flats)
	r.desk.CheckIn(b, flat, r.w.Model.NewCard(), time.Date(y+2+n[2]%4, m, d, 0, 0, 0, 0, shanghai))
}

// leave checks a tenant out by a card.
func (r *Residents) leave(n [4]int) {
	if t, b, ok := r.w.TenantAt(n); ok {
		c, _ := world.Pick(n[2], t.Cards)
		if r.desk.Change(b, t, control.Change{Action: "checkout", Proof: "card", Cause: "moved_out"}, c, nil) == nil {
			r.w.Model.Say(b.Name, model.Ended, t)
		}
	}
}

// object disputes a notice by the tenant's PIN.
func (r *Residents) object(n [4]int) {
	if t, b, ok := r.w.TenantAt(n); ok {
		if r.desk.Change(b, t, control.Change{Action: "dispute", Proof: "pin", PIN: t.PIN}, nil, nil) == nil {
			t.Notice, t.Doubt = time.Time{}, "a notice is disputed"
		}
	}
}

// lose suspends a card that a tenant has lost, by another card or the PIN.
func (r *Residents) lose(n [4]int) {
	if t, b, ok := r.w.TenantAt(n); ok {
		i, ask, proof := n[2]%len(t.Cards), control.Change{Action: "suspend", Proof: "pin", PIN: t.PIN}, (*model.Card)(nil)
		if len(t.Cards) > 1 { // another card of theirs proves it
			ask, proof = control.Change{Action: "suspend", Proof: "card"}, t.Cards[(i+1)%len(t.Cards)]
		}
		if ask.Card = r.desk.numberAt(b, t, t.Cards[i]); ask.Card == 0 {
			return
		}
		if r.desk.Change(b, t, ask, proof, nil) == nil {
			r.w.Model.Say(b.Name, model.Suspended, t, t.Cards[i].Number)
		}
	}
}

// find resumes a card that is found: it is held up.
func (r *Residents) find(n [4]int) {
	if t, b, ok := r.w.TenantAt(n); ok {
		c, _ := world.Pick(n[2], t.Cards)
		if r.desk.Change(b, t, control.Change{Action: "resume", Proof: "card"}, c, nil) == nil {
			r.w.Model.Say(b.Name, model.Resumed, t, c.Number)
		}
	}
}
