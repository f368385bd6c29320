package evidence

import (
	"encoding/base64"
	"fmt"

	"gatehouse/sync/wire"
)

// Proof returns the proof of one entry of a report as a C2SP tlog-proof, by a checkpoint that a
// witness cosigned if there is one with this entry. Its extra data is the leaf record: the header,
// and the hash of the who part, which it does not tell.
func (r Report) Proof(sequence uint64) (string, error) {
	first := r.Manifest.First
	if sequence < first || sequence >= r.Manifest.End() {
		return "", fmt.Errorf("prove entry %d: the file has entries %d to %d", sequence, first, r.Manifest.End()-1)
	}
	by := r.proven[0]
	if len(r.proven) > 1 && sequence < r.Cosigned {
		by = r.proven[1]
	}
	path, err := by.Span.Inclusion(r.leaves[:by.Span.End-first], sequence)
	if err != nil {
		return "", err
	}
	e := r.Entries[sequence-first]
	header, err := e.Header.Encode()
	if err != nil {
		return "", err
	}
	b := fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(wire.LeafRecord(header, e.WhoHash)), sequence)
	for _, h := range path {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return string(b) + "\n" + by.Note, nil
}
