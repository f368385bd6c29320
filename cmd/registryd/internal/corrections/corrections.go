// Package corrections has the command by which a clerk of the registry reads what residents ask to have put right.
//
// It shows the tenancy, the flat and the resident's own words, and nobody's name: who a tenancy is shows registryd person,
// which is written down. It refuses to show any other sealed entry.
package corrections

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"gatehouse/cmd/registryd/internal/answer"
	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire/sealed"
)

// Session is the environment of the command.
type Session struct {
	command.Console
	Ctx    context.Context
	Front  *api.Client
	Issuer *operator.Client
	Zone   func(name, building string) (*time.Location, error)
}

// List is the command.
type List struct {
	Key      string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Building string `help:"Only of this building." placeholder:"ID"`
	From     string `help:"From this time on: 2026-01-31 or 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To       string `help:"Before this time." placeholder:"TIME"`
	Zone     string `help:"Time zone of days and times, as Asia/Shanghai; else that of the gateways asked for, or of this machine." placeholder:"NAME"`
}

// request is what a resident asks for.
type request struct {
	Number string `json:"number"` // as the resident has it
	api.Place
	Time    time.Time `json:"time"` // as recorded
	Tenancy string    `json:"tenancy"`
	Flat    string    `json:"flat,omitempty"` // empty: the issuer has no such tenancy, or does not answer
	About   string    `json:"about"`
	Entry   string    `json:"entry,omitempty"` // that it is about: epoch and number
	Text    string    `json:"text"`
}

// Run shows the requests. The key never leaves this process.
func (c List) Run(s *Session) error {
	key, err := keys.LoadSealKey(c.Key)
	if err != nil {
		return socket.Hinted("--key names records.key, which registryd init wrote into the offline directory", "%v", err)
	}
	zone, err := s.Zone(c.Zone, c.Building)
	if err != nil {
		return err
	}
	f := api.EntryFilter{Building: c.Building}
	if f.From, err = calendar.Moment(c.From, zone); err != nil {
		return err
	}
	if f.To, err = calendar.Moment(c.To, zone); err != nil {
		return err
	}
	all, err := s.read(key, f)
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
			return
		}
		command.Table(w, all, []string{"NUMBER", "TIME", "GATEWAY", "TENANCY", "FLAT", "ABOUT", "ENTRY", "TEXT"}, func(r request) []string {
			return []string{r.Number, calendar.Stamp(r.Time, zone), r.Building + "/" + r.Gateway, r.Tenancy, r.Flat, r.About, r.Entry, r.Text}
		})
	})
}

// read opens the requests of a filter.
func (s *Session) read(key []byte, f api.EntryFilter) ([]request, error) {
	all, bad := []request{}, 0
	shut, err := answer.Sealed(s.Ctx, s.Front, key, f, func(e api.Entry, r sealed.Record) {
		if r.What != sealed.Correct {
			return
		}
		c, err := sealed.CorrectionOf(r)
		if err != nil || len(r.Reference) < shownReference {
			bad++
			return
		}
		all = append(all, requestOf(e, r, c))
	})
	if err != nil {
		return nil, err
	}
	if shut > 0 {
		fmt.Fprintf(s.Err, "%s this key does not open\nhint: what was sealed before a new records key opens with the old one\n", amount.Of(shut, "entry"))
	}
	if bad > 0 {
		fmt.Fprintf(s.Err, "%s can't be read\nhint: a newer registryd may read them\n", amount.Of(bad, "request"))
	}
	s.nameFlats(all, f.Building)
	return all, nil
}

// shownReference are the bytes of a request's reference that its number shows.
const shownReference = 4

func requestOf(e api.Entry, r sealed.Record, c sealed.Correction) request {
	out := request{Number: hex.EncodeToString(r.Reference[:shownReference]), Place: e.Place, Time: e.Time, Tenancy: c.Tenancy.String(), About: c.About.String(), Text: c.Text}
	if c.Epoch != 0 {
		out.Entry = fmt.Sprintf("%016x:%d", c.Epoch, c.Sequence)
	}
	return out
}

// nameFlats fills in the flats as the issuer knows them. Without it the requests are shown all the same.
func (s *Session) nameFlats(all []request, building string) {
	if len(all) == 0 {
		return
	}
	known, err := s.Issuer.Tenancies(s.Ctx, building)
	if err != nil {
		fmt.Fprintf(s.Err, "the issuer does not say which flats they are: %v\n", err)
	}
	flats := map[string]string{}
	for _, t := range known {
		flats[t.ID] = t.Flat
	}
	for i := range all {
		all[i].Flat = flats[all[i].Tenancy]
	}
}
