package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
)

func (srv *Server) getStatus(*http.Request) (any, error) {
	srv.gw.PollClock() // it may have leapt a moment ago
	keys := srv.gw.Keyring.Status()
	s := control.Status{
		Building: srv.gw.Site.Building, Gateway: srv.gw.Site.Gateway, Registry: site.NoRegistry, Uplink: srv.uplinkStatus(),
		Version: srv.o.Version, Started: srv.started, Initialised: keys.HasKey && keys.Issuers > 0,
		Clock: srv.clockStatus(), Journal: srv.journalStatus(), Grants: grantsStatus(keys), Fire: srv.fireStatus(),
	}
	for _, d := range srv.gw.Doors {
		s.Doors = append(s.Doors, doorStatus(d))
	}
	if s.Uplink != nil {
		s.Registry = s.Uplink.Registry
	}
	s.Problems = srv.problems(s)
	return s, nil
}

func (srv *Server) clockStatus() control.Clock {
	r := srv.gw.Clock.Read()
	return control.Clock{Now: r.Wall, Quality: r.Quality.String(), Trusted: r.Trusted}
}

// timeOf returns the time of unix seconds, nil for none.
func timeOf(s int64) *time.Time {
	if s == 0 {
		return nil
	}
	t := time.Unix(s, 0)
	return &t
}

func (srv *Server) fireStatus() *control.Fire {
	if srv.gw.Fire == nil {
		return nil
	}
	f, _ := srv.gw.Fire.Now()
	return &control.Fire{Active: f.Active, Unreadable: f.Blind, Latched: f.Latched}
}

func (srv *Server) journalStatus() control.Journal {
	s := srv.gw.Journal.Status()
	j := control.Journal{Epoch: fmt.Sprintf("%016x", s.Epoch)}
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

func doorStatus(d *gateway.Door) control.Door {
	s := d.Door.Status()
	out := control.Door{ID: d.Config.ID, State: shownState(s.State), Lock: "ok"}
	if s.LockErr != "" {
		out.Lock = s.LockErr
	}
	if pressed := time.Since(s.ExitSince); !s.ExitSince.IsZero() && pressed > stuckExit {
		out.ExitPressed = pressed
	}
	for _, r := range d.Readers {
		out.Devices = append(out.Devices, readerStatus(r, s))
	}
	if d.Config.Exit != nil {
		out.Devices = append(out.Devices, deviceStatus(device.InputExit, "input", s))
	}
	if d.Config.Contact != nil {
		out.Devices = append(out.Devices, deviceStatus(device.InputContact, "input", s))
	}
	return out
}

// faultShown is how long a fault that has passed is still shown.
const faultShown = time.Hour

func deviceStatus(id, kind string, s door.Status) control.Device {
	dev := s.Devices[id]
	out := control.Device{ID: id, Type: kind, Online: dev.Online}
	if dev.Fault != device.FaultNone && (!dev.Online || dev.Lasts || time.Since(dev.At) < faultShown) {
		out.Fault, out.Hint = dev.Fault.String(), dev.Fault.Hint()
	}
	return out
}

// problems lists what somebody should do something about, in plain words.
func (srv *Server) problems(s control.Status) (list []string) {
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if !s.Initialised {
		add("%s", srv.keysProblem())
	} else if s.Grants.Version == 0 && !srv.gw.Keyring.Status().Lost {
		add("no list of grants yet, so no card opens: %s", choose(srv.gw.Keyring.Registry() != nil,
			"check a tenant in with gatehouse checkin", "give a key with gatehouse grant add"))
	}
	if srv.gw.Fire != nil {
		f, err := srv.gw.Fire.Now()
		switch {
		case f.Blind:
			add("the fire input can't be read, so the doors are released: check its chip and line")
		case f.Active:
			add("the fire input is active: doors are released. If the panel is idle, its active level in the site file is wrong")
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
		if d.ExitPressed > 0 {
			add("door %s: the exit button has been pressed for %s, so the door stays released: check the button, and its active level in the site file", d.ID, amount.Span(d.ExitPressed))
		}
		for _, dev := range d.Devices {
			switch {
			case dev.Hint == beingTaught:
				add("door %s: %s %s", d.ID, dev.ID, dev.Hint)
			case !dev.Online && dev.Hint == "":
				add("door %s: %s has not answered yet", d.ID, dev.ID)
			case !dev.Online:
				add("door %s: %s is out of order: %s", d.ID, dev.ID, dev.Hint)
			case dev.Hint != "":
				add("door %s: %s reported %s: %s", d.ID, dev.ID, dev.Fault, dev.Hint)
			}
		}
	}
	list = append(list, grantProblems(srv.gw.Keyring.Status(), srv.gw.Keyring.Registry() != nil)...)
	list = append(list, srv.keyFileProblems(s.Initialised)...)
	list = append(list, srv.uplinkProblems(s.Uplink)...)
	list = append(list, srv.endingProblems()...)
	list = append(list, srv.setAsideProblems()...)
	list = append(list, srv.lostProblems()...)
	for _, what := range srv.gw.Missing {
		list = append(list, missingProblem(srv.gw.Site, what))
	}
	if why := srv.gw.Clock.Unread(); why != nil {
		add("%s can't be read (%s): what was known of the time is gone, nobody's term ends by that. Find out what did that, a hand or the disk; %s. This line goes with the next start",
			srv.gw.Site.Path(clock.File), oneLine(why), timeAnew)
	}
	if doubt := srv.gw.Clock.Doubt(); doubt != "" {
		if srv.gw.Keyring.Registry() == nil {
			doubt += "; gatehouse clock set --key FILE \"2026-12-01 09:30\" makes a time that you sign count for all"
		}
		add("%s", doubt)
	}
	if s.Journal.Degraded != "" {
		add("entries can't be made durable: %s. Doors go on; check the disk", s.Journal.Degraded)
	}
	switch j := srv.gw.Journal.Status(); {
	case j.Disk >= 90:
		add("the disk is %d %% full: make room; when it is full, denials are no longer logged", j.Disk)
	case j.Spent:
		add("the disk was full: what is kept back there for entries is in use, and there is no room to make it again: make room; when it is full, denials are no longer logged")
	}
	return list
}

// setAsideProblems names damaged files for as long as they lie there: what is
// in them is nowhere else.
func (srv *Server) setAsideProblems() (list []string) {
	for _, folder := range []string{"journal", "grants"} {
		found, _ := filepath.Glob(srv.gw.Site.Path(folder, "*.bad-*")) // the pattern is right
		for _, f := range found {
			list = append(list, fmt.Sprintf("a damaged file was set aside: %s. Look after the disk; copy the file away, then remove it here", f))
		}
	}
	return list
}

// lostProblems tells what the journal found to be missing or changed, until
// somebody has seen to it.
func (srv *Server) lostProblems() (list []string) {
	for _, what := range srv.gw.Journal.Lost() {
		list = append(list, fmt.Sprintf("the journal: %s. Find out who or what did that, a hand or the disk; then remove %s", what, srv.gw.Journal.LostFile()))
	}
	return list
}

// keysProblem says what to do where the gateway has not all its keys. It never
// asks for keys to be moved away that came after the daemon's start, or that a
// registry knows: those are nowhere else.
func (srv *Server) keysProblem() string {
	const none = "so no card opens"
	has := func(file string) bool {
		_, err := os.Stat(srv.gw.Site.Path("keys", file))
		return !errors.Is(err, fs.ErrNotExist)
	}
	enrolled := srv.gw.Keyring.Registry() != nil
	now, err := keys.LoadKeys(srv.gw.Site.Path("keys"))
	switch {
	case enrolled && !has(keys.BuildingKeyFile) && len(srv.gw.Keyring.Registry().House.Gateways) == 1:
		return "the building's key is not here, " + none + ", and no other gateway of the house could send it: the registry's operator takes it from escrow (registryd building-key); put it to " +
			srv.gw.Site.Path("keys", keys.BuildingKeyFile) + " and start the daemon again"
	case enrolled && !has(keys.BuildingKeyFile):
		return "the building's key has not come yet, " + none + ": it comes from a sibling gateway as soon as both are online"
	case !enrolled && !has(keys.BuildingKeyFile) && !has(keys.RegistryFile):
		return "no keys of the building yet, " + none + ": run gatehouse init, or with a registry gatehouse enrol, then start the daemon again"
	case err == nil, !enrolled && now.Registry != nil:
		return "keys of the building are there since the daemon started: start it again"
	case enrolled || has(keys.RegistryFile) || has(keys.ClientCertFile):
		return fmt.Sprintf("the keys of this gateway can't be read, %s (%s): mend what is wrong with the file and start the daemon again, or move %s away, %s and start the daemon again",
			none, oneLine(err), srv.gw.Site.Path("keys"), srv.enrolAgain())
	}
	return fmt.Sprintf("the keys of the building can't be read, %s (%s): move %s away, run gatehouse init with the same stick, start the daemon again, then gatehouse grant restore",
		none, oneLine(err), srv.gw.Site.Path("keys"))
}

// oneLine is an error of several parts as a line of its own shows it.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func choose[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

// stuckExit is how long an exit button may be pressed before somebody should
// look at it.
const stuckExit = 15 * time.Second

// missingProblem says what is gone with it, and what to do.
func missingProblem(s *site.Site, what string) string {
	gone, todo := "labels and PINs of the desk are gone, cards open as before", "tenants choose their PIN anew with gatehouse tenancy pin"
	switch what {
	case "grants":
		gone = "the registry sends the list again (a house by itself: gatehouse grant restore), labels and PINs of the desk are gone"
	case clock.File:
		gone, todo = "what was known of the time is gone, nobody's term ends by that", timeAnew
	}
	return fmt.Sprintf("%s is missing: %s. Find out who or what did that, a hand or the disk; %s. This line goes with the next start", s.Path(what), gone, todo)
}

// timeAnew is what to do where what was known of the time is gone.
const timeAnew = "the registry or a time server tells the time anew; without either, set the clock, then gatehouse clock confirm"
