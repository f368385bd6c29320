package front

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/evidence"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/unsealing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
	"gatehouse/sync/wire/whos"
)

// began is the wall clock of the first entry of these tests, unix s.
const began = 1_700_000_000

const (
	leapt = 20 // the entry whose clock is hours ahead of its neighbours'
	aside = 22 // the entry at a door that no mandate here asks for
)

// court is a scene with an approver, whose gateway has a passage a minute: of tenancy 1, 2, 1, ...
type court struct {
	*sealed
	approver ed25519.PrivateKey
	second   ed25519.PrivateKey // another approver of the same town
	parts    []whos.Part
	seals    *whos.Context
	sent     uint64 // entries

	greetings byte
}

func newCourt(t *testing.T, entries int, greets bool) *court {
	t.Helper()
	c := &court{sealed: newSealed(t), approver: newKey(t), second: newKey(t)}
	c.g = c.gateway("g1", 7)
	_, err := c.front.client.PutHouse(t.Context(), c.house(2, c.g))
	c.must(err)
	trust := wire.Trust{Version: 2, Issued: began, Registry: "test-registry", Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 1, Public: public(c.issuer)},
		{Role: wire.RoleWitness, Epoch: 1, Public: public(c.witness)}}, Records: c.public, Desk: c.kem, Escrow: c.kem, CAs: [][]byte{c.ca.Raw},
		Approvers: []approver.Approver{{Seat: "t1-1", Public: public(c.approver), District: "d1", Town: "t1"}, {Seat: "t1-2", Public: public(c.second), District: "d1", Town: "t1"}}}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "test-registry", Version: wire.VersionOf(trust)}, c.encode(trust), c.root)
	c.must(err)
	_, err = c.front.client.PutTrust(t.Context(), envelope)
	c.must(err)
	for i := range entries {
		at := i
		if i == leapt {
			at = 300
		}
		c.pass(at, wire.ID{byte(1 + i%2)})
	}
	c.seals = c.begin(c.g)
	if greets {
		c.greet()
	}
	for range entries / 10 {
		c.send()
	}
	return c
}

// send sends the next ten entries.
func (c *court) send() {
	c.t.Helper()
	first := int(c.sent)
	b := c.g.batch(first, 10)
	id := c.seals.ID()
	if b.Context = id[:]; first == 0 {
		b.Context = c.seals.Encapsulated()
	}
	var err error
	b.Sealed, err = c.seals.Seal(b.First, at(c.parts, first))
	c.must(err)
	if k, _ := c.say(wire.TypeBatch, b); k.Next != uint64(first+10) {
		c.t.Fatalf("stored through %d", k.Next)
	}
	c.sent += 10
}

// greet says the gateway's hello, before which nothing of it is cosigned.
func (c *court) greet() { c.announce(c.sent) }

// announce says a hello of a gateway that has so many entries.
func (c *court) announce(entries uint64) {
	c.t.Helper()
	c.greetings++
	c.say(wire.TypeHello, wire.Hello2{Hello: wire.Hello{Nonce: wire.Nonce{3, c.greetings}, Boot: 1, Epoch: c.g.epoch, Next: entries, Root: wire.Hash(c.g.ranges[entries].Root()),
		Trust: 1, Wall: 1, Software: "test"}, Formats: []uint64{1, 2, 3}})
}

// at returns the parts of the batch of ten entries from first on.
func at(all []whos.Part, first int) []whos.Part {
	part := slices.Clone(all[first : first+10])
	for i := range part {
		part[i].Index = uint16(i)
	}
	return part
}

// pass adds an entry of a tenancy, some minutes after the first one.
func (c *court) pass(minute int, tenancy wire.ID) {
	c.t.Helper()
	i := len(c.g.headers)
	who, err := wire.Who{Credential: &wire.CredentialID{tenancy[0]}, Tenancy: &tenancy, Method: wire.MethodCard}.Encode()
	c.must(err)
	h := wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "reader-1", Direction: wire.DirectionIn,
		Boot: 1, Counter: uint64(i), BootTime: uint64(i) * 60e9, Wall: began*1000 + int64(minute)*60_000, Clock: wire.ClockNTP}
	if i == aside {
		h.Door = "back"
	}
	if i == aside+1 { // and that door has a contact
		h.Kind, h.Outcome, h.Reason, h.Door = wire.KindOpened, 0, 0, "back"
	}
	if i == 0 {
		h = wire.Header{Boot: 1, Kind: wire.KindBoot, Wall: h.Wall, Clock: h.Clock, Detail: journaled.BootDetail(wire.ID{5}, "v1.2.3")}
	}
	header, err := h.Encode()
	c.must(err)
	part := whos.Part{Salt: [16]byte{byte(i), 1}, Who: who}
	hash := wire.WhoHash(part.Salt, who)
	c.parts = append(c.parts, part)
	c.g.headers, c.g.whos = append(c.g.headers, header), append(c.g.whos, hash[:])
	c.g.ranges = append(c.g.ranges, c.g.ranges[len(c.g.ranges)-1].Add(tlog.RecordHash(wire.LeafRecord(header, hash))))
}

// mandate asks for the passages of the front door in minutes 12 to 27, of a tenancy if one is given.
func (c *court) mandate(answers uint8, tenancies ...wire.ID) (mandates.Mandate, []byte) {
	c.t.Helper()
	now := uint32(c.front.clock.Likely().Unix())
	m := mandates.Mandate{Reference: wire.ID{9}, Status: mandates.Active, Issued: now - 60, Expires: now + 86400, Answers: answers,
		Request: mandates.Request{District: "d1", Town: "t1", Building: "b1", From: began + 12*60, Until: began + 27*60, Tenancies: tenancies,
			Gateways: []mandates.Gateway{{ID: "g1", Doors: []string{"front"}}}},
		Delivery: mandates.Delivery{Recipient: c.public, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "甲派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "乙分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"}}
	envelope, err := mandates.Sign(m, "test-registry", c.approver)
	c.must(err)
	return m, envelope
}

// open makes the evidence file of an answer as the holder of the records key does, and judges it.
func (c *court) open(m mandates.Mandate, envelope []byte, d api.Disclosed) (file []byte, r evidence.Report) {
	c.t.Helper()
	if len(d.Logs) != 1 {
		c.t.Fatalf("%d logs, refused: %v, left out: %v", len(d.Logs), d.Refusal, d.Left)
	}
	var batches []api.SealedBatch
	c.must(c.front.client.Mandated().Batches(c.t.Context(), d, d.Logs[0].Epoch, func(b api.SealedBatch) error { batches = append(batches, b); return nil }))
	o, err := unsealing.Answer{Disclosed: d, Log: d.Logs[0], Mandate: m, Envelope: envelope, Records: [][]byte{c.private}, Zone: "Asia/Shanghai", Software: "test"}.Open(batches, c.witness)
	c.must(err)
	var b bytes.Buffer
	c.must(evidence.Write(&b, o.Content))
	r, err = evidence.Verify(b.Bytes(), evidence.Trust{Root: c.root.Public().(ed25519.PublicKey)})
	c.must(err)
	return b.Bytes(), r
}

func (c *court) disclose(a api.Asked) api.Disclosed {
	c.t.Helper()
	d, err := c.front.client.Mandated().Disclose(c.t.Context(), a)
	c.must(err)
	return d
}

// TestDisclosure: what is handed out under a mandate is proved by gateway and witness, and has who it was
// for those alone whom the mandate names, in its time.
func TestDisclosure(t *testing.T) {
	c := newCourt(t, 40, true)
	m, envelope := c.mandate(1, wire.ID{2})
	d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	file, r := c.open(m, envelope, d)
	if !r.Whole() || r.SignedBy != evidence.ByWitness || r.Cosigned < 27 || !r.LogSigned {
		t.Errorf("whole %v, signed by %v, cosigned %d", r.Whole(), r.SignedBy, r.Cosigned)
	}
	if r.Manifest.First != 12 || r.Manifest.End() != 27 || r.Manifest.Counts.Named != 6 || r.Manifest.Counts.Withheld != 9 {
		t.Errorf("entries %d to %d, %+v", r.Manifest.First, r.Manifest.End(), r.Manifest.Counts)
	}
	for _, e := range r.Entries {
		if named := e.Who.Tenancy != nil; named != (e.Sequence%2 == 1 && e.Header.Door == "front") || named && *e.Who.Tenancy != (wire.ID{2}) {
			t.Errorf("entry %d names %v", e.Sequence, e.Who.Tenancy)
		}
	}
	if want := []evidence.Boot{{Number: 1, Software: "v1.2.3"}}; !slices.Equal(r.Manifest.Boots, want) {
		t.Errorf("the boots are %+v, want %+v", r.Manifest.Boots, want)
	}
	// The same answer again is the same file, also behind later entries, and after a new start.
	for i := range 10 {
		c.pass(40+i, wire.ID{2})
	}
	again := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1", Again: 1})
	if same, _ := c.open(m, envelope, again); !bytes.Equal(same, file) {
		t.Error("the answer is another one when it is asked for again")
	}
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Refusal == nil || d.Refusal.Name != "used_up" || d.Logs != nil {
		t.Errorf("a second answer: %+v", d)
	}
	c.restart()
	if same, _ := c.open(m, envelope, c.disclose(api.Asked{Mandate: envelope, Gateway: "g1", Again: 1})); !bytes.Equal(same, file) {
		t.Error("the answer is another one after a new start")
	}
}

// TestDisclosureOfEverybody: without a name the mandate has all who passed in its time, and none before or
// after that, whatever lies between the first and the last entry.
func TestDisclosureOfEverybody(t *testing.T) {
	c := newCourt(t, 40, true)
	m, envelope := c.mandate(2)
	_, r := c.open(m, envelope, c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}))
	if r.Manifest.Counts.Named != 12 || r.Entries[leapt-12].State != evidence.Withheld || r.Entries[aside-12].State != evidence.Withheld {
		t.Errorf("%+v", r.Manifest.Counts)
	}
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Number != 2 {
		t.Errorf("the second answer has the number %d", d.Number)
	}
}

// TestDisclosureOfEpochs: a file names all epochs that the registry knows of the gateway, with their heads, and
// asked for again those that it knew then.
func TestDisclosureOfEpochs(t *testing.T) {
	c := newCourt(t, 40, true)
	first := *c.g
	next := func(epoch uint64) evidence.Head {
		c.g.epoch, c.g.headers, c.g.whos, c.g.ranges, c.parts, c.sent = epoch, nil, nil, c.g.ranges[:1], nil, 0
		for i := range 10 {
			c.pass(100+i, wire.ID{1})
		}
		c.seals = c.begin(c.g)
		c.greet()
		c.send()
		return evidence.Head{Epoch: evidence.Epoch(epoch), Size: 10, Root: wire.Hash(c.g.ranges[10].Root())}
	}
	second := next(8)
	m, envelope := c.mandate(1)
	file, r := c.open(m, envelope, c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}))
	want := []evidence.Head{{Epoch: 7, Size: 40, Root: wire.Hash(first.ranges[40].Root())}, second}
	if !slices.Equal(r.Manifest.Epochs, want) || r.Manifest.Epoch != 7 {
		t.Errorf("%+v, want %+v", r.Manifest.Epochs, want)
	}
	next(9)
	if same, _ := c.open(m, envelope, c.disclose(api.Asked{Mandate: envelope, Gateway: "g1", Again: 1})); !bytes.Equal(same, file) {
		t.Error("with another epoch the answer is another one when it is asked for again")
	}
}

// TestDisclosureByAnotherKey: what the records key does not open is withheld, and told.
func TestDisclosureByAnotherKey(t *testing.T) {
	c := newCourt(t, 40, true)
	m, envelope := c.mandate(1)
	d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	var batches []api.SealedBatch
	c.must(c.front.client.Mandated().Batches(t.Context(), d, d.Logs[0].Epoch, func(b api.SealedBatch) error { batches = append(batches, b); return nil }))
	other, _, err := sealing.GenerateKey()
	c.must(err)
	a := unsealing.Answer{Disclosed: d, Log: d.Logs[0], Mandate: m, Envelope: envelope, Records: [][]byte{other}, Zone: "Asia/Shanghai", Software: "test"}
	o, err := a.Open(batches, c.witness)
	if err != nil || len(o.Lost) != 15 || len(o.Tenancies) != 0 {
		t.Errorf("%v, lost %d", err, len(o.Lost))
	}
	a.Records = [][]byte{other, c.private} // the one that opens them may be the older one
	if _, err := a.Open(batches[1:], c.witness); err == nil {
		t.Error("a log without its beginning was taken")
	}
	kept := batches[1]
	batches[1].Sealed = nil // as retention leaves it
	if o, err = a.Open(batches, c.witness); err != nil || !o.Content.Erased() {
		t.Errorf("%v, and nothing is said of what was erased", err)
	}
	// What is erased outside of what the mandate asks for is withheld like all else there, and nothing says so.
	batches[1] = kept
	seals, err := whos.Begin(c.public, c.g.place.Address(), c.g.epoch)
	c.must(err)
	batches[2].Encapsulated = seals.Encapsulated()
	batches[2].Sealed, err = seals.Seal(20, slices.DeleteFunc(at(c.parts, 20), func(p whos.Part) bool { return p.Index == leapt-20 || p.Index == aside-20 }))
	c.must(err)
	if o, err = a.Open(batches, c.witness); err != nil || o.Content.Erased() || len(o.Lost) != 0 {
		t.Errorf("%v, lost %v, and it says that what was not asked for is erased", err, o.Lost)
	}
	contact := false
	for _, door := range o.Content.Manifest.Doors {
		contact = contact || door.ID == "back" && door.Contact
	}
	if !contact {
		t.Errorf("a door with a contact is said to have none: %+v", o.Content.Manifest.Doors)
	}
}

// TestSealedOtherwise: a gateway that seals another name than its log has hashed keeps nobody's evidence
// back, and its word is not taken.
func TestSealedOtherwise(t *testing.T) {
	c := newCourt(t, 40, true)
	m, envelope := c.mandate(1)
	d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	var batches []api.SealedBatch
	c.must(c.front.client.Mandated().Batches(t.Context(), d, d.Logs[0].Epoch, func(b api.SealedBatch) error { batches = append(batches, b); return nil }))
	seals, err := whos.Begin(c.public, c.g.place.Address(), c.g.epoch)
	c.must(err)
	lie := at(c.parts, 10)
	lie[4].Who = lie[5].Who
	batches[1].Encapsulated = seals.Encapsulated()
	batches[1].Sealed, err = seals.Seal(10, lie)
	c.must(err)
	o, err := unsealing.Answer{Disclosed: d, Log: d.Logs[0], Mandate: m, Envelope: envelope, Records: [][]byte{c.private}, Zone: "Asia/Shanghai", Software: "test"}.Open(batches, c.witness)
	c.must(err)
	var b bytes.Buffer
	c.must(evidence.Write(&b, o.Content))
	r, err := evidence.Verify(b.Bytes(), evidence.Trust{Root: c.root.Public().(ed25519.PublicKey)})
	if err != nil || !r.Whole() || len(o.Lost) != 0 || !slices.Equal(o.Other, []uint64{14}) || r.Entries[14-12].State != evidence.Withheld {
		t.Errorf("%v, lost %v, other %v, the entry is %v", err, o.Lost, o.Other, r.Entries[14-12].State)
	}
}

// TestWithdrawn: who was shown the paper that withdraws a mandate answers it no more.
func TestWithdrawn(t *testing.T) {
	c := newCourt(t, 40, true)
	m, envelope := c.mandate(2)
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Number != 1 {
		t.Fatalf("%+v", d)
	}
	m.Status, m.StatusReason = mandates.Withdrawn, "案件撤销"
	back, err := mandates.Sign(m, "test-registry", c.approver)
	c.must(err)
	for _, paper := range [][]byte{back, envelope, back, envelope} {
		if d := c.disclose(api.Asked{Mandate: paper, Gateway: "g1"}); d.Refusal == nil || d.Refusal.Name != "withdrawn" {
			t.Errorf("%+v", d)
		}
	}
	now := c.front.clock.Likely()
	if n, err := c.front.client.Mandated().Counts(t.Context(), now.Add(-time.Hour), now.Add(time.Hour)); err != nil || n.Towns[0].Answers != 1 {
		t.Errorf("%v, counted %+v", err, n.Towns)
	}
}

// TestUnknownDoor: a door by another name is no proof that nobody came, and costs no answer.
func TestUnknownDoor(t *testing.T) {
	c := newCourt(t, 40, true)
	m, _ := c.mandate(1)
	m.Request.Gateways[0].Doors = []string{"frnt"}
	envelope, err := mandates.Sign(m, "test-registry", c.approver)
	c.must(err)
	d, err := c.front.client.Mandated().Disclose(t.Context(), api.Asked{Mandate: envelope, Gateway: "g1"})
	if err == nil || !strings.Contains(err.Error(), "g1 没有门 has no door frnt") || !strings.Contains(err.Error(), "no entry of a door of that name is stored") {
		t.Errorf("%v %+v", err, d)
	}
}

// TestNotDisclosed: nothing is handed out, and nothing is signed, but for an answer that is stored.
func TestNotDisclosed(t *testing.T) {
	c := newCourt(t, 20, true)
	m, envelope := c.mandate(1)
	forged := slices.Clone(envelope)
	forged[len(forged)-1] ^= 1
	if d := c.disclose(api.Asked{Mandate: forged, Gateway: "g1"}); d.Refusal == nil || d.Logs != nil {
		t.Errorf("a forged mandate: %+v", d)
	}
	if _, err := c.front.client.Mandated().Disclose(t.Context(), api.Asked{Mandate: envelope, Gateway: "g2"}); err == nil {
		t.Error("a gateway that is not there was answered for")
	}
	if _, err := c.front.client.Mandated().Disclose(t.Context(), api.Asked{Mandate: envelope, Gateway: "g1", Again: 1}); err == nil {
		t.Error("an answer that was never given was given again")
	}
	place := api.Place(c.g.place)
	of := api.Disclosed{Reference: wire.ID{9}, Number: 1, Place: place}
	if err := c.front.client.Mandated().Batches(t.Context(), of, 7, func(api.SealedBatch) error { return nil }); err == nil {
		t.Error("seals were handed out without an answer")
	}
	text := evidence.SignedText(c.g.checkpoint(20).Origin(), nil)
	if _, err := c.front.client.Mandated().Sign(t.Context(), api.ToSign{Reference: wire.ID{9}, Number: 1, Place: place, Epoch: 7, Text: []byte(text)}); err == nil {
		t.Error("the witness signed without an answer")
	}
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Number != 1 {
		t.Fatalf("refusals were counted: answer %d", d.Number)
	}
	m.Request.From -= 60
	wider, err := mandates.Sign(m, "test-registry", c.approver)
	c.must(err)
	if d, err := c.front.client.Mandated().Disclose(t.Context(), api.Asked{Mandate: wider, Gateway: "g1", Again: 1}); err == nil || !strings.Contains(err.Error(), "under another paper that has the same reference") {
		t.Errorf("another paper of that reference gets the answer again: %v, %s", err, sketch(d))
	}
	if _, err := c.front.client.Mandated().Sign(t.Context(), api.ToSign{Reference: wire.ID{9}, Number: 1, Place: place, Epoch: 7, Text: []byte(text)}); err != nil {
		t.Errorf("of an answer: %v", err)
	}
	other := evidence.SignedText(c.gateway("g2", 8).checkpoint(0).Origin(), nil)
	for _, bad := range []string{c.g.checkpoint(20).Text(), "cosignature/v1\ntime 1\n" + c.g.checkpoint(20).Text(), other, text + "x\n", text[:len(text)-1], ""} {
		if _, err := c.front.client.Mandated().Sign(t.Context(), api.ToSign{Reference: wire.ID{9}, Number: 1, Place: place, Epoch: 7, Text: []byte(bad)}); err == nil {
			t.Errorf("the witness signed %q", bad)
		}
	}
}

// TestNotDisclosedOfStrangers: a gateway that the house document names no more is not answered for, though the registry
// still knows it and has its log.
func TestNotDisclosedOfStrangers(t *testing.T) {
	c := newCourt(t, 40, true)
	_, envelope := c.mandate(1)
	_, err := c.front.client.PutHouse(t.Context(), c.house(3, c.gateway("g2", 8)))
	c.must(err)
	d, err := c.front.client.Mandated().Disclose(t.Context(), api.Asked{Mandate: envelope, Gateway: "g1"})
	if err == nil || !strings.Contains(err.Error(), "no gateway b1/g1") {
		t.Errorf("%v, %s", err, sketch(d))
	}
	_, err = c.front.client.PutHouse(t.Context(), c.house(4, c.g))
	c.must(err)
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Number != 1 {
		t.Errorf("named again: %s", sketch(d))
	}
}

// TestDisclosureWaits: what is not cosigned yet is no answer, and costs the mandate none.
func TestDisclosureWaits(t *testing.T) {
	c := newCourt(t, 40, false)
	m, envelope := c.mandate(1)
	d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	if d.Number != 0 || len(d.Logs) != 0 || len(d.Left) != 1 || d.Left[0].Why != api.NotCosigned {
		t.Fatalf("%+v", d)
	}
	c.greet()
	c.until("the log is cosigned, and that answers the mandate", func() bool {
		d = c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
		return len(d.Logs) > 0
	})
	if _, r := c.open(m, envelope, d); d.Number != 1 || !r.Whole() {
		t.Errorf("answer %d, whole %v", d.Number, r.Whole())
	}
}
