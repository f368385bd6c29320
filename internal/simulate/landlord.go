package simulate

import (
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/simulate/plan"
)

// ownCard: the landlord adds a card of his own on his word, and checks the
// tenant out with it.
func (w *world) ownCard(n [4]int) {
	t, b, ok := w.tenantAt(n)
	if !ok {
		return
	}
	c := w.model.NewCard()
	t.Tricks = true
	if w.change(b, t, control.Change{Action: "add", Proof: "landlord"}, nil, c) != nil {
		return
	}
	time.Sleep(time.Duration(n[2]%48) * time.Hour / 4)
	synctest.Wait()
	_ = w.change(b, t, control.Change{Action: []string{"checkout", "suspend"}[n[3]%2], Proof: "card", Cause: "agreed", Card: n[3] % 2}, c, nil)
}

// swapCard: the landlord replaces a card on his word alone.
func (w *world) swapCard(n [4]int) {
	t, b, ok := w.tenantAt(n)
	if !ok {
		return
	}
	c, i := w.model.NewCard(), n[2]%len(t.Cards)
	number := w.numberAt(b, t, t.Cards[i])
	if number == 0 {
		return
	}
	t.Tricks = true
	if w.change(b, t, control.Change{Action: "replace", Proof: "landlord", Card: number}, nil, c) == nil {
		t.Cards[i].Until = time.Now().Add(3 * plan.Day)
	}
}

// clockAhead: the landlord sets the gateway's clock ahead, confirms it, and lets
// it be right again.
func (w *world) clockAhead(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok {
		return
	}
	w.calm = false
	by := wrongs[n[1]%len(wrongs)]
	b.Clock.Set(by, false)
	time.Sleep(2 * time.Minute)
	_, err := b.Client.ConfirmClock(w.bed.Ctx)
	w.report.Say("the landlord sets the clock of %s wrong by %v and confirms it%s", b.Name, by, refusal(err))
	for _, t := range w.model.Tenancies {
		if t.Desk == b.Name && !t.Over() {
			w.hold(b, t, t.Cards[0])
		}
	}
	b.Clock.Set(0, true)
	time.Sleep(2 * time.Minute)
	_, err = b.Client.ConfirmClock(w.bed.Ctx)
	w.report.Say("the clock of %s is right again, and confirmed%s", b.Name, refusal(err))
}

// lieInWait: the landlord starts an act that a tenant's card proves, or would bind one,
// and waits for who comes home. One of them has to hold the card up again at once, one
// comes by much later.
func (w *world) lieInWait(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok {
		return
	}
	proof := n[1]%4 > 0
	w.report.Say("the landlord waits at %s for a card (a proof: %v)", b.Name, proof)
	_ = w.visit(b, func(session string) error {
		taken := make(chan error, 1)
		go func() {
			_, err := b.Client.ShowCard(w.bed.Ctx, session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Seconds: 90}, Proof: proof})
			taken <- err
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		for i, pause := range []time.Duration{0, time.Second, 30 * time.Second} {
			time.Sleep(pause)
			if t, ok := w.someone(n[2+i/2]); ok {
				t.Tricks = true
				c, _ := pick(n[3], t.Cards)
				w.hold(b, t, c)
			}
		}
		if err := <-taken; err != nil || !proof {
			return err
		}
		w.report.Breach("W8", "at %s the landlord has the card of one who only came home", b.Name)
		_, err := b.Client.Change(w.bed.Ctx, session, control.Change{Action: "checkout", Proof: "card", Cause: "agreed"})
		w.report.Say("he checks the tenant out with it%s", refusal(err))
		return err
	})
}
