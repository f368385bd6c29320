package simulate

import (
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
)

// pick chooses by an event's number.
func pick[T any](n int, from []T) (t T, ok bool) {
	if len(from) == 0 {
		return t, false
	}
	return from[n%len(from)], true
}

// someone picks a tenancy: mostly one that lives.
func (w *world) someone(n int) (*model.Tenancy, bool) {
	living := slices.DeleteFunc(slices.Clone(w.model.Tenancies), func(t *model.Tenancy) bool { return !w.model.Lives(t) })
	if len(living) > 0 && n%5 > 0 {
		return pick(n/5, living)
	}
	return pick(n/5, w.model.Tenancies)
}

// swipe: somebody holds a card up, whether it still opens or not.
func (w *world) swipe(n [4]int) {
	t, ok := w.someone(n[0])
	b, ok2 := pick(n[1], w.bed.Running())
	if !ok || !ok2 {
		return
	}
	c, _ := pick(n[2], t.Cards)
	if w.plan.Twin == 2 {
		t, c = w.otherWalker(b, t, c)
	}
	w.hold(b, t, c)
}

// hold holds a card up at a gateway and judges what the door does.
func (w *world) hold(b *testbed.Gateway, t *model.Tenancy, c *model.Card) {
	opened := b.Swipe(c.Number)
	reason := b.LastReason()
	w.report.Say("%s swipes house card %d at %s: %s", t.Name(), c.Number, b.Name, reason)
	w.judgeSwipe(b, c, opened, reason)
	if opened {
		c.Until = time.Time{} // the old card was used: nothing replaces it
	}
}

// rest is how long a card is away before it is held up for the second time.
const rest = 18 * time.Second

// visit opens the desk of a gateway for one act.
func (w *world) visit(b *testbed.Gateway, act func(session string) error) error {
	d, err := b.Client.OpenDesk(w.bed.Ctx, control.DeskRequest{TakeOver: true})
	if err != nil {
		return err
	}
	defer func() { _ = b.Client.CloseDesk(w.bed.Ctx, d.Session) }()
	return act(d.Session)
}

// showCard holds a card up while the desk waits for it: twice where it proves who it is.
// The first time the door does as always.
func (w *world) showCard(b *testbed.Gateway, session string, c *model.Card, proof bool) error {
	answer := make(chan error, 1)
	go func() {
		_, err := b.Client.ShowCard(w.bed.Ctx, session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Seconds: 60}, Proof: proof})
		answer <- err
	}()
	time.Sleep(time.Second)
	synctest.Wait()
	if proof {
		if b.Swipe(c.Number) {
			c.Until = time.Time{}
		}
		time.Sleep(rest)
	}
	b.Board.Show(virtual.CardOf(c.Number))
	return <-answer
}

// checkIn: a person arrives at a desk. The term is none, or some days or weeks.
func (w *world) checkIn(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok {
		return
	}
	var until time.Time
	if days := []int{0, 0, 2, 5, 30, 400}[n[1]%6]; days > 0 {
		y, m, d := plan.Begin.Add(w.now() + time.Duration(days)*plan.Day).In(shanghai).Date()
		until = time.Date(y, m, d, 0, 0, 0, 0, shanghai)
	}
	flat, _ := pick(n[2], testbed.Flats)
	c := w.model.NewCard()
	if n[3]%12 == 0 { // somebody else's card
		if other, ok := pick(n[2], w.model.Tenancies); ok {
			c = &model.Card{Number: other.Cards[0].Number}
		}
	}
	w.checkInAt(b, flat, c, until)
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

func (w *world) checkInAt(b *testbed.Gateway, flat string, c *model.Card, until time.Time) *model.Tenancy {
	t := &model.Tenancy{N: len(w.model.Tenancies) + 1, Flat: flat, Desk: b.Name, Until: until, Cards: []*model.Card{c}}
	t.PIN = fmt.Sprint(1000 + 7*t.N)
	term := "without an end"
	ask := control.CheckIn{Document: "passport", Number: fmt.Sprintf("E%07d", t.N), Name: fmt.Sprintf("Person %c", 'A'+t.N%26), Flat: flat,
		Label: fmt.Sprintf("tenant %d", t.N), Basis: "contract", Informed: true, PIN: t.PIN}
	if !until.IsZero() {
		ask.Until = &until
		term = "until " + until.Format(time.DateOnly)
	}
	var done control.Done
	err := w.visit(b, func(session string) error {
		if err := w.showCard(b, session, c, false); err != nil {
			return err
		}
		var err error
		done, err = b.Client.CheckIn(w.bed.Ctx, session, ask)
		return err
	})
	w.report.Say("%s checks in at %s with house card %d, %s%s", t.Name(), b.Name, c.Number, term, refusal(err))
	if err != nil {
		return nil
	}
	t.ID = done.Tenancy.ID
	noteGiven(c, done)
	w.model.Tenancies = append(w.model.Tenancies, t)
	w.model.Say(b.Name, model.Arrived, t, c.Number)
	return t
}

// refusal is what was said against an act, in words.
func refusal(err error) string {
	var said *control.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &said) && said.Hint != "":
		return fmt.Sprintf(": refused: %s; %s", said.Message, said.Hint)
	}
	return fmt.Sprintf(": refused: %v", err)
}

// change asks for a change at a desk, with the tenant's card held up where that
// is the proof, and with a new card held up where one is given.
func (w *world) change(b *testbed.Gateway, t *model.Tenancy, r control.Change, proof, fresh *model.Card) error {
	r.Tenancy = t.ID
	ofCard := w.ofCard(b, t, r.Card)
	var done control.Done
	err := w.visit(b, func(session string) error {
		if proof != nil {
			if err := w.showCard(b, session, proof, true); err != nil {
				return err
			}
			time.Sleep(5 * time.Second)
		}
		if fresh != nil {
			if err := w.showCard(b, session, fresh, false); err != nil {
				return err
			}
		}
		var err error
		done, err = b.Client.Change(w.bed.Ctx, session, r)
		return err
	})
	if err == nil && fresh != nil {
		noteGiven(fresh, done)
	}
	what := r.Action + ofCard
	if fresh != nil {
		what += fmt.Sprintf(" with house card %d", fresh.Number)
	}
	by := r.Proof
	if proof != nil {
		by = fmt.Sprintf("house card %d", proof.Number)
	}
	w.report.Say("%s at %s, by %s: %s%s", t.Name(), b.Name, by, what, refusal(err))
	return err
}

// ofCard says which card an act is about: a desk numbers those of a tenancy, the world
// all of the house.
func (w *world) ofCard(b *testbed.Gateway, t *model.Tenancy, number int) string {
	if number == 0 {
		return ""
	}
	for _, c := range t.Cards {
		if w.numberAt(b, t, c) == number {
			return fmt.Sprintf(" the tenant's card %d (house card %d)", number, c.Number)
		}
	}
	return fmt.Sprintf(" the tenant's card %d", number)
}

// noteGiven notes since when a card is the tenancy's: it is the last that the desk shows.
func noteGiven(c *model.Card, done control.Done) {
	for _, k := range done.Tenancy.Cards {
		if k.Since != nil && !k.Since.Before(c.Since) {
			c.Since = *k.Since
		}
	}
}

// numberAt is the number under which a desk shows a card; 0: it shows none that is
// certainly this one.
func (w *world) numberAt(b *testbed.Gateway, t *model.Tenancy, c *model.Card) (number int) {
	all, err := b.Client.Tenancies(w.bed.Ctx)
	for _, shown := range all {
		if err != nil || shown.ID != t.ID {
			continue
		}
		for _, k := range shown.Cards {
			switch {
			case k.Since == nil || !k.Since.Equal(c.Since):
			case number != 0:
				return 0
			default:
				number = k.Number
			}
		}
	}
	return number
}

// tenantAt picks a tenancy and a desk.
func (w *world) tenantAt(n [4]int) (*model.Tenancy, *testbed.Gateway, bool) {
	t, ok := w.someone(n[0])
	b, ok2 := pick(n[1], w.bed.Running())
	return t, b, ok && ok2
}

// leave: the tenant checks out with a card.
func (w *world) leave(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		c, _ := pick(n[2], t.Cards)
		if w.change(b, t, control.Change{Action: "checkout", Proof: "card", Cause: "moved_out"}, c, nil) == nil {
			w.model.Say(b.Name, model.Ended, t)
		}
	}
}

// giveNotice: the landlord wants a tenancy to end.
func (w *world) giveNotice(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		if w.change(b, t, control.Change{Action: "checkout", Proof: "landlord", Cause: "lease_over"}, nil, nil) == nil {
			t.Notice = time.Now().Add(3 * plan.Day)
		}
	}
}

// object: the tenant disputes a notice by PIN.
func (w *world) object(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		if w.change(b, t, control.Change{Action: "dispute", Proof: "pin", PIN: t.PIN}, nil, nil) == nil {
			t.Notice, t.Doubt = time.Time{}, "a notice is disputed"
		}
	}
}

// takeBack: the landlord withdraws a notice.
func (w *world) takeBack(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		if w.change(b, t, control.Change{Action: "withdraw", Proof: "landlord"}, nil, nil) == nil {
			t.Notice, t.Doubt = time.Time{}, "a notice was withdrawn"
		}
	}
}

// lose: a card is lost, and the tenant says so, by another card or the PIN.
func (w *world) lose(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		i, ask, proof := n[2]%len(t.Cards), control.Change{Action: "suspend", Proof: "pin", PIN: t.PIN}, (*model.Card)(nil)
		if len(t.Cards) > 1 { // another card of theirs proves it
			ask, proof = control.Change{Action: "suspend", Proof: "card"}, t.Cards[(i+1)%len(t.Cards)]
		}
		if ask.Card = w.numberAt(b, t, t.Cards[i]); ask.Card == 0 {
			return
		}
		if w.change(b, t, ask, proof, nil) == nil {
			w.model.Say(b.Name, model.Suspended, t, t.Cards[i].Number)
		}
	}
}

// find: it is found, and held up.
func (w *world) find(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		c, _ := pick(n[2], t.Cards)
		if w.change(b, t, control.Change{Action: "resume", Proof: "card"}, c, nil) == nil {
			w.model.Say(b.Name, model.Resumed, t, c.Number)
		}
	}
}

// addCard: one more card, on the landlord's word.
func (w *world) addCard(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok && len(t.Cards) < 3 {
		c := w.model.NewCard()
		if w.change(b, t, control.Change{Action: "add", Proof: "landlord"}, nil, c) == nil {
			t.Cards = append(t.Cards, c)
			w.model.Say(b.Name, model.Bound, t, c.Number)
		}
	}
}
