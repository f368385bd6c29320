package main

import (
	"encoding/hex"
	"fmt"
	"time"

	"gatehouse/cmd/registryd/internal/answer"
	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire/sealed"
)

type sealedCmd struct {
	Key      string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Building string `help:"Only of this building." placeholder:"ID"`
	Gateway  string `help:"Only of this gateway." placeholder:"ID"`
	From     string `help:"From this time on: 2026-01-31 or 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To       string `help:"Before this time." placeholder:"TIME"`
	Zone     string `help:"Time zone of days and times, as Asia/Shanghai; else that of the gateways asked for, or of this machine." placeholder:"NAME"`
}

// query is a sealed entry that is no cover: a mandate or an order to preserve came to a gateway.
type query struct {
	api.Place
	Epoch     string    `json:"epoch"`
	Sequence  uint64    `json:"sequence"`
	Time      time.Time `json:"time"` // as recorded
	What      string    `json:"what"`
	Refusal   string    `json:"refusal,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Use       uint64    `json:"use,omitempty"`
	Mandate   string    `json:"mandate"` // SHA-256 of what was handed in
	Approver  string    `json:"approver,omitempty"`
	Preserved *span     `json:"preserved,omitempty"` // by an officer's order
}

// span is what an order preserves.
type span struct {
	Door string    `json:"door"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Case string    `json:"case"`
}

// Run shows what was asked of gateways on site. The key never leaves this process.
func (c sealedCmd) Run(s *session) error {
	key, err := keys.LoadSealKey(c.Key)
	if err != nil {
		return socket.Hinted("--key names records.key, which registryd init wrote into the offline directory", "%v", err)
	}
	zone, err := s.zone(c.Zone, c.Building)
	if err != nil {
		return err
	}
	f := api.EntryFilter{Building: c.Building, Gateway: c.Gateway}
	if f.From, err = calendar.Moment(c.From, zone); err != nil {
		return err
	}
	if f.To, err = calendar.Moment(c.To, zone); err != nil {
		return err
	}
	var found []query
	shut, err := answer.Sealed(s.ctx, s.front, key, f, func(e api.Entry, r sealed.Record) {
		if r.What != sealed.Correct { // registryd corrections has those
			found = append(found, queryOf(e, r))
		}
	})
	if err != nil {
		return err
	}
	if shut > 0 {
		fmt.Fprintf(s.Err, "%s this key does not open\nhint: what was sealed before a new records key opens with the old one\n", amount.Of(shut, "entry"))
	}
	return table(s, found, nil, "none", []string{"TIME", "GATEWAY", "ENTRY", "WHAT", "PAPER", "USE", "PRESERVED"}, func(q query) []string {
		return []string{calendar.Stamp(q.Time, zone), q.Building + "/" + q.Gateway, fmt.Sprintf("%s:%d", q.Epoch, q.Sequence), happened(q.What, "", q.Refusal), q.Reference, fmt.Sprint(q.Use), q.Preserved.text(zone)}
	})
}

// text is the span in a zone; nothing where nothing was preserved.
func (p *span) text(zone *time.Location) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s to %s, %s", p.Door, calendar.Stamp(p.From, zone), calendar.Stamp(p.To, zone), p.Case)
}

func queryOf(e api.Entry, r sealed.Record) query {
	q := query{Place: e.Place, Epoch: e.Epoch, Sequence: e.Sequence, Time: e.Time, What: r.What.String(), Refusal: r.Refusal,
		Reference: hex.EncodeToString(r.Reference), Use: r.Use, Mandate: hex.EncodeToString(r.Mandate), Approver: hex.EncodeToString(r.Approver)}
	if p := r.Span; p != nil {
		q.Preserved = &span{p.Door, time.Unix(int64(p.From), 0), time.Unix(int64(p.Until), 0), p.Case}
	}
	return q
}
