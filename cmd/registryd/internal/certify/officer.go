package certify

import (
	"fmt"
	"io"
	"slices"

	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

// Officer is the command that enrols officers.
type Officer struct {
	Add    officerAddCmd    `cmd:"" help:"Enrol an officer's key, or renew its certificate: a unit and a badge number, never a name."`
	Revoke officerRevokeCmd `cmd:"" help:"Give an officer's key no more certificates."`
	List   officerListCmd   `cmd:"" help:"Show the officers that are enrolled, and those that were."`
}

type officerAddCmd struct {
	Unit     string `required:"" help:"Unit, as it stands on paper." placeholder:"UNIT"`
	Badge    string `required:"" help:"Badge number." placeholder:"NUMBER"`
	District string `required:"" help:"District of the unit." placeholder:"ID"`
	Town     string `help:"Town of the unit; without it every town of the district." placeholder:"ID"`
	Key      string `required:"" help:"The officer's public key to sign with, FILE.pub of gatehouse mandate key." placeholder:"FILE"`
	Receive  string `help:"The officer's public key to receive with, FILE.pub of gatehouse mandate key --receive." placeholder:"FILE"`
	Days     int    `help:"How long the certificate is good for: 1 to 90." default:"90"`
	Out      string `required:"" help:"New file for the certificate, which the officer keeps." placeholder:"FILE"`
}

func (c officerAddCmd) Run(s *Session) error {
	if err := command.NewFile("--out", c.Out); err != nil {
		return err
	}
	public, err := keys.LoadPublic(c.Key)
	if err != nil {
		return socket.Hinted("the .pub beside the key of gatehouse mandate key", "%v", err)
	}
	n := operator.NewOfficer{Public: public, Unit: c.Unit, Badge: c.Badge, District: c.District, Town: c.Town, Days: c.Days}
	if c.Receive != "" {
		if n.Receive, err = keys.LoadSealPublic(c.Receive); err != nil {
			return socket.Hinted("the .pub of gatehouse mandate key FILE --receive", "%v", err)
		}
	}
	s.warnNowhere(c.District, c.Town)
	o, err := s.Issuer.AddOfficer(s.Ctx, n)
	if err == nil {
		err = durable.WriteFile(c.Out, o.Certificate, 0o644)
	}
	return s.Print(o, err, func(w io.Writer) {
		fmt.Fprintf(w, "officer  %s, %s %s, until %s\ncertificate %s\n", o.ID, o.Unit, o.Badge, clock(o.Until), c.Out)
	})
}

// warnNowhere tells of a district or a town in which no gateway is: perhaps its id is another one.
func (s *Session) warnNowhere(district, town string) {
	all, err := s.Issuer.Gateways(s.Ctx, "")
	if err == nil && !slices.ContainsFunc(all, func(g operator.Gateway) bool {
		return g.District == district && (town == "" || g.Town == town)
	}) {
		fmt.Fprintf(s.Err, "no gateway of this registry is in %s: what the officer signs is good at none of today's\nhint: registryd gateway list shows the ids of districts and towns\n", within(district, town))
	}
}

type officerRevokeCmd struct {
	ID     string `arg:"" help:"Id of the key, as officer list has it."`
	Reason string `required:"" help:"Why, for the audit." placeholder:"TEXT"`
}

func (c officerRevokeCmd) Run(s *Session) error {
	err := s.Issuer.RevokeOfficer(s.Ctx, operator.EndedOfficer{ID: c.ID, Reason: c.Reason})
	return s.Print(map[string]string{"revoked": c.ID}, err, func(w io.Writer) {
		fmt.Fprintln(w, "revoked: no more certificates; a gateway without network takes the last one until it ends")
	})
}

type officerListCmd struct{}

func (officerListCmd) Run(s *Session) error {
	all, err := s.Issuer.Officers(s.Ctx)
	return table(s, all, err, "no officer is enrolled", []string{"KEY", "UNIT", "BADGE", "FOR", "UNTIL", "STATE"}, func(o operator.Officer) []string {
		return []string{o.ID, o.Unit, o.Badge, within(o.District, o.Town), clock(o.Until), command.Choose(o.Revoked, "revoked: "+o.Reason, "enrolled")}
	})
}
