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

// Run shows the refusals.
func (c refusedCmd) Run(s *Session) error {
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
		to = time.Now().AddDate(1, 0, 0) // the registry's clock may be ahead of this one
	}
	all, err := s.Front.Mandated().Refusals(s.Ctx, from, to)
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
			return
		}
		command.Table(w, all, []string{"TIME", "TOWN", "REASON"}, func(r api.Refused) []string {
			return []string{calendar.Stamp(r.At, zone), cmp.Or(strings.Trim(r.District+"/"+r.Town.Town, "/"), "-"), r.Reason}
		})
	})
}
