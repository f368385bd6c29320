// Package play drives the daemon of a building through a day: it holds cards up, swings doors, kills the daemon,
// waits for what must follow, and audits the log at the end. It believes nothing that the daemon says of itself.
package play

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
)

// Play is one day in the house. Helpers return an error when the daemon does
// not do what it must.
type Play struct {
	House  *house.House
	Ctx    context.Context
	Client *control.Client
	Story  *Story
	Files  ledger.Files

	daemon   *process.Process
	Remote   bool        // the house is enrolled with a registry
	killNth  int         // which card granted at the yard was the one at the kill
	book     *ledger.Log // of this run's follower
	stopBook func()
}

// Until waits for something that the daemon must do.
func (p *Play) Until(what string, ok func() bool) error {
	for end := time.Now().Add(process.Timeout); !ok(); {
		select {
		case <-p.Ctx.Done():
			return p.Ctx.Err()
		case <-p.daemon.Exited:
			return fmt.Errorf("the daemon ended by itself (%v) before this: %s", p.daemon.Err, what)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("this did not happen within %v: %s", process.Timeout, what)
		}
	}
	return nil
}

// Wait lets time pass at the doors.
func (p *Play) Wait(d time.Duration) error {
	select {
	case <-p.Ctx.Done():
		return p.Ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Start runs the daemon and returns when every device of it is in service.
func (p *Play) Start() (err error) {
	p.House.World.Begins()
	if p.daemon, err = process.StartDaemon(p.House.Board, p.House.Config(), p.House.Log()); err != nil {
		return err
	}
	for _, s := range []struct {
		door, what string
		n          int
	}{{"", ledger.Starts, 1}, {"", ledger.SiteRead, 1}, {"", ledger.ClockSet, 1}, {"", ledger.Online, 1}, {ledger.FrontDoor, ledger.Online, 3}, {ledger.YardDoor, ledger.Online, 2}, {ledger.GateDoor, ledger.Online, 2}} {
		p.House.World.Add(s.door, s.what, s.n) // devices: fire; reader, contact and exit; reader and contact; scanner and contact
	}
	if p.House.Gate.Paired() {
		p.House.World.Add(ledger.GateDoor, ledger.Online, 1)
	} else {
		p.House.World.Add(ledger.GateDoor, ledger.Offline, 1)
	}
	if err := p.Until("every reader and input is in service", p.inService); err != nil {
		return err
	}
	p.follow()
	return nil
}

func (p *Play) inService() bool {
	s, err := p.Client.Status(p.Ctx)
	if err != nil || s.Fire == nil || s.Fire.Unreadable {
		return false
	}
	for _, d := range s.Doors {
		for _, dev := range d.Devices {
			if !dev.Online && (dev.Type != "osdp" || p.House.Gate.Paired()) {
				return false
			}
		}
	}
	return true
}

// followEvery is how often the log's files are looked at.
const followEvery = 10 * time.Millisecond

// follow reads the log from its first entry on, and goes on as it grows.
func (p *Play) follow() {
	ctx, cancel := context.WithCancel(p.Ctx)
	b, done := ledger.NewLog(p.killNth, p.Remote), make(chan struct{})
	go func() {
		defer close(done)
		var read time.Time
		for ctx.Err() == nil {
			if now := p.Files.Changed(); now.After(read) && p.Files.Entries(b.More) == nil && time.Since(now) > time.Second/10 {
				read = now // a file's time is not exact: look at it once more when it has been still
			}
			select {
			case <-ctx.Done():
			case <-time.After(followEvery):
			}
		}
	}()
	p.book = b
	p.stopBook = func() {
		cancel()
		<-done
	}
}

// settle waits until the log tells what happened at the doors: entries that no
// door waits for are written a moment later.
func (p *Play) settle() error {
	var world ledger.Counts
	var wrong []ledger.Row
	err := p.Until("the log catches up with the doors", func() bool {
		world = p.House.World.Copied()
		_, _, wrong = p.book.Compare(world)
		return len(wrong) == 0
	})
	if err != nil && len(wrong) > 0 {
		return fmt.Errorf("%w: %s", err, ledger.Explain(wrong, world, p.book))
	}
	return err
}

// Stop ends the daemon in order.
func (p *Play) Stop() error {
	if p.daemon == nil {
		return nil
	}
	p.House.World.Ends()
	err := p.daemon.Stop()
	p.daemon = nil
	if p.stopBook != nil {
		p.stopBook()
	}
	if err == nil {
		p.House.World.Add("", ledger.Stops, 1)
	}
	return err
}

// End leaves nothing behind that runs.
func (p *Play) End() error { return errors.Join(p.Stop(), p.House.Yard.Close(), p.House.Gate.Close()) }

// Present holds a card up to a door's reader, runs until, and takes it away. It
// says nothing about what must follow.
func (p *Play) Present(who *house.Person, door string, until func(at time.Duration) error) error {
	at := p.House.Board.Now()
	if door == ledger.FrontDoor { // such readers send a card once
		card, err := who.AtFront()
		if err == nil {
			err = p.House.Front.Send(card)
		}
		return errors.Join(err, until(at))
	}
	if door == ledger.GateDoor { // likewise
		if !p.House.Gate.Card.Present(device.CardOf(who.Card, 40)) {
			return errors.New("the reader of the gate hears nobody ask, so that it drops the card")
		}
		return until(at)
	}
	ctx, away := context.WithCancel(p.Ctx)
	gone := make(chan error, 1)
	go func() {
		// Twice at once: a card whose second frame is late, because this process was
		// held up, is a ghost.
		card := devicetest.EM4100(who.Card)
		gone <- errors.Join(p.House.Yard.Present(ctx, card, 0), p.House.Yard.Present(ctx, card, 2*process.Timeout))
	}()
	err := until(at)
	away()
	if shown := <-gone; !errors.Is(shown, context.Canceled) {
		err = errors.Join(shown, err)
	}
	return err
}

// enter holds up a card that must open, and lets its holder in. It returns how
// long the door took from card to relay.
func (p *Play) enter(who *house.Person, door string) (took time.Duration, err error) {
	p.House.World.Add(door, ledger.Granted, 1)
	err = p.Present(who, door, func(at time.Duration) error {
		took, err = p.Opens(who.Name, door, at)
		return err
	})
	if err != nil {
		return 0, err
	}
	return took.Round(time.Millisecond), p.Through(door)
}

// Opens waits until a door releases, and returns how long that took from at.
func (p *Play) Opens(why, door string, at time.Duration) (took time.Duration, err error) {
	err = p.Until(fmt.Sprintf("door %s releases for %s", door, why), func() bool {
		l := p.House.World.Lock(door)
		took = l.At - at
		return l.Driven && l.Released && took >= 0
	})
	return took, err
}

// Through opens and closes a door, which locks behind whoever went through.
func (p *Play) Through(door string) error {
	if err := p.swing(door); err != nil {
		return err
	}
	return p.Locks(door)
}

// swing opens and closes a door, slower than the filter of this house.
func (p *Play) swing(door string) error {
	const open = 80 * time.Millisecond
	p.House.World.Add(door, ledger.Opened, 1)
	p.House.World.Add(door, ledger.Closed, 1)
	if err := p.House.Board.Set(door+"-contact", true); err != nil {
		return err
	}
	if err := p.Wait(open); err != nil {
		return err
	}
	if err := p.House.Board.Set(door+"-contact", false); err != nil {
		return err
	}
	return p.Wait(open)
}

// Locks waits until a door locks.
func (p *Play) Locks(door string) error {
	return p.Until("door "+door+" locks", func() bool {
		l := p.House.World.Lock(door)
		return l.Driven && !l.Released
	})
}

// Refuse holds up a card that must not open, and waits until the log says why.
func (p *Play) Refuse(who *house.Person, door, reason, story string) error {
	r := ledger.Of(door, ledger.Denied+reason)
	p.House.World.Add(door, r.What, 1)
	if err := p.Present(who, door, func(time.Duration) error { return p.Logged(r) }); err != nil {
		return err
	}
	if p.House.World.Lock(door).Released {
		return fmt.Errorf("door %s released for %s", door, who.Name)
	}
	p.Story.Say(door, "%s: stays locked, %s", who.Name, story)
	return nil
}

// edit changes the grant list through the daemon's socket, as the landlord's
// tool does.
func (p *Play) edit(change func(*grantlist.Editor) error) error {
	_, err := issue.Issuer{Client: p.Client, Key: p.House.Keys.Issuer}.Edit(p.Ctx, change)
	if err == nil {
		p.House.World.Add("", ledger.ListApplied, 1)
	}
	return err
}

// Logged waits until the log has all that the building saw of one row.
func (p *Play) Logged(r ledger.Row) error {
	return p.Until(fmt.Sprintf("the log tells of %q at door %q", r.What, r.Door), func() bool {
		return p.book.Count(r) >= p.House.World.Copied()[r]
	})
}

// New begins a day in a house. Nothing runs yet.
func New(ctx context.Context, h *house.House, s *Story) *Play {
	return &Play{House: h, Ctx: ctx, Client: control.NewClient(h.Socket()), Story: s, Files: ledger.Files{Dir: h.Dir}}
}

// Day plays the scenes of a day and audits it.
func (p *Play) Day(scenes []func(*Play) error) error {
	for _, scene := range scenes {
		if err := scene(p); err != nil {
			return err
		}
	}
	return p.Audit()
}
