package todo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
)

// Of returns what somebody should do at a gateway with these proofs, and the sentences alone.
func Of(g *gateway.Gateway, s control.Status, proved *acceptance.Book) ([]control.ToDo, []string) {
	proofs := proofProblems(proved)
	list := append(problems(g, s), proofs...)
	if g.Fire != nil {
		list = append(list, drillProblem(proved.Drill(), g.Site.DoorIDs(), proofs)...)
	}
	return list, list.texts()
}

func problems(g *gateway.Gateway, s control.Status) (list toDo) {
	enrolled := g.Keyring.Keys.Registry() != nil
	switch {
	case !s.Initialised:
		list = append(list, keysProblem(g)...)
	case s.Grants.Version > 0 || g.Keyring.Status().Lost || s.Listening != nil:
	case enrolled:
		list.add("no_list", "", "no list of grants yet, so no card opens: check a tenant in with gatehouse checkin")
	default:
		list.add("no_list_alone", "", "no list of grants yet, so no card opens: give a key with gatehouse grant add")
	}
	list = append(list, listeningProblem(s.Listening)...)
	list = append(list, fireProblems(g.Fire)...)
	list = append(list, doorProblems(s.Doors)...)
	list = append(list, grantProblems(g.Keyring.Status(), enrolled)...)
	list = append(list, keyFileProblems(g, s.Initialised)...)
	list = append(list, uplinkProblems(g, s.Uplink)...)
	list = append(list, endingProblems(g)...)
	list = append(list, backupProblems(g)...)
	list = append(list, setAsideProblems(g)...)
	list = append(list, lostProblems(g)...)
	if err := g.Desk.Unwritten(); err != nil {
		list.add("desk_not_on_disk", "", "the last labels and PINs of the desk are on no disk (%v), and a restart loses them: make room, or mend the disk; they are written again by themselves, and once more before an orderly stop", err)
	}
	if n := g.Desk.VoidCodes(); n > 0 {
		list.add("codes_void", "", "one-time codes of tenancies: %d are void, since the log has begun anew: gatehouse tenancy codes makes others, on the tenant's word; print new slips", n)
	}
	for _, what := range g.Missing {
		list = append(list, missingProblem(g.Site, what)...)
	}
	list = append(list, clockProblems(g, enrolled)...)
	return append(list, diskProblems(g, s.Journal.Degraded)...)
}

// clockProblems returns the problems of the time.
func clockProblems(g *gateway.Gateway, enrolled bool) (list toDo) {
	if why := g.Clock.Unread(); why != nil {
		list.add("clock_unread", "", "%s can't be read (%s): what was known of the time is gone, nobody's term ends by that. Find out what did that, a hand or the disk; %s. This line goes with the next start",
			g.Site.Path(clock.File), oneLine(why), timeAnew)
	}
	if doubt := g.Clock.Doubt(g.Site.Zone()); doubt != "" {
		if !enrolled {
			doubt += "; gatehouse clock set --key FILE \"2026-12-01 09:30\" makes a time that you sign count for all"
		}
		list.add("clock_doubt", "", "%s", doubt)
	}
	return list
}

// diskProblems returns the problems of the journal's disk.
func diskProblems(g *gateway.Gateway, degraded string) (list toDo) {
	if degraded != "" {
		list.add("log_not_durable", "", "entries can't be made durable: %s. Doors go on; check the disk", degraded)
	}
	j := g.Journal.Status()
	if j.Slow {
		list.add("disk_slow", "", "the disk was slow on some day of the last week, and doors did not wait for it: it may be worn out; replace it before it fails (docs/restore.md)")
	}
	switch {
	case j.Disk >= 90:
		list.add("disk_filling", "", "the disk is %d %% full: make room; when it is full, denials are no longer logged", j.Disk)
	case j.Spent:
		list.add("disk_reserve", "", "the disk was full: what is kept back there for entries is in use, and there is no room to make it again: make room; when it is full, denials are no longer logged")
	}
	return list
}

// listeningProblem says that the gateway does not decide yet; nil: it does.
func listeningProblem(l *control.Listening) (list toDo) {
	const drive = "connect the lock and run gatehouse adopt drive"
	switch {
	case l == nil:
	case l.Until == nil:
		list.add("listening_unread", "", "the old controller decides at the doors as far as is known, since the file that says so can't be read: this gateway drives nothing. If that is right, run gatehouse adopt listen; if not, %s", drive)
	case l.Over:
		list.add("listening_over", "", "listening is over since %s, and the old controller still decides at the doors: %s, or listen for longer with gatehouse adopt listen", calendar.Minute(*l.Until, l.Until.Location()), drive)
	default:
		list.add("listening", "", "listening until %s: the old controller decides at the doors, with exit buttons and fire; this gateway drives nothing and learns the cards. Then %s", calendar.Minute(*l.Until, l.Until.Location()), drive)
	}
	return list
}

// fireProblems returns the problems of the fire input; nil where there is none.
func fireProblems(fire *gateway.Fire) (list toDo) {
	if fire == nil {
		return nil
	}
	f, err := fire.Now()
	switch {
	case f.Blind:
		list.add("fire_unreadable", "", "the fire input can't be read, so the doors are released: check its chip and line")
	case f.Active:
		list.add("fire_active", "", "the fire input is active: doors are released. If the panel is idle, its active level in the site file is wrong")
	case f.Latched:
		list.add("fire_latched", "", "doors stay released after a fire alarm: make sure that all is well, then run gatehouse fire reset")
	}
	if err != nil {
		list.add("fire_latch", "", "the fire latch can't be kept: %v", err)
	}
	return list
}

// doorProblems returns the problems of locks, buttons and readers.
func doorProblems(doors []control.Door) (list toDo) {
	for _, d := range doors {
		if d.Lock != "ok" {
			list.add("lock", d.ID, "door %s: the lock can't be driven: %s", d.ID, d.Lock)
		}
		if d.ExitPressed > 0 {
			list.add("exit_pressed", d.ID, "door %s: the exit button has been pressed for %s, so the door stays released: check the button, and its active level in the site file", d.ID, amount.Span(d.ExitPressed))
		}
		for _, dev := range d.Devices {
			switch {
			case dev.Hint == Untapped:
				list.add("reader_untapped", d.ID, "door %s: %s %s", d.ID, dev.ID, dev.Hint)
			case dev.Hint == InLearning:
				list.add("reader_taught", d.ID, "door %s: %s %s", d.ID, dev.ID, dev.Hint)
			case !dev.Online && dev.Hint == "":
				list.add("device_silent", d.ID, "door %s: %s has not answered yet", d.ID, dev.ID)
			case !dev.Online:
				list.add(deviceCode("device_out", dev), d.ID, "door %s: %s is out of order: %s", d.ID, dev.ID, dev.Hint)
			case dev.Hint != "":
				list.add(deviceCode("device_fault", dev), d.ID, "door %s: %s reported %s: %s", d.ID, dev.ID, dev.Fault, dev.Hint)
			}
		}
	}
	return list
}

// deviceCode returns the code of a device's problem. It contains the fault, since each needs
// somebody else.
func deviceCode(code string, dev control.Device) string {
	if dev.Fault == "" {
		return code
	}
	return code + "/" + dev.Fault
}

// setAsideProblems names damaged files for as long as they are there, because their content is
// nowhere else.
func setAsideProblems(g *gateway.Gateway) (list toDo) {
	for _, directory := range []string{"journal", "grants", "keys"} {
		found, _ := filepath.Glob(g.Site.Path(directory, "*.bad-*")) // the pattern is right
		for _, f := range found {
			list.add("file_set_aside", "", "a damaged file was set aside: %s. Look after the disk; copy the file away, then remove it here", f)
		}
	}
	return list
}

// lostProblems returns what the journal found to be missing or changed, until somebody has seen to
// it.
func lostProblems(g *gateway.Gateway) (list toDo) {
	for _, what := range g.Journal.Lost() {
		list.add("log_changed", "", "the journal: %s. Find out who or what did that, a hand or the disk; then remove %s", what, g.Journal.LostFile())
	}
	return list
}

// keysProblem says what to do where the gateway lacks keys. It never tells anybody to move keys
// away that came after the daemon's start, or that a registry knows: those are nowhere else.
func keysProblem(g *gateway.Gateway) (list toDo) {
	const none = "so no card opens"
	has := func(file string) bool {
		_, err := os.Stat(g.Site.Path("keys", file))
		return !errors.Is(err, fs.ErrNotExist)
	}
	enrolled := g.Keyring.Keys.Registry() != nil
	now, err := keys.LoadKeys(g.Site.Path("keys"))
	switch {
	case enrolled && !has(keys.BuildingKeyFile) && keyNowhere(g):
		list.add("building_key_gone", "", "the building's key is not here, %s, and no other gateway of the house could send it: the registry's operator takes it from escrow (registryd building-key); put it to %s and start the daemon again",
			none, g.Site.Path("keys", keys.BuildingKeyFile))
	case enrolled && !has(keys.BuildingKeyFile):
		list.add("building_key_waits", "", "the building's key has not come yet, %s: it comes from a sibling gateway as soon as both are online. If none of them comes back, the registry's operator has it in escrow (registryd building-key), for %s",
			none, g.Site.Path("keys", keys.BuildingKeyFile))
	case !enrolled && !has(keys.BuildingKeyFile) && !has(keys.RegistryFile):
		list.add("no_keys", "", "no keys of the building yet, "+none+": on the page, To do leads to where a registry's token goes, and to a key file of your own; in a terminal run gatehouse enrol, or in a house without a registry gatehouse init, and then start the daemon again")
	case err == nil, !enrolled && now.Registry != nil:
		list.add("keys_new", "", "keys of the building are there since the daemon started: start it again")
	case enrolled || has(keys.RegistryFile) || has(keys.ClientCertFile):
		away := g.Site.Path("keys")
		if now.Building != nil { // in a house with no other gateway it is only here and in escrow
			away = "all in " + away + " but " + keys.BuildingKeyFile
		}
		list.add("keys_unreadable", "", "the keys of this gateway can't be read, %s (%s): mend what is wrong with the file and start the daemon again, or move %s away, %s and start the daemon again",
			none, oneLine(err), away, enrolAgain(g))
	default:
		list.add("keys_unreadable_alone", "", "the keys of the building can't be read, %s (%s): move %s away, run gatehouse init with the same stick, start the daemon again, then gatehouse grant restore",
			none, oneLine(err), g.Site.Path("keys"))
	}
	return list
}

// keyNowhere reports whether no gateway of the house has the building's key: there is no other one,
// or each has said so.
func keyNowhere(g *gateway.Gateway) bool {
	c := g.Central
	return len(g.Keyring.Keys.Registry().House.Gateways) == 1 || c != nil && c.Err == nil && c.Uplink.Status().KeyNowhere
}

// missingProblem says what was lost with a file, and what to do.
func missingProblem(s *site.Site, what string) (list toDo) {
	add := func(code, gone, todo string) {
		list.add(code, "", "%s is missing: %s. Find out who or what did that, a hand or the disk; %s. This line goes with the next start", s.Path(what), gone, todo)
	}
	const pins = "tenants choose their PIN anew with gatehouse tenancy pin"
	switch what {
	case "grants":
		add("missing_list", "the registry sends the list again (a standalone house: gatehouse grant restore), labels and PINs of the desk are gone", pins)
	case clock.File:
		add("missing_clock", "what was known of the time is gone, nobody's term ends by that", timeAnew)
	default:
		add("missing_desk", "labels and PINs of the desk are gone, cards open as before", pins)
	}
	return list
}

// timeAnew is the hint where the knowledge of the time is lost.
const timeAnew = "the registry or a time server tells the time anew; without either, set the clock, then gatehouse clock confirm"
