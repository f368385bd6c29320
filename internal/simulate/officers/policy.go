package officers

import (
	"strings"
	"time"

	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/world"
	"gatehouse/sync/wire/periods"
)

// Days are for how long both ends keep who passed by their own settings in a climate, so that a run sees it go; 0: as long as ever.
func Days(climate string) int {
	switch {
	case strings.Contains(climate, "mandates"):
		return 2
	case strings.Contains(climate, "policy"):
		return 20 // longer than a run: what goes then goes by the policy
	}
	return 0
}

// policies are what the root signs of it. What one does not name stays as the one before it said; the last takes all of it back.
var policies = []periods.Periods{{Whos: 2, Passages: 2, Acts: 2}, {Whos: 1}, {Whos: 3, Passages: 9}, {Whos: 9, Passages: 4, Acts: 9}, {}}

// policy is registryd policy set, or remove: for how many days who passed is kept at most.
func (o *Officers) policy(n [4]int) {
	p, _ := world.Pick(n[0], policies)
	if (p == periods.Periods{}) && o.signed == (periods.Periods{}) {
		return // nothing to take back
	}
	r := o.w.Bed.Registry
	done, err := authority.NextTrust{Dir: r.Issuer.Disk.Dir(), Front: r.Front.Disk.Dir(), Root: o.w.Bed.Path("offline/" + authority.FileRootKey), Policy: &p, Now: r.Issuer.Clock.Wall()}.Sign()
	o.w.Report.Say("the root signs a policy: registryd policy set --who-days %d --registry-who-days %d --admin-days %d%s", p.Whos, p.Passages, p.Acts, world.Said(err))
	if err != nil {
		o.w.Report.Breach("W4", "a policy can't be signed: %v", err)
		return
	}
	o.signed = periods.Periods{}
	if s := done.Trust.Retention; s != nil {
		o.signed = periods.Periods{Whos: s.Whos, Passages: s.Passages, Acts: s.Acts}
	}
	if r.Issuer.Running() {
		o.w.RestartIssuer()
		time.Sleep(time.Second) // until it answers
	}
	o.keeps()
}

// keeps tells the laws for how many days the registry keeps who passed now.
func (o *Officers) keeps() {
	own := o.w.Bed.WhoDays()
	atMost := func(days uint16) int {
		if days == 0 {
			return own
		}
		return min(own, int(days))
	}
	o.w.Erased.Keeps(laws.Registry, max(atMost(o.signed.Passages), atMost(o.signed.Acts)), o.w.Now())
}

// policyHeard is law W4 for the policy: with everything right again each gateway that can judge it has it.
func (o *Officers) policyHeard() {
	own := o.w.Bed.WhoDays()
	for _, b := range o.w.Bed.Gateways {
		want := own
		if o.signed.Whos > 0 && b.Formats == 0 {
			want = min(want, int(o.signed.Whos))
		}
		if got := o.w.Keeps(b); own > 0 && got != want {
			o.w.Report.Breach("W4", "%s keeps who passed for %d days, by the policy it is %d", b.Name, got, want)
		}
	}
}
