package simulate

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/virtual"
	"os"
	"testing/synctest"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/keys"
	"gatehouse/internal/pass"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// annex is a house by itself, with no registry: its owner signs the keys of
// visitors.
type annex struct {
	*box
	key      ed25519.PrivateKey
	building *keys.BuildingKey
	visitors []visitor
	signed   time.Time // its owner has signed something last
}

// sureOf reports whether it has to know that a moment has come: one before its owner's
// last signature, or any after a day in which nobody said otherwise. Until then a time
// server alone moves nothing (T1).
func (a *annex) sureOf(moment time.Time) bool {
	return !moment.After(a.signed) || a.clock.Boot() > plan.Day+time.Hour
}

type visitor struct {
	card        *card
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
	a = &annex{box: newBox(w, "annex", "door9", true)}
	a.w = w
	_, a.key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if a.building, err = keys.GenerateBuildingKey(1); err != nil {
		return nil, err
	}
	dir := a.disk.Path("state", "keys")
	if err := os.MkdirAll(a.disk.Path("state"), 0o700); err != nil {
		return nil, err
	}
	if _, err := keys.Install(dir, a.key.Public().(ed25519.PublicKey), a.building); err != nil {
		return nil, err
	}
	if err := a.start(); err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	a.clock.Tell()
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
		w.annex = a
	}
	from := time.Now().Add([]time.Duration{-time.Hour, 0, 0, 2 * time.Hour, 26 * time.Hour}[n[0]%5]).Truncate(time.Second)
	v := visitor{w.model.card(), from, from.Add([]time.Duration{2 * time.Hour, 5 * time.Hour, 30 * time.Hour, 3 * plan.Day}[n[1]%4])}
	owner := issue.Issuer{Client: w.annex.client, Key: w.annex.key}
	_, err := owner.Edit(w.ctx, func(e *grantlist.Editor) error {
		_, err := e.Add(grantlist.NewGrant{Kind: wire.GrantVisitor, Doors: []string{w.annex.door}, From: v.from, Until: v.until,
			Credentials: []wire.CredentialID{w.annex.building.Identify(virtual.CardOf(v.card.number))}, Label: fmt.Sprintf("visitor %d", len(w.annex.visitors)+1)})
		return err
	})
	w.report.Say("the owner of the annex gives a visitor house card %d, from %s to %s%s", v.card.number, v.from.In(shanghai).Format(time.DateTime), v.until.In(shanghai).Format(time.DateTime), refusal(err))
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
		w.must("annex", w.annex.cutPower())
		w.bootBox(w.annex.box)
	}
	w.noteTime(w.annex.box)
	v, ok := pick(n[0], w.annex.visitors)
	if !ok {
		return
	}
	opened := w.annex.swipe(v.card.number)
	reason := w.annex.lastReason()
	w.report.Say("the visitor with house card %d swipes it at the annex: %s", v.card.number, reason)
	switch outside := tooEarlyOrLate(v.from, v.until); {
	case opened && outside && w.annex.clock.WasTold():
		w.report.Breach("W2", "house card %d of a visitor opens the annex outside its time", v.card.number)
	case !opened && !outside && w.allRight() && w.annex.sureOf(v.from) && !tooEarlyOrLate(v.from.Add(2*unsure), v.until.Add(-2*unsure)):
		w.report.Breach("W2", "house card %d of a visitor does not open the annex in its time: %s", v.card.number, reason)
	}
}

// allRight reports whether every clock is right and has been for some minutes of
// its boot.
func (w *world) allRight() bool {
	for _, c := range w.clocks() {
		if !c.c.Right() || !c.c.WasTold() && c.name == "annex" {
			return false
		}
	}
	return true
}

// pass: a tenant gets a pass for a phone, and somebody holds it up, in its minutes
// or later, once or again.
func (w *world) pass(n [4]int) {
	t, ok := w.someone(n[0])
	b, ok2 := pick(n[1], w.running())
	if !ok || !ok2 || !w.centre.issuer.running() {
		return
	}
	p, err := w.centre.op.Pass(w.ctx, operator.NewPass{Tenancy: t.id, Minutes: 1 + n[2]%15})
	w.report.Say("the operator: pass for %s%s", t.name(), said(err))
	if err != nil {
		return
	}
	time.Sleep([]time.Duration{0, 0, time.Minute, 5 * time.Minute, 20 * time.Minute, 3 * time.Hour}[n[3]%6])
	synctest.Wait()
	w.holdPass(b, t, p)
	if n[3]%2 == 0 && w.holdPass(b, t, p) {
		w.report.Breach("W2", "a pass of %s opens %s twice", t.name(), b.name)
	}
}

// keepPass: a tenant gets a pass for some minutes, and keeps it.
func (w *world) keepPass(n [4]int) {
	if t, ok := w.someone(n[0]); ok {
		p, err := w.centre.op.Pass(w.ctx, operator.NewPass{Tenancy: t.id, Minutes: n[1]})
		w.report.Say("the operator: pass for %s, of %d minutes%s", t.name(), n[1], said(err))
		if err == nil {
			w.passes = append(w.passes, kept{t, p})
		}
	}
}

// kept is a pass that somebody has on a phone.
type kept struct {
	tenancy *tenancy
	pass    operator.Pass
}

// oldPasses holds up whatever was kept whose minutes are over: nobody has told this
// machine a wrong time, only an old one, and so none of them opens.
func (w *world) oldPasses(n [4]int) {
	b, _ := pick(n[0], w.gateways)
	for _, k := range w.passes {
		if tooEarlyOrLate(k.pass.From, k.pass.Until.Add(pass.Skew*time.Second)) && w.holdPass(b, k.tenancy, k.pass) {
			w.report.Breach("W2", "a pass of %s opens %s, whose minutes were over at %s", k.tenancy.name(), b.name, k.pass.Until.In(shanghai).Format(time.DateTime))
		}
	}
}

// holdPass holds a pass up and says whether the door opened.
func (w *world) holdPass(b *box, t *tenancy, p operator.Pass) bool {
	w.noteTime(b)
	opened := b.opens(func() { b.board.Scan(p.Text) })
	w.report.Say("%s shows a pass at %s: %s", t.name(), b.name, b.lastReason())
	if !opened {
		return false
	}
	skew := pass.Skew * time.Second
	if b.clock.WasTold() && tooEarlyOrLate(p.From.Add(-skew), p.Until.Add(skew)) {
		w.report.Breach("W2", "a pass of %s opens %s outside its minutes", t.name(), b.name)
	}
	stopped := true
	for _, c := range t.cards {
		stopped = stopped && w.model.stopped(b.name, t, c.number)
	}
	if stopped {
		w.report.Breach("W1", "a pass of %s opens %s, which has heard that the tenancy is stopped", t.name(), b.name)
	}
	return true
}
