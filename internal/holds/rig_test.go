package holds

import (
	"bytes"
	"crypto/ed25519"
	"math"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// noon is when the orders of the tests are signed: 2026-11-30 04:00 UTC.
const noon = 1_796_011_200

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(seed byte) [32]byte { return [32]byte(key(seed).Public().(ed25519.PublicKey)) }

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// trust names one issuer, of seed 9.
func trust() wire.Trust {
	return wire.Trust{Registry: "city", Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 2, Public: public(9)}}}
}

// certificate is that of the officer with the key of seed 1, of the town xin.
func certificate() mandates.Certificate {
	return mandates.Certificate{Public: public(1), Unit: "刑侦一队", Badge: "000001", District: "north", Town: "xin", From: noon - 86400, Until: noon + 30*86400}
}

// paper is an order with the certificate that goes into it, before anybody signs.
type paper struct {
	order    mandates.Order
	officer  mandates.Certificate
	registry string
	issuer   byte // seeds
	key      byte
}

// sample orders the hours before noon.
func sample() paper {
	return paper{mandates.Order{Reference: wire.ID{7, 7}, Gateway: "house-1/gate-1", Door: "front", From: noon - 4*3600 + 60, Until: noon - 60, Case: "A440000-2026-1", Signed: noon},
		certificate(), "city", 9, 1}
}

func (p paper) sign(t testing.TB) []byte {
	t.Helper()
	c, err := p.officer.Sign(p.registry, 2, key(p.issuer))
	p.order.Certificate = must(t, c, err)
	envelope, err := p.order.Sign(p.registry, key(p.key))
	return must(t, envelope, err)
}

// at is the question of gate-1 at a certain time.
func at(unix int64) Question {
	return Question{Place: wire.Place{District: "north", Town: "xin", Building: "house-1", Gateway: "gate-1"}, Doors: []string{"back", "front"},
		Now: trueclock.Interval{Sure: unix, Lo: unix, Hi: unix}}
}

// scene is a book whose time the test sets.
type scene struct {
	t    *testing.T
	path string
	now  Moment
	dice func(time.Duration) time.Duration // by which decoys are made; nil: by chance
	*Book
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, path: filepath.Join(t.TempDir(), "holds")}
	s.now.Boot = time.Hour
	s.sets(noon)
	s.restart()
	return s
}

// sets lets all know the time.
func (s *scene) sets(unix int64) {
	s.now.Wall = time.Unix(unix, 0)
	s.now.Interval = trueclock.Interval{Sure: unix, Lo: unix, Hi: unix}
}

// passes lets time pass while the daemon runs.
func (s *scene) passes(d time.Duration) {
	s.now.Boot += d
	s.sets(s.now.Wall.Add(d).Unix())
}

// restart opens the book anew, and fails where the file is damaged.
func (s *scene) restart() {
	s.t.Helper()
	b, err := OpenBook(Options{Path: s.path, Now: func() Moment { return s.now }, Doors: []string{"back", "front"}, Kept: func() time.Duration { return 30 * 24 * time.Hour }, Chance: s.dice})
	s.Book = must(s.t, b, err)
}

// take takes an order of an officer.
func (s *scene) take(reference byte, officer byte) {
	s.t.Helper()
	p := sample()
	p.order.Reference, p.officer.Public = wire.ID{reference}, public(officer)
	must(s.t, 0, s.Take(Taken{Order: p.order, Officer: p.officer}))
}

// entry is a passage some hours before noon, by a good clock.
func entry(door string, hoursBefore float64) wire.Header {
	return wire.Header{Kind: wire.KindAccess, Door: door, Wall: (noon - int64(hoursBefore*3600)) * 1000, Clock: wire.ClockNTP}
}

// wants compares what is held: an hour before noon at the front door.
func (s *scene) wants(what string, held bool) {
	s.t.Helper()
	if got := s.Held(entry("front", 1)); got != held {
		s.t.Errorf("%s: held %v", what, got)
	}
}

// live are the slots that are not over.
func (s *scene) live() (all []slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.pass()
	for _, one := range s.slots {
		if !one.over(m) {
			all = append(all, one)
		}
	}
	return all
}

var ever = trueclock.Interval{Sure: 0, Lo: 0, Hi: math.MaxInt64}
