package answer

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
)

type refusedCmd struct {
	From string `help:"From this time on: 2026-01-31 or 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To   string `help:"Before this time." placeholder:"TIME"`
}

// Run shows the refusals, by this machine's time zone.
func (c refusedCmd) Run(s *Session) error {
	here := calendar.Here()
	from, err := calendar.Moment(c.From, here)
	if err != nil {
		return err
	}
	to, err := calendar.Moment(c.To, here)
	if err != nil {
		return err
	}
	if to.IsZero() {
		to = time.Now().AddDate(1, 0, 0) // the registry's clock may be ahead of this one
	}
	all, err := s.Front.Mandated().Refusals(s.Ctx, from, to)
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
			return
		}
		command.Table(w, all, []string{"TIME", "TOWN", "REASON"}, func(r api.Refused) []string {
			return []string{r.At.In(here).Format("2006-01-02 15:04:05 -07:00"), cmp.Or(strings.Trim(r.District+"/"+r.Town.Town, "/"), "-"), r.Reason}
		})
	})
}
