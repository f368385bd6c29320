package reception

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// Arrive takes the details of the tenant. An empty name or number keeps the earlier one.
func (v *Visit) Arrive(ctx context.Context, f Form) {
	v.act(ctx, func(ctx context.Context) error {
		before := v.now()
		if f.Number == "" && f.Document == before.arrival.Document {
			f.Number = before.arrival.Number
		}
		if f.Name == "" {
			f.Name = before.arrival.Name
		}
		a, err := f.arrival(before.desk)
		v.with(func(s *state) { s.form, s.arrival = f, a })
		if err != nil {
			return err
		}
		remarks, err := v.judge(ctx, before.desk, a)
		if err != nil {
			if strings.HasPrefix(err.Error(), strings.ToLower(f.Document)+": ") { // the number is wrong: ask for it again
				v.with(func(s *state) { s.form.Number, s.arrival.Number = "", "" })
			}
			return err
		}
		child := slices.ContainsFunc(remarks, OfChild)
		if child && !f.Guardian {
			return text.Word(text.ChildKey)
		}
		v.with(func(s *state) { s.judged, s.form.Guardian = true, child })
		return nil
	}, Details)
}

// judge asks the daemon about the details, before a card is presented.
func (v *Visit) judge(ctx context.Context, d control.Desk, a control.CheckIn) (remarks []string, err error) {
	a.Check, a.Informed = true, true // the tenant confirms that later, with the phone
	err = sure(ctx, func(ctx context.Context) error {
		done, err := v.daemon.CheckIn(ctx, d.Session, a)
		remarks = done.Remarks
		return err
	})
	return remarks, err
}

// OfChild reports whether a remark of the daemon means that the tenant is, or may be, a child.
func OfChild(remark string) bool { return text.KeyOf(remark) == text.ChildKey }

// Choice is the proof for a change, and its details.
type Choice struct {
	Proof string    // card, pin or landlord
	Card  int       // number of the card to change; 0: the only one
	Cause string    // of a check-out
	Only  bool      // a lost card is suspended without a replacement
	Guest GuestForm // of a guest code
}

// Choose takes the choice for a change.
func (v *Visit) Choose(ctx context.Context, c Choice) {
	v.act(ctx, func(ctx context.Context) error {
		if c.Proof != "card" && c.Proof != "pin" && c.Proof != "landlord" {
			return text.Word("desk.no_proof")
		}
		if c.Proof == "pin" && !v.purpose.ByPIN(v.now().tenancy) { // said before the phone changes hands
			return text.Word("desk.said_pin_landlords")
		}
		if v.purpose == MoveOut && c.Cause == "" {
			return text.Word("desk.no_cause")
		}
		guest, err := v.guest(ctx, c.Guest)
		if err != nil {
			return err
		}
		v.with(func(s *state) {
			s.chosen = true
			s.change.Proof, s.change.Card, s.change.Cause, s.change.Guest = c.Proof, c.Card, c.Cause, guest
			if s.change.Action = actions[v.purpose]; v.purpose == Lost && c.Only {
				s.change.Action = "suspend"
			}
		})
		return nil
	}, Choose)
}

// guest returns the terms of a guest code, which the daemon judges before the tenant has the phone; nil
// for a visit of another purpose.
func (v *Visit) guest(ctx context.Context, f GuestForm) (*control.GuestTerms, error) {
	if v.purpose != Guest {
		return nil, nil
	}
	v.with(func(s *state) { s.form.Guest = f })
	s := v.now()
	terms, err := f.Terms(s.desk.TimeZone)
	if err != nil {
		return nil, err
	}
	judged := control.Change{Action: s.change.Action, Tenancy: s.change.Tenancy, Guest: terms, Check: true}
	return terms, sure(ctx, func(ctx context.Context) error {
		_, err := v.daemon.Change(ctx, s.desk.Session, judged)
		return err
	})
}

// Show waits for a card at the reader of a door (empty: the first): a new card, or one that proves
// the tenant. It waits for a minute, and longer for a card that must be presented twice.
func (v *Visit) Show(ctx context.Context, door string) {
	v.act(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(v.over, cancel)()
		s, proof := v.now(), v.Step() == ByCard
		if door == "" && len(s.desk.Here) > 0 {
			door = s.desk.Here[0]
		}
		card, err := v.daemon.ShowCard(ctx, s.desk.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: door}, Proof: proof})
		switch {
		case ctx.Err() != nil: // the client is gone
			return nil
		case err != nil && strings.HasPrefix(err.Error(), "this is another card"):
			return v.anew(ctx)
		case err != nil && !proof && s.shown && text.KeyOf(err.Error()) == "desk.said_no_card":
			return text.Word("desk.taken_elsewhere")
		case err != nil:
			return err
		case proof && card.Tenancy != nil && card.Tenancy.ID != s.change.Tenancy:
			return text.Word("desk.other_tenancy")
		}
		v.with(func(s *state) {
			if proof {
				s.proved = true
			} else {
				s.shown, s.missing = true, card.Missing
			}
		})
		return nil
	}, ByCard, Card)
}

// anew opens another visit at the daemon, which forgets the card of this one.
func (v *Visit) anew(ctx context.Context) error {
	s := v.now()
	return sure(ctx, func(ctx context.Context) error {
		_ = v.daemon.CloseDesk(ctx, s.desk.Session)
		d, err := v.daemon.OpenDesk(ctx, control.DeskRequest{})
		if err != nil {
			v.with((*state).pause)
			return err
		}
		v.with(func(s *state) {
			s.pause()
			s.desk = d
		})
		return text.Word("desk.other_card")
	})
}

// Enough leaves out doors whose readers do not know the card yet.
func (v *Visit) Enough(ctx context.Context) {
	v.act(ctx, func(context.Context) error {
		v.with(func(s *state) { s.enough = s.shown })
		return nil
	}, Card)
}

// PIN takes the tenant's PIN.
func (v *Visit) PIN(ctx context.Context, pin string) {
	v.act(ctx, func(context.Context) error {
		if pin == "" {
			return text.Word("desk.no_pin")
		}
		v.with(func(s *state) { s.change.PIN, s.pinned = pin, true })
		return nil
	}, ByPIN)
}

// same refuses two different PINs: a typing error would lock the tenant out.
func same(pin, again string) error {
	if pin != again {
		return text.Word("desk.pins_differ")
	}
	return nil
}

// SetPIN takes the PIN that the tenant chooses.
func (v *Visit) SetPIN(ctx context.Context, pin, again string) {
	v.act(ctx, func(context.Context) error {
		if pin == "" {
			return text.Word("desk.no_pin")
		}
		if err := same(pin, again); err != nil {
			return err
		}
		v.with(func(s *state) { s.change.NewPIN, s.pinChosen = pin, true })
		return nil
	}, TwicePIN)
}

// Type waits for a PIN at the keys of a door's readers: the tenant's, or the new one, which is
// asked for twice. The page never sees it.
func (v *Visit) Type(ctx context.Context, door string) {
	v.act(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(v.over, cancel)()
		step := v.Step()
		err := v.daemon.TypePIN(ctx, v.now().desk.Session, control.DeskPIN{Door: door})
		if err != nil && ctx.Err() != nil { // the client is gone
			return nil
		}
		if err != nil {
			return err
		}
		v.with(func(s *state) {
			s.change.Typed = true
			if step == ByPIN {
				s.pinned = true
			} else {
				s.keyed++
				s.pinChosen = s.keyed == 2
			}
		})
		return nil
	}, ByPIN, TwicePIN)
}

// Inform takes the tenant's confirmation and PIN (empty: none), and checks the tenant in.
func (v *Visit) Inform(ctx context.Context, informed bool, pin, again string) {
	v.act(ctx, func(ctx context.Context) error {
		if !informed {
			return text.Word("desk.not_informed")
		}
		if err := same(pin, again); err != nil {
			return err
		}
		s := v.now()
		in := s.arrival
		in.Informed, in.PIN = true, pin
		return v.finish(ctx, func(ctx context.Context) (control.Done, error) { return v.daemon.CheckIn(ctx, s.desk.Session, in) })
	}, Tenant)
}

// carryOut makes the change. If it is refused, the refused input is asked for again: the proof, or
// the times of a guest code.
func (v *Visit) carryOut(ctx context.Context) error {
	s := v.now()
	err := v.finish(ctx, func(ctx context.Context) (control.Done, error) { return v.daemon.Change(ctx, s.desk.Session, s.change) })
	if err != nil {
		v.with(func(s *state) {
			if pinRefused(err) && !(s.change.Typed && s.change.Proof == "pin") { // at keys the daemon took both at once
				s.unchosen()
				return
			}
			s.unproved()
			s.chosen = s.chosen && s.change.Proof != "landlord" && !strings.HasPrefix(text.KeyOf(err.Error()), "guest.")
		})
	}
	return err
}

// pinRefused reports whether the new PIN alone was refused: the proof stands, and another PIN is
// asked for.
func pinRefused(err error) bool {
	return slices.Contains([]string{"desk.said_pin_easy", "desk.said_pin_rule", "desk.pins_differ"}, text.KeyOf(err.Error()))
}

// finish makes the visit's request once. If the daemon does not answer, it is unknown whether it
// was done, which the page says.
func (v *Visit) finish(ctx context.Context, do func(context.Context) (control.Done, error)) error {
	return sure(ctx, func(ctx context.Context) error {
		done, err := do(ctx)
		var e *socket.Error
		if err != nil && (!errors.As(err, &e) || e.Status == 0) {
			v.with((*state).pause)
			return text.Word("desk.unsure")
		}
		if err != nil {
			return err
		}
		_ = v.daemon.CloseDesk(ctx, v.now().desk.Session) // it ends by itself when it is idle
		v.with(func(s *state) {
			left := v.missing()
			*s = state{desk: control.Desk{NoticeDays: s.desk.NoticeDays, TimeZone: s.desk.TimeZone}, tenancy: done.Tenancy, done: &done, missing: left,
				change: control.Change{Action: s.change.Action, Proof: s.change.Proof, Tenancy: s.change.Tenancy}}
		})
		return nil
	})
}

// Back returns to the first questions. Typed data stay.
func (v *Visit) Back(ctx context.Context) {
	v.act(ctx, func(context.Context) error {
		v.with(func(s *state) {
			s.judged, s.chosen = false, false
			s.unproved()
		})
		return nil
	}, ByCard, ByPIN, TwicePIN, Card, Tenant)
}

// Resume continues in another visit at the daemon. The error is the daemon's: with Conflict
// somebody else is at the desk.
func (v *Visit) Resume(ctx context.Context, takeOver bool) (err error) {
	v.act(ctx, func(ctx context.Context) error {
		var d control.Desk
		err = sure(ctx, func(ctx context.Context) (err error) {
			d, err = v.daemon.OpenDesk(ctx, control.DeskRequest{TakeOver: takeOver})
			return err
		})
		if err == nil {
			v.with(func(s *state) { s.desk, s.chosen = d, false })
		}
		return err
	}, Paused)
	return err
}

// Busy reports whether an error of the daemon means that somebody else is at the desk.
func Busy(err error) bool {
	var e *socket.Error
	return errors.As(err, &e) && e.Status == http.StatusConflict && e.Conflict
}
