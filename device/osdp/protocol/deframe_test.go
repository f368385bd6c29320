package protocol

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// frames feeds a stream in the given pieces and returns all frames, written again.
func frames(d *Deframer, pieces ...[]byte) (out [][]byte) {
	take := func() {
		for f, ok := d.Next(); ok; f, ok = d.Next() {
			b, _ := f.Append(nil)
			out = append(out, b)
		}
	}
	for _, p := range pieces {
		for len(p) > 0 {
			n := copy(d.Room(), p)
			d.Fed(n)
			p = p[n:]
			take()
		}
	}
	for d.Pending() {
		d.Timeout()
		take()
	}
	return out
}

// TestDeframeSplit: a frame arrives whole, in any two pieces, and byte by byte.
func TestDeframeSplit(t *testing.T) {
	for _, c := range published {
		whole := unhex(t, c.hex)
		for cut := range len(whole) + 1 {
			if got := frames(&Deframer{}, whole[:cut], whole[cut:]); len(got) != 1 || !bytes.Equal(got[0], whole) {
				t.Errorf("%X cut at %d: %X", whole, cut, got)
			}
		}
		var single [][]byte
		for _, b := range whole {
			single = append(single, []byte{b})
		}
		if got := frames(&Deframer{}, single...); len(got) != 1 || !bytes.Equal(got[0], whole) {
			t.Errorf("%X byte by byte: %X", whole, got)
		}
	}
}

// TestDeframeResync: a good frame behind a damaged one is found, however the
// damage looks, without help of a silence where the damage says no long length.
func TestDeframeResync(t *testing.T) {
	good := unhex(t, published[0].hex)
	for _, c := range published {
		whole := unhex(t, c.hex)
		for n := range whole {
			if got := frames(&Deframer{}, append(bytes.Clone(whole[:n]), good...)); len(got) != 1 || !bytes.Equal(got[0], good) {
				t.Errorf("behind the first %d bytes of %X: %X", n, whole, got)
			}
		}
		for bit := range 8 * len(whole) {
			bad := bytes.Clone(whole)
			bad[bit/8] ^= 0x80 >> (bit % 8)
			if got := frames(&Deframer{}, append(bad, good...)); len(got) != 1 || !bytes.Equal(got[0], good) {
				t.Errorf("behind %X: %X", bad, got)
			}
		}
	}
}

// TestDeframeLaw: whatever noise stands before frames, after a silence they are
// all found, in their order, and nothing else but what the noise itself holds.
func TestDeframeLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Deframer{}
		noise := rapid.SliceOfN(rapid.SampledFrom([]byte{som, 0, 4, 8, 9, 0x0C, Mark, 0x40, 0x80}), 0, 3000).Draw(t, "noise")
		frames(d, noise)
		if d.Pending() {
			t.Fatal("something left after the silence")
		}
		var want [][]byte
		var stream []byte
		for range rapid.IntRange(1, 5).Draw(t, "frames") {
			b, err := drawFrame(t).Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			want, stream = append(want, b), append(append(stream, Mark), b...)
		}
		cut := rapid.IntRange(0, len(stream)).Draw(t, "cut")
		got := frames(d, stream[:cut], stream[cut:])
		if !bytes.Equal(bytes.Join(got, nil), bytes.Join(want, nil)) {
			t.Fatalf("got %X, want %X", got, want)
		}
	})
}

func FuzzDeframe(f *testing.F) {
	for _, c := range published {
		f.Add(unhex(f, c.hex), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if cut < 0 || cut > len(b) {
			return
		}
		whole, pieces := frames(&Deframer{}, b), frames(&Deframer{}, b[:cut], b[cut:])
		if !bytes.Equal(bytes.Join(whole, nil), bytes.Join(pieces, nil)) {
			t.Fatalf("%X cut at %d: %X, whole: %X", b, cut, pieces, whole)
		}
	})
}
