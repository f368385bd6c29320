package play

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// FirstDay is the order of the scenes. The storm stands right before the orderly
// stop, which writes down what was counted in it.
func FirstDay() []func(*Play) error {
	return []func(*Play) error{openHouse, pairing, morning, strangers, heldCard, leaving, visitor, notNow, parcel,
		unplugged, noise, enemy, passes, killedOnce, storm, restart, revocation, fireAlarm}
}

// openHouse starts the daemon for the first time and hands it the list.
func openHouse(p *Play) error {
	if err := p.Start(); err != nil {
		return err
	}
	p.Story.Say("house", "the daemon runs, all doors are locked; its clock is this machine's, taken as set by a time server")
	if err := p.edit(func(e *grantlist.Editor) error { return p.House.People.Enrol(e, p.House.Keys.Building, time.Now()) }); err != nil {
		return err
	}
	p.Story.Say("house", "the landlord signs a list of 24 keys: each card is 26 bits to the front door's reader, 40 bits to the others")
	return nil
}

// morning lets residents in by both doors at the same time.
func morning(p *Play) error {
	var both sync.WaitGroup
	var errs [2]error
	for i, door := range []string{ledger.FrontDoor, ledger.YardDoor} {
		both.Go(func() { errs[i] = arrive(p, door, p.House.People.Residents[10*i:10*i+10]) })
	}
	both.Wait()
	return errors.Join(errs[:]...)
}

func arrive(p *Play, door string, all []*house.Person) error {
	for _, who := range all {
		if err := ComeIn(p, who, door); err != nil {
			return err
		}
	}
	return nil
}

// ComeIn lets somebody in, and tells it.
func ComeIn(p *Play, who *house.Person, door string) error {
	took, err := p.enter(who, door)
	if err == nil {
		p.Story.Say(door, "%s comes in: released after %v, opened, closed, locked", who.Name, took)
	}
	return err
}

func strangers(p *Play) error {
	for i, door := range []string{ledger.FrontDoor, ledger.YardDoor} {
		if err := p.Refuse(house.Stranger(i), door, "unknown_card", "nobody knows the card"); err != nil {
			return err
		}
	}
	return nil
}

// heldCard: a reader repeats a card that lies on it, every 50 ms here.
func heldCard(p *Play) error {
	const held = 1500 * time.Millisecond
	who := p.House.People.Residents[0]
	p.House.World.Add(ledger.YardDoor, ledger.Granted, 1)
	err := p.Present(who, ledger.YardDoor, func(at time.Duration) error {
		if _, err := p.Opens(who.Name, ledger.YardDoor, at); err != nil {
			return err
		}
		if err := p.Through(ledger.YardDoor); err != nil {
			return err
		}
		return p.Wait(held - (p.House.Board.Now() - at))
	})
	if err == nil {
		p.Story.Say(ledger.YardDoor, "%s rests the card on the reader for %v, about %s: one entry", who.Name, held, amount.Of(held/(50*time.Millisecond), "frame"))
	}
	return err
}

// leaving: nobody needs a card to get out.
func leaving(p *Play) error {
	p.House.World.Add(ledger.FrontDoor, ledger.Exits, 1)
	at := p.House.Board.Now()
	if err := p.House.Board.Pulse("exit", 100*time.Millisecond); err != nil {
		return err
	}
	took, err := p.Opens("the exit button", ledger.FrontDoor, at)
	if err != nil {
		return err
	}
	if err := p.Through(ledger.FrontDoor); err != nil {
		return err
	}
	p.Story.Say(ledger.FrontDoor, "somebody leaves by the exit button: released after %v, logged after that", took.Round(100*time.Microsecond))
	if err := p.swing(ledger.YardDoor); err != nil {
		return err
	}
	if err := p.Logged(ledger.Of(ledger.YardDoor, ledger.Closed)); err != nil {
		return err
	}
	p.Story.Say(ledger.YardDoor, "somebody leaves by the handle: opened and closed, the lock has no part in it")
	return nil
}

func visitor(p *Play) error {
	took, err := p.enter(p.House.People.Visitor, ledger.FrontDoor)
	if err == nil {
		p.Story.Say(ledger.FrontDoor, "%s, until tomorrow: released after %v", p.House.People.Visitor.Name, took)
	}
	return err
}

// notNow shows each reason for which a known card stays outside.
func notNow(p *Play) error {
	if err := p.Refuse(p.House.People.Lost, ledger.FrontDoor, "suspended", "it is suspended until it is found"); err != nil {
		return err
	}
	if err := p.Refuse(p.House.People.Moved, ledger.FrontDoor, "expired", "the key ended yesterday"); err != nil {
		return err
	}
	if err := p.Refuse(p.House.People.Gardener, ledger.FrontDoor, "wrong_door", "the key is for the yard"); err != nil {
		return err
	}
	return ComeIn(p, p.House.People.Gardener, ledger.YardDoor)
}

func parcel(p *Play) error {
	p.House.World.Add(ledger.FrontDoor, ledger.Commands, 1)
	at := p.House.Board.Now()
	if _, err := p.Client.Release(p.Ctx, ledger.FrontDoor); err != nil {
		return err
	}
	if _, err := p.Opens("the operator", ledger.FrontDoor, at); err != nil {
		return err
	}
	p.Story.Say(ledger.FrontDoor, "the landlord opens for a parcel: gatehouse release front")
	return p.Through(ledger.FrontDoor)
}

func revocation(p *Play) error {
	who := p.House.People.Tenant
	if err := ComeIn(p, who, ledger.FrontDoor); err != nil {
		return err
	}
	if err := p.edit(func(e *grantlist.Editor) error { return e.SetState(who.Grant, wire.GrantRevoked) }); err != nil {
		return err
	}
	p.Story.Say("house", "the landlord ends the key of %s", who.Name)
	if err := p.Refuse(who, ledger.YardDoor, "revoked", "the key was ended"); err != nil {
		return err
	}
	// Another card first: the same one, so soon at the same reader, was never away.
	if err := ComeIn(p, p.House.People.Residents[5], ledger.FrontDoor); err != nil {
		return err
	}
	return p.Refuse(who, ledger.FrontDoor, "revoked", "the key was ended")
}

// fireAlarm releases every door until somebody on site resets it, after the panel.
func fireAlarm(p *Play) error {
	for _, door := range []string{ledger.FrontDoor, ledger.YardDoor, ledger.GateDoor} {
		for _, what := range []string{ledger.FireActive, ledger.FireIdle, ledger.FireReset} {
			p.House.World.Add(door, what, 1)
		}
	}
	at := p.House.Board.Now()
	if err := p.House.Board.Set("fire", true); err != nil {
		return err
	}
	one, err := p.Opens("the fire alarm", ledger.FrontDoor, at)
	other, err2 := p.Opens("the fire alarm", ledger.YardDoor, at)
	third, err3 := p.Opens("the fire alarm", ledger.GateDoor, at)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if err := p.Logged(ledger.Of(ledger.YardDoor, ledger.FireActive)); err != nil { // a second look makes them stay so
		return err
	}
	p.Story.Say("house", "fire alarm: all doors are released after %v", max(one, other, third).Round(100*time.Microsecond))
	p.House.World.Add("", ledger.FireRefused, 1)
	var refusal *control.Error
	if _, err := p.Client.ResetFire(p.Ctx); !errors.As(err, &refusal) {
		return fmt.Errorf("a reset while the alarm is on was answered with: %v", err)
	}
	p.Story.Say("house", "a reset while the alarm is on: refused")
	if err := p.House.Board.Set("fire", false); err != nil {
		return err
	}
	if err := p.Logged(ledger.Of(ledger.YardDoor, ledger.FireIdle)); err != nil {
		return err
	}
	if l := p.House.World.Lock(ledger.YardDoor); !l.Released {
		return errors.New("the yard locked itself when the alarm ended")
	}
	p.Story.Say("house", "the panel is idle again: the doors stay released")
	if _, err := p.Client.ResetFire(p.Ctx); err != nil {
		return err
	}
	if err := errors.Join(p.Locks(ledger.FrontDoor), p.Locks(ledger.YardDoor), p.Locks(ledger.GateDoor)); err != nil {
		return err
	}
	p.Story.Say("house", "gatehouse fire reset, on site: all doors lock")
	return nil
}

// Live lets people come in at random until Ctrl-C, so that there is something to see in
// the log: one every pause or so. Whoever watches may have ended a key meanwhile, and have a card held up to the
// reader of the front door by sending its holder; held may be nil.
func Live(p *Play, all []*house.Person, pause time.Duration, held <-chan *house.Person) {
	for {
		select {
		case <-p.Ctx.Done():
			return
		case who := <-held:
			err := p.Present(who, ledger.FrontDoor, func(time.Duration) error { return nil })
			p.Story.Say(ledger.FrontDoor, "%s is held to the reader%s", who.Name, cause(err))
		case <-time.After(pause/2 + rand.N(pause)):
			who, door := all[rand.IntN(len(all))], []string{ledger.FrontDoor, ledger.YardDoor}[rand.IntN(2)]
			if err := ComeIn(p, who, door); err != nil && p.Ctx.Err() == nil {
				p.Story.Say(door, "%v", err)
			}
		}
	}
}

// cause is an error as the end of a sentence; nil: nothing.
func cause(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
