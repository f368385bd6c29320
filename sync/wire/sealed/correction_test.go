package sealed

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// TestCorrection: the longest request fits into an entry, comes back as it was, and its entry has the size of a cover;
// what no request says is neither written nor read.
func TestCorrection(t *testing.T) {
	private, public := keys(t)
	c := Correction{Tenancy: wire.ID{1}, Card: wire.CredentialID{2}, About: AboutEntry, Epoch: math.MaxUint64, Sequence: math.MaxUint64, Text: strings.Repeat("字", MaxCorrection/3)}
	r, err := c.Record()
	if err != nil {
		t.Fatal(err)
	}
	detail, err := Seal(public, at, seq(1, 32), r)
	if err != nil || len(detail) != wire.SealedSize {
		t.Fatalf("%d bytes, %v", len(detail), err)
	}
	read, err := Open(private, at, detail)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := CorrectionOf(read); err != nil || again != c {
		t.Errorf("%+v comes back as %+v, %v", c, again, err)
	}
	for name, change := range map[string]func(*Correction){
		"no text":              func(c *Correction) { c.Text = "" },
		"a long text":          func(c *Correction) { c.Text = strings.Repeat("x", MaxCorrection+1) },
		"no UTF-8":             func(c *Correction) { c.Text = "\xff" },
		"about nothing":        func(c *Correction) { c.About = 0 },
		"an entry without one": func(c *Correction) { c.Epoch, c.Sequence = 0, 0 },
		"another with one":     func(c *Correction) { c.About = AboutFlat },
	} {
		bad := c
		change(&bad)
		if _, err := bad.Record(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range []Record{{What: Answer, Fixed: r.Fixed}, {What: Correct}, {What: Correct, Fixed: append(bytes.Clone(r.Fixed), 0)}} {
		if c, err := CorrectionOf(r); err == nil {
			t.Errorf("%+v is read as %+v", r, c)
		}
	}
}

// TestAbouts: each has a name of its own, which is read again.
func TestAbouts(t *testing.T) {
	for a := AboutEntry; a <= AboutOther; a++ {
		if got, ok := AboutOf(a.String()); !ok || got != a {
			t.Errorf("%v is read as %v, %v", a, got, ok)
		}
	}
	if _, ok := AboutOf(About(8).String()); ok {
		t.Error("what there is not has a name")
	}
}

func FuzzCorrection(f *testing.F) {
	r, _ := Correction{About: AboutFlat, Text: "3B"}.Record()
	f.Add(r.Fixed)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := CorrectionOf(Record{What: Correct, Fixed: b})
		if err != nil {
			return
		}
		if again, err := c.Record(); err != nil || !bytes.Equal(again.Fixed, b) {
			t.Errorf("%x is written as %x, %v", b, again.Fixed, err)
		}
	})
}
