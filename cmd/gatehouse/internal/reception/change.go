package reception

import (
	"fmt"
	"io"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
)

// proof says on whose word something is done.
type proof struct {
	By string `required:"" enum:"card,pin,landlord" help:"card: the tenant holds one up, twice; pin: the tenant types it; landlord: by your word alone." placeholder:"WHO"`
	keypadFlag
}

// keys say where the tenant types a PIN.
type keypadFlag struct {
	Keypad string `help:"The tenant types the PIN at the keys of this door's reader instead of this terminal: nobody else sees it." placeholder:"DOOR"`
}

// about names a tenancy.
type about struct {
	Tenancy string `arg:"" optional:"" help:"Its id or the first digits of it, its flat or your label; not needed where a card is held up."`
}

// change asks for one change, with the proof and the cards that it needs. fresh
// says that a new card is to be held up.
func (v visit) change(r control.Change, at deskReader, keys keypadFlag, fresh bool) (done control.Done, missing []string, err error) {
	r.Typed = keys.Keypad != ""
	switch {
	case r.Proof == "card":
		card, err := v.swipe(at.Reader, true, "a card of the tenancy")
		if err != nil {
			return done, nil, err
		}
		if card.Tenancy != nil {
			fmt.Fprintf(v.s.Err, "it is of tenancy %s\n", called(*card.Tenancy))
		}
	case r.Proof == "pin" && r.Typed:
		if err := v.typed(keys.Keypad, "the PIN of the tenant"); err != nil {
			return done, nil, err
		}
	case r.Proof == "pin":
		a := v.s.Asker()
		if r.PIN, err = a.Secret("PIN of the tenant"); err != nil {
			return done, nil, err
		}
		v.s.In = a.Rest()
	}
	if r.Action == "pin" {
		if err := v.newPIN(&r, keys.Keypad); err != nil {
			return done, nil, err
		}
	}
	if fresh {
		if missing, err = v.newCard(at.Reader, false, v.desk.Doors); err != nil {
			return done, nil, err
		}
	}
	done, err = v.s.Client.Change(v.s.Ctx, v.desk.Session, r)
	return done, missing, err
}

// typed waits for a PIN at a reader's keys. It comes to the daemon, not here.
func (v visit) typed(door, what string) error {
	fmt.Fprintf(v.s.Err, "type %s at the keys of door %s, and end it with # or the enter key ...\n", what, door)
	return v.s.Client.TypePIN(v.s.Ctx, v.desk.Session, control.DeskPIN{Door: door})
}

// newPIN lets the tenant choose one.
func (v visit) newPIN(r *control.Change, keypad string) (err error) {
	if keypad == "" {
		r.NewPIN, err = v.s.Asker().NewPIN("new PIN that the tenant chooses, 4 to 8 digits")
		return err
	}
	if err := v.typed(keypad, "the new PIN"); err != nil {
		return err
	}
	return v.typed(keypad, "it once more")
}

// run opens the desk for one change and prints what came of it.
func change(s *session.Session, r control.Change, at deskReader, keys keypadFlag, fresh bool) error {
	return atDesk(s, at.TakeOver, func(v visit) error {
		done, missing, err := v.change(r, at, keys, fresh)
		if err != nil {
			return err
		}
		return v.report(done, session.Among(missing, done.Tenancy.Doors), func(w io.Writer) { outcome(w, done.Tenancy) })
	})
}
