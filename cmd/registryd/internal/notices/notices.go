// Package notices is the commands of registryd that tell people that a mandate asked about them, once that is allowed:
// which mandates are due, a sheet for each tenancy, and at the counter what concerns one tenancy.
//
// It refuses to tell before the time that the approver signed, and of a mandate that nobody is told of. A sheet names
// one tenancy and no other, and a purpose, but nobody's name and nothing of what was found.
package notices

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Session is the environment of the commands.
type Session struct {
	command.Console
	Ctx     context.Context
	Front   *api.Client
	Issuer  *operator.Client
	Zone    func(building string) (*time.Location, error) // of the building, as its gateways say
	Tenancy func(begin string) (string, error)            // the whole id
}

// Notices is the command of mandates of which people are told.
type Notices struct {
	List  listCmd  `cmd:"" help:"Show the answered mandates of which people may be told now, and were not."`
	Print printCmd `cmd:"" help:"Write a page to print: a sheet for each tenancy whose passages it asked for, or one for the building."`
	Done  doneCmd  `cmd:"" help:"Mark a mandate as told of."`
}

// notice is an answered mandate, read.
type notice struct {
	api.Notice
	m mandates.Mandate
}

func (s *Session) notices() (all []notice, err error) {
	list, err := s.Front.Mandated().Notices(s.Ctx)
	for _, n := range list {
		payload, _, err := wire.Read(n.Mandate)
		if err != nil {
			return nil, err
		}
		m, err := mandates.Decode(payload)
		if err != nil {
			return nil, err
		}
		all = append(all, notice{n, m})
	}
	return all, err
}

// leastDigits of a reference name a mandate: with fewer a slip of the finger names one, too.
const leastDigits = 4

// find returns the only notice whose reference begins with text.
func (s *Session) find(text string) (notice, error) {
	if len(text) < leastDigits {
		return notice{}, socket.Hinted("four digits of it at least: registryd notices list --all shows them", "%q is too short for a reference", text)
	}
	all, err := s.notices()
	if err != nil {
		return notice{}, err
	}
	all = slices.DeleteFunc(all, func(n notice) bool {
		return !strings.HasPrefix(n.Reference.String(), strings.ToLower(text))
	})
	if len(all) != 1 {
		return notice{}, socket.Hinted("registryd notices list --all shows the references", "%s of an answered mandate begin with %q", amount.Of(len(all), "reference"), text)
	}
	return all[0], nil
}

type listCmd struct {
	All bool `help:"Also those of which nobody may be told, or was told already."`
}

// shown is a mandate in the list.
type shown struct {
	Reference string          `json:"reference"`
	Building  string          `json:"building"`
	Flats     []string        `json:"flats,omitempty"`
	Tenancies []string        `json:"tenancies,omitempty"`
	Cards     int             `json:"cards,omitempty"`
	Everybody bool            `json:"everybody,omitempty"`
	From      *time.Time      `json:"tell_from,omitempty"`
	Basis     string          `json:"no_notice,omitempty"`
	Due       bool            `json:"due"`
	Told      *api.NoticeTold `json:"told,omitempty"`
}

func (n notice) shown(zone *time.Location) shown {
	r := n.m.Request
	out := shown{Reference: n.Reference.String(), Building: r.Building, Flats: r.Flats, Cards: len(r.Cards), Everybody: !r.Named(), Due: n.Due}
	if n.Told != nil {
		out.Told = &api.NoticeTold{At: n.Told.At.In(zone), By: n.Told.By}
	}
	for _, id := range r.Tenancies {
		out.Tenancies = append(out.Tenancies, id.String())
	}
	if t := n.m.Telling; t != nil && t.From != 0 {
		out.From = new(time.Unix(int64(t.From), 0).In(zone))
	} else if t != nil {
		out.Basis = t.Basis
	}
	return out
}

// Run shows what is due.
func (c listCmd) Run(s *Session) error {
	all, err := s.notices()
	if err != nil {
		return err
	}
	list := []shown{}
	for _, n := range all {
		if !c.All && (!n.Due || n.Told != nil) {
			continue
		}
		zone, err := s.Zone(n.m.Request.Building)
		if err != nil {
			return err
		}
		list = append(list, n.shown(zone))
	}
	return s.Print(list, nil, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, "none")
			return
		}
		command.Table(w, list, []string{"REFERENCE", "BUILDING", "WHO", "TELL FROM", "STATE"}, func(v shown) []string {
			return []string{v.Reference, v.Building, v.who(), v.from(), v.state()}
		})
	})
}

func (v shown) who() string {
	var said []string
	if len(v.Flats) > 0 {
		said = append(said, "flats "+strings.Join(v.Flats, ", "))
	}
	if len(v.Tenancies) > 0 {
		said = append(said, "tenancies "+strings.Join(v.Tenancies, ", "))
	}
	if v.Cards > 0 {
		said = append(said, amount.Of(v.Cards, "card"))
	}
	if v.Everybody {
		said = append(said, "everybody who passed")
	}
	return cmp.Or(strings.Join(said, "; "), "a card held to a reader")
}

func (v shown) from() string {
	switch {
	case v.From != nil:
		return calendar.Stamp(*v.From, v.From.Location())
	case v.Basis != "":
		return "never: " + v.Basis
	}
	return "not said"
}

func (v shown) state() string {
	switch {
	case v.Told != nil:
		return fmt.Sprintf("told %s by %s", calendar.Stamp(v.Told.At, v.Told.At.Location()), v.Told.By)
	case v.Due:
		return "due"
	}
	return "-"
}

type doneCmd struct {
	Reference string `arg:"" help:"Of the mandate, or its first digits, four at least."`
}

// Run marks a mandate as told of.
func (c doneCmd) Run(s *Session) error {
	n, err := s.find(c.Reference)
	if err != nil {
		return err
	}
	zone, err := s.Zone(n.m.Request.Building)
	if err != nil {
		return err
	}
	n.Notice, err = s.Front.Mandated().Tell(s.Ctx, api.ToTell{Reference: n.Reference})
	return s.Print(n.Notice, err, func(w io.Writer) {
		fmt.Fprintf(w, "mandate %s: told %s by %s\n", n.Reference, calendar.Stamp(n.Told.At, zone), n.Told.By)
	})
}
