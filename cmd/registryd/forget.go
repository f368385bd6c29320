package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/whose"
	"gatehouse/internal/socket"
)

type forgetCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Key     string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Reason  string `required:"" help:"resident or order."`
	Case    string `required:"" help:"File number of the resident's request or the court's order." placeholder:"TEXT"`
	Order   string `help:"New file for an order to the building's gateways: gatehouse forget takes it there." placeholder:"FILE"`
}

// Run erases whom the entries of a tenancy name. Which entries they are is found here, with the key, and shown to nobody;
// it is written down first that it was done, by whom and why.
func (c forgetCmd) Run(s *session) error {
	key, err := keys.LoadSealKey(c.Key)
	if err != nil {
		return socket.Hinted("--key names records.key, which registryd init wrote into the offline directory", "%v", err)
	}
	if _, err := os.Lstat(c.Order); c.Order != "" && !errors.Is(err, fs.ErrNotExist) {
		return socket.Hinted("name another file", "%s is there already", c.Order)
	}
	if c.Tenancy, err = s.tenancyID(c.Tenancy); err != nil {
		return err
	}
	home, err := s.issuer.Forget(s.ctx, operator.Forget{Tenancy: c.Tenancy, Reason: c.Reason, Case: c.Case, Order: c.Order != ""})
	if err == nil && c.Order != "" {
		err = durable.WriteFile(c.Order, home.Order, 0o600)
	}
	if err != nil {
		return err
	}
	found := whose.New(key, c.Tenancy)
	if err := s.front.Seals(s.ctx, home.Building, found.Look); err != nil {
		return err
	}
	if found.Opened == 0 && found.Shut > 0 {
		return socket.Hinted("is --key the records.key of this registry? What was sealed before a new one opens with the old one", "this key opens nothing of building %s: nothing is erased", home.Building)
	}
	done, err := s.front.Forget(s.ctx, found.Entries())
	return s.Print(map[string]any{"building": home.Building, "erased": done.Erased, "later": done.Later, "shut": found.Shut}, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s of building %s erased; its gateways keep theirs until their time is over%s\n", amount.Of(done.Erased, "who part"), home.Building,
			command.Choose(c.Order == "", "", ", or at each: gatehouse forget "+c.Order))
		if done.Later > 0 {
			fmt.Fprintf(w, "%s more by themselves, within some weeks\n", amount.Of(done.Later, "who part"))
		}
		if found.Shut > 0 {
			fmt.Fprintf(w, "NOT LOOKED AT: %s that this key does not open; what was sealed before a new records key opens with the old one\n", amount.Of(found.Shut, "batch"))
		}
	})
}

type preserveCmd struct {
	Building string `arg:"" help:"Id of the building."`
	Gateway  string `arg:"" help:"Id of the gateway."`
	Door     string `arg:"" help:"One door."`
	From     string `required:"" help:"From this time on: 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To       string `required:"" help:"Until this time, 24 hours later at most." placeholder:"TIME"`
	Officer  string `required:"" help:"Number of the officer who orders it." placeholder:"TEXT"`
	Unit     string `required:"" help:"The officer's unit." placeholder:"TEXT"`
	Case     string `required:"" help:"Case number." placeholder:"TEXT"`
	Zone     string `help:"Time zone of days and times, as Asia/Shanghai; else that of the building, or of this machine." placeholder:"NAME"`
}

func (c preserveCmd) Run(s *session) error {
	zone, err := s.zone(c.Zone, c.Building)
	if err != nil {
		return err
	}
	h := api.Hold{Gateway: c.Building + "/" + c.Gateway, Door: c.Door, Officer: c.Officer, Unit: c.Unit, Case: c.Case}
	for text, into := range map[string]*time.Time{c.From: &h.From, c.To: &h.To} {
		if *into, err = calendar.Moment(text, zone); err != nil {
			return err
		}
	}
	if h, err = s.front.Preserve(s.ctx, h); err == nil {
		s.warnEmpty(c, h)
	}
	return s.Print(h, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s: nothing of %s at %s from %s to %s is erased before %s\n", h.ID, h.Door, h.Gateway, h.From.In(zone).Format(stamp), h.To.In(zone).Format(stamp), h.Ends.In(zone).Format(stamp))
	})
}

// warnEmpty tells of a span with nothing in it: perhaps the door has another name.
func (s *session) warnEmpty(c preserveCmd, h api.Hold) {
	found := false
	f := api.EntryFilter{Building: c.Building, Gateway: c.Gateway, Door: c.Door, From: h.From, To: h.To, Limit: 1}
	if _, err := s.front.Entries(s.ctx, f, func(api.Entry) error { found = true; return nil }); err == nil && !found {
		fmt.Fprintf(s.Err, "nothing of door %s in that time is stored here yet\nhint: registryd entries --building %s --gateway %s shows the names of its doors\n", c.Door, c.Building, c.Gateway)
	}
}

type preservedCmd struct{}

func (preservedCmd) Run(s *session) error {
	all, err := s.front.Holds(s.ctx)
	return table(s, all, err, "none", []string{"ID", "GATEWAY", "DOOR", "FROM", "TO", "ENDS", "OFFICER", "UNIT", "CASE"}, func(h api.Hold) []string {
		return []string{h.ID, h.Gateway, h.Door, clock(&h.From), clock(&h.To), clock(&h.Ends), h.Officer, h.Unit, h.Case}
	})
}
