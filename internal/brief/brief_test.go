package brief

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

// scene is a gateway of a house.
type scene struct {
	*List
	t      *testing.T
	path   string
	issuer ed25519.PrivateKey
	lives  map[wire.ID]bool
	alone  bool
}

func newScene(t *testing.T) *scene {
	_, issuer, err := ed25519.GenerateKey(nil)
	must(t, err)
	s := &scene{t: t, path: filepath.Join(t.TempDir(), File), issuer: issuer, lives: map[wire.ID]bool{}}
	s.open()
	return s
}

func (s *scene) open() {
	r := &keys.Registry{Place: wire.Place{Building: "house-1"}, Trust: wire.Trust{Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 1, Public: [32]byte(s.issuer.Public().(ed25519.PublicKey))}}}}
	s.List = Open(Options{Path: s.path, Living: func() map[wire.ID]bool { return s.lives }, Log: zerolog.Nop(), Registry: func() *keys.Registry {
		if s.alone {
			return nil
		}
		return r
	}})
}

// hears takes a list.
func (s *scene) hears(tenancies ...wire.ID) {
	s.t.Helper()
	must(s.t, s.Take(s.signed(tenancies...)))
}

func (s *scene) signed(tenancies ...wire.ID) []byte {
	s.t.Helper()
	envelope, err := briefs.Of(tenancies).Sign("house-1", 1, s.issuer)
	must(s.t, err)
	return envelope
}

// wants compares what is known, also after a restart.
func (s *scene) wants(when string, want ...wire.ID) {
	s.t.Helper()
	for range 2 {
		n := 0
		for i := range byte(5) {
			if s.Has(wire.ID{i}) {
				n++
			}
		}
		for _, id := range want {
			if !s.Has(id) {
				s.t.Errorf("%s: %x is missing", when, id[0])
			}
		}
		if n != len(want) {
			s.t.Errorf("%s: %d are known, want %d", when, n, len(want))
		}
		s.open()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTake: a list counts at once and after a restart; a tenancy that still has a card stays on it, whatever a later list leaves out,
// and goes with its last card.
func TestTake(t *testing.T) {
	s := newScene(t)
	if s.Heard() {
		t.Error("heard of before the first list")
	}
	s.hears()
	s.wants("an empty list")
	if !s.Heard() || s.Learned() != 0 {
		t.Errorf("after an empty list: heard %v, learned %d", s.Heard(), s.Learned())
	}
	s.hears(wire.ID{1}, wire.ID{2})
	if s.Learned() != 1 {
		t.Errorf("learned %d", s.Learned())
	}
	s.hears(wire.ID{2}, wire.ID{1})
	if s.Learned() != 1 {
		t.Errorf("the same again: learned %d", s.Learned())
	}
	s.lives[wire.ID{1}], s.lives[wire.ID{3}] = true, true
	s.wants("two", wire.ID{1}, wire.ID{2})
	s.hears(wire.ID{3})
	s.wants("one has a card, one has none", wire.ID{1}, wire.ID{3})
	delete(s.lives, wire.ID{1})
	s.hears(wire.ID{3})
	s.wants("its card is gone", wire.ID{3})
}

// TestTakeRefuses: what no issuer of this registry has signed for this building changes nothing, nor does anything in a house
// without a registry.
func TestTakeRefuses(t *testing.T) {
	s := newScene(t)
	s.hears(wire.ID{1})
	good := s.signed(wire.ID{2})
	_, stranger, err := ed25519.GenerateKey(nil)
	must(t, err)
	strange, err := briefs.Of([]wire.ID{{2}}).Sign("house-1", 1, stranger)
	must(t, err)
	elsewhere, err := briefs.Of([]wire.ID{{2}}).Sign("house-2", 1, s.issuer)
	must(t, err)
	for want, bad := range map[error][]byte{wire.ErrUnknownKey: strange, wire.ErrWrongAddress: elsewhere, wire.ErrMalformed: good[:9]} {
		if err := s.Take(bad); !errors.Is(err, want) {
			t.Errorf("want %v: %v", want, err)
		}
	}
	if s.alone = true; !errors.Is(s.Take(good), wire.ErrUnknownKey) {
		t.Error("a house without a registry takes it")
	}
	s.wants("nothing good came", wire.ID{1})
}

// TestFiles: of a damaged file what can be read counts, and the next list mends it; one that can't be written counts until the next start.
func TestFiles(t *testing.T) {
	s := newScene(t)
	s.hears(wire.ID{1}, wire.ID{2})
	b, err := os.ReadFile(s.path)
	must(t, err)
	must(t, os.WriteFile(s.path, append([]byte("x"), b...), 0o600))
	s.open()
	s.wants("its first line is damaged", wire.ID{2})
	s.hears(wire.ID{1}, wire.ID{2})
	s.wants("mended", wire.ID{1}, wire.ID{2})
	if again, err := os.ReadFile(s.path); err != nil || !bytes.Equal(again, b) {
		t.Errorf("the file has %q, %v", again, err)
	}
	must(t, os.Remove(s.path))
	must(t, os.Mkdir(s.path, 0o700))
	s.hears(wire.ID{3})
	if !s.Has(wire.ID{3}) {
		t.Error("it does not count, since no disk took it")
	}
	must(t, os.Remove(s.path))
	s.hears(wire.ID{3})
	s.wants("the disk takes it again", wire.ID{3})
}
