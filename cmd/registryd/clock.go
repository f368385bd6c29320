package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

type clockCmd struct {
	Show    clockShowCmd    `cmd:"" default:"1" help:"Show what time front and issuer go by, and what speaks against it."`
	Confirm clockConfirmCmd `cmd:"" help:"Say that this machine's clock is right: it ends their doubt."`
	Undo    clockUndoCmd    `cmd:"" help:"Take a wrong time back that was signed to a gateway, as two issuers."`
}

// clocks are those of both processes; nil: it does not answer.
type clocks struct {
	Front  *agreed.Report `json:"front"`
	Issuer *agreed.Report `json:"issuer"`
}

type clockShowCmd struct{}

// Run shows the clocks of both processes, as far as they answer.
func (clockShowCmd) Run(s *session) error {
	front, frontErr := s.front.Clock(s.ctx)
	signer, issuerErr := s.issuer.Clock(s.ctx)
	return s.showClocks(front, frontErr, signer, issuerErr)
}

type clockConfirmCmd struct{}

// Run takes the operator's word to both processes, as far as they answer.
func (clockConfirmCmd) Run(s *session) error {
	front, frontErr := s.front.ConfirmClock(s.ctx)
	signer, issuerErr := s.issuer.ConfirmClock(s.ctx)
	return s.showClocks(front, frontErr, signer, issuerErr)
}

func (s *session) showClocks(front agreed.Report, frontErr error, signer agreed.Report, issuerErr error) error {
	if frontErr != nil && issuerErr != nil {
		return errors.Join(frontErr, issuerErr)
	}
	var all clocks
	if frontErr == nil {
		all.Front = &front
	}
	if issuerErr == nil {
		all.Issuer = &signer
	}
	if err := s.Print(all, nil, func(w io.Writer) {
		writeClock(w, "front", all.Front)
		writeClock(w, "issuer", all.Issuer)
	}); err != nil {
		return err
	}
	return errors.Join(frontErr, issuerErr)
}

func writeClock(w io.Writer, who string, r *agreed.Report) {
	if r == nil {
		return
	}
	zone := calendar.Here()
	at := func(t time.Time) string { return t.In(zone).Format(stamp) }
	fmt.Fprintf(w, "%-7s machine %s (%s), %s\n", who, at(r.Wall), zone,
		choose(r.Doubt == agreed.None, "and goes by it", "IN DOUBT ("+string(r.Doubt)+"), and goes by "+at(r.Agreed)))
	fmt.Fprintf(w, "        time server: %s; gateways' clocks: of %s%s\n", choose(r.Synced, "yes", "none"), amount.Of(r.Voters, "building"), votes(r))
	if advice := r.Advice(); advice != "" {
		fmt.Fprintf(w, "        %s\n", advice)
	}
}

func votes(r *agreed.Report) string {
	if r.Ahead == nil {
		return " (five are needed to count)"
	}
	return fmt.Sprintf(", by the median %+.0f s from this one", *r.Ahead)
}

type clockUndoCmd struct {
	Building string `arg:"" help:"Id of the building."`
	Gateway  string `arg:"" help:"Id of the gateway."`
	secondKey
}

func (c clockUndoCmd) Run(s *session) error {
	st, err := s.issuer.Status(s.ctx)
	if err != nil {
		return err
	}
	all, err := s.front.Gateways(s.ctx, c.Building)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(g api.Gateway) bool { return g.Building == c.Building && g.Gateway == c.Gateway })
	if i < 0 || all[i].Signed == nil {
		return socket.Hinted("registryd gateways shows them; a gateway names that time when it connects", "no time is known that was signed to gateway %s/%s", c.Building, c.Gateway)
	}
	first, err := s.issuer.UndoClock(s.ctx, operator.Undo{Building: c.Building, Gateway: c.Gateway, Floor: *all[i].Signed})
	if err != nil {
		return err
	}
	both, err := operator.SignUndo(first, c.root(), st.Registry, c.Key)
	if err != nil {
		return err
	}
	p, err := s.front.PutUndo(s.ctx, both)
	return s.Print(p, err, func(w io.Writer) {
		fmt.Fprintf(w, "the time %s, which %s %d signed to %s/%s, is taken back: %s\n", time.Unix(int64(first.Floor.Unix), 0).In(calendar.Here()).Format(stamp),
			first.Floor.Role, first.Floor.Epoch, c.Building, c.Gateway, choose(p.Pushed > 0, "the gateway was told", "the gateway hears of it when it connects"))
	})
}
