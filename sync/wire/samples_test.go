package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/internal/canonical"
	"gatehouse/sync/wire/periods"
)

// sample is one message made of fixed test values. What a seal holds is fixed
// too, since sealing the same twice gives other bytes.
type sample struct {
	rule   string // in gatehouse.cddl and testdata/golden.txt
	encode func() ([]byte, error)
	again  func([]byte) ([]byte, error) // decodes and encodes
}

func of[P Payload](rule string, v P) sample {
	return sample{rule, func() ([]byte, error) { return Encode(v) }, func(b []byte) ([]byte, error) {
		var p P
		if err := Decode(b, &p); err != nil {
			return nil, err
		}
		return Encode(p)
	}}
}

// passPayload stands for package qrpass, whose test has the same line of golden.txt.
type passPayload struct {
	ID      []byte `cbor:"1,keyasint"`
	Tenancy ID     `cbor:"2,keyasint"`
	From    uint32 `cbor:"3,keyasint"`
	Until   uint32 `cbor:"4,keyasint"`
}

func (passPayload) check() error { return nil }

// snapshotPayload stands for package snapshot likewise.
type snapshotPayload struct {
	Sum  Hash   `cbor:"1,keyasint"`
	Size uint32 `cbor:"2,keyasint"`
	Made uint32 `cbor:"3,keyasint"`
}

func (snapshotPayload) check() error { return nil }

// sealedPayload stands for package sealed likewise.
type sealedPayload struct {
	What      uint8  `cbor:"1,keyasint"`
	Mandate   []byte `cbor:"2,keyasint"`
	Reference []byte `cbor:"3,keyasint"`
	Approver  []byte `cbor:"4,keyasint"`
	Use       uint64 `cbor:"5,keyasint"`
	Fixed     []byte `cbor:"7,keyasint"`
}

func (sealedPayload) check() error { return nil }

// recorded is a sample of package mandates or erasures, as its line of golden.txt has it: a map of whatever is
// in it, since the package of its types is above this one.
func recorded(t testing.TB, rule string) sample {
	return sample{rule, func() ([]byte, error) {
		rules, all := golden(t)
		return all[slices.Index(rules, rule)], nil
	}, func(b []byte) ([]byte, error) {
		var again any
		if err := canonical.Decode(rule, b, &again); err != nil {
			return nil, err
		}
		return canonical.Marshal(again)
	}}
}

// sealedWho and whoSeal stand for package whos likewise.
type (
	sealedWho struct {
		_     struct{} `cbor:",toarray"`
		Index uint16
		Salt  [16]byte
		Who   []byte
	}
	whoSeal struct {
		_     struct{} `cbor:",toarray"`
		Index uint16
		Bytes []byte
	}
)

// items is a sample that is an array, and no message of its own.
func items[T any](rule string, list []T) sample {
	return sample{rule, func() ([]byte, error) { return canonical.Marshal(list) }, func(b []byte) ([]byte, error) {
		var again []T
		if err := canonical.Decode(rule, b, &again); err != nil {
			return nil, err
		}
		return canonical.Marshal(again)
	}}
}

func with[T any](v T, change func(*T)) T { change(&v); return v }

func sampleCheckIn() Change {
	return Change{Op: OpCheckIn, At: 1_790_000_000, Clock: ClockNTP, Proof: ProofLandlord, Tenancy: ID(seq(0x40, 16)), Grant: ID(seq(0x20, 16)),
		Credentials: []CredentialID{testCredential(0x10)}, Kind: GrantResident, Doors: []string{"bikes", "front"}, From: 1_790_000_000,
		Until: 1_821_536_000, Flat: "2-301", Basis: BasisDuty, Informed: true, Document: DocumentPassport}
}

func sampleChange(op Op) Change {
	c := Change{Op: op, At: 1_790_000_100, Proof: ProofLandlord, Tenancy: ID(seq(0x40, 16)), Grant: ID(seq(0x20, 16))}
	if changeFields[op].cards {
		c.Credentials = []CredentialID{testCredential(0x10)}
	}
	if changeFields[op].cause {
		c.Cause = CauseMovedOut
	}
	if changeFields[op].until {
		c.Until = 1_790_259_300
	}
	return c
}

func sampleTrust() Trust {
	return Trust{Version: 3, Issued: 1_790_000_000, Registry: "city", Records: seq(1, 32), Desk: seq(2, 32), Escrow: seq(3, 32), CAs: [][]byte{seq(4, 16)},
		Keys: []RoleKey{{Role: RoleIssuer, Epoch: 1, Public: [32]byte(seq(5, 32))}, {Role: RoleWitness, Epoch: 2, Public: [32]byte(seq(6, 32))}}}
}

func sampleTrust2() Trust {
	return with(sampleTrust(), func(t *Trust) {
		t.Version, t.False = 4, []RoleEpoch{{Role: RoleWitness, Epoch: 1}}
		t.Addresses = []string{"https://registry.example.org:8443", "mqtts://registry.example.org:8883"}
	})
}

func sampleTrust4() Trust {
	return with(sampleTrust2(), func(t *Trust) {
		t.Version = 5
		t.Approvers = []approver.Approver{{Seat: "north", Public: [32]byte(seq(7, 32)), District: "north"}, {Seat: "xin-1", Public: [32]byte(seq(8, 32)), District: "north", Town: "xin"}}
	})
}

func sampleTrust5() Trust {
	return with(sampleTrust4(), func(t *Trust) {
		t.Version, t.Retention = 6, &periods.Periods{Whos: 10, Children: 5, Passages: 90, Acts: 200}
	})
}

func sampleHouse() House {
	return House{Version: 2, Issued: 1_790_000_000, District: "north", Town: "xin", Flats: []string{"1-101", "2-301"}, NoticeDays: 3,
		Gateways: []HouseGateway{{ID: "gate-1", Public: [32]byte(seq(5, 32)), KEM: seq(1, 32), Doors: []string{"bikes", "front"}}}}
}

func sampleToken() Token {
	return Token{Registry: "city", Place: [4]string{"north", "xin", "house-1", "gate-1"}, Enrol: "registry.example:8443",
		Broker: "registry.example:8883", CA: Hash(seq(7, 32)), Root: [32]byte(seq(8, 32)), Secret: [16]byte(seq(9, 16))}
}

func sampleEnrol(t testing.TB) EnrolRequest {
	r := EnrolRequest{Public: [32]byte(public(testKey())), KEM: seq(1, 32), CSR: seq(2, 24), Doors: []string{"bikes", "front"},
		Number: 1, Escrow: seq(3, 40), Software: "gatehouse 1.0"}
	if err := r.Prove(sampleToken().Secret); err != nil {
		t.Fatal(err)
	}
	return r
}

func sampleBatch(t testing.TB) Batch {
	header, err := testHeader().Encode()
	must(t, header, err)
	who, err := testWho().Encode()
	must(t, who, err)
	hash := WhoHash([16]byte(seq(0x60, 16)), who)
	b := Batch{Epoch: 0x1122334455667788, First: 300, Headers: [][]byte{header, header}, Whos: [][]byte{hash[:], nil},
		Root: Hash(seq(0xa0, 32)), Sealed: seq(0, 48)}
	b.Signature = signed(testKey(), sampleNote)
	return b
}

// sampleNote is the text of the checkpoint after sampleBatch, as package checkpoint
// makes it.
const sampleNote = "gatehouse/house-1/gate-1/1122334455667788\n302\noKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr8=\n"

func signed(key ed25519.PrivateKey, text string) Signature {
	return Signature(ed25519.Sign(key, []byte(text)))
}

func sampleWhos(t testing.TB) []sealedWho {
	who, err := testWho().Encode()
	return []sealedWho{{Index: 0, Salt: [16]byte(seq(0x60, 16)), Who: must(t, who, err)}}
}

// sampleSeal is that of package whos.
func sampleSeal(t testing.TB) []whoSeal {
	b, err := hex.DecodeString("8b664eaf7c4bf524c879b534ad470052fdb7c22cbef2f8a7842800bce9d33610f078ff2385ed101edf38e284fe9c5ebd" +
		"ab0f130cd93c1ba0a20a6b38b85032a4869300ae92f604481508d7200b74e2b9e3543ae95426f6b4")
	return []whoSeal{{Index: 0, Bytes: must(t, b, err)}}
}

func sampleRecord() Record {
	return Record{Line: 0x0102030405060708, Number: 4, ID: ID(seq(0x70, 16)), House: seq(1, 40), Desk: seq(2, 48), Person: Hash(seq(0xb0, 32))}
}

func sampleHello() Hello {
	return Hello{Nonce: Nonce(seq(0xc0, 16)), Boot: 7, Epoch: 0x1122334455667788, Next: 302, Root: Hash(seq(0xa0, 32)),
		CursorEpoch: 0x1122334455667788, CursorNext: 300, List: 2, ListHash: Hash(seq(0xd0, 32)), House: 2, Trust: 3,
		Line: 0x0102030405060708, Records: 4, Wall: 1_790_000_000_000, Clock: ClockNTP, Software: "gatehouse 1.0"}
}

func sampleHolding() Holding {
	return Holding{Nonce: Nonce(seq(0xc0, 16)), Manifest: seq(1, 24), Second: seq(2, 24), Buckets: [][]byte{{0x80}},
		Tombstones: []ID{ID(seq(0x20, 16))}, Parts: 2, House: seq(3, 24)}
}

// sampleLogged is the second list of a log.
func sampleLogged(t testing.TB) Manifest {
	return with(testManifest(t), func(m *Manifest) { m.Format, m.Earlier, m.Log = LogFormat, 1, Hash(seq(0x90, 32)) })
}

func sampleHello2() Hello2 {
	return Hello2{Hello: sampleHello(), Formats: []uint64{1, 2}, Removed: 9, RemovedHash: Hash(seq(0x90, 32)), ListEpoch: 1, Zone: "Asia/Shanghai",
		Cosigned: Cosigned{Epoch: 0x1122334455667788, Size: 300, Time: 1_790_000_000, Signature: signed(otherKey(), sampleNote)},
		Anchor:   Hash(seq(0xb0, 32)), Floor: sampleFloor()}
}

func sampleFloor() Floor { return Floor{Role: RoleWitness, Epoch: 2, Unix: 1_807_280_000, Undos: 1} }

func sampleAck() Ack {
	return Ack{Nonce: Nonce(seq(0xc0, 16)), Time: 1_790_000_002, Epoch: 0x1122334455667788, Next: 302, Root: Hash(seq(0xa0, 32)),
		Cosignature: signed(otherKey(), "cosignature/v1\ntime 1790000002\n"+sampleNote), Window: 4, List: 2, ListHash: Hash(seq(0xd0, 32)), House: 2, Trust: 3,
		Line: 0x0102030405060708, Records: 4}
}

func sampleAck2() Ack2 {
	return Ack2{Ack: sampleAck(), Safe: 280, SafeRecords: 3, Spread: 20, ListEpoch: 1, Holding: true}
}

func sampleAck3() Ack2 {
	id := ID(seq(0x30, 16))
	return with(sampleAck2(), func(k *Ack2) { k.Context = &id })
}

func samplePerson() Person {
	return Person{Tenancy: ID(seq(0x40, 16)), Document: DocumentPassport, Number: "X0000000", Name: "Test Person",
		Cards: []RawCard{{Bits: 26, Data: []byte{0x1a, 0xbd, 0x88, 0xc0}}}}
}

// samples has every message of the protocol.
func samples(t testing.TB) []sample {
	header, err := testHeader().Encode()
	must(t, header, err)
	bucket, err := EncodeBucket(testGrants())
	must(t, bucket, err)
	list := []sample{
		of("hello", sampleHello()), of("batch", sampleBatch(t)),
		of("notice", Notice{Epoch: 0x1122334455667788, Sequence: 301, Header: header}),
		of("want", Want{List: true, Buckets: []Hash{Hash(seq(0xe0, 32))}}),
		of("delivery", Delivery{Record: seq(1, 24), Person: seq(2, 24)}), of("status", Status{Nonce: Nonce(seq(0xc0, 16)), Online: true}),
		of("ack", sampleAck()), of("list-part", ListPart{Manifest: seq(1, 24), Buckets: [][]byte{bucket}}),
		of("roll", Roll{Have: []ID{ID(seq(0x70, 16)), ID(seq(0x80, 16))}, KeyNumber: 1}), of("key-share", KeyShare{To: "gate-2", Sealed: seq(1, 24)}),
		of("record", sampleRecord()), of("person", samplePerson()), of("change", sampleCheckIn()),
		of("trust", sampleTrust()), of("house", sampleHouse()), of("token", sampleToken()),
		of("introduction", Introduction{Trust: seq(1, 24), KeyNumber: 1}), of("enrol-request", sampleEnrol(t)),
		of("renew-request", RenewRequest{CSR: seq(2, 24)}),
		of("enrolled", Enrolled{Trust: seq(1, 24), House: seq(2, 24), Certificates: [][]byte{seq(3, 24)}, Time: 1_790_000_003}),
		items("who-parts", sampleWhos(t)),
	}
	for op := OpBind; op <= OpWithdraw; op++ {
		list = append(list, of("change", sampleChange(op)))
	}
	return append(list, of("pass", passPayload{seq(0xf0, 8), ID(seq(0x40, 16)), 1_790_000_000, 1_790_000_300}),
		of("list-part", ListPart{Manifest: seq(1, 24), Proof: []Hash{Hash(seq(0xe0, 32))}, Index: 1}), of("holding", sampleHolding()),
		of("house", with(sampleHouse(), func(h *House) { h.Earlier = []Hash{Hash(seq(0xf0, 32))} })),
		sample{"manifest", sampleLogged(t).Encode, func(b []byte) ([]byte, error) {
			m, err := DecodeManifest(b)
			if err != nil {
				return nil, err
			}
			return m.Encode()
		}}, of("hello-two", sampleHello2()), of("hello-two", with(sampleHello2(), func(h *Hello2) { h.Cosigned, h.Floor = Cosigned{}, Floor{} })),
		of("ack-two", sampleAck2()), of("trust", sampleTrust2()), of("undo", Undo{Floor: sampleFloor()}),
		of("sealed-record", sealedPayload{2, seq(0xa0, 32), seq(0x40, 16), seq(0x10, 8), 2, seq(0, 100)}),
		of("snapshot", snapshotPayload{Hash(seq(0xa0, 32)), 81_920, 1_790_000_000}), items("who-seals", sampleSeal(t)),
		of("batch", with(sampleBatch(t), func(b *Batch) { b.Context = seq(0x30, 16) })),
		of("ack-two", sampleAck3()), of("trust", sampleTrust4()), of("trust", sampleTrust5()), recorded(t, "mandate"), recorded(t, "mandate-two"), recorded(t, "validation"), recorded(t, "order"), recorded(t, "officer"), recorded(t, "erasure"),
		recorded(t, "briefs"), of("change", with(sampleCheckIn(), func(c *Change) { c.Brief = true })))
}

// golden reads testdata/golden.txt: a line "rule:" and then its hex, on lines
// that begin with a space. A rule may stand more than once.
func golden(t testing.TB) (rules []string, bytes [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.txt")
	must(t, text, err)
	for line := range strings.Lines(string(text)) {
		body := strings.TrimSpace(line)
		switch {
		case body == "" || strings.HasPrefix(body, "#"):
		case strings.HasSuffix(body, ":"):
			rules, bytes = append(rules, strings.TrimSuffix(body, ":")), append(bytes, nil)
		default:
			b, err := hex.DecodeString(body)
			bytes[len(bytes)-1] = append(bytes[len(bytes)-1], must(t, b, err)...)
		}
	}
	return rules, bytes
}

// TestGoldenMessages: each message is the bytes in testdata/golden.txt, and they
// are read back to themselves.
func TestGoldenMessages(t *testing.T) {
	rules, want := golden(t)
	all := samples(t)
	if len(rules) != len(all) {
		t.Errorf("%d golden messages, %d samples", len(rules), len(all))
	}
	for i, s := range all {
		b, err := s.encode()
		if err != nil {
			t.Fatalf("%s: %v", s.rule, err)
		}
		if i >= len(rules) || rules[i] != s.rule || !bytes.Equal(want[i], b) {
			t.Errorf("golden message %d is not this:\n%s:\n %x", i, s.rule, b)
			continue
		}
		again, err := s.again(want[i])
		if err != nil || !bytes.Equal(again, want[i]) {
			t.Errorf("%s: read and written again: %x, %v", s.rule, again, err)
		}
	}
}

// TestLaws holds every message to the laws of decoders: no truncation passes,
// no trailing byte, and no change of one bit is read as what it is not.
func TestLaws(t *testing.T) {
	for _, s := range samples(t) {
		b, err := s.encode()
		must(t, b, err)
		for n := range b {
			if _, err := s.again(b[:n]); err == nil {
				t.Errorf("%s: accepted when cut to %d of %d bytes", s.rule, n, len(b))
			}
		}
		if _, err := s.again(append(bytes.Clone(b), 0)); err == nil {
			t.Errorf("%s: accepted with a byte behind it", s.rule)
		}
		for i := range len(b) * 8 {
			flipped := bytes.Clone(b)
			flipped[i/8] ^= 1 << (i % 8)
			if again, err := s.again(flipped); err == nil && !bytes.Equal(again, flipped) {
				t.Errorf("%s: bit %d flipped is read as other bytes", s.rule, i)
			}
		}
	}
}

// FuzzMessage holds every decoder to the laws. The first argument picks it.
func FuzzMessage(f *testing.F) {
	all := samples(f)
	for i, s := range all {
		b, err := s.encode()
		f.Add(uint8(i), must(f, b, err))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		s := all[int(which)%len(all)]
		again, err := s.again(b)
		if err != nil {
			return
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%s: %x read and written again is %x", s.rule, b, again)
		}
		for n := range b {
			if _, err := s.again(b[:n]); err == nil {
				t.Fatalf("%s: %x is also accepted when cut to %d bytes", s.rule, b, n)
			}
		}
	})
}
