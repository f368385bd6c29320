package main

import (
	"fmt"

	"gatehouse/internal/registry/issuer/operator"
)

type passCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Minutes int    `help:"How long it is good for: 1 to 15." default:"5"`
}

// Run prints a pass. The text goes to standard output alone, so that it can be
// piped into whatever draws QR codes; what people want to know beside it does not.
func (c passCmd) Run(s *session) error {
	tenancy, err := s.tenancyID(c.Tenancy)
	if err != nil {
		return err
	}
	p, err := s.issuer.Pass(s.ctx, operator.NewPass{Tenancy: tenancy, Minutes: c.Minutes})
	if err != nil {
		return err
	}
	if s.JSON {
		return s.Encode(p)
	}
	fmt.Fprintf(s.Err, "opens once, in building %s, until %s: whoever has it can use it; an alphanumeric QR code, as of qrencode, shows it to a scanner\n",
		p.Building, clock(&p.Until))
	_, err = fmt.Fprintln(s.Out, p.Text)
	return err
}
