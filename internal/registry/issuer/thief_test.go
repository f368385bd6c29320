package issuer

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// gatewaysTake is how far above its active list a gateway takes one (package keyring).
const gatewaysTake = 1 << 20

// TestStepOfAThief: a list that a thief has brought one gateway is taken over only as
// long as the list that goes above it is within reach of all the others: else no
// revocation would ever be active there.
func TestStepOfAThief(t *testing.T) {
	for name, c := range map[string]struct {
		above uint64 // of the list that gw-2 has
		taken bool
	}{"within reach": {1 << 19, true}, "too far": {1<<19 + 1, false}} {
		w := newWorld(t)
		g := w.enrolled("gw-1")
		w.enrolled("gw-2")
		for n := range 3 {
			w.front.deliver(g.record(id('r', n), checkIn(n, n)))
		}
		w.turn()
		w.proveAll("gw-1", "gw-2")
		behind, _ := w.listed()
		w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"}) // gw-2 is away from now on
		if err := w.i.judge(t.Context(), g.holding(w.forged(t, behind.Version+c.above, w.i.ledger.Keys.Epoch), w.front.buckets, nil)); err != nil {
			t.Fatal(name, err)
		}
		w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 2).String(), Reason: "order"})
		m, _ := w.listed()
		if taken := m.Version > behind.Version+c.above; taken != c.taken || m.Version > behind.Version+gatewaysTake {
			t.Errorf("%s: after the thief's list %d the next one is %d, and gw-2 has %d", name, behind.Version+c.above, m.Version, behind.Version)
		}
		s, err := w.i.status()
		says := slices.ContainsFunc(s.Lines, func(line string) bool {
			return strings.Contains(line, "it is not taken over") && strings.Contains(line, "registryd trust new --replace issuer --as-false")
		})
		if err != nil || says == c.taken {
			t.Errorf("%s: status says %q (%v)", name, s.Lines, err)
		}
	}
}

// TestReinstateWhatAGatewayHolds: a thief's list has ended grants at one gateway, where
// their ids are never good again; here nobody has ended them. The gateway's hint, to
// reinstate them, works, and nothing waits for a word afterwards.
func TestReinstateWhatAGatewayHolds(t *testing.T) {
	for _, named := range []bool{true, false} {
		w := newWorld(t)
		g := w.enrolled("gw-1")
		for n := range 3 {
			w.front.deliver(g.record(id('r', n), checkIn(n, n)))
		}
		w.turn()
		a := operator.Act{Act: operator.ActReinstate, Reason: "mistake"}
		if a.Tenancy = id('t', 1).String(); named {
			a.Grant, a.Tenancy = id('g', 1).String(), ""
		}
		if _, err := w.i.act(t.Context(), "test", a); err == nil {
			t.Fatal("a grant is reinstated that is over nowhere")
		}
		if err := w.i.judge(t.Context(), g.holding(w.front.lists[building1], maps.Clone(w.front.buckets), nil, id('g', 1))); err != nil {
			t.Fatal(err)
		}
		if offers, err := w.i.offers(); err != nil || len(offers) != 1 || offers[0].Grants != 1 {
			t.Fatalf("%+v, %v", offers, err)
		}
		d := w.do(a)
		if len(d.New) != 1 || !d.Sent {
			t.Fatalf("%+v", d)
		}
		_, grants := w.listed()
		next, err := hexID(d.New[0])
		if err != nil || len(grants[next]) != 1 || grants[next][0].State != wire.GrantActive || grants[next][0].Credential != credential(1) {
			t.Fatalf("the new grant is %+v (%v)", grants[next], err)
		}
		w.want(1, wire.GrantRevoked)
		w.want(2, wire.GrantActive)
		if s, err := w.i.status(); err != nil || slices.ContainsFunc(s.Lines, func(line string) bool { return strings.Contains(line, "offers") }) {
			t.Errorf("status still says %q (%v)", s.Lines, err)
		}
	}
}

// TestTimeOfAThief: what a thief has said of the time, in a list or house document that
// was taken over, is not what the next ones say: in the first day at most a day of it,
// as a wrong clock may have said, and nothing under a key that has replaced his.
func TestTimeOfAThief(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for n := range 3 {
		w.front.deliver(g.record(id('r', n), checkIn(n, n)))
	}
	w.turn()
	w.proveAll("gw-1")
	m, _ := w.listed()
	w.thiefsTime = 40 * 24 * 3600
	if err := w.i.judge(t.Context(), g.holding(w.forged(t, m.Version+1, w.i.ledger.Keys.Epoch), w.front.buckets, nil)); err != nil {
		t.Fatal(err)
	}
	if m, _ := w.listed(); m.Issued > w.i.ledger.Clock.Ahead() || m.Version < 3 {
		t.Errorf("the list after the thief's is of %d s from now", int64(m.Issued)-int64(w.i.ledger.Clock.Unix()))
	}
	w.building().House.Issued += w.thiefsTime
	if err := w.update(func(c *ledger.Change) error {
		b, err := c.Open(building1)
		if err != nil {
			return err
		}
		c.SignHouse(b, b.House.Gateways)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if h := w.building().House; h.Issued > w.i.ledger.Clock.Ahead() {
		t.Errorf("the house document after the thief's is of %d s from now", int64(h.Issued)-int64(w.i.ledger.Clock.Unix()))
	}
	w.i.ledger.Keys.Epoch++ // the root has replaced the key
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 2).String(), Reason: "order"})
	if m := w.building().Lists.Newest.Manifest; m.Issued != w.i.ledger.Clock.Unix() {
		t.Errorf("under another key a list is of %d s from now", int64(m.Issued)-int64(w.i.ledger.Clock.Unix()))
	}
}
