package issuer

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// says is what a gateway says of its clock, in its newest hello.
func (w *world) says(gateway string, wall time.Time, clock wire.ClockQuality) {
	w.front.clocks[building1+"/"+gateway] = api.Gateway{Wall: &wall, Clock: clock.String(), Zone: "Asia/Shanghai"}
}

// minute is a's round, in which every gateway proves the newest list.
func (w *world) minute(gateways ...string) {
	w.t.Helper()
	m, _ := w.listed()
	for _, g := range gateways {
		w.front.applied[building1+"/"+g] = m.Version
	}
	if err := w.i.tend(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.turn()
}

func (w *world) tenancy(n int) operator.Tenancy {
	w.t.Helper()
	all, err := report.Tenancies(w.i.ledger, "")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range all {
		if t.ID == id('t', n).String() {
			return t
		}
	}
	w.t.Fatalf("no tenancy %d", n)
	return operator.Tenancy{}
}

func days(n int) time.Time { return start.AddDate(0, 0, n) }

// TestTermOver: a term that is over ends the tenancy as it is shown, and nothing is
// stored. Its grant leaves the list when it has been over for 31 days by everybody's
// clock, without being revoked, and comes back if that was a mistake.
func TestTermOver(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	h := w.enrolled("gw-2")
	for n := range 6 {
		c := checkIn(n, 0)
		c.Until = at(24 * 60)
		w.front.deliver(g.record(id('r', n), c))
	}
	w.front.deliver(h.record(id('r', 10), checkIn(10, 0)))
	w.turn()
	both := []string{"gw-1", "gw-2"}
	for _, c := range []struct {
		day      int
		one, two int // days of the gateways' clocks
		clock    wire.ClockQuality
		want     wire.GrantState
	}{
		{2, 2, 2, wire.ClockNTP, wire.GrantActive},
		{9, 9, 9, wire.ClockNTP, wire.GrantActive},
		{32, 32, 20, wire.ClockNTP, wire.GrantActive},
		{32, 32, 400, wire.ClockFloor, wire.GrantActive},
		{30, 400, 400, wire.ClockNTP, wire.GrantActive},
		{32, 32, 32, wire.ClockRTC, 0},
		{60, 60, 20, wire.ClockUnset, 0}, // what is out stays out
	} {
		w.now = days(c.day)
		w.says("gw-1", days(c.one), wire.ClockNTP)
		w.says("gw-2", days(c.two), c.clock)
		w.minute(both...)
		w.minute(both...)
		w.want(1, c.want)
		w.want(10, wire.GrantActive)
		if got := w.tenancy(1); got.State != fold.StateEnded || got.Cause != "lease_over" {
			t.Errorf("day %d: %+v", c.day, got)
		}
	}
	w.reopen()
	w.minute(both...)
	w.want(1, 0)
	w.now = days(0)
	w.minute(both...)
	w.want(1, wire.GrantActive)
	if got := w.tenancy(1); got.State != fold.StateActive || got.Cause != "" {
		t.Errorf("the clock is right again: %+v", got)
	}
	var stored int
	if err := w.view().QueryRow(`SELECT count(*) FROM changes WHERE gateway = ''`).Scan(&stored); err != nil || stored != 0 {
		t.Errorf("%d changes are the issuer's own, %v", stored, err)
	}
}

// TestEndedByAClock: what an earlier version stored when its clock was ahead counts
// for nothing; the tenancy goes on, in the list too.
func TestEndedByAClock(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	c := checkIn(1, 0)
	c.Until = at(60 * 24 * 60)
	w.front.deliver(g.record(id('r', 1), c))
	w.turn()
	err := w.update(func(c *ledger.Change) error {
		b, err := c.Open(building1)
		if err != nil {
			return err
		}
		e := fold.Event{Record: id('x', 1), At: at(200 * 24 * 60), Change: wire.Change{Op: wire.OpEnd, At: at(200 * 24 * 60), Clock: wire.ClockRegistry,
			Proof: wire.ProofTerm, Tenancy: id('t', 1), Grant: id('g', 1), Cause: wire.CauseLeaseOver}}
		c.Relist(b)
		c.Take(b, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.turn()
	w.want(1, wire.GrantRevoked) // as that version left it
	w.reopen()
	w.minute("gw-1")
	w.want(1, wire.GrantActive)
	if got := w.tenancy(1); got.State != fold.StateActive {
		t.Errorf("%+v", got)
	}
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 1).String(), Reason: "order"})
	w.want(1, wire.GrantRevoked)
	w.minute("gw-1")
	w.minute("gw-1")
	w.want(1, 0)
	w.reopen()
	w.minute("gw-1")
	w.want(1, 0)
}

// TestRevokeWaitsForNoClock: outages of every length, steps of the clock of every
// size and both ways, with a time server and without, before a revocation and
// after it: it is in the next list, nobody whose term runs is named as over or left
// out, and the list's time is never one that has not come.
func TestRevokeWaitsForNoClock(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	outages := []time.Duration{0, time.Minute, 3 * time.Hour, 5 * day, 90 * day}
	if testing.Short() {
		outages = []time.Duration{0, 3 * time.Hour, 90 * day}
	}
	for _, outage := range outages {
		for _, step := range []time.Duration{0, -time.Minute, 5 * time.Hour, -5 * time.Hour, 40 * day, -40 * day, 200 * day, -366 * day} {
			for _, synced := range []bool{false, true} {
				t.Run(fmt.Sprintf("off for %v, then %v off, synced %v", outage, step, synced), func(t *testing.T) { revokeUnder(t, outage, step, synced) })
			}
		}
	}
}

func revokeUnder(t *testing.T, outage, step time.Duration, synced bool) {
	w := newWorld(t)
	truth, boot, bootID, now := start, time.Hour, "boot 1", time.Duration(0)
	source := func() agreed.Source {
		return agreed.Source{Wall: func() time.Time { return truth.Add(now) }, Boot: func() time.Duration { return boot },
			Synced: func() bool { return synced }, BootID: bootID}
	}
	w.clock = source()
	w.reopen()
	g := w.enrolled("gw-1")
	for n := range 4 {
		c := checkIn(n, 0)
		if n == 1 {
			c.Until = at(120 * 24 * 60)
		}
		w.front.deliver(g.record(id('r', n), c))
	}
	w.turn()
	if outage > 0 {
		if err := w.i.ledger.Clock.Save(); err != nil {
			t.Fatal(err)
		}
		truth, boot, bootID = truth.Add(outage), time.Minute, "boot 2"
		w.clock = source()
		w.reopen()
	}
	now = step
	w.says("gw-1", truth, wire.ClockNTP)
	w.minute("gw-1")
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 2).String(), Reason: "order"})
	w.want(2, wire.GrantRevoked)
	w.want(0, wire.GrantActive)
	w.want(1, wire.GrantActive)
	m, _ := w.listed()
	at, doubt := w.i.ledger.Clock.Now()
	if int64(m.Issued) > at.Unix()+60 || doubt == agreed.None && outage == 0 && time.Unix(int64(m.Issued), 0).After(truth.Add(agreed.Leap)) {
		t.Errorf("issued %v, agreed on %v, true is %v, doubt %q", time.Unix(int64(m.Issued), 0), at, truth, doubt)
	}
	if step == 0 && outage < 48*time.Hour && doubt != agreed.None {
		t.Errorf("in doubt for nothing: %q", doubt)
	}
	if gap := outage + step; doubt == agreed.None && (gap > 60*24*time.Hour || gap < -agreed.Leap) {
		t.Errorf("%v is not doubted", step)
	}
	w.says("gw-1", truth.Add(time.Hour), wire.ClockNTP)
	now = 0
	w.minute("gw-1")
	if _, err := w.i.ledger.Clock.Confirm(); err != nil {
		t.Fatal(err)
	}
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 3).String(), Reason: "order"})
	w.want(3, wire.GrantRevoked)
	w.want(1, wire.GrantActive)
	if got := w.tenancy(1).State; got != fold.StateActive && outage < 100*24*time.Hour {
		t.Errorf("the tenancy that runs is %s", got)
	}
}

// TestNotBegun: a term whose first day is to come says so, with that day and with
// the zone in which it is one.
func TestNotBegun(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	c := checkIn(1, 0)
	c.From = at(60 * 24 * 60)
	w.front.deliver(g.record(id('r', 1), c))
	w.turn()
	w.says("gw-1", start, wire.ClockNTP)
	w.minute("gw-1")
	if got := w.tenancy(1); got.State != fold.StateNotBegun || got.Since.Unix() != int64(c.From) || got.Zone != "Asia/Shanghai" {
		t.Errorf("%+v", got)
	}
	w.now = days(61)
	if got := w.tenancy(1); got.State != fold.StateActive || got.Since.Unix() != int64(c.From) {
		t.Errorf("%+v", got)
	}
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"})
	w.now = days(1)
	if got := w.tenancy(1).State; got != fold.StateSuspended {
		t.Error(got)
	}
}
