package people

import (
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/world"
)

// Landlord is who gives flats and cards, and now and then tries to put a tenant out.
type Landlord struct {
	w    *world.World
	desk *Desk
}

// NewLandlord is one who has done nothing yet.
func NewLandlord(w *world.World, desk *Desk) *Landlord { return &Landlord{w, desk} }

// Events are what the landlord does, by the names that plans have for it.
func (l *Landlord) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"notice":      l.giveNotice,
		"withdraw":    l.takeBack,
		"add card":    l.addCard,
		"own card":    l.ownCard,
		"swap card":   l.swapCard,
		"clock ahead": l.clockAhead,
		"lie in wait": l.lieInWait,
	}
}

// giveNotice gives notice to a tenant.
func (l *Landlord) giveNotice(n [4]int) {
	if t, b, ok := l.w.TenantAt(n); ok {
		if l.desk.Change(b, t, control.Change{Action: "checkout", Proof: "landlord", Cause: "lease_over"}, nil, nil) == nil {
			t.Notice = time.Now().Add(3 * plan.Day)
		}
	}
}

// takeBack withdraws a notice.
func (l *Landlord) takeBack(n [4]int) {
	if t, b, ok := l.w.TenantAt(n); ok {
		if l.desk.Change(b, t, control.Change{Action: "withdraw", Proof: "landlord"}, nil, nil) == nil {
			t.Notice, t.Doubt = time.Time{}, "a notice was withdrawn"
		}
	}
}

// addCard gives a tenant one more card, on the landlord's word.
func (l *Landlord) addCard(n [4]int) {
	if t, b, ok := l.w.TenantAt(n); ok && len(t.Cards) < 3 {
		c := l.w.Model.NewCard()
		if l.desk.Change(b, t, control.Change{Action: "add", Proof: "landlord"}, nil, c) == nil {
			t.Cards = append(t.Cards, c)
			l.w.Model.Say(b.Name, model.Bound, t, c.Number)
		}
	}
}

// ownCard adds a card of the landlord's own to a tenancy, on his word, and checks the
// tenant out with it.
func (l *Landlord) ownCard(n [4]int) {
	t, b, ok := l.w.TenantAt(n)
	if !ok {
		return
	}
	c := l.w.Model.NewCard()
	t.Tricks = true
	if l.desk.Change(b, t, control.Change{Action: "add", Proof: "landlord"}, nil, c) != nil {
		return
	}
	time.Sleep(time.Duration(n[2]%48) * time.Hour / 4)
	synctest.Wait()
	_ = l.desk.Change(b, t, control.Change{Action: []string{"checkout", "suspend"}[n[3]%2], Proof: "card", Cause: "agreed", Card: n[3] % 2}, c, nil)
}

// swapCard replaces a tenant's card on the landlord's word alone.
func (l *Landlord) swapCard(n [4]int) {
	t, b, ok := l.w.TenantAt(n)
	if !ok {
		return
	}
	c, i := l.w.Model.NewCard(), n[2]%len(t.Cards)
	number := l.desk.numberAt(b, t, t.Cards[i])
	if number == 0 {
		return
	}
	t.Tricks = true
	if l.desk.Change(b, t, control.Change{Action: "replace", Proof: "landlord", Card: number}, nil, c) == nil {
		t.Cards[i].Until = time.Now().Add(3 * plan.Day)
	}
}

// clockAhead sets a gateway's clock ahead, confirms it, and lets
// it be right again.
func (l *Landlord) clockAhead(n [4]int) {
	b, ok := world.Pick(n[0], l.w.Bed.Running())
	if !ok {
		return
	}
	l.w.Shown.Calm = false
	by := plan.Wrongs[n[1]%len(plan.Wrongs)]
	b.Clock.Set(by, false)
	time.Sleep(2 * time.Minute)
	_, err := b.Client.ConfirmClock(l.w.Bed.Ctx)
	l.w.Report.Say("the landlord sets the clock of %s wrong by %v and confirms it%s", b.Name, by, world.Refusal(err))
	for _, t := range l.w.Model.Tenancies {
		if t.Desk == b.Name && !t.Over() {
			l.w.Hold(b, t, t.Cards[0])
		}
	}
	b.Clock.Set(0, true)
	time.Sleep(2 * time.Minute)
	_, err = b.Client.ConfirmClock(l.w.Bed.Ctx)
	l.w.Report.Say("the clock of %s is right again, and confirmed%s", b.Name, world.Refusal(err))
}

// lieInWait starts an act that a tenant's card proves, or would bind one,
// and waits for who comes home. One of them has to hold the card up again at once, one
// comes by much later.
func (l *Landlord) lieInWait(n [4]int) {
	b, ok := world.Pick(n[0], l.w.Bed.Running())
	if !ok {
		return
	}
	proof := n[1]%4 > 0
	l.w.Report.Say("the landlord waits at %s for a card (a proof: %v)", b.Name, proof)
	_ = l.desk.visit(b, func(session string) error {
		taken := make(chan error, 1)
		go func() {
			_, err := b.Client.ShowCard(l.w.Bed.Ctx, session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Seconds: 90}, Proof: proof})
			taken <- err
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		for i, pause := range []time.Duration{0, time.Second, 30 * time.Second} {
			time.Sleep(pause)
			if t, ok := l.w.Someone(n[2+i/2]); ok {
				t.Tricks = true
				c, _ := world.Pick(n[3], t.Cards)
				l.w.Hold(b, t, c)
			}
		}
		if err := <-taken; err != nil || !proof {
			return err
		}
		l.w.Report.Breach("W8", "at %s the landlord has the card of one who only came home", b.Name)
		_, err := b.Client.Change(l.w.Bed.Ctx, session, control.Change{Action: "checkout", Proof: "card", Cause: "agreed"})
		l.w.Report.Say("he checks the tenant out with it%s", world.Refusal(err))
		return err
	})
}
