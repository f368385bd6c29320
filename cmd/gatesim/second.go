package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/enrol"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// second is a day in a building that is enrolled with a registry.
type second struct {
	*play
	centre *centre
	lived  map[*person]string // tenancy by tenant
}

// secondDay is the order of its scenes.
func (p *second) secondDay() []func() error {
	return []func() error{p.found, p.arrivals, p.cardAndPIN, p.outage, p.killDaemon, p.killRegistry, p.revoke, p.notice, p.leave}
}

// found starts the registry, enrols the gateway and starts its daemon.
func (p *second) found() error {
	for _, what := range []string{theBroker, theFront, theIssuer} {
		if err := p.centre.start(what); err != nil {
			return err
		}
	}
	if err := p.registryUntil("broker, front and issuer know each other", func() bool { return p.centre.linked(p.ctx) }); err != nil {
		return err
	}
	p.say("centre", "a registry of three processes: the broker, the front with the witness's key, the issuer with the key that signs lists")
	token, err := p.centre.operator.AddGateway(p.ctx, operator.NewGateway{
		Place: api.Place{District: "tianhe", Town: "shipai", Building: secondBuilding, Gateway: "gw1"},
		Flats: []string{"1A", "1B", "1C", "1D", "2A"}, NoticeDays: 3})
	if err != nil {
		return err
	}
	parsed, err := wire.ParseToken(token.Text)
	if err != nil {
		return err
	}
	_, err = enrol.Enrol(p.ctx, enrol.Options{Token: parsed, Dir: filepath.Join(p.dir, "state", "keys"), Building: secondBuilding, Gateway: "gw1",
		Doors: []string{frontDoor, yardDoor, gateDoor}, Software: "gatesim"})
	if err != nil {
		return err
	}
	if err := p.gate.giveKey(p.dir); err != nil {
		return err
	}
	if err := p.start(); err != nil {
		return err
	}
	p.say("house", "the gateway of %s enrols with a token that is good once: its keys are made on it and stay there", secondBuilding)
	return p.inStep("the registry has all that the gateway recorded")
}

// secondBuilding is the id of the building.
const secondBuilding = "lane-9"

// arrivals: three tenants check in, and live there before the registry knows.
func (p *second) arrivals() error {
	for _, who := range p.people.residents[:3] {
		if err := p.checkIn(who); err != nil {
			return err
		}
	}
	p.say("desk", "three tenants check in: document, name, flat, card. Their cards open at once; their names are sealed to the registry")
	for _, who := range p.people.residents[:3] {
		if err := p.comeIn(who, frontDoor); err != nil {
			return err
		}
	}
	version, err := p.proved()
	if err == nil {
		p.say("centre", "list %d of the registry names all three; the gateway's own log proves that it is in force there", version)
	}
	return err
}

// checkIn registers a tenant with the card held up at the yard, which reads all
// of it.
func (p *second) checkIn(who *person) error {
	flat := strings.TrimPrefix(who.name, "flat ")
	visit, err := p.client.OpenDesk(p.ctx, control.DeskRequest{})
	if err != nil {
		return err
	}
	defer func() { _ = p.client.CloseDesk(p.ctx, visit.Session) }()
	if _, err := p.show(visit, who, false); err != nil {
		return err
	}
	done, err := p.client.CheckIn(p.ctx, visit.Session, control.CheckIn{Document: wire.DocumentResidentID.String(),
		Number: madeUpNumber(len(p.lived)), Name: "某某", Flat: flat, Basis: wire.BasisContract.String(), Informed: true,
		PIN: pinOf[flat]})
	if err != nil {
		return fmt.Errorf("check in %s: %w", flat, err)
	}
	p.world.add("", tenancyChanged, 1)
	p.lived[who] = done.Tenancy.ID
	return nil
}

// show holds a card up at the desk: one that proves who it is twice, and the door lets
// its holder in the first time.
func (p *second) show(visit control.Desk, who *person, proof bool) (card control.DeskCard, err error) {
	p.world.add(yardDoor, captured, 1)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	type answer struct {
		card control.DeskCard
		err  error
	}
	shown := make(chan answer, 2)
	for range cap(shown) { // the desk must be asked first: it refuses one of two as soon as it waits for the other
		go func() {
			card, err := p.client.ShowCard(ctx, visit.Session, control.DeskSwipe{Proof: proof,
				SwipeRequest: control.SwipeRequest{Door: yardDoor, Seconds: int(patience.Seconds())}})
			shown <- answer{card, err}
		}()
	}
	var busy *control.Error
	if first := <-shown; !errors.As(first.err, &busy) || busy.Status != http.StatusConflict {
		return card, fmt.Errorf("asked twice for a card, the desk said: %w", first.err)
	}
	if proof {
		if err := p.release(who); err != nil {
			return card, err
		}
	}
	err = p.present(who, yardDoor, func(time.Duration) error {
		a := <-shown
		card = a.card
		return a.err
	})
	return card, err
}

// release holds a card up at the yard, where nobody goes through then, and waits until
// it may be held up again.
func (p *second) release(who *person) error {
	p.world.add(yardDoor, granted, 1)
	err := p.present(who, yardDoor, func(at time.Duration) error {
		_, err := p.opens(who.name, yardDoor, at)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.locks(yardDoor); err != nil {
		return err
	}
	return p.wait(2 * restInDemo)
}

// madeUpNumber is a number as on a resident's identity card, with its check
// digit, of an area that no person has.
func madeUpNumber(i int) string {
	n := fmt.Sprintf("440000%d0101%03d", 1950+i/900, i%900+1)
	sum := 0
	for at, weight := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += weight * int(n[at]-'0')
	}
	return n + string("10X98765432"[sum%11])
}

// change asks the desk to change a tenancy.
func (p *second) change(c control.Change, proof *person) (done control.Done, err error) {
	visit, err := p.client.OpenDesk(p.ctx, control.DeskRequest{})
	if err != nil {
		return done, err
	}
	defer func() { _ = p.client.CloseDesk(p.ctx, visit.Session) }()
	if proof != nil {
		c.Proof = wire.ProofCard.String()
		if _, err := p.show(visit, proof, true); err != nil {
			return done, err
		}
	}
	if done, err = p.client.Change(p.ctx, visit.Session, c); err != nil {
		return done, fmt.Errorf("%s: %w", c.Action, err)
	}
	p.world.add("", tenancyChanged, 1)
	return done, nil
}

// outage: the broker dies; the house does not notice.
func (p *second) outage() error {
	if err := p.centre.kill(theBroker); err != nil {
		return err
	}
	p.say("centre", "kill -9 of the broker: nothing gets through")
	newcomer := p.people.residents[3]
	if err := p.checkIn(newcomer); err != nil {
		return err
	}
	p.say("desk", "a tenant checks in for flat 1D meanwhile")
	if err := errors.Join(p.comeIn(newcomer, frontDoor), p.comeIn(p.people.residents[0], yardDoor)); err != nil {
		return err
	}
	if err := p.refuse(stranger(1), yardDoor, "unknown_card", "nobody knows the card"); err != nil {
		return err
	}
	if err := p.centre.start(theBroker); err != nil {
		return err
	}
	began := time.Now()
	if err := p.inStep("what happened in the outage is at the registry"); err != nil {
		return err
	}
	p.say("centre", "the broker runs again: all that happened is at the registry %v later", time.Since(began).Round(10*time.Millisecond))
	version, err := p.proved()
	if err == nil {
		p.say("centre", "list %d names the tenant of 1D too", version)
	}
	return err
}

func (p *second) killDaemon() error {
	if err := p.killedFor(p.people.residents[1], p.people.residents[0]); err != nil {
		return err
	}
	return p.inStep("the registry has what was recorded around the kill")
}

// killRegistry kills front and issuer while people come and go.
func (p *second) killRegistry() error {
	pair := p.people.residents[2:4]
	for i, what := range []string{theFront, theIssuer} {
		if err := p.comeIn(pair[i], frontDoor); err != nil { // on its way now
			return err
		}
		if err := p.centre.kill(what); err != nil {
			return err
		}
		if err := p.comeIn(pair[1-i], yardDoor); err != nil {
			return err
		}
		if err := p.centre.start(what); err != nil {
			return err
		}
		if err := p.registryUntil(what+" is back", func() bool { return p.centre.linked(p.ctx) }); err != nil {
			return err
		}
		p.say("centre", "kill -9 of %s while somebody comes in; it is back, and nobody at the door noticed", what)
	}
	return p.inStep("what happened around the kills is at the registry")
}

// revoke ends a tenancy at the centre.
func (p *second) revoke() error {
	who := p.people.residents[1]
	if err := p.comeIn(who, frontDoor); err != nil {
		return err
	}
	began := time.Now()
	done, err := p.centre.operator.Do(p.ctx, operator.Act{Act: operator.ActEnd, Tenancy: p.lived[who], Reason: "lease_over"})
	if err != nil {
		return err
	}
	if err := p.until("the list that ends a key is in force", func() bool {
		s, err := p.client.Status(p.ctx)
		return err == nil && s.Grants.Version >= done.Version
	}); err != nil {
		return err
	}
	p.say("centre", "the registry ends the tenancy of flat 1B: in force at the gateway %v after the command", time.Since(began).Round(time.Millisecond))
	if err := p.refuse(who, yardDoor, "revoked", "the tenancy is over"); err != nil {
		return err
	}
	version, err := p.proved()
	if err == nil {
		p.say("centre", "the gateway's log proves list %d", version)
	}
	return err
}

// notice: the landlord alone can't end a tenancy at once, and the tenant can
// object.
func (p *second) notice() error {
	who := p.people.residents[0]
	done, err := p.change(control.Change{Action: "checkout", Tenancy: p.lived[who], Proof: wire.ProofLandlord.String(), Cause: wire.CauseLeaseOver.String()}, nil)
	if err != nil {
		return err
	}
	if done.Tenancy.Notice == nil {
		return errors.New("a check-out by the landlord alone gave no notice")
	}
	p.say("desk", "the landlord checks flat 1A out alone: a notice until %s, no lock-out", done.Tenancy.Notice.Format("2 January 15:04"))
	p.world.add(frontDoor, told, 1)
	if err := p.comeIn(who, frontDoor); err != nil {
		return err
	}
	if err := p.logged(row{frontDoor, told}); err != nil {
		return err
	}
	p.say("front", "the tenant of 1A still comes in, and is told")
	if _, err = p.change(control.Change{Action: "dispute", Tenancy: p.lived[who], Proof: wire.ProofPIN.String(), PIN: pinOf["1A"]}, nil); err != nil {
		return err
	}
	err = p.registryUntil("the registry knows of the dispute", func() bool { return p.state(who) == "disputed" })
	if err == nil {
		p.say("desk", "the tenant disputes it, with the PIN: the notice no longer counts, the registry has to decide")
	}
	return err
}

// state is a tenancy's state at the registry.
func (p *second) state(who *person) string {
	all, err := p.centre.operator.Tenancies(p.ctx, secondBuilding)
	if err != nil {
		return ""
	}
	for _, t := range all {
		if t.ID == p.lived[who] {
			return t.State
		}
	}
	return ""
}

// leave: with the tenant's own card a tenancy ends at once.
func (p *second) leave() error {
	who := p.people.residents[2]
	if _, err := p.change(control.Change{Action: "checkout", Cause: wire.CauseMovedOut.String()}, who); err != nil {
		return err
	}
	p.say("desk", "the tenant of 1C checks out with the card, held up twice: who only comes home does not. Over at once")
	if err := p.refuse(who, frontDoor, "revoked", "the tenancy is over"); err != nil {
		return err
	}
	err := p.registryUntil("the registry knows that the tenancy is over", func() bool { return p.state(who) == "ended" })
	if err != nil {
		return err
	}
	_, err = p.proved()
	return err
}

// registryUntil waits for something that the registry must do.
func (p *second) registryUntil(what string, ok func() bool) error {
	for end := time.Now().Add(2 * patience); !ok(); {
		if err := p.wait(5 * time.Millisecond); err != nil {
			return err
		}
		for name, d := range p.centre.processes {
			select {
			case <-d.exited:
				return fmt.Errorf("%s ended by itself (%v) before this: %s", name, d.err, what)
			default:
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("this did not happen within %v: %s", 2*patience, what)
		}
	}
	return nil
}

// gateway is what the registry's front knows of the gateway.
func (p *second) gateway() (api.Gateway, error) {
	all, err := p.centre.front.Gateways(p.ctx, secondBuilding)
	if err != nil {
		return api.Gateway{}, err
	}
	if len(all) != 1 {
		return api.Gateway{}, fmt.Errorf("the registry knows %s of the building", amount.Of(len(all), "gateway"))
	}
	return all[0], nil
}

// inStep waits until the registry has stored what the gateway's log holds.
func (p *second) inStep(what string) error {
	return p.registryUntil(what, func() bool {
		var last logEntry
		if err := p.entries(func(e logEntry) error { last = e; return nil }); err != nil {
			return false
		}
		g, err := p.gateway()
		return err == nil && g.Epoch == last.Epoch && g.Stored == last.Sequence+1
	})
}

// proved waits until the gateway's stored entries prove the newest list, which
// has been made with all that was done at the desk.
func (p *second) proved() (version uint64, err error) {
	err = p.registryUntil("the newest list is proved", func() bool {
		all, err := p.client.Tenancies(p.ctx)
		for _, t := range all {
			if t.Unstored > 0 {
				return false
			}
		}
		if err != nil {
			return false
		}
		g, err := p.gateway() // after the desk, whose last act may just have made one more list
		if err != nil || g.List == 0 || g.Applied != g.List {
			return false
		}
		version = g.List
		return true
	})
	return version, err
}
