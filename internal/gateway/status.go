package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/keyring"
)

func (g *Gateway) getStatus(*http.Request) (any, error) {
	keys := g.keyring.Status()
	s := control.Status{
		Building: g.o.Site.Building, Gateway: g.o.Site.Gateway, Registry: g.o.Site.Registry,
		Version: g.o.Version, Started: g.started, Initialised: keys.HasKey && keys.Issuers > 0,
		Clock: g.clockStatus(), Journal: g.journalStatus(), Grants: grantsStatus(keys), Fire: g.fireStatus(),
	}
	for _, d := range g.doors {
		s.Doors = append(s.Doors, d.status())
	}
	s.Problems = g.problems(s)
	return s, nil
}

func (g *Gateway) clockStatus() control.Clock {
	r := g.clock.read()
	return control.Clock{Now: r.wall, Quality: r.quality.String(), Trusted: r.trusted, Floor: timeOf(g.keyring.Floor())}
}

// timeOf returns the time of unix seconds, nil for none.
func timeOf(s int64) *time.Time {
	if s == 0 {
		return nil
	}
	t := time.Unix(s, 0)
	return &t
}

func (g *Gateway) fireStatus() *control.Fire {
	if g.fire == nil {
		return nil
	}
	f, _ := g.fire.now()
	return &control.Fire{Active: f.Active, Unreadable: f.Blind, Latched: f.Latched}
}

func (g *Gateway) journalStatus() control.Journal {
	s := g.journal.Status()
	j := control.Journal{Epoch: fmt.Sprintf("%016x", s.Epoch), Entries: s.Sequence, Oldest: s.Oldest.Sequence,
		Root: s.Root.String(), Bytes: s.Bytes, Percent: s.Percent, Queued: s.Queued, Dropped: s.Dropped}
	if s.Degraded {
		j.Degraded = fmt.Sprintf("%s (%s)", s.Reason, s.Problem)
	}
	return j
}

func grantsStatus(s keyring.Status) control.Grants {
	out := control.Grants{Version: s.Version, Count: s.Grants}
	for _, c := range s.Copies {
		if c.Good {
			out.Copies++
		}
	}
	if s.Version > 0 {
		out.Hash, out.Issued = fmt.Sprintf("%x", s.Hash), &s.Issued
	}
	return out
}

func (d *servedDoor) status() control.Door {
	s := d.Door.Status()
	out := control.Door{ID: d.cfg.ID, State: string(s.State), Released: s.Released, Lock: "ok", Contact: "none"}
	if s.LockErr != "" {
		out.Lock = s.LockErr
	}
	if d.cfg.Contact != nil {
		out.Contact = map[bool]string{true: "open", false: "closed"}[s.Open]
	}
	for _, r := range d.cfg.Readers {
		out.Devices = append(out.Devices, deviceStatus(r.ID, r.Type, s))
	}
	if d.cfg.Exit != nil {
		out.Devices = append(out.Devices, deviceStatus(door.InputExit, "input", s))
	}
	if d.cfg.Contact != nil {
		out.Devices = append(out.Devices, deviceStatus(door.InputContact, "input", s))
	}
	return out
}

// faultShown is how long a fault that has passed is still shown.
const faultShown = time.Hour

func deviceStatus(id, kind string, s door.Status) control.Device {
	dev := s.Devices[id]
	out := control.Device{ID: id, Type: kind, Online: dev.Online}
	if dev.Fault != device.FaultNone && (!dev.Online || time.Since(dev.At) < faultShown) {
		out.Fault, out.Hint = dev.Fault.String(), dev.Fault.Hint()
	}
	return out
}

// problems lists what somebody should do something about, in plain words.
func (g *Gateway) problems(s control.Status) (list []string) {
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if !s.Initialised {
		add("no keys of the building yet, so no card opens: run gatehouse init")
	} else if s.Grants.Version == 0 {
		add("no list of grants yet, so no card opens: give a key with gatehouse grant add")
	}
	if g.fire != nil {
		f, err := g.fire.now()
		switch {
		case f.Blind:
			add("the fire input can't be read, so the doors are released: check its chip and line")
		case f.Active:
			add("the fire input is active: doors are released")
		case f.Latched:
			add("doors stay released after a fire alarm: make sure that all is well, then run gatehouse fire reset")
		}
		if err != nil {
			add("the fire latch can't be kept: %v", err)
		}
	}
	for _, d := range s.Doors {
		if d.Lock != "ok" {
			add("door %s: the lock can't be driven: %s", d.ID, d.Lock)
		}
		for _, dev := range d.Devices {
			if !dev.Online {
				add("door %s: %s is out of order: %s", d.ID, dev.ID, dev.Hint)
			} else if dev.Hint != "" {
				add("door %s: %s reported %s: %s", d.ID, dev.ID, dev.Fault, dev.Hint)
			}
		}
	}
	list = append(list, grantProblems(g.keyring.Status())...)
	if doubt := g.clock.doubt(); doubt != "" {
		add("%s", doubt)
	}
	if s.Journal.Degraded != "" {
		add("entries can't be made durable: %s. Doors go on; check the disk", s.Journal.Degraded)
	}
	if s.Journal.Percent >= 80 {
		add("the log has used %d %% of its space", s.Journal.Percent)
	}
	return list
}

func grantProblems(s keyring.Status) (list []string) {
	if s.Lost {
		list = append(list, "the list of grants is lost, so no card opens: hand it in again with gatehouse grant restore, or issue it anew")
	}
	for _, c := range s.Copies {
		if s.Version > 0 && !c.Good {
			list = append(list, fmt.Sprintf("copy %s of the grants is not good (%s); the other one is in force", c.Name, c.Error))
		}
	}
	if len(s.SetAside) > 0 {
		list = append(list, "damaged files of the grants were set aside: "+strings.Join(s.SetAside, ", "))
	}
	return list
}
