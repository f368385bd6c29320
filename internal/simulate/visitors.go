package simulate

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
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/sync/wire"
)

// annex is a house by itself, with no registry: its owner signs the keys of
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
	return !moment.After(a.signed) || a.Clock.Boot() > plan.Day+time.Hour
}

type visitor struct {
	card        *model.Card
	from, until time.Time
}

// unsure is how much a clock may be off that is taken for right: what agrees to a
// minute is not held against each other.
const unsure = 2 * time.Minute

// tooEarlyOrLate reports whether now lies outside a term.
func tooEarlyOrLate(from, until time.Time) bool {
	now := time.Now()
	return now.Before(from.Add(-unsure)) || !now.Before(until.Add(unsure))
}

// openAnnex makes it, and starts it.
func (w *world) openAnnex() (a *annex, err error) {
	a = &annex{Gateway: testbed.NewGateway(w.bed, "annex", "door9", true)}
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

// visitor: the owner of the annex gives somebody a key for some hours or days.
func (w *world) visitor(n [4]int) {
	if w.annex == nil {
		a, err := w.openAnnex()
		if err != nil {
			w.report.Breach("start", "annex: %v", err)
			return
		}
		w.annex, w.bed.Annex = a, a.Gateway
	}
	from := time.Now().Add([]time.Duration{-time.Hour, 0, 0, 2 * time.Hour, 26 * time.Hour}[n[0]%5]).Truncate(time.Second)
	v := visitor{w.model.NewCard(), from, from.Add([]time.Duration{2 * time.Hour, 5 * time.Hour, 30 * time.Hour, 3 * plan.Day}[n[1]%4])}
	owner := issue.Issuer{Client: w.annex.Client, Key: w.annex.key}
	_, err := owner.Edit(w.bed.Ctx, func(e *grantlist.Editor) error {
		_, err := e.Add(grantlist.NewGrant{Kind: wire.GrantVisitor, Doors: []string{w.annex.Door}, From: v.from, Until: v.until,
			Credentials: []wire.CredentialID{w.annex.building.Identify(virtual.CardOf(v.card.Number))}, Label: fmt.Sprintf("visitor %d", len(w.annex.visitors)+1)})
		return err
	})
	w.report.Say("the owner of the annex gives a visitor house card %d, from %s to %s%s", v.card.Number, v.from.In(shanghai).Format(time.DateTime), v.until.In(shanghai).Format(time.DateTime), refusal(err))
	if err == nil {
		w.annex.visitors, w.annex.signed = append(w.annex.visitors, v), time.Now()
	}
}

// visitorSwipes holds a visitor's card up, in his time or not; now and then the
// annex has lost its power before.
func (w *world) visitorSwipes(n [4]int) {
	if w.annex == nil {
		return
	}
	if n[2]%8 == 0 {
		w.report.Say("the annex loses its power")
		w.must("annex", w.annex.CutPower())
		w.bootBox(w.annex.Gateway)
	}
	w.noteTime(w.annex.Gateway)
	v, ok := pick(n[0], w.annex.visitors)
	if !ok {
		return
	}
	opened := w.annex.Swipe(v.card.Number)
	reason := w.annex.LastReason()
	w.report.Say("the visitor with house card %d swipes it at the annex: %s", v.card.Number, reason)
	switch outside := tooEarlyOrLate(v.from, v.until); {
	case opened && outside && w.annex.Clock.WasTold():
		w.report.Breach("W2", "house card %d of a visitor opens the annex outside its time", v.card.Number)
	case !opened && !outside && w.allRight() && w.annex.sureOf(v.from) && !tooEarlyOrLate(v.from.Add(2*unsure), v.until.Add(-2*unsure)):
		w.report.Breach("W2", "house card %d of a visitor does not open the annex in its time: %s", v.card.Number, reason)
	}
}

// allRight reports whether every clock is right and has been for some minutes of
// its boot.
func (w *world) allRight() bool {
	for _, c := range w.bed.Clocks() {
		if !c.Clock.Right() || !c.Clock.WasTold() && c.Name == "annex" {
			return false
		}
	}
	return true
}

// pass: a tenant gets a pass for a phone, and somebody holds it up, in its minutes
// or later, once or again.
func (w *world) pass(n [4]int) {
	t, ok := w.someone(n[0])
	b, ok2 := pick(n[1], w.bed.Running())
	if !ok || !ok2 || !w.bed.Registry.Issuer.Running() {
		return
	}
	p, err := w.bed.Registry.Op.Pass(w.bed.Ctx, operator.NewPass{Tenancy: t.ID, Minutes: 1 + n[2]%15})
	w.report.Say("the operator: pass for %s%s", t.Name(), said(err))
	if err != nil {
		return
	}
	time.Sleep([]time.Duration{0, 0, time.Minute, 5 * time.Minute, 20 * time.Minute, 3 * time.Hour}[n[3]%6])
	synctest.Wait()
	w.holdPass(b, t, p)
	if n[3]%2 == 0 && w.holdPass(b, t, p) {
		w.report.Breach("W2", "a pass of %s opens %s twice", t.Name(), b.Name)
	}
}

// keepPass: a tenant gets a pass for some minutes, and keeps it.
func (w *world) keepPass(n [4]int) {
	if t, ok := w.someone(n[0]); ok {
		p, err := w.bed.Registry.Op.Pass(w.bed.Ctx, operator.NewPass{Tenancy: t.ID, Minutes: n[1]})
		w.report.Say("the operator: pass for %s, of %d minutes%s", t.Name(), n[1], said(err))
		if err == nil {
			w.passes = append(w.passes, kept{t, p})
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
func (w *world) oldPasses(n [4]int) {
	b, _ := pick(n[0], w.bed.Gateways)
	for _, k := range w.passes {
		if tooEarlyOrLate(k.pass.From, k.pass.Until.Add(pass.Skew*time.Second)) && w.holdPass(b, k.tenancy, k.pass) {
			w.report.Breach("W2", "a pass of %s opens %s, whose minutes were over at %s", k.tenancy.Name(), b.Name, k.pass.Until.In(shanghai).Format(time.DateTime))
		}
	}
}

// holdPass holds a pass up and says whether the door opened.
func (w *world) holdPass(b *testbed.Gateway, t *model.Tenancy, p operator.Pass) bool {
	w.noteTime(b)
	opened := b.Opens(func() { b.Board.Scan(p.Text) })
	w.report.Say("%s shows a pass at %s: %s", t.Name(), b.Name, b.LastReason())
	if !opened {
		return false
	}
	skew := pass.Skew * time.Second
	if b.Clock.WasTold() && tooEarlyOrLate(p.From.Add(-skew), p.Until.Add(skew)) {
		w.report.Breach("W2", "a pass of %s opens %s outside its minutes", t.Name(), b.Name)
	}
	stopped := true
	for _, c := range t.Cards {
		stopped = stopped && w.model.Stopped(b.Name, t, c.Number)
	}
	if stopped {
		w.report.Breach("W1", "a pass of %s opens %s, which has heard that the tenancy is stopped", t.Name(), b.Name)
	}
	return true
}
