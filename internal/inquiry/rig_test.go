package inquiry

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/evidence"
	"gatehouse/internal/holds"
	"gatehouse/internal/tree"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/sealing"
)

// noon is when the mandates of the tests are signed: 2026-11-30 04:00 UTC.
const noon = 1_796_011_200

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) [32]byte { return [32]byte(k.Public().(ed25519.PublicKey)) }

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// memory is a log in memory, of epoch 7, that fails as it is told.
type memory struct {
	t        testing.TB
	all      []journaled.Entry
	sick     error // of Append
	late     bool  // with sick: the entry is written all the same
	cosigned string
	during   func()                      // what happens while Append waits
	order    []string                    // what happened
	gone     map[journaled.Position]bool // entries that were deleted; their leaves are known
	trees    int                         // how often it was asked for one
	shut     chan struct{}               // until it is closed the log is not open; nil: it is
}

// open reports whether the log is open.
func (m *memory) open() bool {
	select {
	case <-m.shut:
		return true
	default:
		return m.shut == nil
	}
}

func (m *memory) Changed() <-chan struct{} { return m.shut }

func (m *memory) add(h wire.Header, who wire.Who) {
	m.t.Helper()
	header, err := h.Encode()
	must(m.t, 0, err)
	w, err := who.Encode()
	must(m.t, 0, err)
	at := journaled.Position{Epoch: 7, Sequence: uint64(len(m.all))}
	if n := len(m.all); n > 0 {
		at.Epoch, at.Sequence = m.all[n-1].Epoch, m.all[n-1].Sequence+1
	}
	m.all = append(m.all, journaled.Entry{Position: at, Stored: journaled.New(header, [16]byte{byte(len(m.all)), 1}, w)})
}

func (m *memory) Append(ctx context.Context, h wire.Header, who wire.Who) (wire.Ref, error) {
	if _, has := ctx.Deadline(); has {
		m.t.Error("an entry has a deadline: a slow disk would be told to the landlord")
	}
	m.order = append(m.order, "append")
	if m.during != nil {
		m.during()
	}
	if m.sick == nil || m.late {
		h.Boot, h.Wall, h.Clock = 3, noon*1000+5000, wire.ClockNTP
		m.add(h, who)
	}
	return wire.Ref{}, m.sick
}

func (m *memory) Read(_ context.Context, from journaled.Position, n int, to journaled.Taker) (journaled.Position, error) {
	m.order = append(m.order, "read")
	to.Begin(n)
	next, left := from, min(n, 3) // three at a time
	for _, e := range m.all {
		if m.gone[e.Position] || !m.open() {
			continue
		}
		if (e.Epoch > from.Epoch || e.Epoch == from.Epoch && e.Sequence >= from.Sequence) && left > 0 {
			must(m.t, 0, to.Take(e.Position, e.Encode()))
			next, left = journaled.Position{Epoch: e.Epoch, Sequence: e.Sequence + 1}, left-1
		}
	}
	return next, nil
}

func (m *memory) Range(_ context.Context, p journaled.Position) (r tree.Range, err error) {
	m.trees++
	for _, e := range m.all {
		if e.Epoch == p.Epoch && e.Sequence < p.Sequence {
			r = r.Add(tree.LeafHash(e.Header, e.WhoHash[:]))
		}
	}
	if r.Size() != p.Sequence {
		return r, errors.New("leaves are missing")
	}
	return r, nil
}

func (m *memory) Head() journaled.Head {
	if !m.open() {
		return journaled.Head{Boot: 3}
	}
	last := m.all[len(m.all)-1].Position
	last.Sequence++
	r, err := m.Range(context.Background(), last)
	must(m.t, r, err)
	oldest := slices.IndexFunc(m.all, func(e journaled.Entry) bool { return !m.gone[e.Position] })
	return journaled.Head{Position: last, Oldest: m.all[oldest].Position, Root: wire.Hash(r.Root()), Boot: 3}
}

func (m *memory) Cosigned() string { return m.cosigned }

// cosign is what a witness says of the first size entries.
func (m *memory) cosign(size uint64) {
	r, err := m.Range(context.Background(), journaled.Position{Epoch: 7, Sequence: size})
	must(m.t, r, err)
	c := checkpoint.Checkpoint{Address: "house-1/gate-1", Epoch: 7, Size: size, Root: wire.Hash(r.Root())}
	w := key(5)
	m.cosigned = c.Note(key(4).Public().(ed25519.PublicKey), c.Sign(key(4)), checkpoint.Cosignature{Name: checkpoint.WitnessName("city"), Public: w.Public().(ed25519.PublicKey), Time: noon, Signature: c.Cosign(w, noon)})
}

// scene is a desk on a log in memory, and an officer's mandate.
type scene struct {
	t                testing.TB
	log              *memory
	desk             *Desk
	mandate          mandates.Mandate
	private, records []byte
	now              Moment
	flats            map[string][]wire.ID
	card             []wire.CredentialID
	house            House
	book             string // where holds are kept
}

func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{t: t, log: &memory{t: t}, flats: map[string][]wire.ID{}}
	var recipient, records []byte
	var err error
	s.private, recipient, err = sealing.GenerateKey()
	must(t, 0, err)
	s.records, records, err = sealing.GenerateKey()
	must(t, 0, err)
	s.now = Moment{Wall: time.Unix(noon+5, 0), BootTime: 5 * time.Hour, Quality: wire.ClockNTP, Interval: trueclock.Interval{Sure: noon, Lo: noon, Hi: noon + 10}}
	trust := wire.Trust{Version: 1, Issued: 1, Registry: "city", CAs: [][]byte{{1}}, Records: records, Desk: records, Escrow: records,
		Keys:      []wire.RoleKey{{Role: wire.RoleIssuer, Public: public(key(3))}, {Role: wire.RoleWitness, Public: public(key(5))}},
		Approvers: []approver.Approver{{Seat: "xin-1", Public: public(key(1)), District: "north", Town: "xin"}}}
	house := wire.House{Version: 1, Issued: 1, District: "north", Town: "xin", Gateways: []wire.HouseGateway{{ID: "gate-1", Public: public(key(4)), KEM: records, Doors: []string{"back", "front"}}}}
	sign := func(p wire.Protected, m wire.Payload, by ed25519.PrivateKey) []byte {
		body, err := wire.Encode(m)
		must(t, body, err)
		p.Version = wire.VersionOf(m)
		envelope, err := wire.Sign(p, body, by)
		return must(t, envelope, err)
	}
	s.house = House{Place: wire.Place{District: "north", Town: "xin", Building: "house-1", Gateway: "gate-1"}, Root: key(2).Public().(ed25519.PublicKey), Trust: trust,
		Papers: [2][]byte{sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "city"}, trust, key(2)), sign(wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: "house-1"}, house, key(3))},
		Key:    key(4), Doors: []evidence.Door{{ID: "back"}, {ID: "front", Contact: true}}, Zone: time.FixedZone("Asia/Shanghai", 8*3600), Software: "test"}
	s.book = filepath.Join(t.TempDir(), "holds")
	s.desk = New(Sources{Holds: s.holds(), Log: s.log, House: func() House { return s.house }, Now: func() Moment { return s.now },
		Tenancies: func(flats []string) (ids []wire.ID) {
			for _, f := range flats {
				ids = append(ids, s.flats[f]...)
			}
			return ids
		}, Card: func(context.Context) ([]wire.CredentialID, error) { return s.card, nil }})
	s.mandate = mandates.Mandate{Reference: wire.ID{9, 9}, Status: mandates.Active, Issued: noon, Expires: noon + 3600, Answers: 2,
		Request: mandates.Request{District: "north", Town: "xin", Building: "house-1", From: noon - 3600, Until: noon,
			Gateways: []mandates.Gateway{{ID: "gate-1", Doors: []string{"front"}}}},
		Delivery: mandates.Delivery{Recipient: recipient, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "新镇派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "北区分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "入室盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"}}
	return s
}

// holds opens the book of what is held.
func (s *scene) holds() *holds.Book {
	s.t.Helper()
	b, err := holds.OpenBook(holds.Options{Path: s.book, Doors: []string{"back", "front"}, Kept: func() time.Duration { return 30 * 24 * time.Hour },
		Now: func() holds.Moment {
			return holds.Moment{Wall: s.now.Wall, Boot: s.now.BootTime, Interval: s.now.Interval}
		}})
	return must(s.t, b, err)
}

func (s *scene) signed() []byte {
	s.t.Helper()
	envelope, err := mandates.Sign(s.mandate, "city", key(1))
	return must(s.t, envelope, err)
}

func (s *scene) ask(use uint64) (Answer, error) { return s.desk.Ask(s.t.Context(), s.signed(), use) }

// files are the evidence files of an answer, opened and verified.
func (s *scene) files(a Answer, err error) (all []evidence.Report, raw [][]byte) {
	s.t.Helper()
	must(s.t, a, err)
	for _, f := range a.Files {
		file, err := sealing.Unseal(s.private, sealing.Answer, "", f)
		must(s.t, file, err)
		r, err := evidence.Verify(file, evidence.Trust{Root: s.house.Root})
		all, raw = append(all, must(s.t, r, err)), append(raw, file)
	}
	return all, raw
}

// said is what the office reads in the log.
func (s *scene) said() (all []sealed.Record) {
	s.t.Helper()
	for _, e := range s.log.all {
		if h, err := wire.DecodeHeader(e.Header); err == nil && h.Kind == wire.KindSealed {
			r, err := sealed.Open(s.records, "house-1/gate-1", h.Detail)
			all = append(all, must(s.t, r, err))
		}
	}
	return all
}

// at is an entry some seconds before noon, by a good clock.
func at(before int64, h wire.Header) wire.Header {
	h.Boot, h.BootTime, h.Wall, h.Clock = 3, uint64(5*time.Hour)-uint64(before)*1e9, (noon-before)*1000, wire.ClockNTP
	return h
}

func access(door string) wire.Header {
	return wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: door, Source: "in"}
}

func tenant(n byte) wire.Who {
	return wire.Who{Credential: &wire.CredentialID{1, n}, Grant: &wire.ID{2, n}, Tenancy: &wire.ID{3, n}}
}
