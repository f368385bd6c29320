package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// day is the order of the scenes. The storm stands right before the orderly
// stop, which writes down what was counted in it.
func (p *play) day() []func() error {
	return []func() error{p.open, p.pairing, p.morning, p.strangers, p.heldCard, p.leaving, p.visitor, p.notNow, p.operator,
		p.unplugged, p.noise, p.enemy, p.passes, p.killed, p.storm, p.restart, p.revocation, p.fire}
}

// open starts the daemon for the first time and hands it the list.
func (p *play) open() error {
	if err := p.start(); err != nil {
		return err
	}
	p.say("house", "the daemon runs, all doors are locked; its clock is this machine's, taken as set by a time server")
	if err := p.edit(func(e *grantlist.Editor) error { return p.people.enrol(e, p.keys.building, time.Now()) }); err != nil {
		return err
	}
	p.say("house", "the landlord signs a list of 24 keys: each card is 26 bits to the front door's reader, 40 bits to the others")
	return nil
}

// morning lets residents in by both doors at the same time.
func (p *play) morning() error {
	var both sync.WaitGroup
	var errs [2]error
	for i, door := range []string{frontDoor, yardDoor} {
		both.Go(func() { errs[i] = p.arrive(door, p.people.residents[10*i:10*i+10]) })
	}
	both.Wait()
	return errors.Join(errs[:]...)
}

func (p *play) arrive(door string, all []*person) error {
	for _, who := range all {
		if err := p.comeIn(who, door); err != nil {
			return err
		}
	}
	return nil
}

func (p *play) comeIn(who *person, door string) error {
	took, err := p.enter(who, door)
	if err == nil {
		p.say(door, "%s comes in: released after %v, opened, closed, locked", who.name, took)
	}
	return err
}

func (p *play) strangers() error {
	for i, door := range []string{frontDoor, yardDoor} {
		if err := p.refuse(stranger(i), door, "unknown_card", "nobody knows the card"); err != nil {
			return err
		}
	}
	return nil
}

// heldCard: a reader repeats a card that lies on it, every 50 ms here.
func (p *play) heldCard() error {
	const held = 1500 * time.Millisecond
	who := p.people.residents[0]
	p.world.add(yardDoor, granted, 1)
	err := p.present(who, yardDoor, func(at time.Duration) error {
		if _, err := p.opens(who.name, yardDoor, at); err != nil {
			return err
		}
		if err := p.through(yardDoor); err != nil {
			return err
		}
		return p.wait(held - (p.board.Now() - at))
	})
	if err == nil {
		p.say(yardDoor, "%s rests the card on the reader for %v, about %s: one entry", who.name, held, amount.Of(held/(50*time.Millisecond), "frame"))
	}
	return err
}

// leaving: nobody needs a card to get out.
func (p *play) leaving() error {
	p.world.add(frontDoor, exits, 1)
	at := p.board.Now()
	if err := p.board.Pulse("exit", 100*time.Millisecond); err != nil {
		return err
	}
	took, err := p.opens("the exit button", frontDoor, at)
	if err != nil {
		return err
	}
	if err := p.through(frontDoor); err != nil {
		return err
	}
	p.say(frontDoor, "somebody leaves by the exit button: released after %v, logged after that", took.Round(100*time.Microsecond))
	if err := p.swing(yardDoor); err != nil {
		return err
	}
	if err := p.logged(row{yardDoor, closed}); err != nil {
		return err
	}
	p.say(yardDoor, "somebody leaves by the handle: opened and closed, the lock has no part in it")
	return nil
}

func (p *play) visitor() error {
	took, err := p.enter(p.people.visitor, frontDoor)
	if err == nil {
		p.say(frontDoor, "%s, until tomorrow: released after %v", p.people.visitor.name, took)
	}
	return err
}

// notNow shows each reason for which a known card stays outside.
func (p *play) notNow() error {
	if err := p.refuse(p.people.lost, frontDoor, "suspended", "it is suspended until it is found"); err != nil {
		return err
	}
	if err := p.refuse(p.people.moved, frontDoor, "expired", "the key ended yesterday"); err != nil {
		return err
	}
	if err := p.refuse(p.people.gardener, frontDoor, "wrong_door", "the key is for the yard"); err != nil {
		return err
	}
	return p.comeIn(p.people.gardener, yardDoor)
}

func (p *play) operator() error {
	p.world.add(frontDoor, commands, 1)
	at := p.board.Now()
	if _, err := p.client.Release(p.ctx, frontDoor); err != nil {
		return err
	}
	if _, err := p.opens("the operator", frontDoor, at); err != nil {
		return err
	}
	p.say(frontDoor, "the landlord opens for a parcel: gatehouse release front")
	return p.through(frontDoor)
}

// unplugged pulls the serial reader out; it comes back as another terminal.
func (p *play) unplugged() error {
	p.world.add(yardDoor, offline, 1)
	if err := p.yard.Unplug(); err != nil {
		return err
	}
	if err := p.logged(row{yardDoor, offline}); err != nil {
		return err
	}
	p.say(yardDoor, "the reader's cable is pulled: out of order, and the log says so; the front door goes on")
	if err := p.comeIn(p.people.residents[1], frontDoor); err != nil {
		return err
	}
	p.world.add(yardDoor, online, 1)
	if err := p.yard.Replug(); err != nil {
		return err
	}
	if err := p.logged(row{yardDoor, online}); err != nil {
		return err
	}
	p.say(yardDoor, "plugged in again, as another terminal: the reader is back by itself")
	return p.comeIn(p.people.residents[11], yardDoor)
}

// noise: what is damaged is a fault and never a card.
func (p *play) noise() error {
	card, err := p.people.residents[2].atFront()
	if err != nil {
		return err
	}
	flipped := device.CardOf(card.Uint64(0, 26)^1, 26)
	for _, f := range []struct {
		door, reason, story string
		send                func() error
	}{
		{yardDoor, "ghost_frame", "the reader makes up a card, with a good checksum", func() error { return p.yard.Ghost(p.ctx) }},
		{yardDoor, "noise", "noise on the serial line", func() error { return p.yard.Send([]byte("\x00\x7f~#noise")) }},
		{yardDoor, "wrong_checksum", "a known card with one wrong digit", func() error { return p.yard.Send([]byte("\x020100001111FF\x03")) }},
		{frontDoor, "wrong_parity", "a known card with one bit flipped", func() error { return p.front.Send(flipped) }},
	} {
		p.world.add(f.door, fault+f.reason, 1)
		if err := f.send(); err != nil {
			return err
		}
		if err := p.logged(row{f.door, fault + f.reason}); err != nil {
			return err
		}
		p.say(f.door, "%s: a fault, not a card", f.story)
		if err := p.wait(100 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (p *play) killed() error { return p.killedFor(p.people.residents[12], p.people.residents[13]) }

// killedFor ends the daemon by kill -9 in the moment in which the relay has
// moved for a card. Another one comes in when the daemon is back.
func (p *play) killedFor(who, next *person) error {
	if err := p.settle(); err != nil {
		return err
	}
	p.world.add(yardDoor, granted, 1)
	p.killNth = p.world.copied()[row{yardDoor, granted}]
	p.world.strike(p.daemon.kill)
	if err := p.present(who, yardDoor, p.dies); err != nil {
		return err
	}
	if err := p.daemon.gone(); err != nil {
		return err
	}
	p.daemon = nil
	p.stopBook()
	p.say(yardDoor, "%s holds a card up; the relay moves, and in that moment: kill -9", who.name)
	if err := p.atPull(); err != nil {
		return err
	}
	if err := p.freePorts(); err != nil {
		return err
	}
	if err := p.start(); err != nil {
		return err
	}
	if err := p.logged(row{yardDoor, granted}); err != nil {
		return err
	}
	p.say("house", "the daemon runs again, and the log has the card that opened the yard before the kill")
	return p.comeIn(next, yardDoor)
}

// dies waits for the end of a daemon that is killed.
func (p *play) dies(time.Duration) error {
	select {
	case <-p.daemon.exited:
		return nil
	case <-time.After(patience):
		return errors.New("the yard did not release, so nothing was killed")
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// atPull checks what the board does with lines that nobody holds.
func (p *play) atPull() error {
	y, f := p.world.lock(yardDoor), p.world.lock(frontDoor)
	if y.driven || y.released || f.driven || !f.released {
		return fmt.Errorf("after the kill the yard is %+v, the front door %+v: want both without current", y, f)
	}
	p.say(yardDoor, "the board's pull took the current away %v after the relay had moved: locked; its handle opens from inside",
		p.world.fell().Round(100*time.Microsecond))
	p.say(frontDoor, "without current its lock is free, so that nobody is locked in")
	return nil
}

// storm: a stranger tries card after card, and a dozen of them once more. (Few
// that take turns would be held up, and not tried again.)
func (p *play) storm() error {
	const cards, again = 28, 12
	p.world.add(frontDoor, denied+"unknown_card", cards+again)
	for i := range cards + again {
		n := 100 + i%cards
		if err := p.present(stranger(n), frontDoor, func(time.Duration) error { return p.ctx.Err() }); err != nil {
			return err
		}
	}
	// The log has eight of them by now, and counts the rest.
	if err := p.until("the first cards of the storm are in the log", func() bool {
		return p.book.count(row{frontDoor, denied + "unknown_card"}) >= 8
	}); err != nil {
		return err
	}
	p.say(frontDoor, "a stranger tries %s in a row: all denied; the log takes the first few whole and counts the rest", amount.Of(cards+again, "card"))
	return p.comeIn(p.people.residents[3], frontDoor)
}

// restart stops the daemon in order and starts it again. There is no network in
// this house at all.
func (p *play) restart() error {
	if err := p.stop(); err != nil {
		return err
	}
	p.say("house", "the daemon is stopped in order")
	if err := p.start(); err != nil {
		return err
	}
	p.say("house", "started again, with no network: the list is on disk")
	if err := p.comeIn(p.people.residents[4], frontDoor); err != nil {
		return err
	}
	return p.comeIn(p.people.residents[14], yardDoor)
}

func (p *play) revocation() error {
	who := p.people.tenant
	if err := p.comeIn(who, frontDoor); err != nil {
		return err
	}
	if err := p.edit(func(e *grantlist.Editor) error { return e.SetState(who.grant, wire.GrantRevoked) }); err != nil {
		return err
	}
	p.say("house", "the landlord ends the key of %s", who.name)
	if err := p.refuse(who, yardDoor, "revoked", "the key was ended"); err != nil {
		return err
	}
	// Another card first: the same one, so soon at the same reader, was never away.
	if err := p.comeIn(p.people.residents[5], frontDoor); err != nil {
		return err
	}
	return p.refuse(who, frontDoor, "revoked", "the key was ended")
}

// fire releases every door until somebody on site resets it, after the panel.
func (p *play) fire() error {
	for _, door := range []string{frontDoor, yardDoor, gateDoor} {
		for _, what := range []string{fireActive, fireIdle, fireReset} {
			p.world.add(door, what, 1)
		}
	}
	at := p.board.Now()
	if err := p.board.Set("fire", true); err != nil {
		return err
	}
	one, err := p.opens("the fire alarm", frontDoor, at)
	other, err2 := p.opens("the fire alarm", yardDoor, at)
	third, err3 := p.opens("the fire alarm", gateDoor, at)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if err := p.logged(row{yardDoor, fireActive}); err != nil { // a second look makes them stay so
		return err
	}
	p.say("house", "fire alarm: all doors are released after %v", max(one, other, third).Round(100*time.Microsecond))
	p.world.add("", fireRefused, 1)
	var refusal *control.Error
	if _, err := p.client.ResetFire(p.ctx); !errors.As(err, &refusal) {
		return fmt.Errorf("a reset while the alarm is on was answered with: %v", err)
	}
	p.say("house", "a reset while the alarm is on: refused")
	if err := p.board.Set("fire", false); err != nil {
		return err
	}
	if err := p.logged(row{yardDoor, fireIdle}); err != nil {
		return err
	}
	if l := p.world.lock(yardDoor); !l.released {
		return errors.New("the yard locked itself when the alarm ended")
	}
	p.say("house", "the panel is idle again: the doors stay released")
	if _, err := p.client.ResetFire(p.ctx); err != nil {
		return err
	}
	if err := errors.Join(p.locks(frontDoor), p.locks(yardDoor), p.locks(gateDoor)); err != nil {
		return err
	}
	p.say("house", "gatehouse fire reset, on site: all doors lock")
	return nil
}
