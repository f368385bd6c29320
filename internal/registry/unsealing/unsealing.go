// Package unsealing makes evidence files of what the registry has stored sealed, with the records key
// that lies offline. It cuts what it opens to the mandate before anything is written, and refuses
// batches that do not hash to the checkpoint that gateway and witness signed.
//
// It does not judge a mandate: the front did, and stored that it answered.
package unsealing

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/evidence"
	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/whos"
)

// Answer is one log of an answer, about to be opened.
type Answer struct {
	Disclosed api.Disclosed
	Log       api.DisclosedLog
	Mandate   mandates.Mandate
	Envelope  []byte           // of the mandate
	Tenancies map[wire.ID]bool // of the flats that the mandate names
	Records   [][]byte         // private records keys: the newest, and those before that what is old was sealed to
	Zone      string           // of the building
	Software  string           // that makes the file
}

// Opened is what came of it: the content of an evidence file, and who is named in it.
type Opened struct {
	Content   evidence.Content
	Tenancies []wire.ID // ascending
	Lost      []uint64  // entries whose seals no key opened: the content would have them as withheld, which is not so
	// Other are entries in whose seals the gateway put something else than it hashed into its log. They
	// stand in the file as withheld: nothing proves whom they named.
	Other []uint64
}

// Open opens the entries of an answer. The batches are those of the whole log, in order.
func (a Answer) Open(batches []api.SealedBatch, signer crypto.Signer) (Opened, error) {
	scope := mandate.ScopeOf(a.Mandate.Request, a.Disclosed.Place.Gateway, slices.Collect(maps.Keys(a.Tenancies)), nil)
	o := opening{Answer: a, people: people{scope, map[wire.ID]bool{}}, seen: newSeen()}
	for _, key := range a.Records {
		o.openers = append(o.openers, whos.Opener{Records: key})
	}
	for _, b := range batches {
		if err := o.batch(b); err != nil {
			return Opened{}, fmt.Errorf("entries %d to %d of %s: %w", b.First, b.Next, a.Disclosed.Place.Address(), err)
		}
	}
	if uint64(len(o.leaves)) != a.Log.Size || uint64(len(o.entries)) != a.Log.End-a.Log.First {
		return Opened{}, fmt.Errorf("the front has %s of the %d that are signed for", amount.Of(len(o.leaves), "entry"), a.Log.Size)
	}
	c, err := o.content(signer)
	return Opened{Content: c, Tenancies: o.people.tenancies(), Lost: o.lost, Other: o.other}, err
}

// opening collects what one answer is made of.
type opening struct {
	Answer
	people  people
	openers []whos.Opener
	leaves  []tlog.Hash // of the whole log
	entries []journaled.Stored
	erased  bool // a who part that the mandate may ask for is gone
	lost    []uint64
	other   []uint64
	seen    seen
}

// people are whom the mandate asks for.
type people struct {
	mandate.Scope
	named map[wire.ID]bool // those of them whom an entry names
}

// batch takes the entries of a batch that count.
func (o *opening) batch(row api.SealedBatch) error {
	var b wire.Batch
	if err := wire.Decode(row.Body, &b); err != nil {
		return err
	}
	if row.First < b.First || row.First != uint64(len(o.leaves)) || row.Next > b.First+uint64(len(b.Headers)) || b.Epoch != o.Log.Epoch {
		return errors.New("the batch does not follow on the one before")
	}
	parts, unsealErr := o.unseal(b, row)
	for seq := row.First; seq < min(row.Next, o.Log.Size); seq++ {
		i := seq - b.First
		s := journaled.Stored{Header: b.Headers[i]}
		if len(b.Whos[i]) > 0 {
			s.Erased, s.WhoHash = true, wire.Hash(b.Whos[i])
		}
		o.leaves = append(o.leaves, tree.LeafHash(s.Header, s.WhoHash[:]))
		h, err := wire.DecodeHeader(s.Header)
		if err != nil {
			h = wire.Header{} // its bytes count, whatever they say
		}
		o.seen.add(h, seq >= o.Log.First && seq < o.Log.End)
		if seq >= o.Log.First && seq < o.Log.End {
			o.take(h, s, seq, partOf(parts, i), unsealErr != nil)
		}
	}
	return nil
}

// unseal opens the who parts of a batch, ascending by their index. Nothing is sealed where none were asked for,
// or all are erased.
func (o *opening) unseal(b wire.Batch, row api.SealedBatch) (parts []whos.Part, err error) {
	if len(row.Sealed) == 0 {
		return nil, nil
	}
	err = errors.New("no records key")
	for i := range o.openers {
		if parts, err = o.openers[i].Parts(o.Disclosed.Place.Address(), b.Epoch, b.First, row.Sealed, row.Encapsulated); err == nil {
			break
		}
	}
	return parts, err
}

// partOf finds the who part of an entry by its place in the batch; nil: there is none.
func partOf(parts []whos.Part, i uint64) *whos.Part {
	at, found := slices.BinarySearchFunc(parts, i, func(p whos.Part, i uint64) int { return cmp.Compare(uint64(p.Index), i) })
	if !found {
		return nil
	}
	return &parts[at]
}

// take adds an entry that was asked for: with its who part if the mandate has it. part is nil where nothing was sealed of it.
func (o *opening) take(h wire.Header, s journaled.Stored, seq uint64, part *whos.Part, failed bool) {
	opened := part != nil && wire.WhoHash(part.Salt, part.Who) == s.WhoHash
	switch {
	case !s.Erased:
	case failed:
		o.lost = append(o.lost, seq)
	case part != nil && !opened:
		o.other = append(o.other, seq)
	case !o.asked(h, seq): // and nothing shows whether it is erased
	case part == nil:
		o.erased = true
	default:
		if who, err := wire.DecodeWho(part.Who); err == nil && o.people.Names(who) {
			s = journaled.New(s.Header, part.Salt, part.Who)
			if who.Tenancy != nil {
				o.people.named[*who.Tenancy] = true
			}
		}
	}
	o.entries = append(o.entries, s)
}

// tenancies returns who is named.
func (p people) tenancies() (all []wire.ID) {
	for id := range p.named {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// content puts the file's content together.
func (o *opening) content(signer crypto.Signer) (evidence.Content, error) {
	d, l := o.Disclosed, o.Log
	span, err := tree.NewSpan(tree.Range{}.AddAll(o.leaves[:l.First]), l.End, l.Size, func(first uint64, level int) (tlog.Hash, error) {
		return tree.Range{}.AddAll(o.leaves[first : first+1<<level]).Root(), nil
	})
	if err != nil {
		return evidence.Content{}, err
	}
	r := o.Mandate.Request
	m := evidence.Manifest{Registry: d.Registry, Root: fmt.Sprintf("%x", d.Root), Gateway: d.Place.Address(), Epoch: evidence.Epoch(l.Epoch), First: l.First,
		TimeZone: o.Zone, Doors: o.seen.doors(r.Doors(d.Place.Gateway)), Boots: o.seen.boots(),
		Scope:   evidence.Scope{Doors: r.Doors(d.Place.Gateway), From: time.Unix(int64(r.From), 0).UTC(), Until: time.Unix(int64(r.Until), 0).UTC()},
		Mandate: evidence.Mandate{Reference: d.Reference.String(), SHA256: sha256.Sum256(o.Envelope)},
		Clock:   evidence.ClockState{Quality: "registry", Earliest: d.Earliest, Latest: d.Latest},
		Made:    evidence.Making{At: d.At, Software: o.Software, SiteFile: o.seen.site},
		Epochs:  o.epochs()}
	return evidence.Content{Manifest: m, Entries: o.each(), Erased: func() bool { return o.erased }, Head: evidence.Proven{Note: l.Note, Span: span}, Pins: o.seen.pins(),
		Trust: d.Trust, House: d.House, Log: d.Key, Key: signer}, nil
}

// epochs are those that the front knows of the gateway; of the file's own one the head that is proved.
func (o *opening) epochs() (all []evidence.Head) {
	own := evidence.Head{Epoch: evidence.Epoch(o.Log.Epoch), Size: o.Log.Size, Root: wire.Hash(tree.Range{}.AddAll(o.leaves).Root())}
	for _, e := range o.Disclosed.Epochs {
		if e.Epoch == o.Log.Epoch {
			all = append(all, own)
		} else {
			all = append(all, evidence.Head{Epoch: evidence.Epoch(e.Epoch), Size: e.Size, Root: e.Root})
		}
	}
	if len(all) == 0 { // an answer that was stored by the version before
		all = []evidence.Head{own}
	}
	return all
}

func (o *opening) each() iter.Seq2[journaled.Stored, error] {
	return func(yield func(journaled.Stored, error) bool) {
		for _, s := range o.entries {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// asked reports whether an entry is of the mandate's doors and time.
func (o *opening) asked(h wire.Header, seq uint64) bool {
	return o.people.At(h.Door) && slices.ContainsFunc(o.Log.Within, func(w api.Run) bool { return w.First <= seq && seq < w.End })
}
