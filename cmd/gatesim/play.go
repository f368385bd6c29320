package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
)

// play is one day in the house. Helpers return an error when the daemon does
// not do what it must.
type play struct {
	*house
	ctx    context.Context
	client *control.Client
	began  time.Time

	out   io.Writer
	print sync.Mutex

	daemon   *process
	remote   bool  // the house is enrolled with a registry
	killNth  int   // which card granted at the yard was the one at the kill
	book     *book // of this run's follower
	stopBook func()
}

// patience is how long the daemon may take for anything: far more than it
// needs, since the machine may be busy with something else.
const patience = 30 * time.Second

// say prints one line of the story.
func (p *play) say(where, format string, args ...any) {
	p.print.Lock()
	defer p.print.Unlock()
	fmt.Fprintf(p.out, "%6.1fs  %-6s %s\n", time.Since(p.began).Seconds(), where, fmt.Sprintf(format, args...))
}

// until waits for something that the daemon must do.
func (p *play) until(what string, ok func() bool) error {
	for end := time.Now().Add(patience); !ok(); {
		select {
		case <-p.ctx.Done():
			return p.ctx.Err()
		case <-p.daemon.exited:
			return fmt.Errorf("the daemon ended by itself (%v) before this: %s", p.daemon.err, what)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("this did not happen within %v: %s", patience, what)
		}
	}
	return nil
}

// wait lets time pass at the doors.
func (p *play) wait(d time.Duration) error {
	select {
	case <-p.ctx.Done():
		return p.ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// start runs the daemon and returns when every device of it is in service.
func (p *play) start() (err error) {
	p.world.begins()
	if p.daemon, err = startDaemon(p.board, p.config(), p.log()); err != nil {
		return err
	}
	for _, s := range []struct {
		door, what string
		n          int
	}{{"", starts, 1}, {"", siteRead, 1}, {"", clockSet, 1}, {"", online, 1}, {frontDoor, online, 3}, {yardDoor, online, 2}, {gateDoor, online, 2}} {
		p.world.add(s.door, s.what, s.n) // devices: fire; reader, contact and exit; reader and contact; scanner and contact
	}
	if p.gate.paired() {
		p.world.add(gateDoor, online, 1)
	} else {
		p.world.add(gateDoor, offline, 1)
	}
	if err := p.until("every reader and input is in service", p.inService); err != nil {
		return err
	}
	p.follow()
	return nil
}

func (p *play) inService() bool {
	s, err := p.client.Status(p.ctx)
	if err != nil || s.Fire == nil || s.Fire.Unreadable {
		return false
	}
	for _, d := range s.Doors {
		for _, dev := range d.Devices {
			if !dev.Online && (dev.Type != "osdp" || p.gate.paired()) {
				return false
			}
		}
	}
	return true
}

// followEvery is how often the log's files are looked at.
const followEvery = 10 * time.Millisecond

// follow reads the log from its first entry on, and goes on as it grows.
func (p *play) follow() {
	ctx, cancel := context.WithCancel(p.ctx)
	b, done := newBook(p.killNth, p.remote), make(chan struct{})
	go func() {
		defer close(done)
		var read time.Time
		for ctx.Err() == nil {
			if now := p.changed(); now.After(read) && p.entries(b.more) == nil && time.Since(now) > time.Second/10 {
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
func (p *play) settle() error {
	var world ledger
	var wrong []row
	err := p.until("the log catches up with the doors", func() bool {
		world = p.world.copied()
		_, _, wrong = p.book.compare(world)
		return len(wrong) == 0
	})
	if err != nil && len(wrong) > 0 {
		return fmt.Errorf("%w: %s", err, explain(wrong, world, p.book))
	}
	return err
}

// stop ends the daemon in order.
func (p *play) stop() error {
	if p.daemon == nil {
		return nil
	}
	p.world.ends()
	err := p.daemon.stop()
	p.daemon = nil
	if p.stopBook != nil {
		p.stopBook()
	}
	if err == nil {
		p.world.add("", stops, 1)
	}
	return err
}

// end leaves nothing behind that runs.
func (p *play) end() error { return errors.Join(p.stop(), p.yard.Close(), p.gate.close()) }

// tail prints the last lines of a log.
func tail(w io.Writer, log string) {
	const most = 4000
	b, err := os.ReadFile(log)
	if err != nil {
		return
	}
	if len(b) > most {
		b = b[len(b)-most:]
	}
	fmt.Fprintf(w, "\n%s ends with:\n%s\n", filepath.Base(filepath.Dir(log))+"/"+filepath.Base(log), b)
}

// present holds a card up to a door's reader, runs until, and takes it away. It
// says nothing about what must follow.
func (p *play) present(who *person, door string, until func(at time.Duration) error) error {
	at := p.board.Now()
	if door == frontDoor { // such readers send a card once
		card, err := who.atFront()
		if err == nil {
			err = p.front.Send(card)
		}
		return errors.Join(err, until(at))
	}
	if door == gateDoor { // likewise
		if !p.gate.card.Present(device.CardOf(who.card, 40)) {
			return errors.New("the reader of the gate hears nobody ask, so that it drops the card")
		}
		return until(at)
	}
	ctx, away := context.WithCancel(p.ctx)
	gone := make(chan error, 1)
	go func() {
		// Twice at once: a card whose second frame is late, because this process was
		// held up, is a ghost.
		card := devicetest.EM4100(who.card)
		gone <- errors.Join(p.yard.Present(ctx, card, 0), p.yard.Present(ctx, card, 2*patience))
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
func (p *play) enter(who *person, door string) (took time.Duration, err error) {
	p.world.add(door, granted, 1)
	err = p.present(who, door, func(at time.Duration) error {
		took, err = p.opens(who.name, door, at)
		return err
	})
	if err != nil {
		return 0, err
	}
	return took.Round(time.Millisecond), p.through(door)
}

// opens waits until a door releases, and returns how long that took from at.
func (p *play) opens(why, door string, at time.Duration) (took time.Duration, err error) {
	err = p.until(fmt.Sprintf("door %s releases for %s", door, why), func() bool {
		l := p.world.lock(door)
		took = l.at - at
		return l.driven && l.released && took >= 0
	})
	return took, err
}

// through opens and closes a door, which locks behind whoever went through.
func (p *play) through(door string) error {
	if err := p.swing(door); err != nil {
		return err
	}
	return p.locks(door)
}

// swing opens and closes a door, slower than the filter of this house.
func (p *play) swing(door string) error {
	const open = 80 * time.Millisecond
	p.world.add(door, opened, 1)
	p.world.add(door, closed, 1)
	if err := p.board.Set(door+"-contact", true); err != nil {
		return err
	}
	if err := p.wait(open); err != nil {
		return err
	}
	if err := p.board.Set(door+"-contact", false); err != nil {
		return err
	}
	return p.wait(open)
}

func (p *play) locks(door string) error {
	return p.until("door "+door+" locks", func() bool {
		l := p.world.lock(door)
		return l.driven && !l.released
	})
}

// refuse holds up a card that must not open, and waits until the log says why.
func (p *play) refuse(who *person, door, reason, story string) error {
	r := row{door, denied + reason}
	p.world.add(door, r.what, 1)
	if err := p.present(who, door, func(time.Duration) error { return p.logged(r) }); err != nil {
		return err
	}
	if p.world.lock(door).released {
		return fmt.Errorf("door %s released for %s", door, who.name)
	}
	p.say(door, "%s: stays locked, %s", who.name, story)
	return nil
}

// edit changes the grant list through the daemon's socket, as the landlord's
// tool does.
func (p *play) edit(change func(*grantlist.Editor) error) error {
	_, err := issue.Issuer{Client: p.client, Key: p.keys.issuer}.Edit(p.ctx, change)
	if err == nil {
		p.world.add("", listApplied, 1)
	}
	return err
}

// logged waits until the log has all that the building saw of one row.
func (p *play) logged(r row) error {
	return p.until(fmt.Sprintf("the log tells of %q at door %q", r.what, r.door), func() bool {
		return p.book.count(r) >= p.world.copied()[r]
	})
}
