// Package people are those in the house: residents, their landlord, and visitors.
package people

import (
	"fmt"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/simulate/world"
)

// Desk is what people do at the desk of a gateway.
type Desk struct{ w *world.World }

// NewDesk is that of a world in which nobody has come yet.
func NewDesk(w *world.World) *Desk { return &Desk{w} }

// visit opens the desk of a gateway for one act.
func (d *Desk) visit(b *testbed.Gateway, act func(session string) error) error {
	open, err := b.Client.OpenDesk(d.w.Bed.Ctx, control.DeskRequest{TakeOver: true})
	if err != nil {
		return err
	}
	defer func() { _ = b.Client.CloseDesk(d.w.Bed.Ctx, open.Session) }()
	return act(open.Session)
}

// rest is how long a card is away before it is held up for the second time.
const rest = 18 * time.Second

// showCard holds a card up while the desk waits for it: twice where it proves who it is.
// The first time the door does as always.
func (d *Desk) showCard(b *testbed.Gateway, session string, c *model.Card, proof bool) error {
	answer := make(chan error, 1)
	go func() {
		_, err := b.Client.ShowCard(d.w.Bed.Ctx, session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Seconds: 60}, Proof: proof})
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

// CheckIn checks a person in at a desk, with a card and until a day or without an end; nil:
// that was refused.
func (d *Desk) CheckIn(b *testbed.Gateway, flat string, c *model.Card, until time.Time) *model.Tenancy {
	t := &model.Tenancy{N: len(d.w.Model.Tenancies) + 1, Flat: flat, Desk: b.Name, Until: until, Cards: []*model.Card{c}}
	t.PIN = fmt.Sprint(1000 + 7*t.N)
	term := "without an end"
	ask := control.CheckIn{Document: "passport", Number: fmt.Sprintf("E%07d", t.N), Name: fmt.Sprintf("Person %c", 'A'+t.N%26), Flat: flat,
		Label: fmt.Sprintf("tenant %d", t.N), Basis: "contract", Informed: true, PIN: t.PIN}
	if !until.IsZero() {
		ask.Until = &until
		term = "until " + until.Format(time.DateOnly)
	}
	var done control.Done
	err := d.visit(b, func(session string) error {
		if err := d.showCard(b, session, c, false); err != nil {
			return err
		}
		var err error
		done, err = b.Client.CheckIn(d.w.Bed.Ctx, session, ask)
		return err
	})
	d.w.Report.Say("%s checks in at %s with house card %d, %s%s", t.Name(), b.Name, c.Number, term, world.Refusal(err))
	if err != nil {
		return nil
	}
	t.ID = done.Tenancy.ID
	noteGiven(c, done)
	d.w.Model.Tenancies = append(d.w.Model.Tenancies, t)
	d.w.Model.Say(b.Name, model.Arrived, t, c.Number)
	return t
}

// Change asks for a change at a desk, with the tenant's card held up where that
// is the proof, and with a new card held up where one is given.
func (d *Desk) Change(b *testbed.Gateway, t *model.Tenancy, r control.Change, proof, fresh *model.Card) error {
	r.Tenancy = t.ID
	ofCard := d.ofCard(b, t, r.Card)
	var done control.Done
	err := d.visit(b, func(session string) error {
		if proof != nil {
			if err := d.showCard(b, session, proof, true); err != nil {
				return err
			}
			time.Sleep(5 * time.Second)
		}
		if fresh != nil {
			if err := d.showCard(b, session, fresh, false); err != nil {
				return err
			}
		}
		var err error
		done, err = b.Client.Change(d.w.Bed.Ctx, session, r)
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
	d.w.Report.Say("%s at %s, by %s: %s%s", t.Name(), b.Name, by, what, world.Refusal(err))
	return err
}

// ofCard says which card an act is about: a desk numbers those of a tenancy, the world
// all of the house.
func (d *Desk) ofCard(b *testbed.Gateway, t *model.Tenancy, number int) string {
	if number == 0 {
		return ""
	}
	for _, c := range t.Cards {
		if d.numberAt(b, t, c) == number {
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
func (d *Desk) numberAt(b *testbed.Gateway, t *model.Tenancy, c *model.Card) (number int) {
	all, err := b.Client.Tenancies(d.w.Bed.Ctx)
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
