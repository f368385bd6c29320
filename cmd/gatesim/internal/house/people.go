package house

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/device"
	"gatehouse/device/wiegand"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// Person is somebody with a card. Names are made up, as are the numbers: an
// EM4100 card of 40 bits, of which a 26-bit reader sees the low 24.
type Person struct {
	Name    string
	Card    uint64
	Grant   wire.ID
	Tenancy wire.ID // in the standalone house
}

// firstCard is the number of the first resident's card; strangers begin at
// firstStranger.
const (
	firstCard     = 0x01_00_2A_00_10
	firstStranger = 0x01_00_63_10_00
)

// Stranger is somebody without a key; each number has a card of its own.
func Stranger(i int) *Person { return &Person{Name: "a stranger", Card: firstStranger + uint64(i)} }

// AtFront is the card as the 26-bit reader at the front door sends it.
func (p *Person) AtFront() (device.Card, error) {
	f, ok := wiegand.Lookup("H10301")
	if !ok {
		return device.Card{}, errors.New("no format H10301")
	}
	return f.Encode(wiegand.Fields{Facility: p.Card >> 16 & 0xFF, Card: p.Card & 0xFFFF, HasFacility: true})
}

// people are all who have a key.
type people struct {
	Residents                              []*Person
	Visitor, Lost, Moved, Gardener, Tenant *Person
}

// newPeople names the people of the house; tenant is the resident who moves
// out during the day.
func newPeople() *people {
	all := &people{}
	next := uint64(firstCard)
	with := func(name string) *Person {
		next += 0x0101
		return &Person{Name: name, Card: next}
	}
	for i := range 20 {
		all.Residents = append(all.Residents, with(fmt.Sprintf("flat %d%c", 1+i/4, 'A'+i%4)))
	}
	all.Tenant = all.Residents[19]
	all.Visitor, all.Lost, all.Moved = with("visitor of flat 2A"), with("the lost card of flat 5A"), with("the tenant before, flat 3C")
	all.Gardener = with("the gardener")
	return all
}

// Enrol puts everybody on the list. The same card is two credentials of one
// grant: 26 bits at the front, 40 at the yard and the gate.
func (all *people) Enrol(e *grantlist.Editor, k *keys.BuildingKey, now time.Time) error {
	all3 := []string{ledger.FrontDoor, ledger.YardDoor, ledger.GateDoor}
	add := func(p *Person, g grantlist.NewGrant) error {
		w26, err := p.AtFront()
		if err != nil {
			return err
		}
		_, _ = rand.Read(p.Tenancy[:]) // never fails
		g.Label, g.Tenancy = p.Name, p.Tenancy
		g.Credentials = []wire.CredentialID{k.Identify(w26), k.Identify(device.CardOf(p.Card, 40))}
		p.Grant, err = e.Add(g)
		return err
	}
	day := 24 * time.Hour
	var errs []error
	for _, p := range all.Residents {
		errs = append(errs, add(p, grantlist.NewGrant{Kind: wire.GrantResident, Doors: all3, From: now.Add(-30 * day), Until: now.Add(300 * day)}))
	}
	errs = append(errs,
		add(all.Visitor, grantlist.NewGrant{Kind: wire.GrantVisitor, Doors: all3, From: now.Add(-time.Hour), Until: now.Add(day)}),
		add(all.Lost, grantlist.NewGrant{Kind: wire.GrantResident, Doors: all3}),
		add(all.Moved, grantlist.NewGrant{Kind: wire.GrantResident, Doors: all3, From: now.Add(-60 * day), Until: now.Add(-day)}),
		add(all.Gardener, grantlist.NewGrant{Kind: wire.GrantStaff, Doors: []string{ledger.YardDoor}}))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return e.SetState(all.Lost.Grant, wire.GrantSuspended)
}
