package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/enrol"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// report says how the gateway is.
type report struct {
	*gateway.Gateway
	version string
	started time.Time
}

func (g report) getStatus(_ *http.Request, _ socket.None) (any, error) {
	g.PollClock() // it may have leapt a moment ago
	keys := g.Keyring.Status()
	s := control.Status{
		Building: g.Site.Building, Gateway: g.Site.Gateway, Registry: site.NoRegistry, Uplink: uplinkStatus(g.Gateway),
		Version: g.version, Started: g.started, Initialised: keys.HasKey && keys.Issuers > 0,
		Clock: clockStatus(g.Gateway), Journal: journalStatus(g.Gateway), Grants: grantsStatus(keys), Fire: fireStatus(g.Gateway),
	}
	for _, d := range g.Doors {
		s.Doors = append(s.Doors, doorStatus(d))
	}
	if s.Uplink != nil {
		s.Registry = s.Uplink.Registry
	}
	s.Problems = problemsOf(g.Gateway, s)
	return s, nil
}

func journalStatus(g *gateway.Gateway) control.Journal {
	s := g.Journal.Status()
	j := control.Journal{Epoch: fmt.Sprintf("%016x", s.Epoch)}
	if s.Degraded {
		j.Degraded = fmt.Sprintf("%s (%s)", s.Reason, s.Problem)
	}
	return j
}

// problemsOf lists what somebody should do something about, in plain words.
func problemsOf(g *gateway.Gateway, s control.Status) (list problems) {
	if !s.Initialised {
		list.add("%s", keysProblem(g))
	} else if s.Grants.Version == 0 && !g.Keyring.Status().Lost {
		list.add("no list of grants yet, so no card opens: %s", choose(g.Keyring.Keys.Registry() != nil,
			"check a tenant in with gatehouse checkin", "give a key with gatehouse grant add"))
	}
	list = append(list, fireProblems(g.Fire)...)
	list = append(list, doorProblems(s.Doors)...)
	list = append(list, grantProblems(g.Keyring.Status(), g.Keyring.Keys.Registry() != nil)...)
	list = append(list, keyFileProblems(g, s.Initialised)...)
	list = append(list, uplinkProblems(g, s.Uplink)...)
	list = append(list, endingProblems(g)...)
	list = append(list, setAsideProblems(g)...)
	for _, what := range g.Journal.Lost() {
		list.add("the journal: %s. Find out who or what did that, a hand or the disk; then remove %s", what, g.Journal.LostFile())
	}
	for _, what := range g.Missing {
		list = append(list, missingProblem(g.Site, what))
	}
	if why := g.Clock.Unread(); why != nil {
		list.add("%s can't be read (%s): what was known of the time is gone, nobody's term ends by that. Find out what did that, a hand or the disk; %s. This line goes with the next start",
			g.Site.Path(clock.File), oneLine(why), timeAnew)
	}
	if doubt := g.Clock.Doubt(); doubt != "" {
		if g.Keyring.Keys.Registry() == nil {
			doubt += "; gatehouse clock set --key FILE \"2026-12-01 09:30\" makes a time that you sign count for all"
		}
		list.add("%s", doubt)
	}
	if s.Journal.Degraded != "" {
		list.add("entries can't be made durable: %s. Doors go on; check the disk", s.Journal.Degraded)
	}
	switch j := g.Journal.Status(); {
	case j.Disk >= 90:
		list.add("the disk is %d %% full: make room; when it is full, denials are no longer logged", j.Disk)
	case j.Spent:
		list.add("the disk was full: what is kept back there for entries is in use, and there is no room to make it again: make room; when it is full, denials are no longer logged")
	}
	return list
}

// fireProblems say what is wrong at the fire input; nil where there is none.
func fireProblems(fire *gateway.Fire) (list problems) {
	if fire == nil {
		return nil
	}
	f, err := fire.Now()
	switch {
	case f.Blind:
		list.add("the fire input can't be read, so the doors are released: check its chip and line")
	case f.Active:
		list.add("the fire input is active: doors are released. If the panel is idle, its active level in the site file is wrong")
	case f.Latched:
		list.add("doors stay released after a fire alarm: make sure that all is well, then run gatehouse fire reset")
	}
	if err != nil {
		list.add("the fire latch can't be kept: %v", err)
	}
	return list
}

// doorProblems say what is wrong with locks, buttons and readers.
func doorProblems(doors []control.Door) (list problems) {
	for _, d := range doors {
		if d.Lock != "ok" {
			list.add("door %s: the lock can't be driven: %s", d.ID, d.Lock)
		}
		if d.ExitPressed > 0 {
			list.add("door %s: the exit button has been pressed for %s, so the door stays released: check the button, and its active level in the site file", d.ID, amount.Span(d.ExitPressed))
		}
		for _, dev := range d.Devices {
			switch {
			case dev.Hint == beingTaught:
				list.add("door %s: %s %s", d.ID, dev.ID, dev.Hint)
			case !dev.Online && dev.Hint == "":
				list.add("door %s: %s has not answered yet", d.ID, dev.ID)
			case !dev.Online:
				list.add("door %s: %s is out of order: %s", d.ID, dev.ID, dev.Hint)
			case dev.Hint != "":
				list.add("door %s: %s reported %s: %s", d.ID, dev.ID, dev.Fault, dev.Hint)
			}
		}
	}
	return list
}

// setAsideProblems names damaged files that were set aside: what is in them is nowhere else.
func setAsideProblems(g *gateway.Gateway) (list problems) {
	for _, directory := range []string{"journal", "grants"} {
		found, _ := filepath.Glob(g.Site.Path(directory, "*.bad-*")) // the pattern is right
		for _, f := range found {
			list.add("a damaged file was set aside: %s. Look after the disk; copy the file away, then remove it here", f)
		}
	}
	return list
}

// keysProblem says what to do where keys of the gateway are missing. It never has keys moved away that came
// after the daemon's start, or that a registry knows: those are nowhere else.
func keysProblem(g *gateway.Gateway) string {
	const none = "so no card opens"
	has := func(file string) bool {
		_, err := os.Stat(g.Site.Path("keys", file))
		return !errors.Is(err, fs.ErrNotExist)
	}
	enrolled := g.Keyring.Keys.Registry() != nil
	now, err := keys.LoadKeys(g.Site.Path("keys"))
	switch {
	case enrolled && !has(keys.BuildingKeyFile) && keyNowhere(g):
		return "the building's key is not here, " + none + ", and no other gateway of the house could send it: the registry's operator takes it from escrow (registryd building-key); put it to " +
			g.Site.Path("keys", keys.BuildingKeyFile) + " and start the daemon again"
	case enrolled && !has(keys.BuildingKeyFile):
		return "the building's key has not come yet, " + none + ": it comes from a sibling gateway as soon as both are online. If none of them comes back, the registry's operator has it in escrow (registryd building-key), for " +
			g.Site.Path("keys", keys.BuildingKeyFile)
	case !enrolled && !has(keys.BuildingKeyFile) && !has(keys.RegistryFile):
		return "no keys of the building yet, " + none + ": run gatehouse init, or with a registry gatehouse enrol, then start the daemon again"
	case err == nil, !enrolled && now.Registry != nil:
		return "keys of the building are there since the daemon started: start it again"
	case enrolled || has(keys.RegistryFile) || has(keys.ClientCertFile):
		away := g.Site.Path("keys")
		if now.Building != nil { // in a house with no other gateway it is nowhere but here and in escrow
			away = "all in " + away + " but " + keys.BuildingKeyFile
		}
		return fmt.Sprintf("the keys of this gateway can't be read, %s (%s): mend what is wrong with the file and start the daemon again, or move %s away, %s and start the daemon again",
			none, oneLine(err), away, enrolAgain(g))
	}
	return fmt.Sprintf("the keys of the building can't be read, %s (%s): move %s away, run gatehouse init with the same stick, start the daemon again, then gatehouse grant restore",
		none, oneLine(err), g.Site.Path("keys"))
}

// keyNowhere reports whether no gateway of the house has the building's key: there is no other
// one, or each has said so.
func keyNowhere(g *gateway.Gateway) bool {
	c := g.Central
	return len(g.Keyring.Keys.Registry().House.Gateways) == 1 || c != nil && c.Err == nil && c.Uplink.Status().KeyNowhere
}

// missingProblem says what is gone with it, and what to do.
func missingProblem(s *site.Site, what string) string {
	gone, todo := "labels and PINs of the desk are gone, cards open as before", "tenants choose their PIN anew with gatehouse tenancy pin"
	switch what {
	case "grants":
		gone = "the registry sends the list again (a standalone house: gatehouse grant restore), labels and PINs of the desk are gone"
	case clock.File:
		gone, todo = "what was known of the time is gone, nobody's term ends by that", timeAnew
	}
	return fmt.Sprintf("%s is missing: %s. Find out who or what did that, a hand or the disk; %s. This line goes with the next start", s.Path(what), gone, todo)
}

// timeAnew is what to do where what was known of the time is gone.
const timeAnew = "the registry or a time server tells the time anew; without either, set the clock, then gatehouse clock confirm"

// keyFileProblems name each file of an enrolment that is gone or can't be used, with what brings it back. Those
// without which no card opens are keysProblem's; house and trust document come again from the registry.
func keyFileProblems(g *gateway.Gateway, initialised bool) (list problems) {
	path := func(file string) string { return g.Site.Path("keys", file) }
	if g.Keyring.Keys.Registry() == nil {
		r, err := keys.LoadRegistry(path(""))
		if r == nil && err != nil && initialised {
			return []string{keyFileProblem(g, path(keys.RegistryFile), "it goes on as a standalone house", err)}
		}
		return nil
	}
	_, gatewayKey := keys.LoadPrivateKey(path(keys.GatewayKeyFile))
	_, sealKey := keys.LoadSealKey(path(keys.SealKeyFile))
	client, certificate := enrol.ClientFiles(path(""))
	for _, f := range []struct {
		file, without string
		err           error
	}{
		{keys.GatewayKeyFile, "nothing that this gateway says is signed", gatewayKey},
		{keys.SealKeyFile, "siblings can't send it the building's key", sealKey},
		{keys.ClientKeyFile, "the registry's broker does not let it in", client},
		{keys.ClientCertFile, "the registry's broker does not let it in. It is asked for anew by itself within minutes; if this line stays", certificate},
	} {
		if f.err != nil {
			list = append(list, keyFileProblem(g, path(f.file), f.without, f.err))
		}
	}
	return list
}

func keyFileProblem(g *gateway.Gateway, path, without string, err error) string {
	what, first := "can't be used ("+oneLine(err)+")", "move "+path+" away and "
	if errors.Is(err, fs.ErrNotExist) {
		what, first = "is gone", ""
	}
	return fmt.Sprintf("%s %s, so %s: %s%s, then start the daemon again", path, what, without, first, enrolAgain(g))
}

// enrolAgain are the commands that enrol a gateway in its own place.
func enrolAgain(g *gateway.Gateway) string {
	at := ""
	if r := g.Keyring.Keys.Registry(); r != nil {
		at = fmt.Sprintf(" --district %s --town %s --building %s --gateway %s", r.Place.District, r.Place.Town, r.Place.Building, r.Place.Gateway)
	}
	return "enrol the gateway with a new token (at the registry registryd gateway add --replace" + at + ", here gatehouse enrol)"
}
