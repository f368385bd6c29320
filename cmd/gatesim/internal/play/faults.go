package play

import (
	"errors"
	"fmt"
	"time"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/device"
	"gatehouse/internal/amount"
)

// unplugged pulls the serial reader out; it comes back as another terminal.
func unplugged(p *Play) error {
	p.House.World.Add(ledger.YardDoor, ledger.Offline, 1)
	if err := p.House.Yard.Unplug(); err != nil {
		return err
	}
	if err := p.Logged(ledger.Of(ledger.YardDoor, ledger.Offline)); err != nil {
		return err
	}
	p.Story.Say(ledger.YardDoor, "the reader's cable is pulled: out of order, and the log says so; the front door goes on")
	if err := ComeIn(p, p.House.People.Residents[1], ledger.FrontDoor); err != nil {
		return err
	}
	p.House.World.Add(ledger.YardDoor, ledger.Online, 1)
	if err := p.House.Yard.Replug(); err != nil {
		return err
	}
	if err := p.Logged(ledger.Of(ledger.YardDoor, ledger.Online)); err != nil {
		return err
	}
	p.Story.Say(ledger.YardDoor, "plugged in again, as another terminal: the reader is back by itself")
	return ComeIn(p, p.House.People.Residents[11], ledger.YardDoor)
}

// noise: what is damaged is a fault and never a card.
func noise(p *Play) error {
	card, err := p.House.People.Residents[2].AtFront()
	if err != nil {
		return err
	}
	flipped := device.CardOf(card.Uint64(0, 26)^1, 26)
	for _, f := range []struct {
		door, reason, story string
		send                func() error
	}{
		{ledger.YardDoor, "ghost_frame", "the reader makes up a card, with a good checksum", func() error { return p.House.Yard.Ghost(p.Ctx) }},
		{ledger.YardDoor, "noise", "noise on the serial line", func() error { return p.House.Yard.Send([]byte("\x00\x7f~#noise")) }},
		{ledger.YardDoor, "wrong_checksum", "a known card with one wrong digit", func() error { return p.House.Yard.Send([]byte("\x020100001111FF\x03")) }},
		{ledger.FrontDoor, "wrong_parity", "a known card with one bit flipped", func() error { return p.House.Front.Send(flipped) }},
	} {
		p.House.World.Add(f.door, ledger.Fault+f.reason, 1)
		if err := f.send(); err != nil {
			return err
		}
		if err := p.Logged(ledger.Of(f.door, ledger.Fault+f.reason)); err != nil {
			return err
		}
		p.Story.Say(f.door, "%s: a fault, not a card", f.story)
		if err := p.Wait(100 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func killedOnce(p *Play) error {
	return KilledFor(p, p.House.People.Residents[12], p.House.People.Residents[13])
}

// KilledFor ends the daemon by kill -9 in the moment in which the relay has
// moved for a card. Another one comes in when the daemon is back.
func KilledFor(p *Play, who, next *house.Person) error {
	if err := p.settle(); err != nil {
		return err
	}
	p.House.World.Add(ledger.YardDoor, ledger.Granted, 1)
	p.killNth = p.House.World.Copied()[ledger.Of(ledger.YardDoor, ledger.Granted)]
	p.House.World.Strike(p.daemon.Kill)
	if err := p.Present(who, ledger.YardDoor, func(time.Duration) error { return dies(p) }); err != nil {
		return err
	}
	if err := p.daemon.Gone(); err != nil {
		return err
	}
	p.daemon = nil
	p.stopBook()
	p.Story.Say(ledger.YardDoor, "%s holds a card up; the relay moves, and in that moment: kill -9", who.Name)
	if err := atPull(p); err != nil {
		return err
	}
	if err := p.House.FreePorts(); err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return err
	}
	if err := p.Logged(ledger.Of(ledger.YardDoor, ledger.Granted)); err != nil {
		return err
	}
	p.Story.Say("house", "the daemon runs again, and the log has the card that opened the yard before the kill")
	return ComeIn(p, next, ledger.YardDoor)
}

// dies waits for the end of a daemon that is killed.
func dies(p *Play) error {
	select {
	case <-p.daemon.Exited:
		return nil
	case <-time.After(process.Timeout):
		return errors.New("the yard did not release, so nothing was killed")
	case <-p.Ctx.Done():
		return p.Ctx.Err()
	}
}

// atPull checks what the board does with lines that nobody holds.
func atPull(p *Play) error {
	y, f := p.House.World.Lock(ledger.YardDoor), p.House.World.Lock(ledger.FrontDoor)
	if y.Driven || y.Released || f.Driven || !f.Released {
		return fmt.Errorf("after the kill the yard is %+v, the front door %+v: want both de-energised", y, f)
	}
	p.Story.Say(ledger.YardDoor, "the board's pull took the current away %v after the relay had moved: locked; its handle opens from inside",
		p.House.World.Fell().Round(100*time.Microsecond))
	p.Story.Say(ledger.FrontDoor, "de-energised its lock is free, so that nobody is locked in")
	return nil
}

// storm: a stranger tries card after card, and a dozen of them once more. (Few
// that take turns would be held up, and not tried again.)
func storm(p *Play) error {
	const cards, again = 28, 12
	p.House.World.Add(ledger.FrontDoor, ledger.Denied+"unknown_card", cards+again)
	for i := range cards + again {
		n := 100 + i%cards
		if err := p.Present(house.Stranger(n), ledger.FrontDoor, func(time.Duration) error { return p.Ctx.Err() }); err != nil {
			return err
		}
	}
	// The log has eight of them by now, and counts the rest.
	if err := p.Until("the first cards of the storm are in the log", func() bool {
		return p.book.Count(ledger.Of(ledger.FrontDoor, ledger.Denied+"unknown_card")) >= 8
	}); err != nil {
		return err
	}
	p.Story.Say(ledger.FrontDoor, "a stranger tries %s in a row: all denied; the log takes the first few whole and counts the rest", amount.Of(cards+again, "card"))
	return ComeIn(p, p.House.People.Residents[3], ledger.FrontDoor)
}

// restart stops the daemon in order and starts it again. There is no network in
// this house at all.
func restart(p *Play) error {
	if err := p.Stop(); err != nil {
		return err
	}
	p.Story.Say("house", "the daemon is stopped in order")
	if err := p.Start(); err != nil {
		return err
	}
	p.Story.Say("house", "started again, with no network: the list is on disk")
	if err := ComeIn(p, p.House.People.Residents[4], ledger.FrontDoor); err != nil {
		return err
	}
	return ComeIn(p, p.House.People.Residents[14], ledger.YardDoor)
}
