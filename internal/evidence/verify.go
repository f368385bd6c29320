package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/sm3"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

// SignedBy says whose key signed a file.
type SignedBy string

// Who signs files.
const (
	ByGateway SignedBy = "gateway"
	ByWitness SignedBy = "witness" // the registry, with its witness's key
)

// State says what is known of whom an entry names.
type State uint8

// The states.
const (
	Nobody   State = iota // it names nobody
	Named                 // the file says whom
	Withheld              // only the hash of its who part is here: it is outside the mandate's scope, or was erased
)

// Report is what a file proves.
type Report struct {
	Manifest Manifest
	Root     ed25519.PublicKey // that the file is judged by; nil in a standalone house
	Log      ed25519.PublicKey // of the gateway
	Anchored bool              // Root (or Log, in a standalone house) is the key that the reader believes
	SignedBy SignedBy          // of the file

	LogSigned  bool      // the gateway signed the newest checkpoint
	Cosigned   uint64    // entries below this sequence are in a tree that a witness cosigned; 0: none
	CosignedAt time.Time // when, by the witness's clock; zero: none
	Size       uint64    // of the tree of the newest checkpoint

	Entries []Entry
	SHA256  [sha256.Size]byte // of the whole file
	SM3     [sm3.Size]byte

	leaves []tlog.Hash
	proven []Proven // the newest checkpoint, then the earlier one
}

// Whole reports whether all that can be proved is proved: the reader believes the root, and a
// witness has cosigned all entries.
func (r Report) Whole() bool { return r.Anchored && r.Cosigned >= r.Manifest.End() }

// Entry is one entry of a report.
type Entry struct {
	Sequence uint64
	State    State
	Header   wire.Header
	Who      wire.Who      // of Named
	Salt     [16]byte      // of Named
	WhoHash  wire.Hash     // but of Nobody
	Opening  Opening       // of a card that was accepted
	Time     time.Time     // as recorded, or corrected by a pin of its run
	Within   time.Duration // how far a corrected time can be off
	Pinned   bool          // Time is corrected
}

// Verify judges the bytes of a file. Its error is a *Refusal; without one the report says how much
// is proved, which may be less than Whole. The report shares the bytes.
func Verify(file []byte, trust Trust) (Report, error) {
	all, err := readZip(file)
	if err != nil {
		return Report{}, err
	}
	has := map[string][]byte{}
	for _, m := range all {
		has[m.name] = m.data
	}
	if err := checkSums(all, has); err != nil {
		return Report{}, err
	}
	r := Report{SHA256: sha256.Sum256(file), SM3: sm3.Sum(file)}
	if r.Manifest, err = readManifest(has[nameManifest]); err != nil {
		return Report{}, err
	}
	a, err := judgeAuthority(r.Manifest, has, trust)
	if err != nil {
		return Report{}, err
	}
	r.Root, r.Log, r.Anchored = a.root, a.logKey, a.anchored
	if r.SignedBy, err = a.openSignature(has[nameSignature], has[nameSHA256]); err != nil {
		return Report{}, err
	}
	if err = r.readEntries(has[nameEntries]); err == nil {
		err = r.prove(a, has)
	}
	if err == nil {
		err = r.explain(has[nameClock])
	}
	if err != nil {
		return Report{}, err
	}
	return r, nil
}

// checkSums compares the sums with what is there: what they say follows from it, to the byte.
func checkSums(all []member, has map[string][]byte) error {
	n := len(all) - 2 // but the sums and the signature
	for i := range all {
		all[i].sum = sha256.Sum256(all[i].data)
	}
	for name, sum := range map[string]func(member) []byte{nameSHA256: func(m member) []byte { return m.sum[:] }, nameSM3: func(m member) []byte { sum := sm3.Sum(m.data); return sum[:] }} {
		covered := all[:n]
		if name == nameSM3 {
			covered = all[:n-1]
		}
		if want := sums(covered, sum); !bytes.Equal(want, has[name]) {
			return refuse(Changed, firstOther(covered, want, has[name], name), nil)
		}
	}
	return nil
}

// firstOther names the member whose sum is another one, or the sums.
func firstOther(covered []member, want, got []byte, sums string) string {
	gotLines := bytes.SplitAfter(got, []byte("\n"))
	for i, line := range bytes.SplitAfter(want, []byte("\n")) {
		if i < len(covered) && i < len(gotLines) && !bytes.Equal(line, gotLines[i]) {
			return covered[i].name
		}
	}
	return sums
}

// readEntries splits the entries and compares them with the manifest's counts.
func (r *Report) readEntries(b []byte) error {
	fail := func(err error) error { return refuse(BadEntries, nameEntries, err) }
	var c Counts
	r.Entries = make([]Entry, 0, min(r.Manifest.Counts.Entries, uint64(len(b)/16)))
	r.leaves = make([]tlog.Hash, 0, cap(r.Entries))
	for len(b) > 0 {
		s, rest, err := journaled.Next(b)
		if err != nil {
			return fail(fmt.Errorf("entry %d: %w", r.Manifest.First+c.Entries, err))
		}
		e := Entry{Sequence: r.Manifest.First + c.Entries, Salt: s.Salt, WhoHash: s.WhoHash}
		e.State = c.add(s)
		if e.Header, err = wire.DecodeHeader(s.Header); err != nil {
			return fail(fmt.Errorf("entry %d: %w", e.Sequence, err))
		}
		if e.State == Named {
			if e.Who, err = wire.DecodeWho(s.Who); err != nil {
				return fail(fmt.Errorf("entry %d: %w", e.Sequence, err))
			}
		}
		r.Entries, r.leaves, b = append(r.Entries, e), append(r.leaves, tree.LeafHash(s.Header, s.WhoHash[:])), rest
	}
	if c != r.Manifest.Counts {
		return refuse(BadManifest, nameManifest, errors.New("it counts other entries than there are"))
	}
	return nil
}

// prove follows the entries to the checkpoints.
func (r *Report) prove(a authority, has map[string][]byte) error {
	head, err := r.proveBy(a, has, nameCheckpoint, nameProof, r.Manifest.End())
	if err != nil {
		return err
	}
	r.LogSigned, r.Size, r.CosignedAt = head.byLog, head.Size, head.cosignedAt
	_, has1 := has[nameEarlier]
	_, has2 := has[nameEarlierProof]
	switch cosigned := !head.cosignedAt.IsZero(); {
	case has1 != has2, has1 && cosigned:
		return refuse(BadCheckpoint, nameEarlier, errors.New("it stands where it is not needed"))
	case cosigned:
		r.Cosigned = r.Manifest.End()
		return nil
	case !has1:
		return nil
	}
	return r.proveEarlier(a, has)
}

// proveEarlier follows the entries that a witness has cosigned to that checkpoint.
func (r *Report) proveEarlier(a authority, has map[string][]byte) error {
	span, err := readProof(has[nameEarlierProof], nameEarlierProof)
	if err != nil {
		return err
	}
	earlier, err := r.proveBy(a, has, nameEarlier, nameEarlierProof, span.End)
	if err != nil {
		return err
	}
	if earlier.cosignedAt.IsZero() || earlier.Size > r.Size || span.End != min(earlier.Size, r.Manifest.End()) {
		return refuse(BadCheckpoint, nameEarlier, errors.New("no witness cosigned it, or it is not earlier"))
	}
	r.Cosigned, r.CosignedAt = span.End, earlier.cosignedAt
	return nil
}

// proveBy follows the entries before end to one checkpoint.
func (r *Report) proveBy(a authority, has map[string][]byte, note, proof string, end uint64) (signedTree, error) {
	t, err := a.openCheckpoint(has[note], note)
	if err != nil {
		return t, err
	}
	s, err := readProof(has[proof], proof)
	if err != nil {
		return t, err
	}
	first := r.Manifest.First
	if s.Left.Size() != first || s.End != end || s.Size != t.Size || end < first || end > r.Manifest.End() {
		return t, refuse(BadProof, proof, errors.New("it is of other entries"))
	}
	root, err := s.Root(s.Left.AddAll(r.leaves[:end-first]))
	if err != nil || wire.Hash(root) != t.Root {
		return t, refuse(BadProof, proof, err)
	}
	r.proven = append(r.proven, Proven{string(has[note]), s})
	return t, nil
}

// textOf reads what a note says, whoever signed it.
func (a authority) textOf(text string) (checkpoint.Checkpoint, error) {
	at := bytes.Index([]byte(text), []byte("\n\n"))
	if at < 0 {
		return checkpoint.Checkpoint{}, fmt.Errorf("%w: no signed note", wire.ErrMalformed)
	}
	c, err := checkpoint.ParseText(text[:at+1], a.address)
	if err == nil && c.Epoch != uint64(a.epoch) {
		err = fmt.Errorf("%w: the checkpoint is of another epoch", wire.ErrMalformed)
	}
	return c, err
}
