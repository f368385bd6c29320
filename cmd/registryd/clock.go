package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/agreed"
)

type clockCmd struct {
	Show    clockShowCmd    `cmd:"" default:"1" help:"Show what time front and issuer go by, and what speaks against it."`
	Confirm clockConfirmCmd `cmd:"" help:"Say that this machine's clock is right: it ends their doubt."`
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
	issuer, issuerErr := s.issuer.Clock(s.ctx)
	return s.showClocks(front, frontErr, issuer, issuerErr)
}

type clockConfirmCmd struct{}

// Run takes the operator's word to both processes, as far as they answer.
func (clockConfirmCmd) Run(s *session) error {
	front, frontErr := s.front.ConfirmClock(s.ctx)
	issuer, issuerErr := s.issuer.ConfirmClock(s.ctx)
	return s.showClocks(front, frontErr, issuer, issuerErr)
}

func (s *session) showClocks(front agreed.Report, frontErr error, issuer agreed.Report, issuerErr error) error {
	if frontErr != nil && issuerErr != nil {
		return errors.Join(frontErr, issuerErr)
	}
	var all clocks
	if frontErr == nil {
		all.Front = &front
	}
	if issuerErr == nil {
		all.Issuer = &issuer
	}
	if err := s.print(all, func(w io.Writer) {
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
	fmt.Fprintf(w, "%-7s machine %s (%s); %s\n", who, at(r.Wall), zone,
		choose(r.Doubt == agreed.None, "gone by", "IN DOUBT ("+string(r.Doubt)+"), goes by "+at(r.Agreed)))
	fmt.Fprintf(w, "        time server: %s; gateways' clocks: of %s%s\n", choose(r.Synced, "yes", "none"), count(r.Voters, "building"), votes(r))
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
