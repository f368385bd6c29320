package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
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

// clocks are the clocks of both processes; nil: no answer.
type clocks struct {
	Front  *agreed.Report `json:"front"`
	Issuer *agreed.Report `json:"issuer"`
}

type clockShowCmd struct{}

// Run shows the clocks of both processes, as far as they answer.
func (clockShowCmd) Run(s *session) error {
	return s.showClocks(s.front.Clock, s.issuer.Clock)
}

type clockConfirmCmd struct{}

// Run confirms the clocks of both processes, as far as they answer.
func (clockConfirmCmd) Run(s *session) error {
	return s.showClocks(s.front.ConfirmClock, s.issuer.ConfirmClock)
}

func (s *session) showClocks(front, signer func(context.Context) (agreed.Report, error)) error {
	var all clocks
	ask := func(clock func(context.Context) (agreed.Report, error), into **agreed.Report) error {
		r, err := clock(s.ctx)
		if err == nil {
			*into = &r
		}
		return err
	}
	err := errors.Join(ask(front, &all.Front), ask(signer, &all.Issuer))
	if all == (clocks{}) {
		return err
	}
	return errors.Join(s.Print(all, nil, func(w io.Writer) {
		writeClock(w, "front", all.Front)
		writeClock(w, "issuer", all.Issuer)
	}), err)
}

func writeClock(w io.Writer, who string, r *agreed.Report) {
	if r == nil {
		return
	}
	zone := calendar.Here()
	at := func(t time.Time) string { return calendar.Stamp(t, zone) }
	fmt.Fprintf(w, "%-7s machine %s (%s), %s\n", who, at(r.Wall), zone,
		command.Choose(r.Doubt == agreed.None, "and goes by it", "IN DOUBT ("+string(r.Doubt)+"), and goes by "+at(r.Agreed)))
	fmt.Fprintf(w, "        time server: %s; gateways' clocks: of %s%s\n", command.Choose(r.Synced, "yes", "none"), amount.Of(r.Voters, "building"), votes(r))
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
		fmt.Fprintf(w, "the time %s, which %s %d signed to %s/%s, is taken back: %s\n", calendar.Stamp(time.Unix(int64(first.Floor.Unix), 0), calendar.Here()),
			first.Floor.Role, first.Floor.Epoch, c.Building, c.Gateway, command.Choose(p.Pushed > 0, "the gateway was told", "the gateway hears of it when it connects"))
	})
}
