package simulate

import (
	"errors"
	"fmt"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/virtual"
	"slices"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
)

// pick chooses by an event's number.
func pick[T any](n int, from []T) (t T, ok bool) {
	if len(from) == 0 {
		return t, false
	}
	return from[n%len(from)], true
}

// someone picks a tenancy: mostly one that lives.
func (w *world) someone(n int) (*tenancy, bool) {
	living := slices.DeleteFunc(slices.Clone(w.model.tenancies), func(t *tenancy) bool { return !w.model.lives(t) })
	if len(living) > 0 && n%5 > 0 {
		return pick(n/5, living)
	}
	return pick(n/5, w.model.tenancies)
}

// running are the gateways whose daemon runs.
func (w *world) running() (all []*box) {
	for _, b := range w.gateways {
		if b.life != nil {
			all = append(all, b)
		}
	}
	return all
}

// swipe: somebody holds a card up, whether it still opens or not.
func (w *world) swipe(n [4]int) {
	t, ok := w.someone(n[0])
	b, ok2 := pick(n[1], w.running())
	if !ok || !ok2 {
		return
	}
	c, _ := pick(n[2], t.cards)
	if w.plan.Twin == 2 {
		t, c = w.otherWalker(b, t, c)
	}
	w.hold(b, t, c)
}

// hold holds a card up at a gateway and judges what the door does.
func (w *world) hold(b *box, t *tenancy, c *card) {
	opened := b.swipe(c.number)
	reason := b.lastReason()
	w.report.Say("%s swipes house card %d at %s: %s", t.name(), c.number, b.name, reason)
	w.judgeSwipe(b, c, opened, reason)
	if opened {
		c.until = time.Time{} // the old card was used: nothing replaces it
	}
}

// rest is how long a card is away before it is held up for the second time.
const rest = 18 * time.Second

// visit opens the desk of a gateway for one act.
func (w *world) visit(b *box, act func(session string) error) error {
	d, err := b.client.OpenDesk(w.ctx, control.DeskRequest{TakeOver: true})
	if err != nil {
		return err
	}
	defer func() { _ = b.client.CloseDesk(w.ctx, d.Session) }()
	return act(d.Session)
}

// showCard holds a card up while the desk waits for it: twice where it proves who it is.
// The first time the door does as always.
func (w *world) showCard(b *box, session string, c *card, proof bool) error {
	answer := make(chan error, 1)
	go func() {
		_, err := b.client.ShowCard(w.ctx, session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Seconds: 60}, Proof: proof})
		answer <- err
	}()
	time.Sleep(time.Second)
	synctest.Wait()
	if proof {
		if b.swipe(c.number) {
			c.until = time.Time{}
		}
		time.Sleep(rest)
	}
	b.board.Show(virtual.CardOf(c.number))
	return <-answer
}

// checkIn: a person arrives at a desk. The term is none, or some days or weeks.
func (w *world) checkIn(n [4]int) {
	b, ok := pick(n[0], w.running())
	if !ok {
		return
	}
	var until time.Time
	if days := []int{0, 0, 2, 5, 30, 400}[n[1]%6]; days > 0 {
		y, m, d := plan.Begin.Add(w.now() + time.Duration(days)*plan.Day).In(shanghai).Date()
		until = time.Date(y, m, d, 0, 0, 0, 0, shanghai)
	}
	flat, _ := pick(n[2], flats)
	c := w.model.card()
	if n[3]%12 == 0 { // somebody else's card
		if other, ok := pick(n[2], w.model.tenancies); ok {
			c = &card{number: other.cards[0].number}
		}
	}
	w.checkInAt(b, flat, c, until)
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

func (w *world) checkInAt(b *box, flat string, c *card, until time.Time) *tenancy {
	t := &tenancy{n: len(w.model.tenancies) + 1, flat: flat, desk: b.name, until: until, cards: []*card{c}}
	t.pin = fmt.Sprint(1000 + 7*t.n)
	term := "without an end"
	ask := control.CheckIn{Document: "passport", Number: fmt.Sprintf("E%07d", t.n), Name: fmt.Sprintf("Person %c", 'A'+t.n%26), Flat: flat,
		Label: fmt.Sprintf("tenant %d", t.n), Basis: "contract", Informed: true, PIN: t.pin}
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
		done, err = b.client.CheckIn(w.ctx, session, ask)
		return err
	})
	w.report.Say("%s checks in at %s with house card %d, %s%s", t.name(), b.name, c.number, term, refusal(err))
	if err != nil {
		return nil
	}
	t.id = done.Tenancy.ID
	c.givenIn(done)
	w.model.tenancies = append(w.model.tenancies, t)
	w.model.say(b.name, arrived, t, c.number)
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
func (w *world) change(b *box, t *tenancy, r control.Change, proof, fresh *card) error {
	r.Tenancy = t.id
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
		done, err = b.client.Change(w.ctx, session, r)
		return err
	})
	if err == nil && fresh != nil {
		fresh.givenIn(done)
	}
	what := r.Action + ofCard
	if fresh != nil {
		what += fmt.Sprintf(" with house card %d", fresh.number)
	}
	by := r.Proof
	if proof != nil {
		by = fmt.Sprintf("house card %d", proof.number)
	}
	w.report.Say("%s at %s, by %s: %s%s", t.name(), b.name, by, what, refusal(err))
	return err
}

// ofCard says which card an act is about: a desk numbers those of a tenancy, the world
// all of the house.
func (w *world) ofCard(b *box, t *tenancy, number int) string {
	if number == 0 {
		return ""
	}
	for _, c := range t.cards {
		if w.numberAt(b, t, c) == number {
			return fmt.Sprintf(" the tenant's card %d (house card %d)", number, c.number)
		}
	}
	return fmt.Sprintf(" the tenant's card %d", number)
}

// givenIn notes since when a card is the tenancy's: it is the last that the desk shows.
func (c *card) givenIn(done control.Done) {
	for _, k := range done.Tenancy.Cards {
		if k.Since != nil && !k.Since.Before(c.since) {
			c.since = *k.Since
		}
	}
}

// numberAt is the number under which a desk shows a card; 0: it shows none that is
// certainly this one.
func (w *world) numberAt(b *box, t *tenancy, c *card) (number int) {
	all, err := b.client.Tenancies(w.ctx)
	for _, shown := range all {
		if err != nil || shown.ID != t.id {
			continue
		}
		for _, k := range shown.Cards {
			switch {
			case k.Since == nil || !k.Since.Equal(c.since):
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
func (w *world) tenantAt(n [4]int) (*tenancy, *box, bool) {
	t, ok := w.someone(n[0])
	b, ok2 := pick(n[1], w.running())
	return t, b, ok && ok2
}

// leave: the tenant checks out with a card.
func (w *world) leave(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		c, _ := pick(n[2], t.cards)
		if w.change(b, t, control.Change{Action: "checkout", Proof: "card", Cause: "moved_out"}, c, nil) == nil {
			w.model.say(b.name, ended, t)
		}
	}
}

// giveNotice: the landlord wants a tenancy to end.
func (w *world) giveNotice(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		if w.change(b, t, control.Change{Action: "checkout", Proof: "landlord", Cause: "lease_over"}, nil, nil) == nil {
			t.notice = time.Now().Add(3 * plan.Day)
		}
	}
}

// object: the tenant disputes a notice by PIN.
func (w *world) object(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		if w.change(b, t, control.Change{Action: "dispute", Proof: "pin", PIN: t.pin}, nil, nil) == nil {
			t.notice, t.doubt = time.Time{}, "a notice is disputed"
		}
	}
}

// takeBack: the landlord withdraws a notice.
func (w *world) takeBack(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		if w.change(b, t, control.Change{Action: "withdraw", Proof: "landlord"}, nil, nil) == nil {
			t.notice, t.doubt = time.Time{}, "a notice was withdrawn"
		}
	}
}

// lose: a card is lost, and the tenant says so, by another card or the PIN.
func (w *world) lose(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		i, ask, proof := n[2]%len(t.cards), control.Change{Action: "suspend", Proof: "pin", PIN: t.pin}, (*card)(nil)
		if len(t.cards) > 1 { // another card of theirs proves it
			ask, proof = control.Change{Action: "suspend", Proof: "card"}, t.cards[(i+1)%len(t.cards)]
		}
		if ask.Card = w.numberAt(b, t, t.cards[i]); ask.Card == 0 {
			return
		}
		if w.change(b, t, ask, proof, nil) == nil {
			w.model.say(b.name, suspended, t, t.cards[i].number)
		}
	}
}

// find: it is found, and held up.
func (w *world) find(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok {
		c, _ := pick(n[2], t.cards)
		if w.change(b, t, control.Change{Action: "resume", Proof: "card"}, c, nil) == nil {
			w.model.say(b.name, resumed, t, c.number)
		}
	}
}

// addCard: one more card, on the landlord's word.
func (w *world) addCard(n [4]int) {
	if t, b, ok := w.tenantAt(n); ok && len(t.cards) < 3 {
		c := w.model.card()
		if w.change(b, t, control.Change{Action: "add", Proof: "landlord"}, nil, c) == nil {
			t.cards = append(t.cards, c)
			w.model.say(b.name, bound, t, c.number)
		}
	}
}
