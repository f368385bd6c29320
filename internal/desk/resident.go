package desk

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/caller"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/door"
	"gatehouse/internal/doorcode"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/guess"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Acts of a resident, by flat and own PIN, without a session at the desk.
const (
	Enter    = "open"  // the door opens once, and the lost card stops
	LostCard = "lost"  // it stops
	Found    = "found" // it opens again
	Object   = "object"
	Renew    = "codes"
	Kept     = "kept" // what is kept of this tenancy
	Invite   = "guest"
	Invited  = "guests"    // the guest codes of this tenancy
	EndGuest = "guest_end" // one of them ends
)

// residentActs are the changes that the acts stand for; empty: none.
var residentActs = map[string]string{Enter: tenancy.Suspend, LostCard: tenancy.Suspend, Found: tenancy.Resume, Object: tenancy.Dispute, Renew: tenancy.NewCodes, Kept: "",
	Invite: tenancy.NewGuest, Invited: "", EndGuest: ""}

// choosable is the state of the cards of which one has to be named for a change, where there are several.
var choosable = map[string]string{tenancy.Suspend: tenancy.Active, tenancy.Resume: tenancy.Suspended}

// Limits of wrong PINs of residents, by flat and in the house. They are counted apart from those at
// the desk and at doors, so that guessing here holds nobody up there. In ten thousand days of
// guessing at a flat one PIN of six digits falls; after a start there is one try.
var (
	atFlat  = guess.Limit{Burst: 5, Every: 15 * time.Minute}
	atHouse = guess.Limit{Burst: 20, Every: 2 * time.Minute}
)

// ownPINLeast is the fewest digits of a PIN that is taken without a card.
const ownPINLeast = 6

// ResidentRequest is a resident's request.
type ResidentRequest struct {
	Act       string
	Flat, PIN string
	Door      string          // to be opened
	Card      int             // lost or found; 0: the only one
	Guest     *doorcode.Terms // of a new guest code
	GuestID   string          // of a guest code that ends
}

// ForResident is the answer to a resident, about the tenancy of that PIN alone, never about another
// in the same flat.
type ForResident struct {
	Done
	Choose bool             // nothing was done: a card must be chosen
	Enter  *door.Admission  // how the door is to be opened
	Guests []doorcode.Guest // of this tenancy; for the acts about guests
}

// Residents serves residents by flat and own PIN. Safe for concurrent use.
type Residents struct {
	*Desk
	tries *guess.Tries[string] // by place
	seed  maphash.Seed         // of places, so that nobody finds flats with one place

	readings map[wire.ID][]time.Time // of own entries, by tenancy; the book's lock guards it
}

// Ask carries out a resident's request, or refuses it.
func (d *Residents) Ask(ctx context.Context, r ResidentRequest) (ForResident, error) {
	d.book.Lock()
	defer d.book.Unlock()
	if _, err := d.Records.registry(); err != nil {
		return ForResident{}, err
	}
	action, known := residentActs[r.Act]
	if !known {
		return ForResident{}, tenancy.Refuse("", "no act %q of a resident", r.Act)
	}
	t, err := d.living(ctx, r)
	if err != nil {
		return ForResident{}, err
	}
	all := d.book.held()
	at := tenancy.Situation{Tenancy: t, Standing: d.book.standing(t, all[t.ID]), Clock: d.clock(), Proof: wire.ProofPIN, Card: r.Card,
		Days: grantlist.NoticeDays(d.keyring.Keys.Registry().House)}
	out := ForResident{}
	if r.Card == 0 && inState(at.Standing, choosable[action]) > 1 {
		out.Done, out.Choose = d.done(t, nil), true
		return out, nil
	}
	if action, err = d.judge(r, action, at, &out); err != nil {
		return ForResident{}, err
	}
	var remarks []string
	if action != "" {
		changes, err := at.Decide(action)
		if err != nil {
			return ForResident{}, err
		}
		if remarks, err = d.carryOut(ctx, at, nil, changes); err != nil {
			return ForResident{}, err
		}
	}
	out.Done = d.done(d.book.tenancy(t.ID), remarks)
	err = d.codesOf(ctx, r, t, &out)
	return out, err
}

// judge looks at an act before anything is changed, and returns the change that it stands for now.
func (d *Residents) judge(r ResidentRequest, action string, at tenancy.Situation, out *ForResident) (_ string, err error) {
	switch {
	case r.Act == Found && r.Card == 0 && inState(at.Standing, tenancy.Suspended) == 0:
		return "", tenancy.Refuse("gatehouse tenancy show lists them", "no card of yours is stopped")
	case r.Act == Enter:
		if out.Enter, err = d.admit(at.Tenancy, r.Door, at.Clock); err == nil && inState(at.Standing, tenancy.Active) == 0 {
			action = "" // it has stopped before
		}
	}
	return action, err
}

// codesOf carries out what an act does about the codes of a tenancy.
func (d *Residents) codesOf(ctx context.Context, r ResidentRequest, t *tenancy.Tenancy, out *ForResident) (err error) {
	switch r.Act {
	case Renew:
		return d.giveCodes(&out.Done)
	case Invite:
		out.Guest, err = d.Guests.give(t, r.Guest)
	case EndGuest:
		err = d.Guests.endOf(ctx, t.ID, r.GuestID)
	case Invited:
	default:
		return nil
	}
	out.Guests = d.Guests.of(t.ID)
	return err
}

// inState counts the cards in a state.
func inState(s tenancy.Standing, state string) (n int) {
	for _, c := range s.Cards {
		if c.State == state {
			n++
		}
	}
	return n
}

// living finds the tenancy of a flat whose tenant has chosen this PIN. A wrong PIN, an unknown flat
// and a PIN that two tenants share get the same refusal at the same cost.
func (d *Residents) living(ctx context.Context, r ResidentRequest) (*tenancy.Tenancy, error) {
	pin, flat := idnumber.Fold(r.PIN), naming.Fold(r.Flat)
	if len(pin) < ownPINLeast && r.Act != Object {
		return nil, unknown("choose one of six to eight digits at the desk: gatehouse tenancy pin --by card", "here a PIN has at least %d digits", ownPINLeast)
	}
	there, place := d.inFlat(flat, r.Act), d.place(flat)
	if !d.tries.Take(place, time.Now()) {
		return nil, unknown("wait a quarter of an hour: after a start of the gateway a flat has one try, else five; cards and one-time codes go on opening", "too many tries")
	}
	var found []*tenancy.Tenancy
	for _, t := range there {
		right, err := t.PIN.Is(pin)
		if err != nil {
			return nil, err
		}
		if right {
			found = append(found, t)
		}
	}
	if len(there) == 0 {
		_, _ = tenancy.NewPIN("928374") // as long as a look at a PIN
	}
	if len(found) == 1 {
		d.tries.Right(place)
		return found[0], nil
	}
	if n := d.tries.Wrong(place); n%atFlat.Burst == 0 {
		d.Doors.journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeRefused, Reason: wire.ReasonWrongPIN, Source: caller.Of(ctx).String(), Count: uint64(n)}, wire.Who{})
	}
	return nil, unknown("the PIN is the one that was chosen with a card at the desk, not that of the check-in, which does to object to a notice that runs; a few wrong ones, and it waits", "flat and PIN do not fit")
}

// unknown refuses somebody who has not shown who asks; any other refusal goes to whom the PIN is
// known of, and costs no try.
func unknown(hint, format string, args ...any) error {
	return &tenancy.Refusal{Message: fmt.Sprintf(format, args...), Hint: hint, Unknown: true}
}

// inFlat returns the tenancies of a flat whose PINs are good for an act: those that their tenants have chosen, and to object
// to a notice that runs, as at the desk, any.
func (d *Residents) inFlat(flat, act string) (there []*tenancy.Tenancy) {
	for _, t := range d.book.Tenancies {
		if t.PIN == nil || t.Over() != 0 || flat == "" || naming.Fold(t.Lease.Flat) != flat {
			continue
		}
		if t.PIN.Own || act == Object && d.noticed(t) {
			there = append(there, t)
		}
	}
	return there
}

// noticed reports whether there is a notice to object to.
func (d *Residents) noticed(t *tenancy.Tenancy) bool {
	state := d.done(t, nil).Tenancy.State
	return state == tenancy.OnNotice || state == tenancy.Disputed
}

// places bounds how many flats tries are counted for, whatever somebody types.
const places = 4096

// place is where the tries of a flat are counted, whether or not there is such a flat: what is left of them tells nothing of
// it, and one flat's are not another's.
func (d *Residents) place(flat string) string {
	return strconv.FormatUint(maphash.String(d.seed, flat)%places, 10)
}

// admit decides whether a door opens for a tenancy whose card may be lost.
func (d *Residents) admit(t *tenancy.Tenancy, at string, clock tenancy.Time) (*door.Admission, error) {
	dec := access.DecideHome(d.keyring.Grants(), t.ID, d.Doors.Lost, &access.Query{Door: at, Time: access.Time{Sure: clock.Sure, Lo: clock.Sure, Hi: clock.Latest}})
	if dec.Reason != wire.ReasonGranted {
		return nil, tenancy.Refuse("by card it would not open either", "door %s does not open for this tenancy: %s", at, dec.Reason)
	}
	return &door.Admission{Reason: dec.Reason, Doubtful: dec.Doubtful, Who: wire.Who{Tenancy: &t.ID, Grant: &dec.Grant, Method: wire.MethodPIN}}, nil
}
