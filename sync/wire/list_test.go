package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"gatehouse/sync/wire/internal/canonical"
)

// plain encodes a bucket with the CBOR library, to hold the hand-written code to.
func plain(t interface{ Fatal(...any) }, grants []Grant) []byte {
	rows := make([][]any, 0, len(grants))
	for _, g := range grants {
		rows = append(rows, []any{g.Credential, g.ID, g.Tenancy, uint8(g.Kind), uint8(g.State), g.DoorSet, g.From, g.Until, 0})
	}
	b, err := canonical.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func drawGrant(t *rapid.T) (g Grant) {
	copy(g.Credential[:], rapid.SliceOfN(rapid.Byte(), 17, 17).Draw(t, "credential"))
	copy(g.ID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "grant"))
	g.Credential[0] = rapid.ByteRange(1, 254).Draw(t, "number")
	g.ID[0], g.Tenancy[3] = 1, rapid.ByteRange(1, 255).Draw(t, "tenancy")
	g.Kind = GrantKind(rapid.IntRange(1, 4).Draw(t, "kind"))
	g.State = GrantState(rapid.IntRange(1, 3).Draw(t, "state"))
	g.DoorSet = rapid.Uint16().Draw(t, "set")
	g.From = rapid.Uint32Max(1<<31).Draw(t, "from")
	if rapid.Bool().Draw(t, "ends") {
		g.Until = g.From + rapid.Uint32Range(1, 1<<30).Draw(t, "for")
	}
	return g
}

func sortGrants(grants []Grant) []Grant {
	slices.SortFunc(grants, func(a, b Grant) int { return a.Compare(&b) })
	return slices.CompactFunc(grants, func(a, b Grant) bool { return a.Compare(&b) == 0 })
}

// TestBucketEqualsLibrary: the hand-written bytes are those of the CBOR
// library, and read back to the same grants.
func TestBucketEqualsLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := sortGrants(rapid.SliceOfN(rapid.Custom(drawGrant), 0, 40).Draw(t, "grants"))
		b, err := EncodeBucket(grants)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, plain(t, grants)) {
			t.Fatal("not the bytes of the library")
		}
		again, err := decodeBucket(b)
		if err != nil || !slices.Equal(again, grants) {
			t.Fatalf("read back: %v", err)
		}
	})
}

func TestBucketRefuses(t *testing.T) {
	g := testGrants()
	with := func(f func(g *Grant)) []Grant { c := slices.Clone(g); f(&c[0]); return c }
	for name, grants := range map[string][]Grant{
		"unsorted":      {g[1], g[0]},
		"duplicate":     {g[0], g[0]},
		"key number 0":  with(func(g *Grant) { g.Credential[0] = 0 }),
		"daily key":     with(func(g *Grant) { g.Credential[0] = 255 }),
		"no grant id":   with(func(g *Grant) { g.ID = ID{} }),
		"no tenancy":    with(func(g *Grant) { g.Tenancy = ID{} }),
		"kind 0":        with(func(g *Grant) { g.Kind = 0 }),
		"kind 5":        with(func(g *Grant) { g.Kind = 5 }),
		"state 0":       with(func(g *Grant) { g.State = 0 }),
		"state 4":       with(func(g *Grant) { g.State = 4 }),
		"ends at start": with(func(g *Grant) { g.Until = g.From }),
	} {
		if _, err := EncodeBucket(grants); !errors.Is(err, ErrMalformed) {
			t.Errorf("encode, %s: %v", name, err)
		}
		if _, err := decodeBucket(plain(t, grants)); !errors.Is(err, ErrMalformed) {
			t.Errorf("decode, %s: %v", name, err)
		}
	}
	big := make([]Grant, MaxBucket/minGrant+2)
	for i := range big {
		big[i] = g[0]
		binary.BigEndian.PutUint32(big[i].Credential[2:], uint32(i))
	}
	if _, err := EncodeBucket(big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("encode, too large: %v", err)
	}
	if _, err := decodeBucket(plain(t, big)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("decode, too large: %v", err)
	}
	b := plain(t, g)
	b[len(b)-1] = 1
	if _, err := decodeBucket(b); !errors.Is(err, ErrMalformed) {
		t.Errorf("a schedule was accepted: %v", err)
	}
}

func TestDecodeBucketRefuses(t *testing.T) {
	good := testManifest(t)
	bucket, err := EncodeBucket(testGrants())
	if err != nil {
		t.Fatal(err)
	}
	with := func(f func(*Manifest)) Manifest { m := good; m.Buckets = slices.Clone(m.Buckets); f(&m); return m }
	for name, c := range map[string]struct {
		m Manifest
		i int
		b []byte
	}{
		"other hash":     {good, 1, bucket},
		"other bytes":    {good, 0, append(bytes.Clone(bucket), 0)},
		"wrong bucket":   {with(func(m *Manifest) { m.Buckets[1] = sha256.Sum256(bucket) }), 1, bucket},
		"no such set":    {with(func(m *Manifest) { m.DoorSets = m.DoorSets[:1] }), 0, bucket},
		"no such bucket": {good, 2, bucket},
		"below zero":     {good, -1, bucket},
	} {
		if _, err := c.m.DecodeBucket(c.i, c.b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManifestRefuses(t *testing.T) {
	for name, f := range map[string]func(*Manifest){
		"format":                 func(m *Manifest) { m.Format = 3 },
		"a log in format 1":      func(m *Manifest) { m.Earlier = 1 },
		"a root in format 1":     func(m *Manifest) { m.Log = Hash{1} },
		"registers in format 1":  func(m *Manifest) { m.Registers = testRegisters() },
		"registers out of order": func(m *Manifest) { m.Format, m.Registers = LogFormat, testRegisters(); slices.Reverse(m.Registers) },
		"a register twice":       func(m *Manifest) { m.Format, m.Registers = LogFormat, append(testRegisters()[:1], testRegisters()[0]) },
		"a register of an end":   func(m *Manifest) { m.Format, m.Registers = LogFormat, testRegisters(); m.Registers[0].Op = OpEnd },
		"a card by a desk": func(m *Manifest) {
			m.Format, m.Registers = LogFormat, testRegisters()
			m.Registers[1].Proof = ProofCard
		},
		"a register at no time": func(m *Manifest) { m.Format, m.Registers = LogFormat, testRegisters(); m.Registers[0].At = 0 },
		"a notice's cards": func(m *Manifest) {
			m.Format, m.Registers = LogFormat, testRegisters()
			m.Registers[2].Cards = m.Registers[0].Cards
		},
		"a notice's end":   func(m *Manifest) { m.Format, m.Registers = LogFormat, testRegisters(); m.Registers[2].Until = 0 },
		"a long log":       func(m *Manifest) { m.Format, m.Earlier = LogFormat, 1<<63 },
		"no version":       func(m *Manifest) { m.Version = 0 },
		"no time":          func(m *Manifest) { m.Issued = 0 },
		"bits":             func(m *Manifest) { m.Bits = 2 },
		"too many bits":    func(m *Manifest) { m.Bits = 11; m.Buckets = make([]Hash, 1<<11) },
		"door name":        func(m *Manifest) { m.Doors = []string{"Front", "bikes"} },
		"door twice":       func(m *Manifest) { m.Doors = []string{"front", "front"} },
		"set of no door":   func(m *Manifest) { m.DoorSets = [][]uint16{{2}} },
		"set out of order": func(m *Manifest) { m.DoorSets = [][]uint16{{1, 0}} },
		"set with repeat":  func(m *Manifest) { m.DoorSets = [][]uint16{{1, 1}} },
	} {
		m := testManifest(t)
		f(&m)
		careless := any(m)
		if m.Format == ListFormat && m.Earlier == 0 && m.Log == (Hash{}) && len(m.Registers) == 0 {
			careless = manifest1(m)
		}
		b, err := canonical.Marshal(careless)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeManifest(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: decoded: %v", name, err)
		}
		if _, err := m.Encode(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: encoded: %v", name, err)
		}
	}
	m := testManifest(t)
	m.Bits = 3
	if _, err := m.Encode(); !errors.Is(err, ErrMalformed) {
		t.Errorf("encoded a bad manifest: %v", err)
	}
}

// TestManifestRefusesNull: a list that is nothing is written as an empty one,
// never as null.
func TestManifestRefusesNull(t *testing.T) {
	m := testManifest(t)
	m.Doors, m.DoorSets = []string{}, [][]uint16{}
	b, err := m.Encode()
	good := must(t, b, err)
	for name, field := range map[string][]byte{"doors": {0x07, 0x80}, "door sets": {0x08, 0x80}} {
		null := bytes.Replace(good, field, []byte{field[0], 0xf6}, 1)
		if bytes.Equal(null, good) {
			t.Fatalf("%s: not found in the encoding", name)
		}
		if _, err := DecodeManifest(null); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: null was accepted: %v", name, err)
		}
	}
	m.Doors, m.DoorSets = []string{"front"}, [][]uint16{{}}
	b, err = m.Encode()
	good = must(t, b, err)
	null := bytes.Replace(good, []byte{0x08, 0x81, 0x80}, []byte{0x08, 0x81, 0xf6}, 1)
	if _, err := DecodeManifest(null); bytes.Equal(null, good) || !errors.Is(err, ErrMalformed) {
		t.Errorf("a set of doors that is null was accepted: %v", err)
	}
}

// testRegisters are registers of a list, of each kind that there is.
func testRegisters() []Register {
	a, b, of := ID(seq(0x10, 16)), ID(seq(0x20, 16)), ID(seq(0x30, 16))
	card := []CredentialID{CredentialID(append([]byte{1}, seq(0x40, 16)...)), CredentialID(append([]byte{1}, seq(0x50, 16)...))}
	return []Register{
		{Grant: a, Op: OpBind, Proof: ProofRegistry, At: 1_790_000_000, Tenancy: of, Cards: card},
		{Grant: a, Op: OpSuspend, Proof: ProofRegistry, At: 1_790_000_050, Tenancy: of, Cards: card},
		{Grant: a, Op: OpNotice, Proof: ProofLandlord, At: 1_790_000_100, Tenancy: of, Until: 1_790_259_300, Cause: CauseLeaseOver},
		{Grant: a, Op: OpDispute, Proof: ProofPIN, At: 1_790_000_200, Tenancy: of},
		{Grant: b, Op: OpWithdraw, Proof: ProofRegistry, At: 1_790_000_300, Tenancy: of},
	}
}

// TestRegistersComeBack: what a list says besides its rows is read as it was written,
// takes no more room than Size says, and a list without registers has the bytes that it
// always had.
func TestRegistersComeBack(t *testing.T) {
	bare := with(testManifest(t), func(m *Manifest) { m.Format = LogFormat })
	b, err := bare.Encode()
	without := must(t, b, err)
	bare.Registers = testRegisters()
	b, err = bare.Encode()
	m, err := DecodeManifest(must(t, b, err))
	if err != nil || len(m.Registers) != len(testRegisters()) {
		t.Fatalf("%d registers, %v", len(m.Registers), err)
	}
	size := 2
	for i, w := range testRegisters() {
		size += w.Size()
		if m.Registers[i].Compare(&w) != 0 || m.Registers[i].Until != w.Until || m.Registers[i].Cause != w.Cause || len(m.Registers[i].Cards) != len(w.Cards) || m.Registers[i].Tenancy != w.Tenancy {
			t.Errorf("register %d: %v", i, m.Registers[i])
		}
	}
	if got := len(b) - len(without); got > size {
		t.Errorf("%d bytes, %d are said to be enough", got, size)
	}
}

// TestLargestManifestFits: the finest cut, with a door table, is one message.
func TestLargestManifestFits(t *testing.T) {
	m := testManifest(t)
	m.Bits, m.Buckets = MaxBucketBits, make([]Hash, 1<<MaxBucketBits)
	for i := range m.Buckets {
		m.Buckets[i] = sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	}
	m.Doors, m.DoorSets = nil, nil
	for i := range 256 {
		m.Doors = append(m.Doors, "staircase-door-number-"+string(rune('a'+i/26))+string(rune('a'+i%26)))
		m.DoorSets = append(m.DoorSets, []uint16{uint16(i)})
	}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	testEnvelope(t, b)
}

func FuzzBucket(f *testing.F) {
	b, err := EncodeBucket(testGrants())
	f.Add(must(f, b, err))
	f.Add([]byte{0x80})
	f.Add([]byte{0x98, 0x18})
	f.Fuzz(func(t *testing.T, b []byte) {
		grants, err := decodeBucket(b)
		if err != nil {
			return
		}
		again, err := EncodeBucket(grants)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted what EncodeBucket does not make: %v", err)
		}
		for n := range b {
			if _, err := decodeBucket(b[:n]); err == nil {
				t.Fatalf("accepted the first %d of %d bytes", n, len(b))
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	b, err := testManifest(f).Encode()
	f.Add(must(f, b, err))
	f.Fuzz(func(t *testing.T, b []byte) {
		law(t, b, DecodeManifest, Manifest.Encode)
	})
}

func FuzzHeader(f *testing.F) {
	b, err := testHeader().Encode()
	f.Add(must(f, b, err))
	f.Fuzz(func(t *testing.T, b []byte) { law(t, b, DecodeHeader, Header.Encode) })
}

func FuzzWho(f *testing.F) {
	b, err := testWho().Encode()
	f.Add(must(f, b, err))
	f.Fuzz(func(t *testing.T, b []byte) { law(t, b, DecodeWho, Who.Encode) })
}

// law holds for every decoder: what it accepts encodes to the same bytes, and
// no shorter part of it is accepted.
func law[T any](t *testing.T, b []byte, decode func([]byte) (T, error), encode func(T) ([]byte, error)) {
	v, err := decode(b)
	if err != nil {
		return
	}
	again, err := encode(v)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("accepted what is not its one encoding: %v", err)
	}
	for n := range b {
		if _, err := decode(b[:n]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", n, len(b))
		}
	}
}

func timed(f func()) int64 {
	begin := time.Now()
	f()
	return int64(time.Since(begin))
}

// BenchmarkDecodeBucket reads a full bucket. The limits beside it are the
// SHA-256 of the same bytes, and the CBOR library on them.
func BenchmarkDecodeBucket(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	grants := make([]Grant, 460)
	for i := range grants {
		g := testGrants()[0]
		binary.BigEndian.PutUint64(g.Credential[1:], rng.Uint64())
		grants[i] = g
	}
	bucket, err := EncodeBucket(sortGrants(grants))
	if err != nil {
		b.Fatal(err)
	}
	var ours, hash, library int64
	b.SetBytes(int64(len(bucket)))
	for b.Loop() {
		ours += timed(func() { _, err = decodeBucket(bucket) })
		if err != nil {
			b.Fatal(err)
		}
		hash += timed(func() { sha256.Sum256(bucket) })
		library += timed(func() {
			var rows [][]any
			if err := cbor.Unmarshal(bucket, &rows); err != nil {
				b.Fatal(err)
			}
		})
	}
	b.ReportMetric(float64(ours)/float64(b.N*len(grants)), "ns/grant")
	b.ReportMetric(float64(ours)/float64(hash), "x_sha256")
	b.ReportMetric(float64(library)/float64(ours), "x_faster_than_library")
	b.ReportMetric(float64(len(bucket))/float64(len(grants)), "B/grant")
}

// TestSeenRefused: what a manifest has seen are lines of gateways, each once and
// in order.
func TestSeenRefused(t *testing.T) {
	good := Seen{Gateway: "gate-1", Line: 5, Number: 7}
	for name, seen := range map[string][]Seen{
		"no line":       {{Gateway: "gate-1", Number: 7}},
		"no line later": {good, {Gateway: "gate-2", Number: 7}},
		"no gateway":    {{Line: 5, Number: 7}},
		"twice":         {good, good},
		"lines":         {good, {Gateway: "gate-1", Line: 4}},
		"gateways":      {good, {Gateway: "gate-0", Line: 6}},
	} {
		m := with(testManifest(t), func(m *Manifest) { m.Seen = seen })
		if _, err := m.Encode(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: encoded: %v", name, err)
		}
		b, err := canonical.Marshal(m)
		if _, err := DecodeManifest(must(t, b, err)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: decoded: %v", name, err)
		}
	}
}
