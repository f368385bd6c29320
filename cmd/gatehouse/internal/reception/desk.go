// Package reception has the commands of the desk in a house with a registry: check-in, check-out,
// and what tenants need between them. Names and numbers of documents come by terminal, standard
// input or identity card, and are never shown, except to the person at the terminal.
package reception

import (
	"fmt"
	"io"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
	"gatehouse/internal/takeover"
)

type visit struct {
	s    *session.Session
	desk control.Desk
}

// atDesk opens a visit, calls act with it and always ends it.
func atDesk(s *session.Session, takeOver bool, act func(visit) error) error {
	d, err := s.Client.OpenDesk(s.Ctx, control.DeskRequest{TakeOver: takeOver})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := s.Parting()
		defer cancel()
		_ = s.Client.CloseDesk(ctx, d.Session) // it ends by itself when it is idle
	}()
	return act(visit{s, d})
}

// deskReader is the door where cards are held up.
type deskReader struct {
	Reader   string `help:"The door at whose reader cards are held up; if not given, the first of this gateway." placeholder:"DOOR"`
	TakeOver bool   `help:"End somebody else's visit at the desk."`
}

// swipe waits for a card at one door, never at any: a stranger elsewhere must not prove or get
// anything.
func (v visit) swipe(door string, proof bool, what string) (control.DeskCard, error) {
	if door == "" && len(v.desk.Here) > 0 {
		door = v.desk.Here[0]
	}
	then := "; the door stays as it is"
	if proof {
		then = fmt.Sprintf(", wait %d seconds with the door shut, and hold it up there again", v.desk.Pause[door])
	}
	fmt.Fprintf(v.s.Err, "hold %s up to the reader of door %s%s ...\n", what, door, then)
	card, err := v.s.Client.ShowCard(v.s.Ctx, v.desk.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: door}, Proof: proof})
	if err == nil {
		fmt.Fprintf(v.s.Err, "read at door %s\n", card.Door)
	}
	return card, err
}

// newCard takes the card that is to be given, at one reader of each family, and returns the doors
// here that do not read it yet.
func (v visit) newCard(door string, once bool, doors []string) (missing []string, err error) {
	if door == "" {
		if here := takeover.Among(v.desk.Here, doors); len(here) > 0 {
			door = here[0]
		}
	}
	card, err := v.swipe(door, false, "the new card")
	if err != nil {
		return nil, err
	}
	missing = takeover.Among(card.Missing, doors)
	for len(missing) > 0 && !once {
		fmt.Fprintf(v.s.Err, "door %s sees it in another form (or wait a minute to leave that door out)\n", missing[0])
		more, err := v.swipe(missing[0], false, "the same card")
		if err != nil {
			fmt.Fprintf(v.s.Err, "left out: %v\n", err)
			return missing, v.s.Ctx.Err()
		}
		missing = takeover.Among(missing, more.Missing)
	}
	return missing, nil
}

// report prints the result.
func (v visit) report(done control.Done, missing []string, people func(io.Writer)) error {
	for _, d := range missing {
		done.Remarks = append(done.Remarks, fmt.Sprintf("door %s does not open for this card yet: gatehouse card add %s --reader %s", d, done.Tenancy.ID[:8], d))
	}
	return v.s.Print(done, nil, func(w io.Writer) {
		people(w)
		if len(done.Codes) > 0 {
			fmt.Fprintf(w, "one-time codes, each opens once at the keys of %s, ended with #:\n", strings.Join(done.CodeDoors, ", "))
			for _, c := range done.Codes {
				fmt.Fprintf(w, "  %s\n", c)
			}
		}
		if done.Guest != nil {
			guestCode(w, *done.Guest)
		}
		for _, r := range done.Remarks {
			fmt.Fprintf(w, "note: %s\n", r)
		}
	})
}

// proof says on whose word something is done.
type proof struct {
	By string `required:"" enum:"card,pin,landlord" help:"card: the tenant holds one up, twice; pin: the tenant types it; landlord: by your word alone." placeholder:"WHO"`
	keypadFlag
}

// keypadFlag is the door where the tenant types a PIN.
type keypadFlag struct {
	Keypad string `help:"The tenant types the PIN at the keys of this door's reader instead of this terminal: nobody else sees it." placeholder:"DOOR"`
}

// about identifies a tenancy.
type about struct {
	Tenancy string `arg:"" optional:"" help:"Its id or the first digits of it, its flat or your label; not needed where a card is held up."`
}

// change opens the desk for one change, asks for the proof, PIN and card that it needs, and prints
// the result.
func change(s *session.Session, r control.Change, at deskReader, keypad keypadFlag) error {
	r.Typed = keypad.Keypad != ""
	return atDesk(s, at.TakeOver, func(v visit) (err error) {
		if err := v.prove(&r, at.Reader, keypad.Keypad); err != nil {
			return err
		}
		var missing []string
		switch r.Action {
		case "pin":
			err = v.newPIN(&r, keypad.Keypad)
		case "add", "replace":
			missing, err = v.newCard(at.Reader, false, v.desk.Doors)
		}
		if err != nil {
			return err
		}
		done, err := s.Client.Change(s.Ctx, v.desk.Session, r)
		if err != nil {
			return err
		}
		return v.report(done, takeover.Among(missing, done.Tenancy.Doors), func(w io.Writer) { outcome(w, done.Tenancy) })
	})
}

// prove takes the tenant's card or PIN if the change rests on it.
func (v visit) prove(r *control.Change, reader, keypad string) (err error) {
	switch {
	case r.Proof == "card":
		card, err := v.swipe(reader, true, "a card of the tenancy")
		if err == nil && card.Tenancy != nil {
			fmt.Fprintf(v.s.Err, "it is of tenancy %s\n", called(*card.Tenancy))
		}
		return err
	case r.Proof == "pin" && r.Typed:
		return v.typed(keypad, "the PIN of the tenant")
	case r.Proof == "pin":
		a := v.s.Asker()
		r.PIN, err = a.Secret("PIN of the tenant")
		v.s.In = a.Rest()
	}
	return err
}

// typed waits for a PIN at a reader's keys. The PIN goes to the daemon, not here.
func (v visit) typed(door, what string) error {
	fmt.Fprintf(v.s.Err, "type %s at the keys of door %s, and end it with # or the enter key ...\n", what, door)
	return v.s.Client.TypePIN(v.s.Ctx, v.desk.Session, control.DeskPIN{Door: door})
}

// newPIN lets the tenant choose a PIN.
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
