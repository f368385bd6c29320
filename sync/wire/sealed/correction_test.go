package sealed

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// TestCorrection: the longest request fits into an entry, comes back as it was, and its entry has the size of a cover;
// what no request says is neither written nor read.
func TestCorrection(t *testing.T) {
	private, public := keys(t)
	c := Correction{Tenancy: wire.ID{1}, Card: wire.CredentialID{2}, About: AboutEntry, Epoch: math.MaxUint64, Sequence: math.MaxUint64, Text: strings.Repeat("字", MaxCorrection/3)}
	r, who, err := c.Record()
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
	if again, err := CorrectionOf(read, who); err != nil || again != c {
		t.Errorf("%+v comes back as %+v, %v", c, again, err)
	}
	if got, err := CorrectionOf(read, wire.Who{}); !errors.Is(err, ErrErased) || got != (Correction{}) {
		t.Errorf("without the who part: %+v, %v", got, err)
	}
	for name, w := range map[string]wire.Who{"another key": {Tenancy: who.Tenancy, Grant: &wire.ID{1}}, "another tenancy": {Tenancy: &wire.ID{2}, Grant: who.Grant}} {
		if got, err := CorrectionOf(read, w); !errors.Is(err, wire.ErrMalformed) || got != (Correction{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	old, err := canonical.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := CorrectionOf(Record{What: Correct, Fixed: old}, wire.Who{}); err != nil || got != c {
		t.Errorf("one of before: %+v, %v", got, err)
	}
	if bytes.Contains(r.Fixed, c.Tenancy[:]) || bytes.Contains(r.Fixed, []byte("字")) {
		t.Error("the record says whose request it is, or what")
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
		if _, _, err := bad.Record(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range []Record{{What: Answer, Fixed: r.Fixed}, {What: Correct}, {What: Correct, Fixed: append(bytes.Clone(r.Fixed), 0)}} {
		if c, err := CorrectionOf(r, who); err == nil {
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
	b, _ := canonical.Marshal(Correction{About: AboutFlat, Text: "3B"})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := CorrectionOf(Record{What: Correct, Fixed: b}, wire.Who{})
		if err != nil {
			return
		}
		if again, err := canonical.Marshal(c); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is written as %x, %v", b, again, err)
		}
	})
}
