package readers

import (
	"bytes"
	"testing"

	"gatehouse/internal/control"
)

func TestWriteLearnedFormat(t *testing.T) {
	var b bytes.Buffer
	writeLearned(&b, control.LearnedFormat{Cards: 2, Bits: 34, Remarks: []string{"H10306 fits."}, Proposals: []control.Proposal{
		{Format: "H10306", Why: "2 checks are right", Fields: []string{"facility 3, card 1", "facility 3, card 2"}},
		{Format: "RAW34", Why: "takes any bits", Fields: []string{"card 1", "card 2"}},
	}})
	want := `H10306    likeliest: 2 checks are right
  card 1  facility 3, card 1
  card 2  facility 3, card 2
RAW34     takes any bits
  card 1  card 1
  card 2  card 2
H10306 fits.
In the site file the likeliest is
formats = ["H10306"]
`
	if b.String() != want {
		t.Errorf("got:\n%s", &b)
	}
	b.Reset()
	writeLearned(&b, control.LearnedFormat{Cards: 1, Bits: 4, Remarks: []string{"So few bits are a key of a keypad, not a card."}})
	if want := "So few bits are a key of a keypad, not a card.\n"; b.String() != want {
		t.Errorf("none fits:\n%s", &b)
	}
}
