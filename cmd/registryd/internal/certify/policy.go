package certify

import (
	"fmt"
	"io"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire/periods"
)

// Policy is the command that says for how long it is kept who passed.
type Policy struct {
	Set    policySetCmd    `cmd:"" help:"Sign for how many days it is kept at most who passed: what is not named stays as it is."`
	Remove policyRemoveCmd `cmd:"" help:"Take the policy away: gateways and front keep as long as they are set to."`
	Show   policyShowCmd   `cmd:"" help:"Show the policy of the newest trust document."`
}

type policySetCmd struct {
	rooted
	Whos     *uint16 `name:"who-days" help:"At gateways, after their file was closed: 1 to 400." placeholder:"DAYS"`
	Children *uint16 `name:"child-days" help:"At gateways, and at the registry by registryd forget --under-14, of who is under 14: 1 to 400." placeholder:"DAYS"`
	Passages *uint16 `name:"registry-who-days" help:"At the registry, of passages: 1 to 400." placeholder:"DAYS"`
	Acts     *uint16 `name:"admin-days" help:"At the registry, of what else was done: 1 to 400." placeholder:"DAYS"`
}

func (c policySetCmd) Run(s *Session) error {
	p, wrong := c.read()
	if err := wrong.Err(); err != nil {
		return err
	}
	return c.signPolicy(s, p)
}

// Faults are what is wrong with the arguments.
func (c policySetCmd) Faults() command.Faults {
	_, wrong := c.read()
	return wrong
}

func (c policySetCmd) read() (p periods.Periods, wrong command.Faults) {
	c.check(&wrong)
	named := false
	for _, f := range []struct {
		name string
		days *uint16
		to   *uint16
	}{{"--who-days", c.Whos, &p.Whos}, {"--child-days", c.Children, &p.Children}, {"--registry-who-days", c.Passages, &p.Passages}, {"--admin-days", c.Acts, &p.Acts}} {
		if f.days == nil {
			continue
		}
		named, *f.to = true, *f.days
		wrong.Unless(*f.to >= 1 && *f.to <= periods.Most, "只能缩短；要取消用 registryd policy remove；a policy only shortens; registryd policy remove takes it away",
			"%s %d: 1 至 %d 天 want 1 to %d", f.name, *f.to, periods.Most, periods.Most)
	}
	wrong.Unless(named, "--who-days, --child-days, --registry-who-days, --admin-days", "至少写一个期限 a policy names a period at least")
	return p, wrong
}

// signPolicy signs the document that differs by the policy alone; an empty one takes it away.
func (r rooted) signPolicy(s *Session, p periods.Periods) error {
	return signTrust(s, authority.NextTrust{Dir: r.Dir, Front: r.Front, Root: r.Root, Policy: &p, Now: time.Now()})
}

type policyRemoveCmd struct{ rooted }

func (c policyRemoveCmd) Run(s *Session) error { return c.signPolicy(s, periods.Periods{}) }

type policyShowCmd struct {
	Dir   string `help:"The issuer's directory." default:"/var/lib/gatehouse-registry/issuer" placeholder:"DIRECTORY"`
	Front string `name:"front-dir" help:"Also the front's directory." placeholder:"DIRECTORY"`
}

func (c policyShowCmd) Run(s *Session) error {
	t, err := authority.ShowTrust(c.Dir, c.Front)
	var p authority.StatedPeriods
	if t.Retention != nil {
		p = *t.Retention
	}
	return s.Print(p, err, func(w io.Writer) {
		if writePolicy(w, t); t.Retention == nil {
			fmt.Fprintln(w, "no policy: gateways and front keep who passed as long as they are set to")
		}
	})
}

// writePolicy prints the periods that a trust document says.
func writePolicy(w io.Writer, t authority.TrustStatement) {
	if t.Retention == nil {
		return
	}
	for _, line := range []struct {
		what string
		days uint16
	}{{"at gateways", t.Retention.Whos}, {"everywhere, of who is under 14", t.Retention.Children},
		{"at the registry, of passages", t.Retention.Passages}, {"at the registry, of all else", t.Retention.Acts}} {
		if line.days > 0 {
			fmt.Fprintf(w, "retained %s: %s at most\n", line.what, amount.Of(int(line.days), "day"))
		}
	}
}
