package commission

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/discovery"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

// Propose combines findings and answers. The resulting file must pass the same rules as any other.
func Propose(found discovery.Found, a Answers, known profile.Set) Plan {
	p := planner{found: found, answers: a, used: make([]bool, len(found.Readers))}
	name := a.Board
	if name == "" {
		name = found.Board
	}
	var err error
	if p.board, err = known.Board(name); name == "" || err != nil {
		p.add("board", Fault, "it was not found: answer board = NAME, as gatehouse profile list has it, or write the site file by hand (docs/site-file.md)")
		return p.Plan
	}
	p.add("board", OK, "%s", p.board.Title)
	if p.board.Wiring == nil {
		p.add("wiring", Fault, "the profile %q proposes no lines: write the site file by hand (docs/site-file.md), or the lines into a profile of your own (docs/profiles.md)", p.board.Name)
		return p.Plan
	}
	p.text.head(a, p.board)
	if a.Fire {
		p.fire()
	}
	for i, d := range a.Doors {
		p.door(i, d)
	}
	p.judge()
	return p.Plan
}

// planner makes one Plan.
type planner struct {
	Plan
	found   discovery.Found
	answers Answers
	board   profile.Board
	used    []bool // by found reader: it is at a door
	text    text
}

func (p *planner) add(what string, s control.PartState, format string, args ...any) {
	p.Items = append(p.Items, Item{What: what, State: s, Words: fmt.Sprintf(format, args...)})
}

// judge checks the file by the rules of gatehoused check.
func (p *planner) judge() {
	if slices.ContainsFunc(p.Items, func(i Item) bool { return i.State == Fault }) {
		return
	}
	s, err := site.Parse([]byte(p.text.String()))
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			p.add("site file", Fault, "%s", strings.TrimSpace(line))
		}
		return
	}
	for _, remark := range append(s.Remarks(), s.Against(p.found.Machine)...) {
		p.add("site file", Look, "%s", remark)
	}
	p.Text = p.text.String()
}

// where describes a line.
func (p *planner) where(line int) string {
	if pin := p.board.PinOf(p.board.Wiring.Chip, line); pin != "" {
		return fmt.Sprintf("line %d, %s", line, pin)
	}
	return fmt.Sprintf("line %d", line)
}

// input adds an input with the meaning of its present level; odd is the level that needs attention.
func (p *planner) input(what string, line int, odd bool, words string) {
	high, seen := p.found.Level(p.board.Wiring.Chip, line)
	switch {
	case !seen:
		p.add(what, Look, "%s: it could not be read", p.where(line))
	case high == odd && words != "":
		p.add(what, Look, "%s: %s", p.where(line), words)
	default:
		p.add(what, OK, "%s", p.where(line))
	}
}

func (p *planner) fire() {
	line := p.board.Wiring.Fire
	p.input("fire input", line, true, "it reads fire: the panel's contact is open, or not wired to it and to ground")
	p.text.fire(p.board.Wiring.Chip, line, p.where(line))
}

func (p *planner) door(i int, d DoorAnswer) {
	at := "door " + d.ID
	if d.Place != 0 {
		i = d.Place - 1
	}
	if i < 0 || i >= len(p.board.Wiring.Doors) {
		p.add(at, Fault, "the profile %q proposes lines for %s: write the others into the site file by hand", p.board.Name, amount.Of(len(p.board.Wiring.Doors), "door"))
		return
	}
	w := p.board.Wiring.Doors[i]
	if p.board.PullOf(p.board.Wiring.Chip, w.Relay) == "" && d.Pull == "" {
		p.add(at+", relay", Fault, `%s: nobody knows what the board does to it at power-on: put a resistor of 10 kohm from it to ground, measure, and answer pull = "down"`, p.where(w.Relay))
	} else {
		p.add(at+", relay", OK, "%s", p.where(w.Relay))
	}
	p.text.door(d, p.board.Wiring.Chip, w.Relay, p.where(w.Relay))
	if d.Exit || d.Egress == "electric" {
		p.input(at+", exit button", w.Exit, false, "it reads pressed: the button is closed, or its wire touches ground")
		p.text.input("exit", p.board.Wiring.Chip, w.Exit, "", p.where(w.Exit)+" and ground")
	}
	if d.Contact {
		p.input(at+", contact", w.Contact, false, "")
		p.text.input("contact", p.board.Wiring.Chip, w.Contact, "high", p.where(w.Contact)+" and ground: closed while the door is")
	}
	if len(d.Readers) == 0 {
		p.add(at, Look, "no reader: it opens from inside, and by command")
	}
	for n, r := range d.Readers {
		if r.ID == "" {
			r.ID = fmt.Sprintf("reader-%d", n+1)
		}
		lines := w
		if r.Place < 0 || r.Place > len(p.board.Wiring.Doors) {
			p.add(fmt.Sprintf("%s, reader %s", at, r.ID), Fault, "place = %d: the profile %q proposes reader lines for %s", r.Place, p.board.Name, amount.Of(len(p.board.Wiring.Doors), "door"))
			continue
		}
		if r.Place > 0 {
			lines = p.board.Wiring.Doors[r.Place-1]
		}
		p.reader(d.ID, lines, r)
	}
}

// reader finds the reader of an answer, and adds it.
func (p *planner) reader(door string, w profile.DoorWiring, a ReaderAnswer) {
	at := fmt.Sprintf("door %s, reader %s", door, a.ID)
	i := p.match(w, a)
	switch {
	case i >= 0:
		p.used[i] = true
		p.foundReader(at, p.found.Readers[i], a)
	case onLines(a):
		p.unseen(at, door, w, a)
	default:
		p.add(at, Fault, "no such reader was found%s: see to its power and wires, hold a card to it while setup looks, or answer another type, port or address", p.others())
	}
}

// match returns the first unassigned reader that fits the answer; -1: none.
func (p *planner) match(w profile.DoorWiring, a ReaderAnswer) int {
	for i, r := range p.found.Readers {
		here := r.D0 == nil || *r.D0 == w.D0 && r.Chip == p.board.Wiring.Chip
		if here && !p.used[i] && fits(a, r.Type, r.Port, r.Address) {
			return i
		}
	}
	return -1
}

// others lists the unassigned readers.
func (p *planner) others() string {
	var left []string
	for i, r := range p.found.Readers {
		if !p.used[i] {
			left = append(left, r.String())
		}
	}
	if len(left) == 0 {
		return ""
	}
	return " (there are: " + strings.Join(left, "; ") + ")"
}

func (p *planner) foundReader(at string, r discovery.Reader, a ReaderAnswer) {
	switch {
	case r.Swapped:
		p.add(at, Fault, "%s: its wires D0 and D1 are exchanged: exchange them, and call setup again", r)
	case r.Clear:
		p.add(at, Look, "%s: it says that it has no secure channel, so security = %q: whoever reaches the wires can read cards and send them again", r, site.SecurityNone)
	default:
		p.add(at, OK, "%s", r)
	}
	if len(a.Formats) > 0 {
		r.Formats = a.Formats
	}
	p.text.reader(r, a)
}

// unseen adds a Wiegand reader at the door's lines to which nobody has held a card.
func (p *planner) unseen(at, door string, w profile.DoorWiring, a ReaderAnswer) {
	r := discovery.Reader{Type: site.TypeWiegand, Chip: p.board.Wiring.Chip, D0: &w.D0, D1: &w.D1, Formats: a.Formats}
	for _, line := range []int{w.D0, w.D1} {
		if high, seen := p.found.Level(r.Chip, line); seen && !high {
			p.add(at, Look, "%s reads low: the reader has no power, or the wire touches ground", p.where(line))
		}
	}
	if len(r.Formats) == 0 && a.Profile == "" {
		r.Formats = []string{"H10301"}
		p.add(at, Look, "%s: no card was seen, so H10301 is assumed: when the daemon runs, gatehouse teach %s %s finds out", r, door, a.ID)
	} else {
		p.add(at, Look, "%s: no card was seen", r)
	}
	p.text.reader(r, a)
}
