package enrolled

import (
	"fmt"
	"time"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/amount"
	"gatehouse/internal/registry/api"
)

// state is a tenancy's state at the registry.
func (s *Second) state(who *house.Person) string {
	all, err := s.Centre.operator.Tenancies(s.Day.Ctx, Building)
	if err != nil {
		return ""
	}
	for _, t := range all {
		if t.ID == s.lived[who] {
			return t.State
		}
	}
	return ""
}

// registryUntil waits for something that the registry must do.
func (s *Second) registryUntil(what string, ok func() bool) error {
	for end := time.Now().Add(2 * process.Timeout); !ok(); {
		if err := s.Day.Wait(5 * time.Millisecond); err != nil {
			return err
		}
		for name, d := range s.Centre.processes {
			select {
			case <-d.Exited:
				return fmt.Errorf("%s ended by itself (%v) before this: %s", name, d.Err, what)
			default:
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("this did not happen within %v: %s", 2*process.Timeout, what)
		}
	}
	return nil
}

// gateway is what the registry's front knows of the gateway.
func (s *Second) gateway() (api.Gateway, error) {
	all, err := s.Centre.front.Gateways(s.Day.Ctx, Building)
	if err != nil {
		return api.Gateway{}, err
	}
	if len(all) != 1 {
		return api.Gateway{}, fmt.Errorf("the registry knows %s of the building", amount.Of(len(all), "gateway"))
	}
	return all[0], nil
}

// inStep waits until the registry has stored what the gateway's log holds.
func (s *Second) inStep(what string) error {
	return s.registryUntil(what, func() bool {
		var last ledger.Entry
		if err := s.Day.Files.Entries(func(e ledger.Entry) error { last = e; return nil }); err != nil {
			return false
		}
		g, err := s.gateway()
		return err == nil && g.Epoch == last.Epoch && g.Stored == last.Sequence+1
	})
}

// proved waits until the gateway's stored entries prove the newest list, which
// has been made with all that was done at the desk.
func (s *Second) proved() (version uint64, err error) {
	err = s.registryUntil("the newest list is proved", func() bool {
		all, err := s.Day.Client.Tenancies(s.Day.Ctx)
		for _, t := range all {
			if t.Unstored > 0 {
				return false
			}
		}
		if err != nil {
			return false
		}
		g, err := s.gateway() // after the desk, whose last act may just have made one more list
		if err != nil || g.List == 0 || g.Applied != g.List {
			return false
		}
		version = g.List
		return true
	})
	return version, err
}
