package whos

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
	"gatehouse/sync/wire/sealing"
)

const house = "house-1/gate-1"

func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// parts are those of the entries first, first + 2 and first + 9: whos of test values, of three lengths.
func parts() []Part {
	return []Part{{Index: 0, Salt: [16]byte(seq(0x60, 16)), Who: seq(1, 56)}, {Index: 2, Salt: [16]byte(seq(0x61, 16)), Who: []byte{1}},
		{Index: 9, Salt: [16]byte(seq(0x62, 16)), Who: seq(2, 59)}}
}

func same(a, b []Part) bool {
	return slices.EqualFunc(a, b, func(a, b Part) bool { return a.Index == b.Index && a.Salt == b.Salt && bytes.Equal(a.Who, b.Who) })
}

func keyPair(t testing.TB) (private, public []byte) {
	t.Helper()
	private, public, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// made is a context at the gateway, and as the holder of the private key opens it.
func made(t testing.TB, epoch uint64) (private []byte, gateway, office *Context) {
	t.Helper()
	private, public := keyPair(t)
	gateway, err := Begin(public, house, epoch)
	if err == nil {
		office, err = Open(private, house, epoch, gateway.Encapsulated())
	}
	if err != nil {
		t.Fatal(err)
	}
	return private, gateway, office
}

func seal(t testing.TB, c *Context, first uint64, parts []Part) []byte {
	t.Helper()
	b, err := c.Seal(first, parts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSealedAtOnce: only the key, the gateway and the place that they were sealed for open them.
func TestSealedAtOnce(t *testing.T) {
	private, public := keyPair(t)
	sealed, err := Seal(public, house, 7, 300, parts())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unseal(private, house, 7, 300, sealed); err != nil || !same(got, parts()) {
		t.Errorf("%+v, %v", got, err)
	}
	other, _ := keyPair(t)
	for name, open := range map[string]func() ([]Part, error){
		"another key":     func() ([]Part, error) { return Unseal(other, house, 7, 300, sealed) },
		"another gateway": func() ([]Part, error) { return Unseal(private, "house-1/gate-2", 7, 300, sealed) },
		"another epoch":   func() ([]Part, error) { return Unseal(private, house, 8, 300, sealed) },
		"another place":   func() ([]Part, error) { return Unseal(private, house, 7, 301, sealed) },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s opens them", name)
		}
	}
	w := parts()[0]
	for name, list := range map[string][]Part{"an index twice": {w, w}, "out of order": {parts()[2], w}} {
		sealed, err := Seal(public, house, 7, 300, list)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Unseal(private, house, 7, 300, sealed); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestContext: what was sealed in a context opens with its encapsulated key and the private one, in
// any order, and the same entry in another batch is the same bytes.
func TestContext(t *testing.T) {
	_, gateway, office := made(t, 7)
	if len(gateway.Encapsulated()) != 1120 || gateway.ID() != office.ID() || gateway.ID() != IDOf(gateway.Encapsulated()) {
		t.Errorf("key of %d bytes, ids %v and %v", len(gateway.Encapsulated()), gateway.ID(), office.ID())
	}
	first, second := seal(t, gateway, 300, parts()), seal(t, gateway, 310, parts())
	for _, c := range []struct {
		first  uint64
		sealed []byte
	}{{310, second}, {300, first}, {310, second}} {
		if got, err := office.Unseal(c.first, c.sealed); err != nil || !same(got, parts()) {
			t.Errorf("from %d: %+v, %v", c.first, got, err)
		}
	}
	moved := parts()[2]
	moved.Index = 0
	again := seal(t, gateway, 309, []Part{moved})
	if a, b := must(Split(first))(t), must(Split(again))(t); !bytes.Equal(a[2].Bytes, b[0].Bytes) {
		t.Error("an entry sealed again, in another batch, is other bytes")
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestOpener: who parts open in the context that they were sealed in, whichever came before, and in that of another epoch
// or gateway, or with another key, not at all.
func TestOpener(t *testing.T) {
	private, gateway, _ := made(t, 7)
	_, public := keyPair(t)
	if _, err := (&Opener{Records: private}).Parts(house, 7, 300, seal(t, must(Begin(public, house, 7))(t), 300, parts()), gateway.Encapsulated()); err == nil {
		t.Error("another context opens them")
	}
	public = must(sealing.PublicOf(private))(t)
	other, again := must(Begin(public, house, 7))(t), must(Begin(public, house, 8))(t)
	atOnce := must(Seal(public, house, 7, 330, parts()))(t)
	first, second, third := seal(t, gateway, 300, parts()), seal(t, other, 310, parts()), seal(t, again, 320, parts())
	o := Opener{Records: private}
	for i, c := range []struct {
		epoch, first uint64
		sealed, key  []byte
		shut         bool
	}{{7, 300, first, gateway.Encapsulated(), false}, {7, 310, second, other.Encapsulated(), false}, {7, 300, first, other.Encapsulated(), true},
		{7, 300, first, gateway.Encapsulated(), false}, {8, 300, first, gateway.Encapsulated(), true}, {8, 320, third, again.Encapsulated(), false},
		{7, 330, atOnce, nil, false}, {8, 320, third, again.Encapsulated(), false}, {8, 321, third, again.Encapsulated(), true}} {
		if got, err := o.Parts(house, c.epoch, c.first, c.sealed, c.key); c.shut != (err != nil) || !c.shut && !same(got, parts()) {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
	}
	if _, err := o.Parts("house-2/gate-1", 8, 320, third, again.Encapsulated()); err == nil {
		t.Error("another gateway's open")
	}
	for _, nobody := range [][]byte{nil, Join(nil)} {
		if got, err := (&Opener{}).Parts(house, 7, 300, nobody, gateway.Encapsulated()); err != nil || len(got) > 0 {
			t.Errorf("of nobody: %+v, %v", got, err)
		}
	}
	if _, err := (&Opener{Records: []byte{1}}).Parts(house, 7, 300, first, gateway.Encapsulated()); err == nil {
		t.Error("half a key opens them")
	}
}

// TestOneIsErased: without the seal of one entry the others open, and nothing of it is left.
func TestOneIsErased(t *testing.T) {
	_, gateway, office := made(t, 7)
	sealed := seal(t, gateway, 300, parts())
	all := must(Split(sealed))(t)
	gone := bytes.Clone(all[1].Bytes)
	left := Join(slices.Delete(all, 1, 2))
	got, err := office.Unseal(300, left)
	if err != nil || !same(got, slices.Delete(parts(), 1, 2)) || bytes.Contains(left, gone) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := office.Unseal(300, Join(nil)); err != nil || len(got) != 0 {
		t.Errorf("of none: %+v, %v", got, err)
	}
}

// TestHostile: no other key, gateway, epoch, place or context opens a seal, and none that was changed does.
func TestHostile(t *testing.T) {
	private, gateway, office := made(t, 7)
	sealed := seal(t, gateway, 300, parts())
	other, public := keyPair(t)
	_, another, _ := made(t, 7)
	sibling := must(Begin(public, "house-1/gate-2", 7))(t)
	for name, open := range map[string]func() (*Context, error){
		"another key":     func() (*Context, error) { return Open(other, house, 7, gateway.Encapsulated()) },
		"another gateway": func() (*Context, error) { return Open(private, "house-1/gate-2", 7, gateway.Encapsulated()) },
		"another epoch":   func() (*Context, error) { return Open(private, house, 8, gateway.Encapsulated()) },
		"another context": func() (*Context, error) { return Open(private, house, 7, another.Encapsulated()) },
		"one of a sibling's, replayed": func() (*Context, error) {
			return Open(other, house, 7, sibling.Encapsulated())
		},
		"half a key": func() (*Context, error) { return Open(private, house, 7, gateway.Encapsulated()[:600]) },
	} {
		c, err := open()
		if err != nil {
			continue
		}
		if got, err := c.Unseal(300, sealed); err == nil {
			t.Errorf("%s opens %+v", name, got)
		}
		if _, err := c.Unseal(300, seal(t, sibling, 300, parts())); err == nil {
			t.Errorf("%s opens what a sibling has sealed", name)
		}
	}
	if _, err := office.Unseal(301, sealed); err == nil {
		t.Error("seals of other entries open")
	}
	swapped := must(Split(sealed))(t)
	swapped[0].Bytes, swapped[1].Bytes = swapped[1].Bytes, swapped[0].Bytes
	if _, err := office.Unseal(300, Join(swapped)); err == nil {
		t.Error("seals in each other's places open")
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if got, err := office.Unseal(300, changed); err == nil {
			t.Errorf("with byte %d changed it opens as %+v", i, got)
		}
	}
}

// TestForgotten: a context that was forgotten seals and opens nothing, and its secret is nowhere in it.
func TestForgotten(t *testing.T) {
	_, gateway, _ := made(t, 7)
	sealed := seal(t, gateway, 300, parts())
	secret := gateway.secret
	gateway.Forget()
	if !bytes.Equal(secret, make([]byte, 32)) {
		t.Error("the secret was not overwritten")
	}
	if _, err := gateway.Seal(300, parts()); !errors.Is(err, errForgotten) {
		t.Errorf("it seals: %v", err)
	}
	if _, err := gateway.Unseal(300, sealed); !errors.Is(err, errForgotten) {
		t.Errorf("it opens: %v", err)
	}
	gateway.Forget() // once more does no harm
}

// golden returns the bytes of a rule of golden.txt.
func golden(t testing.TB, rule string) []byte {
	t.Helper()
	text := string(must(os.ReadFile("../testdata/golden.txt"))(t))
	_, after, _ := strings.Cut(text, "\n"+rule+":\n")
	body, _, _ := strings.Cut(after, "\n\n")
	return must(hex.DecodeString(strings.Join(strings.Fields(body), "")))(t)
}

// TestGolden: the seal of golden.txt is the entry 300 of who-parts, in a context with the secret 01 02 .. 20.
func TestGolden(t *testing.T) {
	plain := golden(t, "who-parts")
	list, err := decode(plain)
	if err != nil {
		t.Fatal(err)
	}
	c := &Context{secret: seq(1, 32)}
	if got := seal(t, c, 300, list); !bytes.Equal(got, golden(t, "who-seals")) {
		t.Errorf("the seals are %x", got)
	}
	if again, err := canonical.Marshal(list); err != nil || !bytes.Equal(again, plain) {
		t.Errorf("who parts: %x, %v", again, err)
	}
}

// TestNamed: a batch names a context by its id, or brings its key.
func TestNamed(t *testing.T) {
	key := seq(5, 1120)
	id := IDOf(key)
	if got, brought := Named(id[:]); got != id || brought != nil {
		t.Errorf("by its id: %v, %x", got, brought)
	}
	if got, brought := Named(key); got != id || !bytes.Equal(brought, key) {
		t.Errorf("by its key: %v, %x", got, brought)
	}
}

// TestCheck: a seal is of an entry that names somebody.
func TestCheck(t *testing.T) {
	_, gateway, _ := made(t, 7)
	b := wire.Batch{Whos: [][]byte{{1}, nil, {1}}, Sealed: seal(t, gateway, 0, parts()[:2])}
	if err := Check(b); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(b *wire.Batch){
		"of an entry that names nobody": func(b *wire.Batch) { b.Whos = [][]byte{{1}, {1}, nil} },
		"behind the last":               func(b *wire.Batch) { b.Whos = b.Whos[:2] },
		"no seals":                      func(b *wire.Batch) { b.Sealed = []byte("sealed") },
	} {
		changed := b
		if change(&changed); !errors.Is(Check(changed), wire.ErrMalformed) {
			t.Errorf("%s: %v", name, Check(changed))
		}
	}
}

// laws holds a decoder of seals to: what is taken is written again as the same bytes, and no truncation is taken.
func laws(t *testing.T, b []byte) {
	all, err := Split(b)
	if err != nil {
		return
	}
	if again := Join(all); !bytes.Equal(again, b) {
		t.Fatalf("%x read and written again is %x", b, again)
	}
	for n := range b {
		if _, err := Split(b[:n]); err == nil {
			t.Fatalf("%x is also taken when cut to %d bytes", b, n)
		}
	}
}

// TestSplitRefuses: what Join does not make.
func TestSplitRefuses(t *testing.T) {
	long := make([]byte, least)
	good := Join([]Sealed{{1, long}, {300, long}})
	laws(t, good)
	if all, err := Split(good); err != nil || len(all) != 2 || all[1].Index != 300 {
		t.Fatalf("%+v, %v", all, err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a byte behind": append(bytes.Clone(good), 0), "too short a seal": Join([]Sealed{{1, long[1:]}}),
		"an index twice": Join([]Sealed{{1, long}, {1, long}}), "out of order": Join([]Sealed{{2, long}, {1, long}}),
		"more than there are": {0x9a, 0xff, 0xff, 0xff, 0xff}, "an index of 17 bits": append([]byte{0x81, 0x82, 0x1a, 0, 1, 0, 0, 0x58, least}, long...),
		"a long head": append([]byte{0x98, 1, 0x82, 1, 0x58, least}, long...),
	} {
		if _, err := Split(b); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzSplit holds the decoder of seals to its laws.
func FuzzSplit(f *testing.F) {
	f.Add(Join([]Sealed{{0, make([]byte, least)}, {24, make([]byte, 89)}, {1023, make([]byte, 300)}}))
	f.Add(Join(nil))
	f.Fuzz(laws)
}

// BenchmarkSeal is what the seal of one who part costs: in a full batch of a context, and at once.
func BenchmarkSeal(b *testing.B) {
	_, public := keyPair(b)
	var batch []Part
	for i := range 300 {
		batch = append(batch, Part{Index: uint16(i), Who: seq(1, 57)})
	}
	c := must(Begin(public, house, 7))(b)
	for name, sealed := range map[string]func() ([]byte, error){
		"context": func() ([]byte, error) { return c.Seal(0, batch) }, "at once": func() ([]byte, error) { return Seal(public, house, 7, 0, batch) }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := sealed(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/entry")
		})
	}
}
