package certify

import (
	"fmt"
	"io"
	"slices"

	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
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
	n, wrong := c.read()
	if c.District != "" {
		s.warnNowhere(c.District, c.Town)
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	o, err := s.Issuer.AddOfficer(s.Ctx, n)
	if err == nil {
		err = durable.WriteFile(c.Out, o.Certificate, 0o644)
	}
	return s.Print(o, err, func(w io.Writer) {
		fmt.Fprintf(w, "officer  %s, %s %s, until %s\ncertificate %s\n", o.ID, o.Unit, o.Badge, clock(o.Until), c.Out)
	})
}

// Faults are what is wrong with the arguments.
func (c officerAddCmd) Faults() command.Faults {
	_, wrong := c.read()
	return wrong
}

func (c officerAddCmd) read() (n operator.NewOfficer, wrong command.Faults) {
	n = operator.NewOfficer{Unit: c.Unit, Badge: c.Badge, District: c.District, Town: c.Town, Days: c.Days}
	for _, f := range []struct{ flag, text string }{{"--unit", c.Unit}, {"--badge", c.Badge}} {
		if wrong.Need(f.flag, f.text) {
			wrong.Unless(wire.ValidText(f.text), "写单位和警号，不写姓名 a unit and a badge number, never a name", "%s: 1 至 64 个可显示的字符 1 to 64 characters that can be printed", f.flag)
		}
	}
	wrong.Need("--district", c.District)
	checkID("--district", c.District, &wrong)
	checkID("--town", c.Town, &wrong)
	wrong.Unless(c.Days >= 1 && c.Days <= mostDays, "到期前换发 renew it before it ends", "--days %d: 1 至 %d 天 1 to %d", c.Days, mostDays, mostDays)
	var err error
	if wrong.Need("--key", c.Key) {
		n.Public, err = keys.LoadPublic(c.Key)
		wrong.Unless(err == nil, "gatehouse mandate key 制作的 FILE.pub the .pub beside the key of gatehouse mandate key", "--key 读不出公钥 no public key: %v", err)
	}
	if c.Receive != "" {
		n.Receive, err = keys.LoadSealPublic(c.Receive)
		wrong.Unless(err == nil, "gatehouse mandate key FILE --receive 制作的 FILE.pub the .pub of gatehouse mandate key FILE --receive", "--receive 读不出公钥 no public key: %v", err)
	}
	if wrong.Need("--out", c.Out) {
		wrong.Add(command.NewFile("--out", c.Out))
	}
	return n, wrong
}

const mostDays = mandates.LongestCertificate / 86400

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
