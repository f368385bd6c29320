package simulate

import (
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/faultnet"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// close is the end of a run: clocks, lines and machines are right again, and the
// operator and the landlord do what they are told. Then a true revocation has to
// be active within two minutes, and everything has to agree.
func (r *run) close() {
	r.w.Report.Say("everything is right again")
	r.hints.ReplaceKeys() // a theft comes out
	r.clocks.Right()
	r.certificates.RenewalAgain()
	r.disks.Right()
	r.w.Bed.Broker.Set(faultnet.Misdeeds{})
	clear(r.w.Bed.Registry.Cut)
	clear(r.w.Bed.Registry.Dead)
	r.machines.FrontOn()
	if !r.w.Bed.Registry.Issuer.Running() {
		r.w.Must("the issuer", r.w.Bed.Registry.StartIssuer())
	}
	for _, b := range r.w.Bed.Gateways {
		if !b.Running() {
			r.w.Boot(b)
		}
	}
	for _, wait := range []time.Duration{time.Hour, time.Hour, 4 * time.Hour, 20 * time.Hour} {
		time.Sleep(wait)
		synctest.Wait()
		r.w.Look()
		r.hints.Follow()
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	r.w.Look()
	r.atLast()
	r.settled()
	r.agree()
	r.police.AtLast()
	r.complete()
	r.erased()
	r.told()
	r.certificates.Renewed()
}

// atLast is law W4: a true revocation is active at every door in two minutes.
func (r *run) atLast() {
	for _, b := range r.w.Bed.Gateways {
		if !b.Running() {
			r.w.Report.Breach("W4", "%s does not run", b.Name)
			return
		}
	}
	t := r.desk.CheckIn(r.w.Bed.Gateways[0], testbed.Flats[0], r.w.Model.NewCard(), time.Time{})
	if t == nil {
		r.w.Report.Breach("W4", "nobody can check in")
		return
	}
	time.Sleep(25 * time.Minute)
	synctest.Wait()
	r.w.Look()
	for _, b := range r.w.Bed.Gateways {
		if !b.Swipe(t.Cards[0].Number) {
			r.w.Report.Breach("W4", "a new tenant's card does not open at %s: %s", b.Name, b.LastReason())
		}
	}
	if !r.op.Revoke(t) {
		r.w.Report.Breach("W4", "a tenancy can't be revoked")
		return
	}
	r.w.ActiveIn(2*time.Minute, t)
}

// settled is the other half of W4: nothing waits any more.
func (r *run) settled() {
	time.Sleep(time.Hour)
	synctest.Wait()
	r.w.Look()
	r.gatewaysSettled()
	r.frontSettled()
	for _, t := range r.w.Model.Tenancies {
		t.Robbed = false // the card has to open again, whatever a thief has ended
	}
	if r.w.Keys != world.Safe {
		r.thief.Cosigned()
	}
	if s, err := r.w.Bed.Registry.Op.Status(r.w.Bed.Ctx); err != nil || len(s.Unsent) > 0 || len(s.Held) > 0 || !s.Linked {
		r.w.Report.Breach("W4", "the issuer does not settle: %d unsent, %d held, linked %v (%v)", len(s.Unsent), len(s.Held), s.Linked, err)
	}
}

func (r *run) gatewaysSettled() {
	for _, b := range r.w.Bed.Gateways {
		s, err := b.Status()
		if err != nil || s.Uplink == nil {
			r.w.Report.Breach("W4", "%s says nothing of its registry (%v)", b.Name, err)
			continue
		}
		if u := s.Uplink; u.State != "in step" || u.Records > 0 || u.Problem != "" {
			r.w.Report.Breach("W4", "%s does not settle: %s, waiting: %s, %s", b.Name, u.State, amount.Of(u.Records, "tenancy record"), u.Problem)
		}
	}
}

func (r *run) frontSettled() {
	all, err := r.w.Bed.Registry.API.Gateways(r.w.Bed.Ctx, testbed.Building)
	if err != nil {
		r.w.Report.Breach("W4", "the front does not answer: %v", err)
	}
	for _, g := range all {
		if g.Member && g.Behind > 0 {
			r.w.Report.Breach("W4", "%s is behind by %s", g.Gateway, amount.Of(g.Behind, "entry"))
		}
		if g.Member && g.Applied != g.List {
			r.w.Report.Breach("W4", "%s has proved list %d of %d", g.Gateway, g.Applied, g.List)
		}
	}
}

// agree is law W6: desk, door and registry say the same.
func (r *run) agree() {
	central := map[string]operator.Tenancy{}
	all, err := r.w.Bed.Registry.Op.Tenancies(r.w.Bed.Ctx, testbed.Building)
	if err != nil {
		r.w.Report.Breach("W6", "the issuer does not answer: %v", err)
		return
	}
	for _, t := range all {
		central[t.ID] = t
	}
	for _, b := range r.w.Bed.Gateways {
		desk, err := b.Client.Tenancies(r.w.Bed.Ctx)
		if err != nil {
			r.w.Report.Breach("W6", "the desk of %s does not answer: %v", b.Name, err)
			continue
		}
		at := map[string]control.Tenancy{}
		for _, t := range desk {
			at[t.ID] = t
		}
		for _, t := range r.w.Model.Tenancies {
			says := laws.Desk{Gateway: b.Name, Boot: b.Clock.Boot()}
			says.Here, says.Known = at[t.ID]
			says.There, says.Listed = central[t.ID]
			r.agreeOn(b, t, says)
		}
	}
}

func (r *run) agreeOn(b *testbed.Gateway, t *model.Tenancy, says laws.Desk) {
	if !r.w.Model.Minds[b.Name].Damaged {
		says.Judge(t, r.w.Report)
	}
	for _, c := range t.Cards {
		if len(r.w.Model.Holders(c.Number)) == 1 {
			if r.w.Hold(b, t, c) {
				says.Opened(t, c.Number, r.w.Report)
			}
		}
	}
}

// complete is law W3: what was confirmed is there, once, and who is named in it can be read.
func (r *run) complete() {
	opened, wrong, err := r.w.Unread(r.w.Bed.Ctx)
	if err != nil {
		r.w.Report.Breach("W3", "the front gives no good copy of its database: %v", err)
	}
	for _, text := range wrong {
		r.w.Report.Breach("W3", "a who part can't be read: %s", text)
	}
	r.w.Report.Say("%s can be read with the offline key", amount.Of(opened, "who part"))
	have, err := r.w.Received()
	if err != nil {
		r.w.Report.Breach("W3", "the front does not show its entries: %v", err)
		return
	}
	for _, b := range r.w.Bed.Gateways {
		r.w.Entries.Judge(b.Name, have[b.Name], func() bool { return r.alarmed(b) }, r.w.Report)
	}
	r.audited(have)
}

// audited is law W9: no answer without its audit entry.
func (r *run) audited(have map[string]map[testbed.Spot]int) {
	there, err := frontdb.Read(r.w.Bed.Ctx, r.w.Bed.Registry.Front.Disk, r.w.Bed.Dir)
	if err != nil {
		r.w.Report.Breach("W9", "the front's database can't be read: %v", err)
		return
	}
	lost := func(gateway string) bool {
		return r.w.Model.Minds[gateway].Damaged || r.alarmed(r.w.Bed.Gateway(gateway))
	}
	r.w.Answers.Judge(have, there, lost, r.w.Report)
}

// erased is law W10: what was erased is nowhere, and what is preserved stays.
func (r *run) erased() {
	r.police.Registry()
	for _, b := range r.w.Bed.Gateways {
		r.police.Gateway(b)
	}
}

// alarmed reports whether the registry says that something is wrong with a gateway's entries.
func (r *run) alarmed(b *testbed.Gateway) bool {
	front := r.w.Bed.Registry.API
	all, err := front.Gateways(r.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return false
	}
	for _, g := range all {
		if g.Gateway == b.Name && (g.SetBacks > 0 || g.Forks > 0) {
			return true
		}
	}
	alarms, _ := front.Alarms(r.w.Bed.Ctx, testbed.Building, 1000)
	return slices.ContainsFunc(alarms, func(a api.Alarm) bool { return a.Gateway == b.Name })
}

// told is law W5: all that somebody who looks at a status or at the alarms is told.
func (r *run) told() {
	shown := r.w.Shown
	r.w.Entries.Show(shown)
	alarms, _ := r.w.Bed.Registry.API.Alarms(r.w.Bed.Ctx, testbed.Building, 1000)
	for _, a := range alarms {
		shown.Says(a.Heard.Sub(plan.Begin), "alarm of %s: %s %s", a.Gateway, a.Kind, a.Reason)
	}
	for _, text := range r.registrySays() {
		shown.Says(r.w.Now(), "the registry says: %s", text)
	}
	shown.Judge(r.w.Report)
}

// registrySays is what the operator reads now.
func (r *run) registrySays() (lines []string) {
	if s, err := r.w.Bed.Registry.API.Status(r.w.Bed.Ctx); err == nil {
		lines = append(lines, s.Problems...)
		for _, r := range s.Remarks {
			lines = append(lines, r.Text)
		}
	}
	if gateways, err := r.w.Bed.Registry.API.Gateways(r.w.Bed.Ctx, testbed.Building); err == nil {
		for _, g := range gateways {
			if g.SetBacks > 0 {
				lines = append(lines, g.Gateway+" was rolled back")
			}
		}
	}
	if s, err := r.w.Bed.Registry.Op.Status(r.w.Bed.Ctx); err == nil {
		lines = append(lines, s.Lines...)
	}
	problems, _ := r.w.Bed.Registry.Op.Problems(r.w.Bed.Ctx, "")
	for _, p := range problems {
		if !strings.Contains(p.Text, "opens for tenancy") {
			lines = append(lines, p.Text)
		}
	}
	return lines
}
