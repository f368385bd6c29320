package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/internal/canonical"
	"gatehouse/sync/wire/periods"
)

// refused has the same message twice: good, and wrong in one thing.
type refused struct {
	name string
	bad  Payload
}

// TestRefuses: what no message may say is neither written nor read. Reading is
// proved with the bytes that a careless writer would make.
func TestRefuses(t *testing.T) {
	doors := func(n int) (all []string) {
		for i := range n {
			all = append(all, string([]byte{'a' + byte(i/26/26), 'a' + byte(i/26%26), 'a' + byte(i%26)}))
		}
		return all
	}
	long := strings.Repeat("x", 65)
	gateway := sampleHouse().Gateways[0]
	for _, c := range []refused{
		{"hello: software", with(sampleHello(), func(h *Hello) { h.Software = long })},
		{"hello 2: software", with(sampleHello2(), func(h *Hello2) { h.Software = long })},
		{"hello 2: no format", with(sampleHello2(), func(h *Hello2) { h.Formats = nil })},
		{"hello 2: format 0", with(sampleHello2(), func(h *Hello2) { h.Formats = []uint64{0, 1} })},
		{"hello 2: formats out of order", with(sampleHello2(), func(h *Hello2) { h.Formats = []uint64{2, 2} })},
		{"hello 2: many formats", with(sampleHello2(), func(h *Hello2) {
			for h.Formats = nil; len(h.Formats) <= maxFormats; {
				h.Formats = append(h.Formats, uint64(len(h.Formats)+1))
			}
		})},
		{"batch: epoch", with(sampleBatch(t), func(b *Batch) { b.Epoch = 0 })},
		{"batch: nothing", with(sampleBatch(t), func(b *Batch) { b.Headers, b.Whos = nil, nil })},
		{"batch: fewer hashes", with(sampleBatch(t), func(b *Batch) { b.Whos = b.Whos[:1] })},
		{"batch: hash of 31 bytes", with(sampleBatch(t), func(b *Batch) { b.Whos = [][]byte{seq(0, 31), nil} })},
		{"batch: empty header", with(sampleBatch(t), func(b *Batch) { b.Headers = [][]byte{{}, {1}} })},
		{"batch: end of numbers", with(sampleBatch(t), func(b *Batch) {
			b.First = 1<<64 - 2
			b.Headers = append(b.Headers, []byte{1})
			b.Whos = append(b.Whos, nil)
		})},
		{"batch: too many", with(sampleBatch(t), func(b *Batch) { b.Headers, b.Whos = some(MaxBatch+1), make([][]byte, MaxBatch+1) })},
		{"batch: half an id", with(sampleBatch(t), func(b *Batch) { b.Context = seq(0, 15) })},
		{"batch: long key", with(sampleBatch(t), func(b *Batch) { b.Context = make([]byte, maxKEM+1) })},
		{"batch: context of nothing", with(sampleBatch(t), func(b *Batch) { b.Context, b.Sealed = seq(0, 16), nil })},
		{"notice: epoch", Notice{Header: []byte{1}}}, {"notice: header", Notice{Epoch: 1}},
		{"want: too much", Want{Buckets: make([]Hash, MaxWanted+1)}},
		{"delivery: nothing", Delivery{}}, {"delivery: large person", Delivery{Record: []byte{1}, Person: make([]byte, MaxPerson+1)}},
		{"list: no manifest", ListPart{}}, {"list: too many", ListPart{Manifest: []byte{1}, Buckets: make([][]byte, 1<<MaxBucketBits+1)}},
		{"list: deep proof", ListPart{Manifest: []byte{1}, Proof: make([]Hash, maxProof+1)}}, {"list: place without proof", ListPart{Manifest: []byte{1}, Index: 1}},
		{"list: place beyond", ListPart{Manifest: []byte{1}, Proof: make([]Hash, 1), Index: 1 << 63}},
		{"holding: no parts", with(sampleHolding(), func(h *Holding) { h.Parts = 0 })}, {"holding: part beyond", with(sampleHolding(), func(h *Holding) { h.Part = 2 })},
		{"holding: manifest in part 1", with(sampleHolding(), func(h *Holding) { h.Part = 1 })}, {"holding: second alone", with(sampleHolding(), func(h *Holding) { h.Manifest = nil })},
		{"holding: many", with(sampleHolding(), func(h *Holding) { h.Tombstones = make([]ID, MaxTombstones+1) })},
		{"house: long past", with(sampleHouse(), func(h *House) { h.Earlier = make([]Hash, MaxEarlier+1) })},
		{"roll: order", Roll{Have: []ID{{2}, {1}}}}, {"roll: too many", Roll{Have: make([]ID, MaxHave+1)}},
		{"key: nobody", KeyShare{Sealed: []byte{1}}}, {"key: nothing", KeyShare{To: "gate-2"}}, {"key: large", KeyShare{To: "gate-2", Sealed: make([]byte, maxKEM+1)}},
		{"record: line", with(sampleRecord(), func(r *Record) { r.Line = 0 })}, {"record: number", with(sampleRecord(), func(r *Record) { r.Number = 0 })},
		{"record: id", with(sampleRecord(), func(r *Record) { r.ID = ID{} })}, {"record: house", with(sampleRecord(), func(r *Record) { r.House = nil })},
		{"record: desk", with(sampleRecord(), func(r *Record) { r.Desk = make([]byte, 8193) })},
		{"trust: version", with(sampleTrust(), func(x *Trust) { x.Version = 0 })}, {"trust: time", with(sampleTrust(), func(x *Trust) { x.Issued = 0 })},
		{"trust: registry", with(sampleTrust(), func(x *Trust) { x.Registry = "City" })}, {"trust: no CA", with(sampleTrust(), func(x *Trust) { x.CAs = nil })},
		{"trust: empty CA", with(sampleTrust(), func(x *Trust) { x.CAs = [][]byte{{}} })}, {"trust: many CAs", with(sampleTrust(), func(x *Trust) { x.CAs = some(9) })},
		{"trust: no records key", with(sampleTrust(), func(x *Trust) { x.Records = nil })}, {"trust: no desk key", with(sampleTrust(), func(x *Trust) { x.Desk = nil })},
		{"trust: no escrow key", with(sampleTrust(), func(x *Trust) { x.Escrow = nil })}, {"trust: no keys", with(sampleTrust(), func(x *Trust) { x.Keys = nil })},
		{"trust: a second root", with(sampleTrust(), func(x *Trust) { x.Keys = []RoleKey{{Role: RoleRoot}} })},
		{"trust: a gateway's", with(sampleTrust(), func(x *Trust) { x.Keys = []RoleKey{{Role: RoleGateway}} })},
		{"trust: a key of an epoch taken back", with(sampleTrust2(), func(x *Trust) { x.False = []RoleEpoch{{Role: RoleWitness, Epoch: 2}} })},
		{"trust: taken back twice", with(sampleTrust2(), func(x *Trust) { x.False = append(x.False, x.False[0]) })},
		{"trust: a gateway's taken back", with(sampleTrust2(), func(x *Trust) { x.False = []RoleEpoch{{Role: RoleGateway}} })},
		{"trust: approvers out of order", with(sampleTrust4(), func(x *Trust) { slices.Reverse(x.Approvers) })},
		{"trust: an approver twice", with(sampleTrust4(), func(x *Trust) { x.Approvers[1].Public = x.Approvers[0].Public })},
		{"trust: an approver of no district", with(sampleTrust4(), func(x *Trust) { x.Approvers[0].District = "" })},
		{"trust: an approver without a key", with(sampleTrust4(), func(x *Trust) { x.Approvers[0].Public = [32]byte{} })},
		{"trust: an approver without a seat", with(sampleTrust4(), func(x *Trust) { x.Approvers[0].Seat = "" })},
		{"trust: too many approvers", with(sampleTrust4(), func(x *Trust) { x.Approvers = make([]approver.Approver, approver.Most+1) })},
		{"trust: a policy that says nothing", with(sampleTrust5(), func(x *Trust) { x.Retention = &periods.Periods{} })},
		{"trust: a policy of 401 days", with(sampleTrust5(), func(x *Trust) { x.Retention = &periods.Periods{Acts: periods.Most + 1} })},
		{"trust: an address of none", with(sampleTrust2(), func(x *Trust) { x.Addresses = []string{"https://registry.example.org"} })},
		{"house: version", with(sampleHouse(), func(h *House) { h.Version = 0 })}, {"house: time", with(sampleHouse(), func(h *House) { h.Issued = 0 })},
		{"house: district", with(sampleHouse(), func(h *House) { h.District = "" })}, {"house: town", with(sampleHouse(), func(h *House) { h.Town = "a/b" })},
		{"house: same gateway", with(sampleHouse(), func(h *House) { h.Gateways = []HouseGateway{gateway, gateway} })},
		{"house: no seal key", with(sampleHouse(), func(h *House) { h.Gateways = []HouseGateway{with(gateway, func(g *HouseGateway) { g.KEM = nil })} })},
		{"house: name", with(sampleHouse(), func(h *House) { h.Gateways = []HouseGateway{with(gateway, func(g *HouseGateway) { g.ID = "+" })} })},
		{"house: doors", with(sampleHouse(), func(h *House) {
			h.Gateways = []HouseGateway{with(gateway, func(g *HouseGateway) { g.Doors = []string{"b", "a"} })}
		})},
		{"house: many doors", with(sampleHouse(), func(h *House) {
			h.Gateways = []HouseGateway{with(gateway, func(g *HouseGateway) { g.Doors = doors(65) })}
		})},
		{"house: flats", with(sampleHouse(), func(h *House) { h.Flats = []string{"b", "a"} })}, {"house: empty flat", with(sampleHouse(), func(h *House) { h.Flats = []string{""} })},
		{"house: a flat that writes on the screen", with(sampleHouse(), func(h *House) { h.Flats = []string{"\x1b[2J"} })},
		{"house: many flats", with(sampleHouse(), func(h *House) { h.Flats = doors(MaxFlats + 1) })},
		{"token: hosts", with(sampleToken(), func(x *Token) { x.Enrol = "" })}, {"token: registry", with(sampleToken(), func(x *Token) { x.Registry = "" })},
		{"token: place", with(sampleToken(), func(x *Token) { x.Place[2] = "" })}, {"token: house", with(sampleToken(), func(x *Token) { x.Place[3] = HouseLevel })},
		{"enrol: seal key", with(sampleEnrol(t), func(r *EnrolRequest) { r.KEM = nil })}, {"enrol: request", with(sampleEnrol(t), func(r *EnrolRequest) { r.CSR = nil })},
		{"enrol: number, no escrow", with(sampleEnrol(t), func(r *EnrolRequest) { r.Escrow = nil })}, {"enrol: escrow, no number", with(sampleEnrol(t), func(r *EnrolRequest) { r.Number = 0 })},
		{"enrol: the daily key", with(sampleEnrol(t), func(r *EnrolRequest) { r.Number = 255 })}, {"enrol: doors", with(sampleEnrol(t), func(r *EnrolRequest) { r.Doors = []string{"a", "a"} })},
		{"enrol: software", with(sampleEnrol(t), func(r *EnrolRequest) { r.Software = long })},
		{"renew: nothing", RenewRequest{}}, {"renew: large", RenewRequest{CSR: make([]byte, maxKEM+1)}},
		{"introduction: nothing", Introduction{}}, {"enrolled: nothing", Enrolled{}}, {"enrolled: chain", Enrolled{Trust: []byte{1}, House: []byte{1}, Certificates: some(5)}},
		{"person: tenancy", with(samplePerson(), func(p *Person) { p.Tenancy = ID{} })}, {"person: document", with(samplePerson(), func(p *Person) { p.Document = LastDocument + 1 })},
		{"person: nothing", Person{Tenancy: ID{1}}},
		{"person: number", with(samplePerson(), func(p *Person) { p.Number = "" })}, {"person: name", with(samplePerson(), func(p *Person) { p.Name = "" })},
		{"person: only a name", with(samplePerson(), func(p *Person) { p.Document, p.Number = 0, "" })},
		{"person: only a number", with(samplePerson(), func(p *Person) { p.Document, p.Name = 0, "" })},
		{"person: only a document", with(samplePerson(), func(p *Person) { p.Number, p.Name = "", "" })},
		{"person: card", with(samplePerson(), func(p *Person) { p.Cards[0].Bits = 40 })}, {"person: no bits", with(samplePerson(), func(p *Person) { p.Cards = []RawCard{{}} })},
	} {
		refuse(t, c.name, c.bad)
	}
}

func some(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = []byte{1}
	}
	return all
}

func refuse(t *testing.T, name string, bad Payload) {
	t.Helper()
	if _, err := Encode(bad); !errors.Is(err, ErrMalformed) {
		t.Errorf("%s: encoded: %v", name, err)
	}
	b, err := canonical.Marshal(bad)
	must(t, b, err)
	if err := decodeLike(bad, b); !errors.Is(err, ErrMalformed) {
		t.Errorf("%s: decoded: %v", name, err)
	}
}

func decodeAs[P Payload](b []byte) error { var p P; return Decode(b, &p) }

func decodeLike(p Payload, b []byte) error {
	switch p.(type) {
	case Hello:
		return decodeAs[Hello](b)
	case Hello2:
		return decodeAs[Hello2](b)
	case Batch:
		return decodeAs[Batch](b)
	case Notice:
		return decodeAs[Notice](b)
	case Want:
		return decodeAs[Want](b)
	case Delivery:
		return decodeAs[Delivery](b)
	case ListPart:
		return decodeAs[ListPart](b)
	case Holding:
		return decodeAs[Holding](b)
	case Roll:
		return decodeAs[Roll](b)
	case KeyShare:
		return decodeAs[KeyShare](b)
	case Record:
		return decodeAs[Record](b)
	case Change:
		return decodeAs[Change](b)
	case Person:
		return decodeAs[Person](b)
	case Trust:
		return decodeAs[Trust](b)
	case House:
		return decodeAs[House](b)
	case Token:
		return decodeAs[Token](b)
	case EnrolRequest:
		return decodeAs[EnrolRequest](b)
	case RenewRequest:
		return decodeAs[RenewRequest](b)
	case Introduction:
		return decodeAs[Introduction](b)
	case Enrolled:
		return decodeAs[Enrolled](b)
	}
	return nil
}

// TestChangeRefuses: each change has what belongs to it, and nothing else.
func TestChangeRefuses(t *testing.T) {
	in := sampleCheckIn()
	for _, c := range []refused{
		{"op 0", with(in, func(c *Change) { c.Op = 0 })}, {"op 9", with(in, func(c *Change) { c.Op = 9 })}, {"no time", with(in, func(c *Change) { c.At = 0 })},
		{"clock", with(in, func(c *Change) { c.Clock = 5 })}, {"no proof", with(in, func(c *Change) { c.Proof = 0 })}, {"proof 6", with(in, func(c *Change) { c.Proof = 6 })},
		{"no tenancy", with(in, func(c *Change) { c.Tenancy = ID{} })}, {"no grant", with(in, func(c *Change) { c.Grant = ID{} })},
		{"no card", with(in, func(c *Change) { c.Credentials = nil })}, {"too many cards", with(in, func(c *Change) { c.Credentials = make([]CredentialID, 17) })},
		{"key number 0", with(in, func(c *Change) { c.Credentials = make([]CredentialID, 1) })}, {"the daily key", with(in, func(c *Change) { c.Credentials = []CredentialID{{255}} })},
		{"kind", with(in, func(c *Change) { c.Kind = 5 })}, {"no kind", with(in, func(c *Change) { c.Kind = 0 })}, {"no door", with(in, func(c *Change) { c.Doors = nil })},
		{"doors", with(in, func(c *Change) { c.Doors = []string{"front", "bikes"} })}, {"no flat", with(in, func(c *Change) { c.Flat = "" })}, {"flat of two lines", with(in, func(c *Change) { c.Flat = "3b\n4a" })},
		{"flat of 65 bytes", with(in, func(c *Change) { c.Flat = strings.Repeat("x", 65) })},
		{"no basis", with(in, func(c *Change) { c.Basis = 0 })}, {"basis 4", with(in, func(c *Change) { c.Basis = 4 })}, {"no document", with(in, func(c *Change) { c.Document = 0 })},
		{"over before it begins", with(in, func(c *Change) { c.Until = c.From })}, {"a cause", with(in, func(c *Change) { c.Cause = CauseDied })},
		{"end without cause", with(sampleChange(OpEnd), func(c *Change) { c.Cause = 0 })}, {"cause 8", with(sampleChange(OpEnd), func(c *Change) { c.Cause = 8 })},
		{"notice without end", with(sampleChange(OpNotice), func(c *Change) { c.Until = 0 })}, {"dispute with end", with(sampleChange(OpDispute), func(c *Change) { c.Until = 5 })},
		{"end with card", with(sampleChange(OpEnd), func(c *Change) { c.Credentials = in.Credentials })}, {"suspend without card", with(sampleChange(OpSuspend), func(c *Change) { c.Credentials = nil })},
		{"bind with flat", with(sampleChange(OpBind), func(c *Change) { c.Flat = "1" })}, {"resume with doors", with(sampleChange(OpResume), func(c *Change) { c.Doors = in.Doors })},
		{"withdraw with kind", with(sampleChange(OpWithdraw), func(c *Change) { c.Kind = GrantResident })}, {"bind with document", with(sampleChange(OpBind), func(c *Change) { c.Document = 1 })},
		{"suspend with begin", with(sampleChange(OpSuspend), func(c *Change) { c.From = 1 })}, {"bind kept briefly", with(sampleChange(OpBind), func(c *Change) { c.Brief = true })}, {"end informed", with(sampleChange(OpEnd), func(c *Change) { c.Informed = true })},
	} {
		refuse(t, c.name, c.bad)
	}
	open := with(in, func(c *Change) { c.Until = 0 })
	if _, err := Encode(open); err != nil {
		t.Errorf("a check-in without end: %v", err)
	}
}

// TestLimits: the largest of what is allowed fits into one envelope.
func TestLimits(t *testing.T) {
	b := with(sampleBatch(t), func(b *Batch) {
		b.Headers, b.Whos, b.Sealed = nil, nil, make([]byte, MaxBatchSize-700*70)
		for range 700 {
			b.Headers, b.Whos = append(b.Headers, make([]byte, 38)), append(b.Whos, make([]byte, 32))
		}
	})
	if _, err := Encode(with(b, func(b *Batch) { b.Sealed = append(b.Sealed, 0) })); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a batch over its size: %v", err)
	}
	sealed := func(n int) []byte { return make([]byte, n) }
	record := with(sampleRecord(), func(r *Record) { r.House, r.Desk = sealed(8192), sealed(8192) })
	for _, p := range []Payload{b, Delivery{Record: sealed(20 << 10), Person: sealed(MaxPerson)}, record,
		Want{Buckets: make([]Hash, MaxWanted)}, ListPart{Manifest: sealed(14 << 10), Buckets: [][]byte{sealed(MaxBucket)}},
		Roll{Have: make([]ID, MaxHave)}, KeyShare{To: "gate-2", Sealed: sealed(maxKEM)}} {
		payload, err := Encode(p)
		must(t, payload, err)
		if _, err := Sign(Protected{Type: TypeBatch, Role: RoleGateway, Address: "house-1/gate-1"}, payload, testKey()); err != nil {
			t.Errorf("%T: %v", p, err)
		}
	}
}

// TestSealedSize: a sealed entry's detail has one size, and that of no other kind is longer than 64 bytes.
func TestSealedSize(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		size int
		ok   bool
	}{{KindSealed, SealedSize, true}, {KindSealed, SealedSize - 1, false}, {KindSealed, SealedSize + 1, false}, {KindSealed, maxDetail, false}, {KindSealed, 0, false},
		{KindBoot, maxDetail, true}, {KindBoot, maxDetail + 1, false}, {KindBoot, SealedSize, false}} {
		h := Header{Kind: c.kind, Detail: make([]byte, c.size)}
		b, err := h.Encode()
		if (err == nil) != c.ok {
			t.Errorf("%s with %d bytes: %v", c.kind, c.size, err)
		}
		if c.ok {
			if _, err := DecodeHeader(b); err != nil {
				t.Errorf("%s with %d bytes is not read: %v", c.kind, c.size, err)
			}
		} else if _, err := DecodeHeader(h.encode()); err == nil {
			t.Errorf("%s with %d bytes is read", c.kind, c.size)
		}
	}
}
