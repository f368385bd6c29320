package answer

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
)

// Answers lists the answers that were given.
type Answers struct {
	From string `help:"From this time on: 2026-01-31 or 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To   string `help:"Before this time." placeholder:"TIME"`
}

// Run prints the list. Whoever may ask the front may read it, so it does not say of which building an answer is.
func (c Answers) Run(s *Session) error {
	zone, err := s.Zone("")
	if err != nil {
		return err
	}
	from, err := calendar.Moment(c.From, zone)
	if err != nil {
		return err
	}
	to, err := calendar.Moment(c.To, zone)
	if err != nil {
		return err
	}
	if to.IsZero() {
		to = time.Now().AddDate(100, 0, 0) // also what a front gave whose clock is ahead
	}
	all, err := s.Front.Mandated().Given(s.Ctx, from, to)
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
			return
		}
		command.Table(w, all, []string{"TIME", "MANDATE", "USE", "STATE"}, func(g api.Given) []string {
			return []string{calendar.Stamp(g.At, zone), g.Reference.String(), strconv.Itoa(g.Number), standing(g, zone)}
		})
	})
}

// standing says whether an answer has all, and when it was supplemented.
func standing(g api.Given, zone *time.Location) string {
	text := command.Choose(g.Complete, "完整 complete", "部分 partial")
	if g.PartAt != nil {
		text += fmt.Sprintf("，第 %d 次补充 supplement %d %s", g.Part, g.Part, calendar.Stamp(*g.PartAt, zone))
	}
	if g.Uncertain {
		text += "，时钟存疑 clock in doubt"
	}
	return text
}
