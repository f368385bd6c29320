package issuer

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/capacity"
	"gatehouse/internal/registry/issuer/enrol"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// flood makes what the key of one gateway can say, sealed and signed or not: it is
// put where records arrive.
func (w *world) flood(gateway string, n int, say func(i int) wire.Change) {
	w.t.Helper()
	err := w.update(func(c *ledger.Change) error {
		b, err := c.Open(building1)
		if err != nil {
			return err
		}
		for i := range n {
			ch := say(i)
			if _, err := wire.Encode(ch); err != nil {
				return err // no gateway's record is taken in so
			}
			c.Take(b, fold.Event{Record: id('f', b.Tenancies.Count()), Source: gateway, At: ch.At, Change: ch, Line: 9, Number: uint64(b.Tenancies.Count() + 1)})
		}
		c.Relist(b)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.turn()
}

// crowded are credentials whose ids begin with the same bits, for ever.
func crowded(n int) (c wire.CredentialID) {
	c[0] = 1
	binary.BigEndian.PutUint32(c[10:], uint32(n))
	return c
}

// TestThiefOfOneGateway: whatever the key of one gateway says, revocations of the
// building get into lists, and check-ins of the other gateway do.
func TestThiefOfOneGateway(t *testing.T) {
	t.Parallel()
	many := 9000
	if testing.Short() {
		many = 1000
	}
	bind := func(i int, c wire.Change) wire.Change {
		c.Op, c.Kind, c.Doors, c.Flat, c.Basis, c.Informed, c.Document = wire.OpBind, 0, nil, "", 0, false, 0
		return c
	}
	for name, f := range map[string]struct {
		n   int
		say func(i int) wire.Change
	}{
		"doors that nobody has": {60, func(i int) wire.Change {
			c := checkIn(1000+i, 1)
			c.Doors = nil
			for d := range 64 {
				c.Doors = append(c.Doors, fmt.Sprintf("door-%03d-that-nobody-ever-saw-%02d", i, d))
			}
			return c
		}},
		"grants of one card": {1000, func(i int) wire.Change {
			c := checkIn(1000+i, 1)
			c.Credentials = []wire.CredentialID{credential(1)}
			return c
		}},
		"cards of one bucket": {1000, func(i int) wire.Change {
			c := checkIn(1000+i, 1)
			c.Credentials = []wire.CredentialID{crowded(2 * i), crowded(2*i + 1)}
			return c
		}},
		"cards of one grant": {1000, func(i int) wire.Change {
			c := checkIn(1000, 1)
			c.Credentials = []wire.CredentialID{crowded(i)}
			if i > 0 {
				c = bind(i, c)
			}
			return c
		}},
		"cards for others' grants": {1000, func(i int) wire.Change {
			c := bind(i, checkIn(1, 1))
			c.Credentials = []wire.CredentialID{crowded(i)}
			return c
		}},
		"tenancies": {many, func(i int) wire.Change { return checkIn(1000+i, 1) }},
		"ended ones": {1000, func(i int) wire.Change {
			c := checkIn(1000+i/2, 1)
			c.Doors = []string{fmt.Sprintf("door-%d", i/2)}
			if i%2 == 1 {
				return other(wire.OpEnd, 1000+i/2, 2)
			}
			return c
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			w.enrolled("gw-2")
			w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
			w.turn()
			w.flood("gw-2", f.n, f.say)
			w.front.deliver(g.record(id('r', 2), checkIn(2, 1)))
			w.turn()
			w.want(2, wire.GrantActive)
			if d := w.do(operator.Act{Act: operator.ActEnd, Tenancy: id('t', 1).String(), Reason: "moved_out"}); !d.Sent {
				t.Fatalf("%+v", d)
			}
			_, grants := w.listed()
			if l := grants[id('g', 1)]; len(l) == 0 || l[0].State != wire.GrantRevoked {
				t.Fatalf("a revocation that gets into no list: %v", l)
			}
			if rows := w.building().Lists.Newest.Grants; len(rows) > capacity.MaxRows+2 {
				t.Fatalf("%d cards of one gateway are in the list", len(rows)-2)
			}
			w.reopen() // what was signed can be read again
			if _, err := report.Lists(w.i.ledger, building1); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCapacityForDoorSets: the sets of doors that a few gateways can think of do not
// fill the manifest, and what they left in it goes when others need the capacity.
func TestCapacityForDoorSets(t *testing.T) {
	w := newWorld(t)
	thieves := []string{"gw-2", "gw-3", "gw-4"}
	var doors []string
	for d := range 16 {
		doors = append(doors, fmt.Sprintf("door-%02d", d))
	}
	w.enrolled("gw-1")
	for _, name := range thieves {
		b := w.newBox(name)
		token := w.token(name, false)
		w.introduce(token)
		b.checkEnrolled(w.ask("enrol", b.place, b.requestFor(token, 0, doors...)))
	}
	all := func(round int, end bool) {
		for k, name := range thieves {
			w.flood(name, 200, func(i int) wire.Change {
				n := 1000*(3*round+k+1) + i
				if end {
					return other(wire.OpEnd, n, 2)
				}
				c := checkIn(n, 1)
				c.Doors = nil
				for d, door := range doors {
					if set := 600*round + 200*k + i + 1; set>>d&1 == 1 || d > 11 {
						c.Doors = append(c.Doors, door)
					}
				}
				return c
			})
		}
	}
	sets := func() int { m, _ := w.listed(); return len(m.DoorSets) }
	all(0, false)
	one := sets()
	w.flood("gw-1", 1, func(int) wire.Change { return checkIn(1, 1) })
	w.want(1, wire.GrantActive)
	if one < 300 || one >= 600 {
		t.Fatalf("%d sets of doors", one)
	}
	if p, err := report.Problems(w.i.ledger, building1); err != nil || !slices.ContainsFunc(p, func(p operator.Problem) bool { return strings.Contains(p.Text, "too many for one gateway") }) {
		t.Fatal(len(p), err)
	}
	all(0, true)
	w.proves("gw-1", "gw-2", "gw-3", "gw-4")
	if _, grants := w.listed(); len(grants) >= 600 {
		t.Fatalf("%d grants", len(grants))
	}
	all(1, false)
	w.flood("gw-1", 1, func(int) wire.Change { c := checkIn(2, 1); c.Doors = []string{"back", "front"}; return c })
	w.want(1, wire.GrantActive)
	w.want(2, wire.GrantActive)
	if two := sets(); two > one+300 {
		t.Fatalf("%d sets of doors, %d before", two, one)
	}
}

// TestListSurelyFits: with every limit reached a manifest is one message.
func TestListSurelyFits(t *testing.T) {
	m := wire.Manifest{Format: wire.ListFormat, Version: 1<<64 - 1, Issued: 1<<32 - 1, Bits: wire.MaxBucketBits, Buckets: make([]wire.Hash, 1<<wire.MaxBucketBits),
		Doors: []string{}, DoorSets: [][]uint16{}}
	for n := range building.MaxSeen {
		m.Seen = append(m.Seen, wire.Seen{Gateway: strings.Repeat("g", 29) + fmt.Sprintf("%03d", n), Line: 1<<64 - 1, Number: 1<<64 - 1})
	}
	size := 0
	for n := 0; size+34 <= capacity.MaxTables/2; n++ {
		m.Doors = append(m.Doors, strings.Repeat("d", 28)+fmt.Sprintf("%04d", n))
		size += 34
	}
	for size+3+3*64 <= capacity.MaxTables {
		var set []uint16
		for d := range 64 {
			set = append(set, uint16(d+100))
		}
		m.DoorSets = append(m.DoorSets, set)
		size += 3 + 3*64
	}
	payload, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	p := wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: 1<<64 - 1, Address: strings.Repeat("b", 32)}
	if _, err := wire.Sign(p, payload, key); err != nil {
		t.Fatal(err)
	}
	grants := make([]wire.Grant, capacity.MaxBucket)
	for n := range grants {
		grants[n] = wire.Grant{Credential: crowded(n), ID: id('g', n), Tenancy: id('t', n), Kind: wire.GrantBrigade, State: wire.GrantRevoked,
			DoorSet: 1<<16 - 1, From: 1<<32 - 2, Until: 1<<32 - 1}
	}
	if _, err := wire.EncodeBucket(grants); err != nil {
		t.Fatal(err)
	}
}

// TestDoorThatIsNotKnown: a check-in at a door that no gateway has said it has is
// kept and shown, counts as seen, and is listed when the gateway enrols again.
func TestDoorThatIsNotKnown(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	c := checkIn(1, 0)
	c.Doors = []string{"cellar", "front"}
	w.front.deliver(g.record(id('r', 1), c), g.record(id('r', 2), checkIn(2, 0)))
	w.turn()
	m, _ := w.listed()
	w.want(1, 0) // the gateways go by its record; a list that named less would end that
	w.want(2, wire.GrantActive)
	if len(m.Seen) != 1 || m.Seen[0].Number != 2 {
		t.Fatal(m.Seen)
	}
	says := func(text string) bool {
		all, err := report.Problems(w.i.ledger, building1)
		return err == nil && slices.ContainsFunc(all, func(p operator.Problem) bool { return strings.Contains(p.Text, text) })
	}
	if !says(`door "cellar"`) || !says("enrols again") {
		t.Fatal("nobody is told")
	}
	d := w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"})
	if d.Sent || !strings.Contains(d.Hint, "NO list") {
		t.Fatalf("an act that no door hears of: %+v", d)
	}
	w.do(operator.Act{Act: operator.ActResume, Grant: id('g', 1).String(), Reason: "found"})
	token := w.token("gw-1", true)
	w.introduce(token)
	if a := w.ask("enrol", g.place, g.requestFor(token, 0, "back", "cellar", "front")); a.Error != "" {
		t.Fatal(a.Error, a.Hint)
	}
	w.want(1, wire.GrantActive)
	if says("cellar") {
		t.Fatal("a problem that is none any more")
	}
	w.replaced("gw-1") // has no cellar; who is in the list stays
	w.want(1, wire.GrantActive)
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"})
	w.want(1, wire.GrantSuspended)
}

// TestEndOfWhatIsNotListed: an operator's end is in the next list, whatever doors
// the check-in named.
func TestEndOfWhatIsNotListed(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	c := checkIn(1, 0)
	c.Doors = []string{"cellar"}
	w.front.deliver(g.record(id('r', 1), c))
	w.turn()
	if d := w.do(operator.Act{Act: operator.ActEnd, Tenancy: id('t', 1).String(), Reason: "mistake"}); !d.Sent {
		t.Fatalf("%+v", d)
	}
	w.want(1, wire.GrantRevoked)
	if m, _ := w.listed(); slices.Contains(m.Doors, "cellar") {
		t.Fatal("a made-up door is in the list")
	}
	if all, err := report.Tenancies(w.i.ledger, building1); err != nil || all[0].Cause != "mistake" {
		t.Fatal(all, err)
	}
}

// TestRemovedGatewaysRest: what a gateway had in no list when it was removed comes
// into none, and its problem stays one.
func TestRemovedGatewaysRest(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.enrolled("gw-2")
	w.flood("gw-2", 100, func(i int) wire.Change {
		c := checkIn(1000+i, 1)
		c.Credentials = []wire.CredentialID{credential(7)}
		return c
	})
	_, before := w.listed()
	if err := w.update(func(c *ledger.Change) error { return enrol.Remove(c, building1, "gw-2") }); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		w.front.deliver(g.record(id('r', i), checkIn(i, 2)))
		w.turn()
	}
	_, after := w.listed()
	if len(before) != capacity.MaxNear || len(after) != capacity.MaxNear+5 {
		t.Fatalf("%d of it were listed, %d after", len(before), len(after)-5)
	}
	all, err := report.Problems(w.i.ledger, building1)
	n := 0
	for _, p := range all {
		if p.Gateway == "gw-2" {
			n++
		}
	}
	if err != nil || n != 1 {
		t.Fatalf("%d problems of its list, by %d lists: %v", n, 6, err)
	}
}

// TestListRefused: should a list be refused for a reason that nobody thought of,
// it is made without what is new of the gateway that has most; and if that does
// not help, the operator is told that there is none.
func TestListRefused(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.enrolled("gw-2")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	spoil := func(gateway string, kind wire.GrantKind) {
		b := w.building()
		for n := range 3 {
			c := checkIn(500+n, 1)
			c.Kind = kind
			b.Tenancies.Events[c.Grant] = []fold.Event{{Record: id('f', n), Source: gateway, At: c.At, Change: c, Arrival: 100 + n}}
			b.Tenancies.Fold(c.Grant)
		}
	}
	spoil("gw-2", 99)
	w.do(operator.Act{Act: operator.ActSuspend, Tenancy: id('t', 1).String(), Reason: "lost"})
	w.want(1, wire.GrantSuspended)
	w.building().Tenancies.Grants[id('g', 1)].CheckIn.Change.Kind = 99
	if err := w.update(relisted); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.update(relisted); err != nil {
			t.Fatal(err)
		}
	}
	p, err := report.Problems(w.i.ledger, building1)
	if n := len(slices.DeleteFunc(p, func(p operator.Problem) bool { return !strings.Contains(p.Text, "no list can be made") })); err != nil || n != 1 {
		t.Fatalf("%d problems: %v", n, err)
	}
	w.reopen() // from what is stored, which is good
	w.do(operator.Act{Act: operator.ActResume, Tenancy: id('t', 1).String(), Reason: "found"})
	w.want(1, wire.GrantActive)
	if p, _ := report.Problems(w.i.ledger, building1); len(p) != 0 {
		t.Fatal(p)
	}
}

// relisted has the building's list made anew.
func relisted(c *ledger.Change) error {
	b, err := c.Open(building1)
	if err == nil {
		c.Relist(b)
	}
	return err
}
