package takeover

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/cardlist"
	"gatehouse/internal/command"
)

// Planned is a plan for people and programs.
type Planned struct {
	Lines   int       `json:"lines"` // with a card
	Groups  []lineSet `json:"groups"`
	Remarks []string  `json:"remarks"` // about how the file was read
	Reads   string    `json:"-"`       // see cardlist.List
}

// lineSet is the lines with the same result and reason.
type lineSet struct {
	Kind    string       `json:"-"` // one of the constants of a line's result, for programs
	Key     string       `json:"-"` // of changed and ended lines, where Why has its name
	Differs []difference `json:"-"` // what Why says of changed lines
	What    string       `json:"what"`
	Why     string       `json:"why,omitempty"`
	Lines   []int        `json:"lines"`
}

// Tell groups the lines by result and reason.
func (p Plan) Tell(list cardlist.List, update bool, h House) Planned {
	out := Planned{Lines: len(p.Lines), Remarks: list.Remarks, Reads: list.Reads, Groups: []lineSet{}}
	if out.Remarks == nil {
		out.Remarks = []string{}
	}
	for _, what := range []string{LineNew, lineKnown, lineTwice, lineChanged, lineEnded, LinePast, LineRefused} {
		at := map[string]int{}
		for _, d := range p.Lines {
			if d.what != what {
				continue
			}
			why := d.why
			if what == lineKnown && len(h.free(d.grant.Credentials)) > 0 {
				why = "other readers of the house learn to read them"
			}
			i, ok := at[why]
			if !ok {
				i = len(out.Groups)
				at[why], out.Groups = i, append(out.Groups, lineSet{Kind: what, Key: d.of, Differs: d.differs, What: what, Why: why})
			}
			out.Groups[i].Lines = append(out.Groups[i].Lines, d.line)
		}
	}
	return out.worded(update)
}

// worded replaces each result by a heading.
func (p Planned) worded(update bool) Planned {
	words := map[string]string{LineNew: "new", lineKnown: "known already", lineTwice: "of a card that stands above already: one key, with the doors of both lines",
		lineEnded: "whose key was ended here, left out: gatehouse grant forget KEY first, if it is to open again", LinePast: "over by their last day, left out", LineRefused: "refused"}
	words[lineChanged] = "otherwise than their keys, which " + command.Choose(update, "are changed", "stay: --update changes them")
	for i, g := range p.Groups {
		p.Groups[i].What = words[g.What]
	}
	return p
}

// shownSets and shownLines bound what people are shown of a plan.
const (
	shownSets  = 12 // reasons of one result
	shownLines = 6  // line numbers of a reason
)

// Write writes the plan for the list of that name, in English.
func (p Planned) Write(w io.Writer, name string) {
	fmt.Fprintf(w, "%s: %s\n", name, amount.Of(p.Lines, "line"))
	for _, r := range p.Remarks {
		fmt.Fprintf(w, "  %s\n", r)
	}
	for i := 0; i < len(p.Groups); {
		end, n := i, 0
		for ; end < len(p.Groups) && p.Groups[end].What == p.Groups[i].What; end++ {
			n += len(p.Groups[end].Lines)
		}
		if first := p.Groups[i]; end == i+1 && first.Why != "" {
			fmt.Fprintf(w, "%7d %s: %s %s: %s\n", n, first.What, command.Choose(n > 1, "lines", "line"), some(first.Lines), first.Why)
			i = end
			continue
		}
		fmt.Fprintf(w, "%7d %s\n", n, p.Groups[i].What)
		for k, g := range p.Groups[i:end] {
			if k == shownSets {
				fmt.Fprintf(w, "          and %d more of these; --json --dry-run has all\n", end-i-k)
				break
			}
			if g.Why != "" {
				fmt.Fprintf(w, "          %s: %s\n", linesOf(g.Lines), g.Why)
			}
		}
		i = end
	}
}

// linesOf returns the number of lines and some of their numbers.
func linesOf(lines []int) string {
	if len(lines) == 1 {
		return "line " + some(lines)
	}
	return fmt.Sprintf("%s (%s)", amount.Of(len(lines), "line"), some(lines))
}

func some(lines []int) string {
	var all []string
	for _, l := range lines[:min(len(lines), shownLines)] {
		all = append(all, strconv.Itoa(l))
	}
	text := strings.Join(all, ", ")
	if more := len(lines) - len(all); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
