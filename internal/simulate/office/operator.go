// Package office is the registry's: an operator does what residents ask for, and what status
// and hints tell him and the landlord to do.
package office

import (
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Operator is who answers at the registry and does what is asked for there.
type Operator struct{ w *world.World }

// NewOperator is one who has done nothing yet.
func NewOperator(w *world.World) *Operator { return &Operator{w} }

// Events are what an operator does, by the names that plans have for it.
func (o *Operator) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"revoke":         o.revoke,
		"revoke now":     o.revokeNow,
		"revoke in time": o.revokeInTime,
		"in time":        o.inTime,
		"suspend":        o.stop,
		"resume":         o.goOn,
		"settle":         o.settle,
		"reinstate":      o.reinstate,
		"back up":        o.backUp,
		"safe backup":    o.safeBackup,
	}
}

// act lets the operator do something to a tenancy at the registry, and do what
// the answer says.
func (o *Operator) act(t *model.Tenancy, a operator.Act) error {
	if !o.w.Bed.Registry.Issuer.Running() {
		return testbed.ErrOff
	}
	a.Tenancy = t.ID
	done, err := o.w.Bed.Registry.Op.Do(o.w.Bed.Ctx, a)
	hint := ""
	if err == nil && done.Hint != "" {
		hint = ": " + done.Hint
	}
	o.w.Report.Say("the operator: %s %s (%s)%s%s", a.Act, t.Name(), a.Reason, world.Said(err), hint)
	if err == nil && done.Held {
		o.countersign()
	}
	return err
}

func (o *Operator) revoke(n [4]int) {
	if t, ok := o.w.Someone(n[0]); ok && n[1]%2 == 0 {
		o.Revoke(t)
	}
}

// Revoke ends a tenancy, and reports whether it is ended.
func (o *Operator) Revoke(t *model.Tenancy) bool {
	ok := o.act(t, operator.Act{Act: operator.ActEnd, Reason: "order"}) == nil
	if ok {
		o.w.Model.Say("issuer", model.Ended, t)
	}
	return ok
}

func (o *Operator) stop(n [4]int) {
	if t, ok := o.w.Someone(n[0]); ok {
		_ = o.Suspend(t) // told
	}
}

// Suspend suspends all cards of a tenancy at the registry.
func (o *Operator) Suspend(t *model.Tenancy) error {
	err := o.act(t, operator.Act{Act: operator.ActSuspend, Reason: "lost"})
	if err == nil {
		o.w.Model.Say("issuer", model.Suspended, t, o.cards(t)...)
	}
	return err
}

func (o *Operator) goOn(n [4]int) {
	if t, ok := o.w.Someone(n[0]); ok {
		if o.act(t, operator.Act{Act: operator.ActResume, Reason: "found"}) == nil {
			o.w.Model.Say("issuer", model.Resumed, t, o.cards(t)...)
		}
	}
}

// cards are those of a tenancy of which the registry has heard. A gateway that has told it of one may
// not know yet that it has, as long as a list waits: the operator sees as many as there are.
func (o *Operator) cards(t *model.Tenancy) (all []int) {
	grants, err := o.w.Bed.Registry.Op.Grants(o.w.Bed.Ctx, testbed.Building, t.ID)
	every := func(g operator.Grant) bool { return len(g.Cards) == len(t.Cards) }
	if err != nil || t.Tricks || !slices.ContainsFunc(grants, every) { // a landlord's own card counts there, too
		return o.w.Model.CardsAt("issuer", t)
	}
	for _, c := range t.Cards {
		all = append(all, c.Number)
	}
	return all
}

// settle decides on a disputed notice.
func (o *Operator) settle(n [4]int) {
	t, ok := o.w.Someone(n[0])
	if !ok {
		return
	}
	a := operator.Act{Act: operator.ActReject, Reason: "heard"}
	if n[1]%2 == 0 {
		a = operator.Act{Act: operator.ActUphold, Reason: "heard", Until: o.w.Bed.Registry.Issuer.Clock.Wall().Add(4 * plan.Day)}
	}
	if o.act(t, a) == nil {
		t.Doubt = "the registry decided on a notice"
	}
}

// reinstate gives new grants to somebody whose tenancy was ended,
// for the same cards.
func (o *Operator) reinstate(n [4]int) {
	var over []*model.Tenancy
	for _, t := range o.w.Model.Tenancies {
		if o.w.Model.EndedByAnyone(t) {
			over = append(over, t)
		}
	}
	t, ok := world.Pick(n[0], over)
	if !ok {
		return
	}
	a := operator.Act{Act: operator.ActReinstate, Reason: "mistake"}
	if n[1]%3 == 0 {
		a.Until = time.Now().Add(60 * plan.Day).Truncate(time.Second)
	}
	if o.act(t, a) != nil {
		return
	}
	t.Notice = time.Time{} // the new grants have none
	if !a.Until.IsZero() {
		t.Until = a.Until
	}
	o.w.Model.Reinstate(t)
}

// revokeNow is law W4 in the midst of days: a revocation is active at every
// gateway that has a line within two minutes.
func (o *Operator) revokeNow(n [4]int) {
	if t, ok := o.w.Someone(n[0]); ok && o.Revoke(t) {
		o.w.ActiveIn(2*time.Minute, t)
	}
}

// revokeInTime and inTime are what is promised of any single fault: a revocation made
// in it is active 90 s after its end.
func (o *Operator) revokeInTime(n [4]int) {
	if t, ok := o.w.Someone(n[0]); ok && o.Revoke(t) {
		o.w.ActiveIn(90*time.Second, t)
	}
}

func (o *Operator) inTime(n [4]int) {
	if t, ok := o.w.Someone(n[0]); ok {
		o.w.ActiveIn(90*time.Second, t)
	}
}

// backUp makes the copies that the docs ask for: the issuer's first.
func (o *Operator) backUp([4]int) {
	for _, p := range []struct {
		name string
		part *testbed.Part
		up   func() error
		down func()
	}{{"issuer", &o.w.Bed.Registry.Issuer, o.w.Bed.Registry.StartIssuer, o.w.Bed.Registry.Issuer.End}, {"front", &o.w.Bed.Registry.Front, o.w.Bed.Registry.StartFront, o.w.Bed.Registry.StopFront}} {
		was := p.part.Running()
		p.down()
		if err := p.part.Disk.Image("backup"); err != nil {
			o.w.Report.Breach("start", "back up: %v", err)
		}
		if was {
			o.w.Must(p.name, p.up())
			time.Sleep(time.Second) // what it begins with is over when the other one stops
		}
		if m := o.w.Model.Minds[p.name]; m != nil {
			o.w.Model.Images[p.name] = m.Clone()
		}
	}
	for _, b := range o.w.Bed.Gateways {
		if err := b.Disk.Image("backup"); err != nil {
			o.w.Report.Breach("start", "image of %s: %v", b.Name, err)
		}
		o.w.Model.Images[b.Name] = o.w.Model.Minds[b.Name].Clone()
	}
	o.w.BackedUp = o.w.Now()
	time.Sleep(time.Second)
}

// safeBackup is registryd backup in the place of the last copy of the front: what is in it can't be lost any more, and gateways hear that.
func (o *Operator) safeBackup([4]int) {
	body, err := o.w.Bed.Registry.API.Backup(o.w.Bed.Ctx, "safe")
	if err == nil {
		err = o.w.Bed.Registry.Front.Disk.Keep("backup", api.FileDatabase, body)
	}
	if err == nil {
		_, err = o.w.Bed.Registry.API.Kept(o.w.Bed.Ctx, "safe")
	}
	if o.w.Report.Say("the operator: registryd backup%s", world.Said(err)); err != nil {
		return
	}
	o.w.BackedUp = o.w.Now()
	there, err := frontdb.ReadIn(o.w.Bed.Ctx, o.w.Bed.Registry.Front.Disk.ImageDir("backup"), o.w.Bed.Dir)
	if err != nil {
		o.w.Report.Breach("W10", "the backup can't be read: %v", err)
	}
	o.w.Erased.Safe(there)
}

// countersign brings a second issuer's word for every list that waits for it, and for
// the newest (--newest) where only gateways wait of which the operator knows that they
// were away, as the hint says.
func (o *Operator) countersign() {
	lists, err := o.w.Bed.Registry.Op.Lists(o.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, l := range lists {
		newest := !l.Held && slices.ContainsFunc(l.Doubted, func(gateway string) bool { return o.w.Shown.Away[gateway] })
		if !l.Held && !newest {
			continue
		}
		second, err := operator.SignList(l, o.w.Bed.Path("offline/"+api.FileRoot), "town", o.w.Bed.Path("offline/"+authority.FileSecond))
		if second.Newest = newest; err == nil {
			_, err = o.w.Bed.Registry.Op.Countersign(o.w.Bed.Ctx, second)
		}
		flag := ""
		if newest {
			flag = " --newest"
		}
		o.w.Report.Say("the operator: registryd countersign%s%s", flag, world.Said(err))
	}
}
