// Package corrections has the command by which a clerk of the registry reads what residents ask to have put right.
//
// It shows the tenancy, the flat and the resident's own words, and nobody's name: who a tenancy is shows registryd person.
// It refuses to open anything before the issuer has written down that somebody reads, and to show any other sealed entry.
package corrections

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
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

// Corrections are the commands.
type Corrections struct {
	List List `cmd:"" default:"withargs" help:"Show what residents ask to have put right, with the records key; it is written down first."`
	Done Done `cmd:"" help:"Close a request that was answered."`
}

// List is the command that reads requests.
type List struct {
	Case     string `required:"" help:"File number under which they are read." placeholder:"TEXT"`
	Key      string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Building string `help:"Only of this building." placeholder:"ID"`
	From     string `help:"From this time on: 2026-01-31 or 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To       string `help:"Before this time." placeholder:"TIME"`
	Zone     string `help:"Time zone of days and times, as Asia/Shanghai; else that of the gateways asked for, or of this machine." placeholder:"NAME"`
	All      bool   `help:"Also those that are done, and that some were erased."`
}

// Done is the command that closes a request.
type Done struct {
	Number string `arg:"" help:"Number of the request, as the resident has it."`
	Case   string `required:"" help:"File number of the answer." placeholder:"TEXT"`
}

// Run closes it. What it says stays sealed.
func (c Done) Run(s *Session) error {
	if err := operator.CheckFile(c.Case); err != nil {
		return err
	}
	err := s.Issuer.Requests().Done(s.Ctx, operator.DoneRequest{Number: c.Number, Case: c.Case})
	return s.Print(map[string]string{"number": c.Number}, err, func(w io.Writer) { fmt.Fprintf(w, "request %s is done\n", c.Number) })
}

// request is what a resident asks for.
type request struct {
	Number string `json:"number"` // as the resident has it
	api.Place
	Time    time.Time  `json:"time"` // as recorded; where that says nothing, as received
	Tenancy string     `json:"tenancy"`
	Flat    string     `json:"flat,omitempty"` // empty: the issuer has no such tenancy, or does not answer
	About   string     `json:"about"`
	Entry   string     `json:"entry,omitempty"` // that it is about: epoch and number
	Text    string     `json:"text"`
	Open    int        `json:"open_days"` // since then; of one that is done: until it was
	Done    *time.Time `json:"done,omitempty"`
	Erased  bool       `json:"erased,omitempty"` // nobody can read it any more, and it does not say whose it was
}

// Run shows the requests, after it is written down that somebody reads them. The key never leaves this process.
func (c List) Run(s *Session) error {
	if err := operator.CheckFile(c.Case); err != nil {
		return err
	}
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
	if err := s.Issuer.Requests().Read(s.Ctx, operator.ReadRequests{Building: c.Building, Case: c.Case}); err != nil {
		return err
	}
	all, shut, err := s.read(key, f)
	if err == nil {
		err = s.mark(all, c.Building == "" && c.From == "" && c.To == "" && shut == 0)
	}
	if !c.All {
		all = slices.DeleteFunc(all, func(r request) bool { return r.Done != nil || r.Erased })
	}
	return s.Print(all, err, func(w io.Writer) { write(w, all, zone) })
}

func write(w io.Writer, all []request, zone *time.Location) {
	if len(all) == 0 {
		fmt.Fprintln(w, "none")
		return
	}
	command.Table(w, all, []string{"NUMBER", "STATE", "TIME", "GATEWAY", "TENANCY", "FLAT", "ABOUT", "ENTRY", "TEXT"}, func(r request) []string {
		state := "open " + amount.Of(r.Open, "day")
		switch {
		case r.Erased:
			state = "erased"
		case r.Done != nil:
			state = "done " + r.Done.In(zone).Format(time.DateOnly)
		}
		return []string{r.Number, state, calendar.Stamp(r.Time, zone), r.Building + "/" + r.Gateway, r.Tenancy, r.Flat, r.About, r.Entry, r.Text}
	})
}

// mark has the issuer keep which requests there are, and says which are done. whole: nothing was left out.
func (s *Session) mark(all []request, whole bool) error {
	in := operator.FoundRequests{Whole: whole}
	for _, r := range all {
		if r.Erased {
			continue
		}
		in.All = append(in.All, operator.Request{Number: r.Number, Building: r.Building, Tenancy: r.Tenancy, Time: r.Time})
	}
	known, err := s.Issuer.Requests().Found(s.Ctx, in)
	if err != nil {
		return err
	}
	done := map[string]*time.Time{}
	for _, r := range known {
		done[r.Number] = r.Done
	}
	for i := range all {
		end := time.Now()
		if all[i].Done = done[all[i].Number]; all[i].Done != nil {
			end = *all[i].Done
		}
		all[i].Open = max(0, int(end.Sub(all[i].Time).Hours()/24))
	}
	return nil
}

// read opens the requests of a filter. shut are the entries and batches that the key does not open.
func (s *Session) read(key []byte, f api.EntryFilter) (all []request, shut int, err error) {
	var there []found
	shut, err = answer.Sealed(s.Ctx, s.Front, key, f, func(e api.Entry, r sealed.Record) {
		if r.What == sealed.Correct {
			there = append(there, found{e, r})
		}
	})
	if err != nil {
		return nil, shut, err
	}
	whos, closed, err := s.whosOf(key, there)
	if err != nil {
		return nil, shut, err
	}
	shut += closed
	all, bad, erased := []request{}, 0, 0
	for _, one := range there {
		who, kept := whos[placeOf(one.Entry)]
		c, err := sealed.CorrectionOf(one.Record, who)
		gone := errors.Is(err, sealed.ErrErased) && !kept && closed == 0
		if err != nil && !gone || len(one.Reference) < shownReference {
			bad++
			continue
		}
		if gone {
			erased++
		}
		all = append(all, requestOf(one.Entry, one.Record, c, gone))
	}
	s.say(shut, "entry", "this key does not open", "what was sealed before a new records key opens with the old one")
	s.say(bad, "request", "can't be read", "a newer registryd may read them")
	s.say(erased, "request", "erased: nobody can read what it said any more", "--all shows where and when it was made")
	s.nameFlats(all, f.Building)
	return all, shut, nil
}

// say tells of requests that are not shown.
func (s *Session) say(n int, what, how, hint string) {
	if n > 0 {
		fmt.Fprintf(s.Err, "%s %s\nhint: %s\n", amount.Of(n, what), how, hint)
	}
}

// shownReference are the bytes of a request's reference that its number shows.
const shownReference = 4

func requestOf(e api.Entry, r sealed.Record, c sealed.Correction, erased bool) request {
	at := e.Time
	if e.Unsure {
		at = e.Received
	}
	out := request{Number: hex.EncodeToString(r.Reference[:shownReference]), Place: e.Place, Time: at, Erased: erased}
	if erased {
		return out
	}
	out.Tenancy, out.About, out.Text = c.Tenancy.String(), c.About.String(), c.Text
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
