// Package evidence has the file in which entries of a gateway's log are handed over: a plain zip
// that says with public formats what it proves, so that a stranger checks it in ten years without
// a network and without this program. docs/evidence.md has it to the byte.
//
// Write makes a file, Verify judges one. The package refuses to choose what is in a file: who may
// see which who part is the mandate's matter, and whoever calls Write has judged it. Nor does
// Verify believe anything of a file that its signatures and hashes do not show: what is only said
// by whoever made it is told apart. All functions are safe for concurrent use.
package evidence

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/sm3"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

//go:embed read-me.zh.txt
var readMeZh []byte

//go:embed read-me.en.txt
var readMe []byte

//go:embed entries.cddl
var cddl []byte

// Content is what a file is made of. The same content makes the same bytes.
type Content struct {
	Manifest Manifest // but for its format, counts, and whether something is erased
	// Entries are all of the log from Manifest.First on, without a gap, erased (journaled.Stored's
	// Erase) where the mandate's scope does not have their who part. They are asked for twice, and
	// must be the same both times.
	Entries iter.Seq2[journaled.Stored, error]
	// Erased reports whether the mandate asks for entries whose who parts are not in the log any more. It
	// is called when all entries were asked for; nil: it does not. Which they are no file says: among the
	// entries of others they would show where somebody went whom the house was told to forget.
	Erased   func() bool
	Head     Proven            // newest checkpoint, signed by the log or cosigned
	Cosigned *Proven           // newest cosigned one, with a proof of the entries below its size, where Head has no cosignature
	Pins     []Pin             // of the runs of the span
	Trust    []byte            // trust document; nil in a standalone house
	House    []byte            // house document; nil in a standalone house
	Log      ed25519.PublicKey // of the gateway
	Key      crypto.Signer     // that signs, Ed25519: the gateway's, or a witness's
}

// Proven is a checkpoint, a signed note, and the proof that the entries are in its tree.
type Proven struct {
	Note string
	Span tree.Span
}

// Write writes the file. Its errors are those of w and of the entries, and say what does not fit
// together: a file that Verify would refuse for its proof is not written.
func Write(w io.Writer, c Content) error {
	if err := write(w, c); err != nil {
		return fmt.Errorf("write evidence file: %w", err)
	}
	return nil
}

var errUnsteady = errors.New("the entries have changed meanwhile: make the file again")

func write(w io.Writer, c Content) error {
	entries, err := c.measure()
	if err != nil {
		return err
	}
	all, err := c.members(entries)
	if err != nil {
		return err
	}
	again := crc32.NewIEEE()
	return writeZip(w, all, func(w io.Writer) error {
		if err := eachBatch(c.Entries, io.MultiWriter(w, again).Write); err != nil {
			return err
		}
		if again.Sum32() != entries.crc {
			return errUnsteady
		}
		return nil
	})
}

// measured are the entries as they will stand in the file.
type measured struct {
	member
	sm3 []byte
}

// measure walks the entries for the first time: it counts, sums and proves them.
func (c *Content) measure() (measured, error) {
	sha, other := &meter{Hash: sha256.New()}, sm3.New()
	var counts Counts
	tally := newTally(c.Head.Span, c.Cosigned)
	var leaves []tlog.Hash
	err := eachStored(c.Entries, func(s journaled.Stored) {
		counts.add(s)
		leaves = append(leaves, tree.LeafHash(s.Header, s.WhoHash[:]))
		if len(leaves) == batch {
			tally.add(leaves)
			leaves = leaves[:0]
		}
	}, func(b []byte) (int, error) {
		_, _ = other.Write(b) // sums take everything
		return sha.Write(b)
	})
	tally.add(leaves)
	if err == nil && sha.size > maxFile/2 {
		err = fmt.Errorf("%d bytes of entries are too many for one file: narrow the span", sha.size)
	}
	if err == nil {
		err = tally.check(c)
	}
	c.Manifest.Counts, c.Manifest.Erased = counts, c.Erased != nil && c.Erased()
	return measured{member{name: nameEntries, crc: sha.crc, size: uint32(sha.size), sum: [32]byte(sha.Sum(nil))}, other.Sum(nil)}, err
}

// batch is how many entries are hashed into the tree, or written, at a time.
const batch = 256

// add counts an entry by what is known of whom it names.
func (c *Counts) add(s journaled.Stored) State {
	c.Entries++
	switch {
	case s.Erased:
		c.Withheld++
		return Withheld
	case s.Who != nil:
		c.Named++
		return Named
	}
	return Nobody
}

// tally is the tree as it grows over the entries, through the end of each proof.
type tally struct {
	through, earlier tree.Range
	end              uint64 // of the earlier proof
}

func newTally(head tree.Span, cosigned *Proven) tally {
	t := tally{through: head.Left, earlier: head.Left}
	if cosigned != nil {
		t.end = cosigned.Span.End
	}
	return t
}

// add takes the hashes of the next leaves.
func (t *tally) add(leaves []tlog.Hash) {
	if at := t.through.Size(); at < t.end {
		t.earlier = t.through.AddAll(leaves[:min(uint64(len(leaves)), t.end-at)])
	}
	t.through = t.through.AddAll(leaves)
}

// check compares the trees with the proofs, so that nothing leaves that can't be proved.
func (t *tally) check(c *Content) error {
	a := authority{address: c.Manifest.Gateway, epoch: c.Manifest.Epoch}
	for _, p := range []struct {
		what    *Proven
		through tree.Range
	}{{&c.Head, t.through}, {c.Cosigned, t.earlier}} {
		if p.what == nil {
			continue
		}
		text, err := a.textOf(p.what.Note)
		if err != nil {
			return err
		}
		root, err := p.what.Span.Root(p.through)
		if err != nil {
			return err
		}
		if tlog.Hash(text.Root) != root || text.Size != p.what.Span.Size || p.what.Span.Left.Size() != c.Manifest.First {
			return errors.New("the proof does not lead from the entries to the checkpoint")
		}
	}
	return nil
}

// members makes everything but the entries' bytes.
func (c *Content) members(entries measured) ([]member, error) {
	if c.Key == nil || len(c.Log) != ed25519.PublicKeySize {
		return nil, errors.New("no key to sign with, or none of the log")
	}
	c.Manifest.Format = Format
	c.Manifest.fill()
	if err := c.Manifest.check(); err != nil {
		return nil, err
	}
	a, err := c.authority()
	if err != nil {
		return nil, err
	}
	all := []member{{name: nameReadMeZh, data: readMeZh}, {name: nameReadMe, data: readMe}, {name: nameManifest, data: encode(c.Manifest)}, entries.member, {name: nameCDDL, data: cddl},
		{name: nameCheckpoint, data: []byte(c.Head.Note)}, {name: nameProof, data: encodeProof(c.Head.Span)}}
	if c.Cosigned != nil {
		all = append(all, member{name: nameEarlier, data: []byte(c.Cosigned.Note)}, member{name: nameEarlierProof, data: encodeProof(c.Cosigned.Span)})
	}
	all = append(all, member{name: namePolicy, data: policy(a.origin(), a.logKey, a.witnessName(), a.witnesses)}, member{name: nameClock, data: encode(clockNotes{c.Pins})})
	if c.Manifest.Registry != "" {
		all = append(all, member{name: nameTrust, data: c.Trust}, member{name: nameHouse, data: c.House})
	}
	return c.sign(all, entries, a)
}

// authority is whose keys the file names.
func (c *Content) authority() (authority, error) {
	a := authority{address: c.Manifest.Gateway, epoch: c.Manifest.Epoch, registry: c.Manifest.Registry, logKey: c.Log}
	if a.registry == "" {
		return a, nil
	}
	err := a.follow(c.Manifest, map[string][]byte{nameTrust: c.Trust, nameHouse: c.House})
	if err == nil && !bytes.Equal(a.logKey, c.Log) {
		err = errors.New("the house document has another key of this gateway")
	}
	return a, err
}

// sign adds the sums, and the signature over them.
func (c *Content) sign(all []member, entries measured, a authority) ([]member, error) {
	name := a.origin()
	if !c.Log.Equal(c.Key.Public()) {
		name = a.witnessName()
	}
	s, err := newSigner(name, c.Key)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].sumUp()
	}
	all = append(all, newMember(nameSM3, sums(all, func(m member) []byte {
		if m.name == nameEntries {
			return entries.sm3
		}
		sum := sm3.Sum(m.data)
		return sum[:]
	})))
	all = append(all, newMember(nameSHA256, sums(all, func(m member) []byte { return m.sum[:] })))
	signature, err := note.Sign(&note.Note{Text: SignedText(a.origin(), all[len(all)-1].data)}, s)
	if err != nil {
		return nil, err
	}
	return append(all, newMember(nameSignature, signature)), nil
}

func newMember(name string, data []byte) member {
	m := member{name: name, data: data}
	m.sumUp()
	return m
}

// sumUp fills what the zip and the sums say of the bytes, which are not the entries'.
func (m *member) sumUp() {
	if m.name != nameEntries {
		m.crc, m.size, m.sum = crc32.ChecksumIEEE(m.data), uint32(len(m.data)), sha256.Sum256(m.data)
	}
}

// sums returns a line for each member, as sha256sum writes and checks them.
func sums(all []member, of func(member) []byte) []byte {
	var b []byte
	for _, m := range all {
		b = append(hex.AppendEncode(b, of(m)), "  "+m.name+"\n"...)
	}
	return b
}

// eachStored calls use for each entry, and to with their bytes, many at a time.
func eachStored(entries iter.Seq2[journaled.Stored, error], use func(journaled.Stored), to func([]byte) (int, error)) error {
	return eachBatch(func(yield func(journaled.Stored, error) bool) {
		for s, err := range entries {
			if err == nil {
				use(s)
			}
			if !yield(s, err) {
				return
			}
		}
	}, to)
}

// atOnce is how many bytes of entries are written at a time, and one entry more.
const atOnce = 32 << 10

// eachBatch calls to with the bytes of the entries, many at a time.
func eachBatch(entries iter.Seq2[journaled.Stored, error], to func([]byte) (int, error)) error {
	b := make([]byte, 0, atOnce+1<<10)
	for s, err := range entries {
		if err != nil {
			return err
		}
		if b = s.Append(b); len(b) > atOnce {
			if _, err := to(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := to(b)
	return err
}

// fill makes empty lists of missing ones, which JSON writes in another way.
func (m *Manifest) fill() {
	m.Scope.Doors, m.Doors, m.Boots, m.Epochs = some(m.Scope.Doors), some(m.Doors), some(m.Boots), some(m.Epochs)
}

func some[T any](all []T) []T { return append(make([]T, 0, len(all)), slices.Clone(all)...) }
