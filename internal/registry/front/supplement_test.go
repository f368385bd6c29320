package front

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	record "gatehouse/sync/wire/sealed"
)

// last asks for the newest answer with what has come since.
func (c *court) last(envelope []byte) api.Disclosed {
	c.t.Helper()
	return c.disclose(api.Asked{Mandate: envelope, Gateway: "g1", Last: true})
}

// sketch is what a test says of an answer: all of it is long.
func sketch(d api.Disclosed) string {
	return fmt.Sprintf("answer %d part %d, fresh %v, refused %v, closed %v, %d logs, left %v, lacks %+v, on site %+v", d.Number, d.Part, d.Fresh, d.Refusal, d.Closed, len(d.Logs), d.Left, d.Lacks, d.OnSite)
}

// leaves says the gateway's word that it is gone.
func (c *court) leaves() {
	c.t.Helper()
	c.until("the gateway is off line", func() bool {
		c.link.receive(c.g.say(wire.TypeStatus, wire.Status{Nonce: wire.Nonce{3, c.greetings}}))
		all, err := c.front.client.Gateways(c.t.Context(), "b1")
		c.must(err)
		return !all[0].Online
	})
}

// TestSupplement: an answer that lacks entries says how many and since when, and is given in full once they
// have come: as a part of its own, under the same number, and counted once.
func TestSupplement(t *testing.T) {
	c := newCourt(t, 20, true)
	for i := 20; i < 40; i++ {
		c.pass(i, wire.ID{byte(1 + i%2)})
	}
	c.announce(40)
	m, envelope := c.mandate(1)
	var first api.Disclosed
	c.until("what has come is cosigned", func() bool { first = c.last(envelope); return len(first.Logs) > 0 })
	if l := first.Lacks; first.Number != 1 || !first.Fresh || l == nil || !l.Online || l.Behind != 20 || l.Heard == nil || first.Logs[0].End != 20 {
		t.Fatalf("%s", sketch(first))
	}
	file, _ := c.open(m, envelope, first)
	c.send() // the rest of the mandate's time, and more is announced
	if d := c.last(envelope); d.Fresh || d.Part != 0 || d.Number != 1 || d.Lacks == nil || d.Lacks.Behind != 10 {
		t.Errorf("while the gateway sends: %s", sketch(d))
	}
	c.send()
	var whole api.Disclosed
	c.until("all has come", func() bool { whole = c.last(envelope); return whole.Lacks == nil })
	if whole.Number != 1 || whole.Part != 1 || !whole.Fresh || whole.Logs[0].End != 27 {
		t.Errorf("the supplement is %s", sketch(whole))
	}
	more, r := c.open(m, envelope, whole)
	if !r.Whole() || r.Manifest.First != 12 || r.Manifest.End() != 27 || len(more) <= len(file) {
		t.Errorf("whole %v, entries %d to %d", r.Whole(), r.Manifest.First, r.Manifest.End())
	}
	if same, _ := c.open(m, envelope, first); string(same) != string(file) {
		t.Error("the first part is another file now")
	}
	c.restart()
	for range 2 {
		if d := c.last(envelope); d.Fresh || d.Part != 1 || d.Number != 1 || d.Lacks != nil {
			t.Errorf("asked for once more: %s", sketch(d))
		}
	}
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1", Again: 1}); d.Part != 1 {
		t.Errorf("--again gives part %d", d.Part)
	}
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Refusal == nil || d.Refusal.Name != "used_up" {
		t.Errorf("a second use: %s", sketch(d))
	}
	now := c.front.clock.Likely()
	given, err := c.front.client.Mandated().Given(t.Context(), now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil || len(given) != 1 || given[0].Reference != m.Reference || given[0].Number != 1 || given[0].Part != 1 || !given[0].Complete || given[0].PartAt == nil {
		t.Errorf("%v %+v", err, given)
	}
}

// TestAway: a gateway that is away may have what nobody knows of. With nothing to hand out, nothing is counted; what
// it sends and then goes again is a part of the answer, and entries from behind the time show that there is no more.
func TestAway(t *testing.T) {
	c := newCourt(t, 10, true)
	c.leaves()
	_, envelope := c.mandate(1)
	if d := c.last(envelope); d.Number != 0 || d.Lacks == nil || d.Lacks.Online || d.Lacks.Heard == nil {
		t.Errorf("%s", sketch(d))
	}
	for i := 10; i < 40; i++ {
		c.pass(i, wire.ID{byte(1 + i%2)})
	}
	c.announce(20)
	c.send()
	c.leaves()
	if d := c.last(envelope); d.Number != 1 || d.Part != 0 || d.Lacks == nil || d.Lacks.Behind != 0 || d.Lacks.Online {
		t.Errorf("%s", sketch(d))
	}
	if d := c.last(envelope); d.Number != 1 || d.Part != 0 || d.Fresh || d.Lacks == nil {
		t.Errorf("with nothing new: %s", sketch(d))
	}
	c.announce(30)
	c.send()
	c.leaves()
	if d := c.last(envelope); d.Number != 1 || d.Part != 1 || d.Lacks == nil {
		t.Errorf("%s", sketch(d))
	}
	c.announce(40)
	c.send()
	c.leaves()
	if d := c.last(envelope); d.Number != 1 || d.Part != 2 || d.Lacks != nil {
		t.Errorf("%s", sketch(d))
	}
}

// TestSupplementEnds: nothing follows a mandate that has ended, and what was given stays.
func TestSupplementEnds(t *testing.T) {
	c := newCourt(t, 20, true)
	clock := &machine{wall: time.Now(), boot: time.Hour}
	c.by(clock)
	for i := 20; i < 40; i++ {
		c.pass(i, wire.ID{1})
	}
	c.announce(40)
	_, envelope := c.mandate(1)
	var d api.Disclosed
	c.until("it is answered", func() bool { d = c.last(envelope); return d.Number == 1 })
	c.send()
	c.send()
	clock.set(0, 25*time.Hour)
	c.until("all has come", func() bool { d = c.last(envelope); return d.Lacks == nil })
	if d.Number != 1 || d.Part != 0 || d.Fresh || d.Closed == nil || d.Closed.Name != "expired" {
		t.Errorf("%s", sketch(d))
	}
}

// TestTwoOperators: who asks at the same time gets one answer, and it is counted once.
func TestTwoOperators(t *testing.T) {
	c := newCourt(t, 40, true)
	_, envelope := c.mandate(3)
	var all [8]api.Disclosed
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			all[i], _ = c.front.client.Mandated().Disclose(t.Context(), api.Asked{Mandate: envelope, Gateway: "g1", Last: true})
		})
	}
	wait.Wait()
	fresh := 0
	for _, d := range all {
		if d.Fresh {
			fresh++
		}
		if d.Number != 1 || len(d.Logs) != 1 {
			t.Errorf("%s", sketch(d))
		}
	}
	if fresh != 1 {
		t.Errorf("%d answers were counted", fresh)
	}
}

// sealedUse adds the entry of a use on site to a gateway's log, nine others behind it, and sends them.
func (c *court) sealedUse(g *model, detail []byte) {
	c.t.Helper()
	for i := range 10 {
		h := wire.Header{Kind: wire.KindSealed, Boot: 1, Counter: uint64(len(g.headers)), BootTime: 1e12, Wall: began*1000 + 3_600_000, Clock: wire.ClockNTP, Detail: detail}
		if i > 0 {
			var err error
			h.Detail, err = record.SealCover(c.public, g.place.Address())
			c.must(err)
		}
		header, err := h.Encode()
		c.must(err)
		g.headers, g.whos = append(g.headers, header), append(g.whos, nil)
		g.ranges = append(g.ranges, g.ranges[len(g.ranges)-1].Add(tlog.RecordHash(wire.LeafRecord(header, [32]byte{}))))
	}
	c.sayOf(g, g.batch(len(g.headers)-10, 10))
}

// sayOf sends a batch until it is stored.
func (c *court) sayOf(g *model, b wire.Batch) {
	c.t.Helper()
	c.link.receive(g.say(wire.TypeBatch, b))
	c.until("the entries are stored", func() bool {
		all, err := c.front.client.Gateways(c.t.Context(), "b1")
		c.must(err)
		for _, at := range all {
			if at.Gateway == g.place.Gateway && at.Stored == b.First+uint64(len(b.Headers)) {
				return true
			}
		}
		return false
	})
}

func (c *court) useOf(g *model, reference wire.ID, paper []byte) []byte {
	c.t.Helper()
	sum := sha256.Sum256(paper)
	detail, err := record.Seal(c.public, g.place.Address(), reference[:], record.Record{What: record.Answer, Mandate: sum[:], Reference: reference[:], Use: 1})
	c.must(err)
	return detail
}

// TestUsedOnSite: a use on site counts at the registry once its entry has come, once however often that
// comes, and is told.
func TestUsedOnSite(t *testing.T) {
	c := newCourt(t, 40, true)
	m, envelope := c.mandate(2)
	c.sealedUse(c.g, c.useOf(c.g, wire.ID{77}, envelope)) // another mandate
	sum := sha256.Sum256(envelope)
	refused, err := record.Seal(c.public, c.g.place.Address(), m.Reference[:], record.Record{What: record.Refusal, Mandate: sum[:], Reference: m.Reference[:], Refusal: "not_yet"})
	c.must(err)
	c.sealedUse(c.g, refused)
	detail := c.useOf(c.g, m.Reference, envelope)
	for range 2 { // the second as after a disk was set back
		c.sealedUse(c.g, detail)
	}
	d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	if d.Number != 2 || len(d.OnSite) != 1 || d.OnSite[0].Uses != 1 || d.OnSite[0].Other != 0 || d.OnSite[0].Place.Gateway != "g1" || d.OnSite[0].Heard.IsZero() {
		t.Errorf("answer %d, on site %+v", d.Number, d.OnSite)
	}
	d = c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	if d.Refusal == nil || d.Refusal.Name != "used_up" || len(d.OnSite) != 1 {
		t.Errorf("a third use: %s", sketch(d))
	}
	// Replayed at the gateway of a disk that was set back to before the use: another entry, another use.
	c.sealedUse(c.g, c.useOf(c.g, m.Reference, envelope))
	if d := c.last(envelope); d.Number != 2 || d.Fresh || len(d.OnSite) != 1 || d.OnSite[0].Uses != 2 {
		t.Errorf("heard of later: answer %d, on site %+v", d.Number, d.OnSite)
	}
	// The paper that takes the mandate back is no other one.
	m.Status, m.StatusReason = mandates.Withdrawn, "案件撤销"
	back, err := mandates.Sign(m, "test-registry", c.approver)
	c.must(err)
	if d := c.disclose(api.Asked{Mandate: back, Gateway: "g1"}); d.Refusal == nil || d.Refusal.Name != "withdrawn" || len(d.OnSite) != 1 || d.OnSite[0].Uses != 2 || d.OnSite[0].Other != 0 {
		t.Errorf("withdrawn: %s", sketch(d))
	}
}

// TestSplit: papers with one reference, for one gateway each, have no more answers than one of them; of two gateways
// that one paper names each has its own.
func TestSplit(t *testing.T) {
	c := newCourt(t, 40, true)
	g2 := c.gateway("g2", 8)
	_, err := c.front.client.PutHouse(t.Context(), c.house(3, c.g, g2))
	c.must(err)
	one, split := c.mandate(1)
	both := one
	both.Reference = wire.ID{10}
	both.Request.Gateways = append(both.Request.Gateways, mandates.Gateway{ID: "g2", Doors: []string{"front"}})
	wide, err := mandates.Sign(both, "test-registry", c.approver)
	c.must(err)
	other := one
	other.Request.Gateways = []mandates.Gateway{{ID: "g2", Doors: []string{"front"}}}
	second, err := mandates.Sign(other, "test-registry", c.approver)
	c.must(err)
	c.sealedUse(g2, c.useOf(g2, both.Reference, wide))
	c.sealedUse(g2, c.useOf(g2, one.Reference, second))
	if d := c.disclose(api.Asked{Mandate: wide, Gateway: "g1"}); d.Number != 1 || len(d.OnSite) != 1 || d.OnSite[0].Place.Gateway != "g2" {
		t.Errorf("the gateway that was not asked on site: %s", sketch(d))
	}
	if d := c.disclose(api.Asked{Mandate: wide, Gateway: "g2"}); d.Refusal == nil || d.Refusal.Name != "used_up" {
		t.Errorf("the one that was: %s", sketch(d))
	}
	if d := c.disclose(api.Asked{Mandate: split, Gateway: "g1"}); d.Refusal == nil || d.Refusal.Name != "used_up" || len(d.OnSite) != 1 || d.OnSite[0].Other != 1 {
		t.Errorf("a split mandate: %s", sketch(d))
	}
	// The same at the registry alone.
	one.Reference, other.Reference = wire.ID{11}, wire.ID{11}
	split, err = mandates.Sign(one, "test-registry", c.approver)
	c.must(err)
	other.Request.Flats, other.Request.From = nil, other.Request.From-60
	other.Request.Gateways = one.Request.Gateways
	second, err = mandates.Sign(other, "test-registry", c.approver)
	c.must(err)
	if d := c.disclose(api.Asked{Mandate: split, Gateway: "g1"}); d.Number != 1 {
		t.Errorf("%s", sketch(d))
	}
	if d := c.last(second); d.Refusal == nil || d.Refusal.Name != "used_up" {
		t.Errorf("another paper of that reference gets the answer: %s", sketch(d))
	}
	if d, err := c.front.client.Mandated().Disclose(t.Context(), api.Asked{Mandate: second, Gateway: "g1", Again: 1}); err == nil {
		t.Errorf("and it once more: %s", sketch(d))
	}
}
