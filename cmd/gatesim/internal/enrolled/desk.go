package enrolled

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/cmd/gatesim/internal/play"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// checkIn registers a tenant with the card held up at the yard, which reads all
// of it.
func (s *Second) checkIn(who *house.Person) error {
	flat := strings.TrimPrefix(who.Name, "flat ")
	visit, err := s.Day.Client.OpenDesk(s.Day.Ctx, control.DeskRequest{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Day.Client.CloseDesk(s.Day.Ctx, visit.Session) }()
	if _, err := s.show(visit, who, false); err != nil {
		return err
	}
	done, err := s.Day.Client.CheckIn(s.Day.Ctx, visit.Session, control.CheckIn{Document: wire.DocumentResidentID.String(),
		Number: MadeUpNumber(len(s.lived)), Name: "某某", Flat: flat, Basis: wire.BasisContract.String(), Informed: true,
		PIN: pinOf[flat]})
	if err != nil {
		return fmt.Errorf("check in %s: %w", flat, err)
	}
	s.Day.House.World.Add("", ledger.TenancyChanged, 1)
	s.lived[who] = done.Tenancy.ID
	return nil
}

// show holds a card up at the desk: one that proves who it is twice, and the door lets
// its holder in the first time.
func (s *Second) show(visit control.Desk, who *house.Person, proof bool) (card control.DeskCard, err error) {
	s.Day.House.World.Add(ledger.YardDoor, ledger.Captured, 1)
	ctx, cancel := context.WithCancel(s.Day.Ctx)
	defer cancel()
	type answer struct {
		card control.DeskCard
		err  error
	}
	shown := make(chan answer, 2)
	for range cap(shown) { // the desk must be asked first: it refuses one of two as soon as it waits for the other
		go func() {
			card, err := s.Day.Client.ShowCard(ctx, visit.Session, control.DeskSwipe{Proof: proof,
				SwipeRequest: control.SwipeRequest{Door: ledger.YardDoor, Seconds: int(process.Timeout.Seconds())}})
			shown <- answer{card, err}
		}()
	}
	var busy *control.Error
	if first := <-shown; !errors.As(first.err, &busy) || busy.Status != http.StatusConflict {
		return card, fmt.Errorf("asked twice for a card, the desk said: %w", first.err)
	}
	if proof {
		if err := s.release(who); err != nil {
			return card, err
		}
	}
	err = s.Day.Present(who, ledger.YardDoor, func(time.Duration) error {
		a := <-shown
		card = a.card
		return a.err
	})
	return card, err
}

// release holds a card up at the yard, where nobody goes through then, and waits until
// it may be held up again. It may have come in there a moment ago.
func (s *Second) release(who *house.Person) error {
	if err := s.Day.Wait(house.Rest); err != nil {
		return err
	}
	s.Day.House.World.Add(ledger.YardDoor, ledger.Granted, 1)
	err := s.Day.Present(who, ledger.YardDoor, func(at time.Duration) error {
		_, err := s.Day.Opens(who.Name, ledger.YardDoor, at)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.Day.Locks(ledger.YardDoor); err != nil {
		return err
	}
	return s.Day.Wait(2 * house.Rest)
}

// MadeUpNumber is a number as on a resident's identity card, with its check
// digit, of an area that no person has.
func MadeUpNumber(i int) string {
	n := fmt.Sprintf("440000%d0101%03d", 1950+i/900, i%900+1)
	sum := 0
	for at, weight := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += weight * int(n[at]-'0')
	}
	return n + string("10X98765432"[sum%11])
}

// change asks the desk to change a tenancy.
func (s *Second) change(c control.Change, proof *house.Person) (done control.Done, err error) {
	visit, err := s.Day.Client.OpenDesk(s.Day.Ctx, control.DeskRequest{})
	if err != nil {
		return done, err
	}
	defer func() { _ = s.Day.Client.CloseDesk(s.Day.Ctx, visit.Session) }()
	if proof != nil {
		c.Proof = wire.ProofCard.String()
		if _, err := s.show(visit, proof, true); err != nil {
			return done, err
		}
	}
	if done, err = s.Day.Client.Change(s.Day.Ctx, visit.Session, c); err != nil {
		return done, fmt.Errorf("%s: %w", c.Action, err)
	}
	s.Day.House.World.Add("", ledger.TenancyChanged, 1)
	return done, nil
}

// notice: the landlord alone can't end a tenancy at once, and the tenant can
// object.
func (s *Second) notice() error {
	who := s.Day.House.People.Residents[0]
	done, err := s.change(control.Change{Action: "checkout", Tenancy: s.lived[who], Proof: wire.ProofLandlord.String(), Cause: wire.CauseLeaseOver.String()}, nil)
	if err != nil {
		return err
	}
	if done.Tenancy.Notice == nil {
		return errors.New("a check-out by the landlord alone gave no notice")
	}
	s.Day.Story.Say("desk", "the landlord checks flat 1A out alone: a notice until %s, no lock-out", done.Tenancy.Notice.Format("2 January 15:04"))
	s.Day.House.World.Add(ledger.FrontDoor, ledger.Told, 1)
	if err := play.ComeIn(s.Day, who, ledger.FrontDoor); err != nil {
		return err
	}
	if err := s.Day.Logged(ledger.Of(ledger.FrontDoor, ledger.Told)); err != nil {
		return err
	}
	s.Day.Story.Say("front", "the tenant of 1A still comes in, and is told")
	if _, err = s.change(control.Change{Action: "dispute", Tenancy: s.lived[who], Proof: wire.ProofPIN.String(), PIN: pinOf["1A"]}, nil); err != nil {
		return err
	}
	err = s.registryUntil("the registry knows of the dispute", func() bool { return s.state(who) == "disputed" })
	if err == nil {
		s.Day.Story.Say("desk", "the tenant disputes it, with the PIN: the notice no longer counts, the registry has to decide")
	}
	return err
}

// leave: with the tenant's own card a tenancy ends at once.
func (s *Second) leave() error {
	who := s.Day.House.People.Residents[2]
	if _, err := s.change(control.Change{Action: "checkout", Cause: wire.CauseMovedOut.String()}, who); err != nil {
		return err
	}
	s.Day.Story.Say("desk", "the tenant of 1C checks out with the card, held up twice: who only comes home does not. Over at once")
	if err := s.Day.Refuse(who, ledger.FrontDoor, "revoked", "the tenancy is over"); err != nil {
		return err
	}
	err := s.registryUntil("the registry knows that the tenancy is over", func() bool { return s.state(who) == "ended" })
	if err != nil {
		return err
	}
	_, err = s.proved()
	return err
}
