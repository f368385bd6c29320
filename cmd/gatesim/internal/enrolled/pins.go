package enrolled

import (
	"time"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/cmd/gatesim/internal/play"
)

// pinOf are the PINs that tenants of the second building choose, by flat.
var pinOf = map[string]string{"1A": "4711"}

// cardAndPIN: the gate asks for the PIN of who has one.
func (s *Second) cardAndPIN() error {
	with, without := s.Day.House.People.Residents[0], s.Day.House.People.Residents[1]
	if err := play.ComeIn(s.Day, without, ledger.GateDoor); err != nil {
		return err
	}
	for _, c := range []struct {
		keys   string
		reason string
	}{{"0815#", "wrong_pin_at_door"}, {"4711#", ""}} {
		if err := s.typesAfterCard(with, c.keys, c.reason); err != nil {
			return err
		}
	}
	s.Day.Story.Say(ledger.GateDoor, "%s has a PIN: card and wrong PIN, locked; card and PIN, in. %s chose none, and comes in by the card", with.Name, without.Name)
	return s.inStep("the registry has what happened at the gate")
}

func (s *Second) typesAfterCard(who *house.Person, keys, reason string) error {
	r := ledger.Of(ledger.GateDoor, ledger.Granted)
	if reason != "" {
		r.What = ledger.Denied + reason
	}
	s.Day.House.World.Add(r.Door, r.What, 1)
	err := s.Day.Present(who, ledger.GateDoor, func(at time.Duration) error {
		if err := s.Day.Wait(300 * time.Millisecond); err != nil {
			return err
		}
		s.Day.House.Gate.Card.Press(keys)
		if reason != "" {
			return s.Day.Logged(r)
		}
		_, err := s.Day.Opens(who.Name, ledger.GateDoor, at)
		return err
	})
	switch {
	case err != nil:
		return err
	case reason == "":
		return s.Day.Through(ledger.GateDoor)
	}
	return s.Day.Wait(1600 * time.Millisecond) // the card was away
}
