package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"gatehouse/sync/wire"
)

// disclosures creates schema version 8: the answers that were given under mandates. plan: what each
// is made of, so that it can be made again to the byte.
var disclosures = []string{
	`CREATE TABLE disclosures (
		reference BYTEA NOT NULL, gateway BIGINT NOT NULL, number BIGINT NOT NULL,
		at BIGINT NOT NULL, uncertain BIGINT NOT NULL, mandate BYTEA NOT NULL, plan BYTEA NOT NULL,
		PRIMARY KEY (reference, gateway, number))`,
}

// supplements creates schema version 11: what was handed out of an answer later, when more of it had
// come. An answer is counted once, whatever its parts.
var supplements = []string{
	`CREATE TABLE supplements (
		reference BYTEA NOT NULL, gateway BIGINT NOT NULL, number BIGINT NOT NULL, part BIGINT NOT NULL,
		at BIGINT NOT NULL, plan BYTEA NOT NULL,
		PRIMARY KEY (reference, gateway, number, part))`,
}

// Disclosure is one answer under a mandate.
type Disclosure struct {
	Reference wire.ID // of the mandate
	Gateway   int64
	Number    int // from 1
	Part      int // 0: as it was first given; then of each supplement, from 1
	At        time.Time
	Uncertain bool   // the clock could not tell whether the mandate was valid
	Mandate   []byte // envelope
	Plan      []byte
}

// Disclosures are the answers under mandates.
type Disclosures struct{ conn }

// Handed returns the answers for reading, without a turn among those who write.
func Handed(ctx context.Context, s *Store) Disclosures { return Disclosures{s.reading(ctx)} }

// Gateway returns the number of a gateway, or ErrNotFound.
func (d Disclosures) Gateway(p wire.Place) (id int64, err error) {
	return id, d.need("read number of "+p.Address(), []any{&id}, `SELECT id FROM gateways WHERE building = $1 AND gateway = $2`, p.Building, p.Gateway)
}

// Uses returns how many answers were given under a mandate, by gateway.
func (d Disclosures) Uses(reference wire.ID) (map[int64]int, error) {
	all, err := list(d.conn, "count answers", itself[int64], `SELECT gateway FROM disclosures WHERE reference = $1 AND number > 0`, reference[:])
	uses := map[int64]int{}
	for _, id := range all {
		uses[id]++
	}
	return uses, err
}

// Add stores an answer; one with the number of another is an error.
func (d Disclosures) Add(a Disclosure) error {
	return wrap(fmt.Sprintf("store answer %d", a.Number), d.exec(`INSERT INTO disclosures (reference, gateway, number, at, uncertain, mandate, plan)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, a.Reference[:], a.Gateway, a.Number, a.At, a.Uncertain, a.Mandate, a.Plan))
}

// Supplement stores a later part of an answer; one with the number of another is an error.
func (d Disclosures) Supplement(a Disclosure) error {
	return wrap(fmt.Sprintf("store supplement %d of answer %d", a.Part, a.Number), d.exec(`INSERT INTO supplements (reference, gateway, number, part, at, plan)
		VALUES ($1, $2, $3, $4, $5, $6)`, a.Reference[:], a.Gateway, a.Number, a.Part, a.At, a.Plan))
}

// Find returns an answer as it was first given, or ErrNotFound.
func (d Disclosures) Find(reference wire.ID, gateway int64, number int) (a Disclosure, err error) {
	a.Reference, a.Gateway, a.Number = reference, gateway, number
	return a, d.need("read answer", []any{&a.At, &a.Uncertain, &a.Mandate, &a.Plan},
		`SELECT at, uncertain, mandate, plan FROM disclosures WHERE reference = $1 AND gateway = $2 AND number = $3`, reference[:], gateway, number)
}

// Part returns an answer with the plan of one of its parts, or ErrNotFound.
func (d Disclosures) Part(reference wire.ID, gateway int64, number, part int) (a Disclosure, err error) {
	if a, err = d.Find(reference, gateway, number); err != nil || part == 0 {
		return a, err
	}
	a.Part = part
	return a, d.need("read supplement", []any{&a.At, &a.Plan},
		`SELECT at, plan FROM supplements WHERE reference = $1 AND gateway = $2 AND number = $3 AND part = $4`, reference[:], gateway, number, part)
}

// Newest returns an answer with the plan of its newest part, or ErrNotFound.
func (d Disclosures) Newest(reference wire.ID, gateway int64, number int) (Disclosure, error) {
	part, err := d.number("count supplements", `SELECT COUNT(*) FROM supplements WHERE reference = $1 AND gateway = $2 AND number = $3`, reference[:], gateway, number)
	if err != nil {
		return Disclosure{}, err
	}
	return d.Part(reference, gateway, number, int(part))
}

// Last returns the number of the newest answer that was given under this very mandate; 0: none.
func (d Disclosures) Last(reference wire.ID, gateway int64, mandate []byte) (int, error) {
	n, err := d.number("read the newest answer", `SELECT COALESCE(MAX(number), 0) FROM disclosures WHERE reference = $1 AND gateway = $2 AND mandate = $3`,
		reference[:], gateway, mandate)
	return int(n), err
}

// EpochHead is how far an epoch of a gateway has come.
type EpochHead struct {
	Epoch uint64
	Tree  []byte // its compact range, encoded
}

// Epochs returns all epochs that a gateway ever had, as far as they have come, oldest first.
func (d Disclosures) Epochs(gateway int64) ([]EpochHead, error) {
	return list(d.conn, "read heads of epochs", func(h *EpochHead) []any { return []any{&h.Epoch, &h.Tree} }, `SELECT epoch, tree FROM epochs WHERE gateway = $1 ORDER BY number`, gateway)
}

// Beyond reports whether entries of a gateway are stored that were made at a time or later, by a clock that was right then.
func (d Disclosures) Beyond(gateway int64, at time.Time) (bool, error) {
	n, err := d.number("look for later entries", beyond, gateway, at.Add(-Ahead), at, Ahead.Milliseconds())
	return n > 0, err
}

// UnderMandate is an answer that was given.
type UnderMandate struct {
	Mandate   []byte // its envelope
	Validated bool   // it is of an emergency, and a second authority has given its word
}

// Answered yields each answer that was given since one time and before another.
func Answered(ctx context.Context, s *Store, from, to time.Time) iter.Seq2[UnderMandate, error] {
	return rows(s.reading(ctx), "read answers", func(u *UnderMandate) []any { return []any{&u.Mandate, &u.Validated} }, `SELECT d.mandate,
		EXISTS (SELECT 1 FROM emergencies m WHERE m.reference = d.reference AND m.gateway = d.gateway AND m.number = d.number AND m.validation IS NOT NULL)
		FROM disclosures d WHERE d.number > 0 AND d.at >= $1 AND d.at < $2`, from, to)
}

// Log yields the batches of an epoch that begin below a sequence number, in order, those without who parts too. Who parts
// are read only of batches with entries of [first, end): they are longer than all else. Of a batch no more is set than
// the entries that it has, its body, and its seals.
func (s Seals) Log(ctx context.Context, gateway int64, epoch, below, first, end uint64) iter.Seq2[SealedBatch, error] {
	c := s.s.reading(ctx)
	keys, err := keysOf(c, gateway, epoch, first, end) // before the rows: what is erased meanwhile needs no key
	if err != nil {
		return func(yield func(SealedBatch, error) bool) { yield(SealedBatch{}, err) }
	}
	found := rows(c, readBatches, func(b *SealedBatch) []any { return []any{&b.First, &b.Next, &b.Body, &b.Sealed, &b.Context} },
		`SELECT b.first, b.next, b.body, CASE WHEN b.next > $1 AND b.first < $2 THEN b.sealed END, b.context
		FROM batches b WHERE b.gateway = $3 AND b.epoch = $4 AND b.first < $5 ORDER BY b.first`, first, end, gateway, epoch, below)
	return func(yield func(SealedBatch, error) bool) {
		for b, err := range found {
			if len(b.Sealed) > 0 && b.Context > 0 {
				if b.Encapsulated = keys[b.Context]; b.Encapsulated == nil {
					err = fmt.Errorf("the key of the who parts from entry %d on is not stored", b.First)
				}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// keysOf returns the encapsulated keys of the contexts in which entries of [first, end) are sealed, by their numbers: each
// once, since it is longer than what a quiet hour has sealed in it.
func keysOf(c conn, gateway int64, epoch, first, end uint64) (map[uint64][]byte, error) {
	type key struct {
		number uint64
		bytes  []byte
	}
	all, err := list(c, "read keys of who parts", func(k *key) []any { return []any{&k.number, &k.bytes} },
		usedKeys, gateway, epoch, first-min(first, wire.MaxBatch), end, first)
	keys := map[uint64][]byte{}
	for _, k := range all {
		keys[k.number] = k.bytes
	}
	return keys, err
}

// Since yields the batches of a building's gateways that were stored at a time or later and have bodies of so many bytes or more, in no order.
func Since(ctx context.Context, s *Store, building string, at time.Time, least int) iter.Seq2[Batch, error] {
	return rows(s.reading(ctx), readBatches, func(b *Batch) []any { return append(placeFields(&b.Place), b.fields()...) },
		since, building, at, least)
}

// The queries read an index of batches, and the rows themselves only of what they find.
const (
	usedKeys = `SELECT number, encapsulated FROM contexts WHERE number IN (SELECT b.context FROM batches b
		WHERE b.gateway = $1 AND b.epoch = $2 AND b.first >= $3 AND b.first < $4 AND b.next > $5)`
	since = `SELECT g.district, g.town, g.building, g.gateway, ` + batchColumns + ` FROM gateways g JOIN batches b ON b.gateway = g.id
		WHERE g.building = $1 AND b.stored_at >= $2 AND length(b.body) >= $3`
	beyond = `SELECT EXISTS (SELECT 1 FROM batches b WHERE b.gateway = $1 AND b.stored_at >= $2 AND b.wall_from >= $3 AND b.wall_from <= b.stored_at + $4
		ORDER BY b.stored_at DESC)`
)

// Given is an answer with the time and the plan of its newest part.
type Given struct {
	Disclosure
	PartAt time.Time // of the newest supplement; else of the answer
}

// GivenWithin yields the answers of [from, to), oldest first.
func GivenWithin(ctx context.Context, s *Store, from, to time.Time) iter.Seq2[Given, error] {
	type row struct {
		Given
		reference []byte
	}
	found := rows(s.reading(ctx), "read answers", func(r *row) []any {
		return []any{&r.reference, &r.Gateway, &r.Number, &r.Part, &r.At, &r.PartAt, &r.Uncertain, &r.Mandate, &r.Plan}
	}, `SELECT d.reference, d.gateway, d.number, COALESCE(s.part, 0), d.at, COALESCE(s.at, d.at), d.uncertain, d.mandate, COALESCE(s.plan, d.plan)
		FROM disclosures d LEFT JOIN supplements s ON s.reference = d.reference AND s.gateway = d.gateway AND s.number = d.number AND s.part =
			(SELECT MAX(part) FROM supplements n WHERE n.reference = d.reference AND n.gateway = d.gateway AND n.number = d.number)
		WHERE d.number > 0 AND d.at >= $1 AND d.at < $2 ORDER BY d.at, d.reference, d.gateway, d.number`, from, to)
	return func(yield func(Given, error) bool) {
		for r, err := range found {
			copy(r.Reference[:], r.reference)
			if !yield(r.Given, err) {
				return
			}
		}
	}
}
