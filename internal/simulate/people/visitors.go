package people

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"testing/synctest"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/keys"
	"gatehouse/internal/pass"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/simulate/world"
	"gatehouse/sync/wire"
)

// Visitors are those who have a pass for a phone, or a key of the annex.
type Visitors struct {
	w      *world.World
	annex  *annex // nil: there is none
	passes []kept
}

// NewVisitors is a house to which nobody has come.
func NewVisitors(w *world.World) *Visitors { return &Visitors{w: w} }

// Events are what visitors do, by the names that plans have for it.
func (vs *Visitors) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"pass":           vs.pass,
		"keep pass":      vs.keepPass,
		"old passes":     vs.oldPasses,
		"visitor":        vs.visitor,
		"visitor swipes": vs.visitorSwipes,
	}
}

// annex is a standalone house, with no registry: its owner signs the keys of
// visitors.
type annex struct {
	*testbed.Gateway
	key      ed25519.PrivateKey
	building *keys.BuildingKey
	visitors []visitor
	signed   time.Time // its owner has signed something last
}

// sureOf reports whether it has to know that a moment has come: one before its owner's
// last signature, or any after a day in which nobody said otherwise. Until then a time
// server alone moves nothing (T1).
func (a *annex) sureOf(moment time.Time) bool {
	return !moment.After(a.signed) || a.Clock.Steady() > plan.Day+time.Hour
}

type visitor struct {
	card        *model.Card
	from, until time.Time
}

// openAnnex makes it, and starts it.
func (vs *Visitors) openAnnex() (a *annex, err error) {
	a = &annex{Gateway: testbed.NewGateway(vs.w.Bed, "annex", "door9", true)}
	_, a.key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if a.building, err = keys.GenerateBuildingKey(1); err != nil {
		return nil, err
	}
	dir := a.Disk.Path("state", "keys")
	if err := os.MkdirAll(a.Disk.Path("state"), 0o700); err != nil {
		return nil, err
	}
	if _, err := keys.Install(dir, a.key.Public().(ed25519.PublicKey), a.building); err != nil {
		return nil, err
	}
	if err := a.Start(); err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	a.Clock.Tell()
	return a, nil
}

// visitor is given a key by the owner of the annex, for some hours or days.
func (vs *Visitors) visitor(n [4]int) {
	if vs.annex == nil {
		a, err := vs.openAnnex()
		if err != nil {
			vs.w.Report.Breach("start", "annex: %v", err)
			return
		}
		vs.annex, vs.w.Bed.Annex = a, a.Gateway
	}
	from := time.Now().Add([]time.Duration{-time.Hour, 0, 0, 2 * time.Hour, 26 * time.Hour}[n[0]%5]).Truncate(time.Second)
	v := visitor{vs.w.Model.NewCard(), from, from.Add([]time.Duration{2 * time.Hour, 5 * time.Hour, 30 * time.Hour, 3 * plan.Day}[n[1]%4])}
	owner := issue.Issuer{Client: vs.annex.Client, Key: vs.annex.key}
	_, err := owner.Edit(vs.w.Bed.Ctx, func(e *grantlist.Editor) error {
		_, err := e.Add(grantlist.NewGrant{Kind: wire.GrantVisitor, Doors: []string{vs.annex.Door}, From: v.from, Until: v.until,
			Credentials: []wire.CredentialID{vs.annex.building.Identify(virtual.CardOf(v.card.Number))}, Label: fmt.Sprintf("visitor %d", len(vs.annex.visitors)+1)})
		return err
	})
	vs.w.Report.Say("the owner of the annex gives a visitor house card %d, from %s to %s%s", v.card.Number, v.from.In(shanghai).Format(time.DateTime), v.until.In(shanghai).Format(time.DateTime), world.Refusal(err))
	if err == nil {
		vs.annex.visitors, vs.annex.signed = append(vs.annex.visitors, v), time.Now()
	}
}

// visitorSwipes holds a visitor's card up, in his time or not; now and then the
// annex has lost its power before.
func (vs *Visitors) visitorSwipes(n [4]int) {
	if vs.annex == nil {
		return
	}
	if n[2]%8 == 0 {
		vs.w.Report.Say("the annex loses its power")
		vs.w.Must("annex", vs.annex.CutPower())
		vs.w.Boot(vs.annex.Gateway)
	}
	vs.w.NoteTime(vs.annex.Gateway)
	v, ok := world.Pick(n[0], vs.annex.visitors)
	if !ok {
		return
	}
	opened := vs.annex.Swipe(v.card.Number)
	reason := vs.annex.LastReason()
	vs.w.Report.Say("the visitor with house card %d swipes it at the annex: %s", v.card.Number, reason)
	switch outside := laws.TooEarlyOrLate(v.from, v.until); {
	case opened && outside && vs.annex.Clock.WasTold():
		vs.w.Report.Breach("W2", "house card %d of a visitor opens the annex outside its time", v.card.Number)
	case !opened && !outside && vs.allRight() && vs.annex.sureOf(v.from) && !laws.TooEarlyOrLate(v.from.Add(2*laws.Unsure), v.until.Add(-2*laws.Unsure)):
		vs.w.Report.Breach("W2", "house card %d of a visitor does not open the annex in its time: %s", v.card.Number, reason)
	}
}

// allRight reports whether every clock is right and has been for some minutes of
// its boot.
func (vs *Visitors) allRight() bool {
	for _, c := range vs.w.Bed.Clocks() {
		if !c.Clock.Right() || !c.Clock.WasTold() && c.Name == "annex" {
			return false
		}
	}
	return true
}

// pass gives a tenant a pass for a phone, which somebody holds up, in its minutes
// or later, once or again.
func (vs *Visitors) pass(n [4]int) {
	t, ok := vs.w.Someone(n[0])
	b, ok2 := world.Pick(n[1], vs.w.Bed.Running())
	if !ok || !ok2 || !vs.w.Bed.Registry.Issuer.Running() {
		return
	}
	p, err := vs.w.Bed.Registry.Op.Pass(vs.w.Bed.Ctx, operator.NewPass{Tenancy: t.ID, Minutes: 1 + n[2]%15})
	vs.w.Report.Say("the operator: pass for %s%s", t.Name(), world.Said(err))
	if err != nil {
		return
	}
	time.Sleep([]time.Duration{0, 0, time.Minute, 5 * time.Minute, 20 * time.Minute, 3 * time.Hour}[n[3]%6])
	synctest.Wait()
	vs.holdPass(b, t, p)
	if n[3]%2 == 0 && vs.holdPass(b, t, p) {
		vs.w.Report.Breach("W2", "a pass of %s opens %s twice", t.Name(), b.Name)
	}
}

// keepPass gives a tenant a pass for some minutes, who keeps it.
func (vs *Visitors) keepPass(n [4]int) {
	if t, ok := vs.w.Someone(n[0]); ok {
		p, err := vs.w.Bed.Registry.Op.Pass(vs.w.Bed.Ctx, operator.NewPass{Tenancy: t.ID, Minutes: n[1]})
		vs.w.Report.Say("the operator: pass for %s, of %d minutes%s", t.Name(), n[1], world.Said(err))
		if err == nil {
			vs.passes = append(vs.passes, kept{t, p})
		}
	}
}

// kept is a pass that somebody has on a phone.
type kept struct {
	tenancy *model.Tenancy
	pass    operator.Pass
}

// oldPasses holds up whatever was kept whose minutes are over: nobody has told this
// machine a wrong time, only an old one, and so none of them opens.
func (vs *Visitors) oldPasses(n [4]int) {
	b, _ := world.Pick(n[0], vs.w.Bed.Gateways)
	for _, k := range vs.passes {
		if laws.TooEarlyOrLate(k.pass.From, k.pass.Until.Add(pass.Skew*time.Second)) && vs.holdPass(b, k.tenancy, k.pass) {
			vs.w.Report.Breach("W2", "a pass of %s opens %s, whose minutes were over at %s", k.tenancy.Name(), b.Name, k.pass.Until.In(shanghai).Format(time.DateTime))
		}
	}
}

// holdPass holds a pass up and says whether the door opened.
func (vs *Visitors) holdPass(b *testbed.Gateway, t *model.Tenancy, p operator.Pass) bool {
	vs.w.NoteTime(b)
	opened := b.Opens(func() { b.Board.Scan(p.Text) })
	vs.w.Report.Say("%s shows a pass at %s: %s", t.Name(), b.Name, b.LastReason())
	if !opened {
		return false
	}
	skew := pass.Skew * time.Second
	if b.Clock.WasTold() && laws.TooEarlyOrLate(p.From.Add(-skew), p.Until.Add(skew)) {
		vs.w.Report.Breach("W2", "a pass of %s opens %s outside its minutes", t.Name(), b.Name)
	}
	stopped := true
	for _, c := range t.Cards {
		stopped = stopped && vs.w.Model.Stopped(b.Name, t, c.Number)
	}
	if stopped {
		vs.w.Report.Breach("W1", "a pass of %s opens %s, which has heard that the tenancy is stopped", t.Name(), b.Name)
	}
	return true
}
