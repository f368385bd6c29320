package todo

import (
	"slices"
	"strings"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
)

var named = map[acceptance.Part]string{acceptance.Lock: "the lock", acceptance.Exit: "the exit button", acceptance.Contact: "the door contact",
	acceptance.Fire: "the fire input", acceptance.Power: "the pulled plug"}

// failing are the consequences of each part's failure.
var failing = map[acceptance.Part]string{
	acceptance.Lock:    "nobody heard the lock: check its current and its relay",
	acceptance.Exit:    "the exit button was not seen pressed: check its wires and its line in the site file. Until it is, people may not get out",
	acceptance.Contact: "the door was not seen opened and closed: check the contact's wires and magnet",
	acceptance.Fire:    "the fire input did not release this door and go idle again: check its wires and its active level in the site file",
	acceptance.Power:   "de-energised, it does not open from inside: let nobody live behind it before that is mended; a magnetic lock's current has to pass the exit button, a strike needs a handle",
}

// proofProblems returns what is still to be proved at a door before it counts as ready, in a house
// that asks for it.
func proofProblems(book *acceptance.Book) (list toDo) {
	_, doors := book.Doors()
	for _, d := range doors {
		var open []string
		for _, p := range d.Parts {
			switch {
			case p.State == acceptance.Failed:
				list.add(partCode("proof_failed", p.Part), d.Door, "door %s: %s. Then gatehouse prove door %s", d.Door, failing[p.Part], d.Door)
			case p.State == acceptance.Absent:
				list.add(partCode("proof_absent", p.Part), d.Door, "door %s: the site file names %s, and somebody says that there is none: wire it, or take it out of the site file and start the daemon again. Then gatehouse prove door %s",
					d.Door, named[p.Part], d.Door)
			case !p.State.Settled():
				open = append(open, unproved(p))
			}
		}
		switch {
		case len(open) == 0:
		case book.Replaced():
			list.add("door_unproved_again", d.Door, "door %s is not ready: this machine took the place of another one, and its wires are new: not proved yet: %s. Prove that people get out: gatehouse prove door %s",
				d.Door, strings.Join(open, ", "), d.Door)
		default:
			list.add("door_unproved", d.Door, "door %s is not ready: not proved yet: %s. Prove that people get out: gatehouse prove door %s", d.Door, strings.Join(open, ", "), d.Door)
		}
	}
	return list
}

// drillProblem says that the last fire drill did not work at some door, if no proof of a door says so:
// those are asked for by some houses alone, and one that was passed before stays.
func drillProblem(drill *acceptance.Drill, doors []string, proofs toDo) (list toDo) {
	told := slices.ContainsFunc(proofs, func(i control.ToDo) bool { return i.Code == partCode("proof_failed", acceptance.Fire) })
	if drill == nil || drill.On || told || !slices.ContainsFunc(doors, func(id string) bool { return !drill.Report.Worked(id) }) {
		return nil
	}
	list.add("drill_failed", "", "the last fire drill did not work at every door: gatehouse fire drill show has its report. Mend what is wrong, then gatehouse fire drill begin")
	return list
}

// unproved is what is still to be proved of a part: of one that the site file does not name, that
// there is none.
func unproved(p acceptance.PartShown) string {
	if p.Fitted {
		return named[p.Part]
	}
	return "that there is no " + strings.TrimPrefix(named[p.Part], "the ")
}

// partCode returns the code of a part's problem. It contains the part, since each needs somebody
// else.
func partCode(code string, p acceptance.Part) string { return code + "/" + string(p) }
