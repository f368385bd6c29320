package simulate

import (
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
)

// ownCard: the landlord adds a card of his own on his word, and checks the
// tenant out with it.
func (w *world) ownCard(n [4]int) {
	t, b, ok := w.tenantAt(n)
	if !ok {
		return
	}
	c := w.model.card()
	t.tricks = true
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
	c, i := w.model.card(), n[2]%len(t.cards)
	number := w.numberAt(b, t, t.cards[i])
	if number == 0 {
		return
	}
	t.tricks = true
	if w.change(b, t, control.Change{Action: "replace", Proof: "landlord", Card: number}, nil, c) == nil {
		t.cards[i].until = time.Now().Add(3 * day)
	}
}

// clockAhead: the landlord sets the gateway's clock ahead, confirms it, and lets
// it be right again.
func (w *world) clockAhead(n [4]int) {
	b, ok := pick(n[0], w.running())
	if !ok {
		return
	}
	w.calm = false
	by := wrongs[n[1]%len(wrongs)]
	b.clock.set(by, false)
	time.Sleep(2 * time.Minute)
	_, err := b.client.ConfirmClock(w.ctx)
	w.say("the landlord sets the clock of %s wrong by %v and confirms it%s", b.name, by, refusal(err))
	for _, t := range w.model.tenancies {
		if t.desk == b.name && !t.over() {
			w.hold(b, t, t.cards[0])
		}
	}
	b.clock.set(0, true)
	time.Sleep(2 * time.Minute)
	_, err = b.client.ConfirmClock(w.ctx)
	w.say("the clock of %s is right again, and confirmed%s", b.name, refusal(err))
}
