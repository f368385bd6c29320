// Package enrolled is a day in a building that is enrolled with a registry: check-in and check-out at the desk,
// a broker and a registry that die, a list that ends a key. At the end the registry's copy of the log must be
// the gateway's.
package enrolled

import (
	"errors"
	"path/filepath"
	"time"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/cmd/gatesim/internal/mandated"
	"gatehouse/cmd/gatesim/internal/play"
	"gatehouse/internal/enrol"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// Second is that day. It is used by one goroutine.
type Second struct {
	Day    *play.Play
	Centre *Centre
	lived  map[*house.Person]string // tenancy by tenant
}

// New makes the keys of a registry in a directory, for the building of a day. Nothing runs yet.
func New(dir string, day *play.Play) (*Second, error) {
	day.Remote = true
	c, err := newCentre(dir)
	return &Second{Day: day, Centre: c, lived: map[*house.Person]string{}}, err
}

// End leaves nothing behind that runs.
func (s *Second) End() error { return errors.Join(s.Day.End(), s.Centre.Stop()) }

// Through plays the day and audits it.
func (s *Second) Through() error {
	for _, scene := range []func() error{s.found, s.arrivals, s.cardAndPIN, s.outage, s.killDaemon, s.killRegistry, s.revoke, s.notice, s.leave, s.asked} {
		if err := scene(); err != nil {
			return err
		}
	}
	return s.audit()
}

// Settle founds the house and moves its first tenants in, for whoever wants a house to
// look at.
func (s *Second) Settle() error {
	if err := s.found(); err != nil {
		return err
	}
	return s.arrivals()
}

// found starts the registry, enrols the gateway and starts its daemon.
func (s *Second) found() error {
	for _, what := range []string{theBroker, theFront, theIssuer} {
		if err := s.Centre.start(what); err != nil {
			return err
		}
	}
	if err := s.registryUntil("broker, front and issuer know each other", func() bool { return s.Centre.linked(s.Day.Ctx) }); err != nil {
		return err
	}
	s.Day.Story.Say("centre", "a registry of three processes: the broker, the front with the witness's key, the issuer with the key that signs lists")
	token, err := s.Centre.operator.AddGateway(s.Day.Ctx, operator.NewGateway{
		Place: api.Place{District: "tianhe", Town: "shipai", Building: Building, Gateway: "gw1"},
		Flats: []string{"1A", "1B", "1C", "1D", "2A"}, NoticeDays: 3})
	if err != nil {
		return err
	}
	parsed, err := wire.ParseToken(token.Text)
	if err != nil {
		return err
	}
	_, err = enrol.Enrol(s.Day.Ctx, enrol.Options{Token: parsed, Dir: filepath.Join(s.Day.House.Dir, "state", "keys"), Building: Building, Gateway: "gw1",
		Doors: []string{ledger.FrontDoor, ledger.YardDoor, ledger.GateDoor}, Software: "gatesim"})
	if err != nil {
		return err
	}
	if err := s.Day.House.Gate.GiveKey(s.Day.House.Dir); err != nil {
		return err
	}
	if err := s.Day.Start(); err != nil {
		return err
	}
	s.Day.Story.Say("house", "the gateway of %s enrols with a token that is good once: its keys are made on it and stay there", Building)
	return s.inStep("the registry has all that the gateway recorded")
}

// Building is the id of the building.
const Building = "lane-9"

// FirstTenants is how many tenants check in on the first morning.
const FirstTenants = 3

// arrivals: the first tenants check in, and live there before the registry knows.
func (s *Second) arrivals() error {
	for _, who := range s.Day.House.People.Residents[:FirstTenants] {
		if err := s.checkIn(who); err != nil {
			return err
		}
	}
	s.Day.Story.Say("desk", "three tenants check in: document, name, flat, card. Their cards open at once; their names are sealed to the registry")
	for _, who := range s.Day.House.People.Residents[:FirstTenants] {
		if err := play.ComeIn(s.Day, who, ledger.FrontDoor); err != nil {
			return err
		}
	}
	version, err := s.proved()
	if err == nil {
		s.Day.Story.Say("centre", "list %d of the registry names all three; the gateway's own log proves that it is active there", version)
	}
	return err
}

// outage: the broker dies; the house does not notice.
func (s *Second) outage() error {
	if err := s.Centre.kill(theBroker); err != nil {
		return err
	}
	s.Day.Story.Say("centre", "kill -9 of the broker: nothing gets through")
	newcomer := s.Day.House.People.Residents[3]
	if err := s.checkIn(newcomer); err != nil {
		return err
	}
	s.Day.Story.Say("desk", "a tenant checks in for flat 1D meanwhile")
	if err := errors.Join(play.ComeIn(s.Day, newcomer, ledger.FrontDoor), play.ComeIn(s.Day, s.Day.House.People.Residents[0], ledger.YardDoor)); err != nil {
		return err
	}
	if err := s.Day.Refuse(house.Stranger(1), ledger.YardDoor, "unknown_card", "nobody knows the card"); err != nil {
		return err
	}
	if err := s.Centre.start(theBroker); err != nil {
		return err
	}
	began := time.Now()
	if err := s.inStep("what happened in the outage is at the registry"); err != nil {
		return err
	}
	s.Day.Story.Say("centre", "the broker runs again: all that happened is at the registry %v later", time.Since(began).Round(10*time.Millisecond))
	version, err := s.proved()
	if err == nil {
		s.Day.Story.Say("centre", "list %d names the tenant of 1D too", version)
	}
	return err
}

func (s *Second) killDaemon() error {
	if err := play.KilledFor(s.Day, s.Day.House.People.Residents[1], s.Day.House.People.Residents[0]); err != nil {
		return err
	}
	return s.inStep("the registry has what was recorded around the kill")
}

// killRegistry kills front and issuer while people come and go.
func (s *Second) killRegistry() error {
	pair := s.Day.House.People.Residents[2:4]
	for i, what := range []string{theFront, theIssuer} {
		if err := play.ComeIn(s.Day, pair[i], ledger.FrontDoor); err != nil { // on its way now
			return err
		}
		if err := s.Centre.kill(what); err != nil {
			return err
		}
		if err := play.ComeIn(s.Day, pair[1-i], ledger.YardDoor); err != nil {
			return err
		}
		if err := s.Centre.start(what); err != nil {
			return err
		}
		if err := s.registryUntil(what+" is back", func() bool { return s.Centre.linked(s.Day.Ctx) }); err != nil {
			return err
		}
		s.Day.Story.Say("centre", "kill -9 of %s while somebody comes in; it is back, and nobody at the door noticed", what)
	}
	return s.inStep("what happened around the kills is at the registry")
}

// revoke ends a tenancy at the centre.
func (s *Second) revoke() error {
	who := s.Day.House.People.Residents[1]
	if err := play.ComeIn(s.Day, who, ledger.FrontDoor); err != nil {
		return err
	}
	began := time.Now()
	done, err := s.Centre.operator.Do(s.Day.Ctx, operator.Act{Act: operator.ActEnd, Tenancy: s.lived[who], Reason: "lease_over"})
	if err != nil {
		return err
	}
	if err := s.Day.Until("the list that ends a key is active", func() bool {
		s, err := s.Day.Client.Status(s.Day.Ctx)
		return err == nil && s.Grants.Version >= done.Version
	}); err != nil {
		return err
	}
	s.Day.Story.Say("centre", "the registry ends the tenancy of flat 1B: active at the gateway %v after the command", time.Since(began).Round(time.Millisecond))
	if err := s.Day.Refuse(who, ledger.YardDoor, "revoked", "the tenancy is over"); err != nil {
		return err
	}
	version, err := s.proved()
	if err == nil {
		s.Day.Story.Say("centre", "the gateway's log proves list %d", version)
	}
	return err
}

// asked: police ask for the passages of flat 1A, by a mandate.
func (s *Second) asked() error {
	var lives wire.ID
	if err := lives.UnmarshalText([]byte(s.lived[s.Day.House.People.Residents[0]])); err != nil {
		return err
	}
	scene := mandated.Scene{Place: wire.Place{District: "tianhe", Town: "shipai", Building: Building, Gateway: "gw1"}, Registry: "demo", Door: ledger.FrontDoor,
		Keys: s.Centre.file, Front: s.Centre.front, Landlord: s.Day.Client, Until: s.registryUntil, InStep: s.inStep, Say: s.Day.Story.Say}
	return scene.Play(s.Day.Ctx, lives)
}
