package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// reference hashes records with tlog's own storage.
type reference struct{ hashes []tlog.Hash }

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, i := range indexes {
		list = append(list, r.hashes[i])
	}
	return list, nil
}

func (r *reference) add(t testing.TB, n int, leaf tlog.Hash) {
	t.Helper()
	more, err := tlog.StoredHashesForRecordHash(int64(n), leaf, r)
	if err != nil {
		t.Fatal(err)
	}
	r.hashes = append(r.hashes, more...)
}

func (r *reference) root(t testing.TB, n int) tlog.Hash {
	t.Helper()
	h, err := tlog.TreeHash(int64(n), r)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func leaf(n int) tlog.Hash { return tlog.RecordHash(binary.BigEndian.AppendUint32(nil, uint32(n))) }

func leaves(from, to int) []tlog.Hash {
	list := make([]tlog.Hash, 0, to-from)
	for i := from; i < to; i++ {
		list = append(list, leaf(i))
	}
	return list
}

func equal(a, b Range) bool { return bytes.Equal(a.Encode(), b.Encode()) }

// The root is that of tlog at every size, also after writing and reading.
func TestRootIsRFC6962(t *testing.T) {
	var ref reference
	var r Range
	for n := range 1100 {
		want := ref.root(t, n)
		if r.Size() != uint64(n) || r.Root() != want {
			t.Fatalf("root of %d leaves is %v, want %v", r.Size(), r.Root(), want)
		}
		again, err := Decode(r.Encode())
		if err != nil || again.Root() != want || !equal(again, r) {
			t.Fatalf("range of %d leaves written and read: %v, %v", n, again.Root(), err)
		}
		ref.add(t, n, leaf(n))
		r = r.Add(leaf(n))
	}
}

// However leaves come, one by one, many at a time or as subtrees: the same range.
func TestWaysOfAddingAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var one, mixed Range
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			from := int(one.Size())
			n := rapid.IntRange(0, 300).Draw(t, "leaves")
			level := rapid.IntRange(0, 8).Draw(t, "level")
			if one.Size()&(1<<level-1) == 0 && rapid.Bool().Draw(t, "as a subtree") {
				n = 1 << level
				mixed = mixed.AddSubtree(Range{}.AddAll(leaves(from, from+n)).Root(), level)
			} else {
				mixed = mixed.AddAll(leaves(from, from+n))
			}
			for _, h := range leaves(from, from+n) {
				one = one.Add(h)
			}
			if !equal(one, mixed) {
				t.Fatalf("ranges of %d leaves differ", one.Size())
			}
		}
	})
}

// A copy stays what it was, whatever is added to it or to what it came from.
func TestCopiesStayValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Range
		var copies []Range
		var wants [][]byte
		for i := range rapid.IntRange(1, 70).Draw(t, "leaves") {
			copies, wants = append(copies, r), append(wants, r.Encode())
			r.Add(tlog.Hash{0xee}) // a commit that failed
			r.AddAll([]tlog.Hash{{0xdd}, {0xcc}, {0xbb}})
			if i%3 == 0 {
				r = r.AddAll(leaves(i, i+2))
			} else {
				r = r.Add(leaf(i))
			}
		}
		for i := range copies {
			if !bytes.Equal(copies[i].Encode(), wants[i]) {
				t.Fatalf("the range of %d leaves changed later", copies[i].Size())
			}
		}
	})
}

func TestSubtreeAtTheWrongPlacePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a subtree of 4 leaves was added after 2")
		}
	}()
	Range{}.AddAll(leaves(0, 2)).AddSubtree(leaf(0), 2)
}

func TestDecodeRefuses(t *testing.T) {
	good := Range{}.AddAll(leaves(0, 7)).Encode()
	huge := binary.BigEndian.AppendUint64(nil, math.MaxUint64)
	huge = append(huge, make([]byte, 64*tlog.HashSize)...)
	for name, b := range map[string][]byte{
		"nothing": nil, "half a size": good[:7], "a hash too few": good[:len(good)-tlog.HashSize],
		"a byte too many": append(bytes.Clone(good), 0), "a hash too many": append(bytes.Clone(good), good[8:40]...),
		"more than tlog can count": huge,
	} {
		if _, err := Decode(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Range{}.Encode())
	f.Add(Range{}.AddAll(leaves(0, 3)).Encode())
	f.Add(Range{}.AddAll(leaves(0, 255)).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(got.Encode(), b) {
			t.Fatalf("%x read and written again is %x", b, got.Encode())
		}
		got.Root()
		if next := got.Add(leaf(1)); next.Size() != got.Size()+1 {
			t.Fatalf("%d leaves and one more are %d", got.Size(), next.Size())
		}
		for n := range len(b) {
			if _, err := Decode(b[:n]); err == nil {
				t.Fatalf("%x is also accepted when cut to %d bytes", b, n)
			}
		}
	})
}

// BenchmarkAddAll: leaves a second in batches as an uplink sends them, with the
// root after each, against one node hash a leaf, which no way of adding beats.
func BenchmarkAddAll(b *testing.B) {
	const batch = 350
	list := leaves(0, batch)
	var r Range
	var bare, ours time.Duration
	var h tlog.Hash
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		r = r.AddAll(list)
		h = r.Root()
		ours += time.Since(begin)
		begin = time.Now()
		for i := range list {
			h = tlog.NodeHash(h, list[i])
		}
		bare += time.Since(begin)
	}
	b.ReportMetric(float64(r.Size())/ours.Seconds(), "leaves/s")
	b.ReportMetric(float64(ours)/float64(bare), "x_bare_hash")
}

// BenchmarkAdd: one leaf at a time, which copies the range.
func BenchmarkAdd(b *testing.B) {
	r := Range{}.AddAll(leaves(0, 50_000))
	h := leaf(1)
	b.ReportAllocs()
	for b.Loop() {
		r = r.Add(h)
	}
}
