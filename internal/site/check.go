package site

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"gatehouse/device"
	"gatehouse/internal/strict"
	"gatehouse/sync/wire"
)

func (s *Site) check() error {
	var f strict.Faults
	f.If(!wire.ValidName(s.Building, false), "building = %q: want 1 to 32 of a-z, 0-9 and -", s.Building)
	f.If(!wire.ValidName(s.Gateway, false), "gateway = %q: want 1 to 32 of a-z, 0-9 and -", s.Gateway)
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		f.Add("time_zone = %q: want a name like Asia/Shanghai", s.TimeZone)
	}
	if r := s.Registry; r != "" && r != NoRegistry && !brokerAddress(r) {
		f.Add(`registry = %q: leave it out for the registry that this gateway is enrolled with, or write "none", or "mqtts://host:port" for another broker`, r)
	}
	if _, err := s.profiles().Board(s.Board); s.Board != "" && err != nil {
		f.Add("board = %q: %w", s.Board, err)
	}
	checkJournal(s, &f)
	f.If(len(s.Socket) > maxSocket, "socket: a path of %d bytes: the system allows %d", len(s.Socket), maxSocket)
	f.If(!filepath.IsAbs(s.State) || !filepath.IsAbs(s.Socket), "state and socket must be whole paths, beginning with /")
	f.If(s.Backup != "" && !filepath.IsAbs(s.Backup), "backup = %q: want the whole path of a directory, beginning with /", s.Backup)
	f.If(len(s.Doors) == 0, "no [[door]]: a gateway serves at least one")
	s.checkFire(&f)
	ids := map[string]bool{}
	for i := range s.Doors {
		d := &s.Doors[i]
		f.If(ids[d.ID], "door %q stands twice: give each its own id", d.ID)
		ids[d.ID] = true
		s.checkDoor(&f, d)
	}
	s.checkLines(&f)
	s.checkPorts(&f)
	s.checkKeyFiles(&f)
	return f.Join()
}

func checkJournal(s *Site, f *strict.Faults) {
	f.If(s.Journal.BudgetMS < 1 || s.Journal.BudgetMS > 2000,
		"journal.budget_ms = %d: want 1 to 2000 (a door must start to open within 2 s)", s.Journal.BudgetMS)
	f.If(s.Journal.WhoDays < 1 || s.Journal.WhoDays > 366,
		"journal.who_days = %d: want 1 to 366 (so many days after a file is closed, and safe at the registry, it names nobody any more)", s.Journal.WhoDays)
	f.If(s.Journal.MaxMB < 64, "journal.max_mb = %d: want at least 64 (200,000 entries not yet sent must fit)", s.Journal.MaxMB)
}

func (s *Site) checkFire(f *strict.Faults) {
	if s.Fire != nil && s.Fire.Active == "" {
		f.Add(`fire: say active = "high" or "low", the level that means fire. Best is a contact that opens in a fire, with pull-up and active = "high": then a cut wire counts as fire`)
	} else {
		s.checkInput(f, "fire", s.Fire)
	}
	f.If(s.Fire != nil && s.Fire.FilterMS != nil,
		"fire: filter_ms: fire is believed at the first look, and latched at the second: remove it")
}

func (s *Site) checkDoor(f *strict.Faults, d *Door) {
	at := fmt.Sprintf("door %q", d.ID)
	f.If(!wire.ValidName(d.ID, false), "%s: id: want 1 to 32 of a-z, 0-9 and -", at)
	f.OneOf(at+": egress", d.Egress, "mechanical", "electric")
	f.OneOf(at+": lock", d.Lock, "fail-safe", "fail-secure")
	f.If(d.Egress == "electric" && d.Lock == "fail-secure",
		`%s: egress = "electric" with lock = "fail-secure" would lock people in when the power fails: use a fail-safe lock, or a handle that always opens and egress = "mechanical"`, at)
	f.If(!between(d.ReleaseSeconds, minRelease, 600),
		"%s: release_seconds = %v: want 3 to 600 (3 s is the least that IEC 60839-11-1 allows)", at, d.ReleaseSeconds)
	f.If(!between(*d.HeldSeconds, 0, 86400) || !between(d.MaxReleaseSeconds, 0, 86400),
		"%s: held_seconds and max_release_seconds: want 0 (off) to 86400", at)
	if d.MaxReleaseSeconds > 0 {
		s.checkMaxRelease(f, at, d)
	}
	s.checkRelay(f, at+": relay", d.Relay)
	s.checkInput(f, at+": exit", d.Exit)
	s.checkInput(f, at+": contact", d.Contact)
	checkFilter(f, at+": exit", d.Exit, maxExitFilter)
	checkFilter(f, at+": contact", d.Contact, maxContactFilter)
	if d.Signal != nil {
		checkActive(f, at+": signal", d.Signal.Chip, d.Signal.Line, d.Signal.Active)
	}
	f.If(d.Egress == "electric" && d.Exit == nil,
		`%s: egress = "electric" needs exit = {chip = ..., line = ...}, the button that people leave by`, at)
	names := map[string]bool{device.InputExit: true, device.InputContact: true, device.InputFire: true, "relay": true}
	for i := range d.Readers {
		r := &d.Readers[i]
		f.If(names[r.ID], "%s: reader id %q is taken: give each reader its own", at, r.ID)
		names[r.ID] = true
		r.check(f, fmt.Sprintf("%s: reader %q", at, r.ID))
	}
}

func (s *Site) checkMaxRelease(f *strict.Faults, at string, d *Door) {
	f.If(d.Lock == "fail-safe",
		"%s: max_release_seconds limits how long a fail-secure lock is driven; a fail-safe lock is released when de-energised: remove it", at)
	f.If(d.MaxReleaseSeconds < d.ReleaseSeconds, "%s: max_release_seconds is less than release_seconds", at)
	f.If(s.Fire != nil,
		"%s: with a fire input the lock must bear being released until the reset: use a lock rated for continuous duty and remove max_release_seconds", at)
}

// checkRelay refuses a relay whose board would energise it while nobody drives
// the line: from power-on to start, and after a crash.
func (s *Site) checkRelay(f *strict.Faults, at string, r Relay) {
	checkActive(f, at, r.Chip, r.Line, r.Active)
	pull := s.relayPull(r)
	if pull == "" {
		f.Add(`%s: say pull = "down" or "up", what the board does to the line while nobody drives it (or name a board that knows)`, at)
		return
	}
	f.OneOf(at+".pull", pull, "up", "down")
	f.If((r.Active == "high") != (pull == "down"),
		"%s: active = %q with pull = %q would energise the relay at power-on and after a crash: choose a line with the other pull, or add a resistor and say pull", at, r.Active, pull)
}

func (s *Site) relayPull(r Relay) string {
	if r.Pull != "" || r.Line == nil {
		return r.Pull
	}
	return s.board().PullOf(r.Chip, *r.Line)
}

func (s *Site) checkInput(f *strict.Faults, at string, in *Input) {
	if in == nil {
		return
	}
	checkActive(f, at, in.Chip, in.Line, in.Active)
	f.OneOf(at+".bias", in.Bias, "pull-up", "pull-down", "none", "as-is")
}

func checkFilter(f *strict.Faults, at string, in *Input, most int) {
	if in != nil && (*in.FilterMS < 0 || *in.FilterMS > most) {
		f.Add("%s: filter_ms = %d: want 0 (off) to %d", at, *in.FilterMS, most)
	}
}

// brokerAddress reports whether the link accepts an address: MQTT over TLS, or plain to this
// machine, where a broker may run that forwards.
func brokerAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "mqtts" || u.Scheme == "mqtt") && u.Hostname() != "" && u.User == nil && u.Path == ""
}

// between is false for what is no number, too.
func between(v, least, most float64) bool { return v >= least && v <= most }

// checkActive checks a line that has an active level.
func checkActive(f *strict.Faults, at, chip string, line *int, active string) {
	checkLine(f, at, chip, line)
	f.OneOf(at+".active", active, "high", "low")
}

func checkLine(f *strict.Faults, at, chip string, line *int) {
	f.If(chip == "", `%s: chip is missing: name the GPIO chip, as "gpiochip0" or by its label`, at)
	switch {
	case line == nil:
		f.Add("%s: line is missing: give the line's number on its chip, from 0", at)
	case *line < 0 || *line > 1023:
		f.Add("%s: line = %d: lines of a chip are counted from 0", at, *line)
	}
}
