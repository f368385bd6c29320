package inquiry

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/evidence"
	"gatehouse/internal/inquiry/when"
	"gatehouse/internal/mandate"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealed"
)

// content is what one file is made of.
func (q *query) content(ctx context.Context, use mandate.Use, f sealed.Fixed, found *surveyed, r run) (c evidence.Content, err error) {
	h := q.house
	unix := func(s int64) time.Time { return time.Unix(s, 0).In(h.Zone) }
	asked, cut := use.Mandate.Request, &passage{log: q.Log, of: r, found: found}
	c = evidence.Content{
		Manifest: evidence.Manifest{Registry: h.Trust.Registry, Root: hex.EncodeToString(h.Root), Gateway: h.Place.Address(), Epoch: evidence.Epoch(r.epoch), First: r.first,
			Scope:   evidence.Scope{Doors: use.Doors, From: unix(int64(asked.From)), Until: unix(int64(asked.Until))},
			Mandate: evidence.Mandate{Reference: hex.EncodeToString(q.reference), SHA256: use.Sum}, TimeZone: h.Zone.String(),
			Clock: evidence.ClockState{Quality: f.Clock.String(), Earliest: unix(f.Earliest), Latest: unix(f.Latest)},
			Made:  evidence.Making{At: time.UnixMilli(f.Wall).In(h.Zone), Software: h.Software, SiteFile: h.SiteFile}, Doors: h.Doors},
		Entries: cut.entries(ctx), Erased: func() bool { return cut.erased }, Trust: h.Papers[0], House: h.Papers[1], Log: h.Key.Public().(ed25519.PublicKey), Key: h.Key}
	for _, boot := range r.boots {
		c.Manifest.Boots = append(c.Manifest.Boots, evidence.Boot{Number: boot, Software: found.software[boot]})
	}
	for _, m := range found.pinsOf(r.boots) {
		c.Pins = append(c.Pins, evidence.Pin{Boot: m.Boot, BootTime: m.BootTime, Wall: m.Wall, Within: uint64(when.Pinned(0)), By: m.Clock.String()})
	}
	if c.Manifest.Epochs, err = q.epochs(ctx, found, f); err != nil {
		return c, err
	}
	return c, q.prove(ctx, &c, f, r)
}

// epochs are the heads of all epochs that the log has, as far as it went when the mandate was used.
func (q *query) epochs(ctx context.Context, found *surveyed, f sealed.Fixed) (all []evidence.Head, err error) {
	for i, r := range found.runs {
		if i+1 < len(found.runs) && found.runs[i+1].epoch == r.epoch {
			continue
		}
		head := evidence.Head{Epoch: evidence.Epoch(r.epoch), Size: r.end}
		if r.epoch == f.Epoch {
			head.Size = f.Size
		}
		tree, err := q.Log.Range(ctx, journaled.Position{Epoch: r.epoch, Sequence: head.Size})
		if err != nil {
			return nil, err
		}
		head.Root = wire.Hash(tree.Root())
		all = append(all, head)
	}
	return all, nil
}

// passage is a run as it goes into a file.
type passage struct {
	log    Log
	of     run
	found  *surveyed
	seen   []bool // which of its entries the file tells who they name, by the first of two walks
	erased bool   // an entry that the mandate asks for names somebody who was erased
}

// entries are those of the run, without who parts that the mandate does not ask for.
func (p *passage) entries(ctx context.Context) iter.Seq2[journaled.Stored, error] {
	return func(yield func(journaled.Stored, error) bool) {
		next, stopped := p.of.first, false
		_, err := each(ctx, p.log, journaled.Position{Epoch: p.of.epoch, Sequence: p.of.first}, whole, func(e *journaled.Entry) error {
			if next == p.of.end || e.Position != (journaled.Position{Epoch: p.of.epoch, Sequence: next}) {
				return errEnough
			}
			s, err := p.cut(e)
			if err != nil {
				return err
			}
			if next++; !yield(s, nil) {
				stopped = true
				return errEnough
			}
			return nil
		})
		if err == nil && next < p.of.end && !stopped {
			err = missing(next)
		}
		if err != nil {
			yield(journaled.Stored{}, err)
		}
	}
}

// cut returns an entry as the file has it.
func (p *passage) cut(e *journaled.Entry) (journaled.Stored, error) {
	at := e.Sequence - p.of.first
	if at == uint64(len(p.seen)) {
		sees, err := p.found.sees(e)
		if err != nil {
			return journaled.Stored{}, err
		}
		p.seen = append(p.seen, sees)
		p.erased = p.erased || sees && e.Erased
	}
	if !p.seen[at] {
		return e.Stored.Erase(), nil
	}
	return e.Stored, nil
}

// missing says that an entry has gone since the log was looked at.
func missing(sequence uint64) error {
	return fmt.Errorf("entry %d of the log is not here any more: ask for the answer again", sequence)
}

// prove adds the checkpoints and the proofs that lead from the entries to them.
func (q *query) prove(ctx context.Context, c *evidence.Content, f sealed.Fixed, r run) error {
	head := checkpoint.Checkpoint{Address: q.house.Place.Address(), Epoch: r.epoch}
	for _, e := range c.Manifest.Epochs {
		if uint64(e.Epoch) == r.epoch {
			head.Size, head.Root = e.Size, e.Root
		}
	}
	left, err := q.Log.Range(ctx, journaled.Position{Epoch: r.epoch, Sequence: r.first})
	if err != nil {
		return err
	}
	if c.Head.Span, err = q.span(ctx, r, left, r.end, head.Size); err != nil {
		return err
	}
	c.Head.Note = head.Signed(c.Log, head.Sign(q.house.Key))
	w := f.Cosigned
	if w == nil || r.epoch != f.Epoch || w.Size <= r.first {
		return nil
	}
	seen := checkpoint.Checkpoint{Address: head.Address, Epoch: r.epoch, Size: w.Size, Root: w.Root}
	note := seen.Note(c.Log, seen.Sign(q.house.Key), checkpoint.Cosignature{Name: checkpoint.WitnessName(q.house.Trust.Registry), Public: w.Witness[:], Time: w.Time, Signature: w.Signature})
	if seen == head {
		c.Head.Note = note
		return nil
	}
	s, err := q.span(ctx, r, left, min(r.end, w.Size), w.Size)
	c.Cosigned = &evidence.Proven{Note: note, Span: s}
	return err
}

// span proves the entries of a run that are before end in the tree of size.
func (q *query) span(ctx context.Context, r run, left tree.Range, end, size uint64) (tree.Span, error) {
	whole, err := q.Log.Range(ctx, journaled.Position{Epoch: r.epoch, Sequence: size})
	if err != nil {
		return tree.Span{}, err
	}
	return tree.NewSpan(left, end, size, func(first uint64, level int) (tlog.Hash, error) {
		if root, ok := whole.Subtree(first, level); ok {
			return root, nil
		}
		return q.over(ctx, journaled.Position{Epoch: r.epoch, Sequence: first}, level)
	})
}

// fewLevel is that of a tree over so few entries that reading them takes less than the log's tree up to there, which
// begins where its file does.
const fewLevel = 12

// over returns the root over 2^level entries from one on. Where they are many, or not all here: no such tree is a part
// of the whole one, but all of it except its last leaf is one of the tree that ends there, and the log has that at hand.
func (q *query) over(ctx context.Context, first journaled.Position, level int) (root tlog.Hash, err error) {
	if level <= fewLevel {
		if leaves, err := q.leaves(ctx, first, 1<<level); err != nil || len(leaves) == 1<<level {
			return tree.Range{}.AddAll(leaves).Root(), err
		}
	}
	last := journaled.Position{Epoch: first.Epoch, Sequence: first.Sequence + 1<<level - 1}
	through, err := q.Log.Range(ctx, last)
	if err != nil {
		return root, err
	}
	var one journaled.Batch
	if _, err := q.Log.Read(ctx, last, 1, &one); err != nil {
		return root, err
	}
	others, ok := through.From(first.Sequence)
	if !ok || len(one.List) == 0 || one.List[0].Position != last {
		return root, missing(last.Sequence)
	}
	return others.Add(tree.LeafHash(one.List[0].Header, one.List[0].WhoHash[:])).Root(), nil
}

// leaves are those of n entries from one on, or of fewer where one is not here.
func (q *query) leaves(ctx context.Context, at journaled.Position, n int) (leaves []tlog.Hash, err error) {
	var some journaled.Batch
	for len(leaves) < n {
		if _, err := q.Log.Read(ctx, at, min(n-len(leaves), entriesAtOnce), &some); err != nil || len(some.List) == 0 {
			return leaves, err
		}
		for _, e := range some.List {
			if e.Position != at {
				return leaves, nil
			}
			leaves = append(leaves, tree.LeafHash(e.Header, e.WhoHash[:]))
			at.Sequence++
		}
	}
	return leaves, nil
}

// cosigned is the newest checkpoint of this epoch that a witness of the trust document has signed, as far
// as the log went; nil: none.
func (q *query) cosigned(f sealed.Fixed) *sealed.Cosigned {
	c, w, err := checkpoint.ParseNote(q.Log.Cosigned(), q.house.Place.Address(), checkpoint.WitnessName(q.house.Trust.Registry), q.house.Trust.Keyset(wire.RoleWitness))
	if err != nil || c.Epoch != f.Epoch || c.Size > f.Size {
		return nil
	}
	return &sealed.Cosigned{Size: c.Size, Root: c.Root, Witness: wire.Hash(w.Public), Time: w.Time, Signature: w.Signature}
}
