package answer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// State is how a gateway of a case stands.
type State string

// The states.
const (
	Answered State = "answered"
	Partial  State = "partial"   // answered, and not all of it is at the registry
	Waiting  State = "waiting"   // nothing of it is at the registry yet, and nothing is counted
	Refused  State = "refused"   // by the judge of mandates
	Expired  State = "expired"   // likewise, since it is too late
	Unknown  State = "unknown"   // building, gateway or door are none that the registry knows
	Failed   State = "failed"    // an error, which another run may not have
	Twice    State = "twice"     // the same file is in the case once more
	NotAsked State = "not_asked" // the run was interrupted before
)

// line is what a case's summary says of one gateway that a mandate names. It has nothing of the answer.
type line struct {
	File      string    `json:"mandate"`
	Reference string    `json:"reference,omitempty"`
	Sum       wire.Hash `json:"mandate_sha256"`
	State     State     `json:"state"`
	Why       string    `json:"why,omitempty"`
	Do        string    `json:"do,omitempty"`
	Earlier   bool      `json:"earlier,omitempty"` // as an earlier run has left it: this one was not given its mandate
	answered
	q *question
}

// nothing is an answer that was not given.
func nothing() answered { return answered{Files: []sealedFile{}, Left: []api.LeftOut{}} }

// fail notes an error, which stops no other line.
func (l *line) fail(err error) {
	if errors.Is(err, context.Canceled) {
		return // the run is interrupted, and it is as if nobody had asked
	}
	l.State, l.Why, l.Do = Failed, err.Error(), "改正后再运行一次，已答复的不另计次 mend that and run it again: what was answered is not counted twice"
	var known *socket.Error
	if !errors.As(err, &known) {
		return
	}
	if known.Hint != "" {
		l.Do = known.Hint + "; " + l.Do
	}
	if known.Status == http.StatusNotFound {
		l.State = Unknown
	}
}

// stateOf says how an answer stands.
func stateOf(a answered) State {
	switch {
	case a.Refusal != nil && a.Refusal.Name == mandate.Expired.String():
		return Expired
	case a.Refusal != nil:
		return Refused
	case a.Number == 0 && a.Lacks != nil:
		return Waiting
	case a.Lacks != nil || len(a.Left) > 0:
		return Partial
	}
	return Answered
}

// supersedes reports whether a line says anew what an earlier one says: of the same mandate and gateway, or of a
// file from which nothing was answered.
func (l *line) supersedes(earlier line) bool {
	return l.Sum == earlier.Sum && l.Gateway == earlier.Gateway && l.Sum != wire.Hash{} || l.File == earlier.File && earlier.Number == 0
}

// open reports whether more of a line may come.
func (l *line) open() bool {
	return l.q != nil && (l.State == Partial || l.State == Waiting) && l.Lacks != nil && l.Closed == nil
}

// states are the words for a line's state, in the order in which they are counted.
var states = []struct {
	State
	zh, en string
}{
	{Answered, "已答复", "answered"},
	{Partial, "部分答复", "answered in part"},
	{Waiting, "尚无记录，未计次", "nothing is here yet, and nothing is counted"},
	{Refused, "不予提供", "refused"},
	{Expired, "已过期", "expired"},
	{Unknown, "登记中心不认识", "not known here"},
	{Failed, "出错", "failed"},
	{Twice, "重复的文件", "the same file again"},
	{NotAsked, "尚未查询", "not asked yet"},
}

// words are a state in both languages.
func (s State) words() string {
	for _, w := range states {
		if w.State == s {
			return w.zh + " " + w.en
		}
	}
	return string(s)
}

// tell writes how many lines stand how, and in a table those whose state is to be shown.
func tell(w io.Writer, lines []*line, shows func(State) bool) {
	fmt.Fprintf(w, "案件 case: 共 %d 项 %s\n", len(lines), amount.Of(len(lines), "item"))
	earlier := 0
	for _, l := range lines {
		if l.Earlier {
			earlier++
		}
	}
	if earlier > 0 {
		fmt.Fprintf(w, "  其中 %d 项是以前的结果，本次未查询 %d of them as an earlier run has left them: this one was not given their mandates\n", earlier, earlier)
	}
	var shown []*line
	for _, s := range states {
		n := 0
		for _, l := range lines {
			if l.State == s.State {
				if n++; shows(l.State) {
					shown = append(shown, l)
				}
			}
		}
		if n > 0 {
			fmt.Fprintf(w, "  %d %s %s\n", n, s.zh, s.en)
		}
	}
	if len(shown) > 0 {
		fmt.Fprintln(w)
		command.Table(w, shown, []string{"STATE", "GATEWAY", "USE", "MANDATE"}, func(l *line) []string {
			return []string{string(l.State), l.address(), l.use(), cmp.Or(l.Reference, l.File)}
		})
	}
	for _, l := range shown {
		l.explain(w)
	}
}

// address is where a line is for, as far as that is known.
func (l *line) address() string {
	if l.Gateway == "" {
		return cmp.Or(l.Building, "-")
	}
	return l.Address()
}

// use is the number of the answer: 1.2 is the second supplement of the first.
func (l *line) use() string {
	switch {
	case l.Number == 0:
		return "-"
	case l.Part > 0:
		return fmt.Sprintf("%d.%d", l.Number, l.Part)
	}
	return fmt.Sprint(l.Number)
}

// explain says why a line is not answered in full, and what to do.
func (l *line) explain(w io.Writer) {
	if l.State == Answered && len(l.OnSite) == 0 && l.Elsewhere == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s %s: %s\n", l.address(), l.File, l.State.words())
	if l.Why != "" {
		fmt.Fprintf(w, "  %s\n", l.Why)
	}
	if l.Do != "" {
		fmt.Fprintf(w, "  怎么办 what to do: %s\n", l.Do)
	}
	if l.State != Answered && l.State != Partial && len(l.Files) > 0 {
		fmt.Fprintf(w, "  早先的第 %s 次答复已写入文件 answered before, as %s, into:\n", l.use(), l.use())
		for _, f := range l.Files {
			fmt.Fprintf(w, "    %s\n", f.Path)
		}
	}
	if l.Lacks != nil && l.Refusal == nil {
		fmt.Fprintf(w, "  缺 missing: %s\n", lacking(*l.Lacks))
	}
	if l.Closed != nil {
		fmt.Fprintf(w, "  不再补充 no supplement will follow: %s\n", l.Closed)
	}
	l.writeLeft(w)
	l.writeUses(w)
}
