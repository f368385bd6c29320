package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Batch is one stored run of entries.
type Batch struct {
	Gateway int64
	Epoch   uint64
	First   uint64 // of the entries that this row stands for
	Next    uint64
	// Least and greatest time that they may be of, ms: their wall clocks, and
	// more where a clock was not set.
	WallFrom int64
	WallTo   int64
	Body     []byte // wire.Batch without Sealed; may begin before First
	Sealed   []byte
	Stored   time.Time // as read
}

// Alarm is the header of an alarm.
type Alarm struct {
	Gateway  int64
	Epoch    uint64
	Sequence uint64
	Header   []byte
	Stored   bool // its entry is stored; else only a notice has come
	Heard    time.Time
}

// Applied is a list_applied entry.
type Applied struct {
	Gateway  int64
	Epoch    uint64
	Sequence uint64
	Version  uint64
	Hash     wire.Hash
}

// Record is a tenancy record as it is handed to the issuer.
type Record struct {
	Number   uint64 // set by AddRecord
	Gateway  int64
	Line     uint64
	Record   uint64
	Envelope []byte
	Person   []byte // SHA-256; empty: none
	Stored   time.Time
}

// List is the newest list of a building.
type List struct {
	Building  string
	Version   uint64
	Hash      wire.Hash
	Manifest  []byte // envelope
	Second    []byte // envelope; empty: none
	OldHash   wire.Hash
	Old       []byte // envelope of the same list in the first format; empty: none
	OldSecond []byte
}

// Gateway returns the number of the gateway, with which its rows are named. A
// new one is given a number; one that moved gets its new district and town.
func (tx *Tx) Gateway(p wire.Place) (int64, error) {
	id, err := one(tx.query(`SELECT id FROM gateways WHERE building = $1 AND gateway = $2`, p.Building, p.Gateway))
	switch {
	case errors.Is(err, ErrNotFound):
		if id, err = one(tx.query(`SELECT COALESCE(MAX(id), 0) + 1 FROM gateways`)); err == nil {
			err = tx.exec(`INSERT INTO gateways (id, building, gateway, district, town, hello_at) VALUES ($1, $2, $3, $4, $5, 0)`,
				id, p.Building, p.Gateway, p.District, p.Town)
		}
	case err == nil:
		err = tx.exec(`UPDATE gateways SET district = $1, town = $2 WHERE id = $3 AND (district <> $4 OR town <> $5)`,
			p.District, p.Town, id, p.District, p.Town)
	}
	if err != nil {
		return 0, fmt.Errorf("gateway %s: %w", p.Address(), err)
	}
	return id, nil
}

// SetHello keeps the payload of a gateway's newest hello.
func (tx *Tx) SetHello(gateway int64, hello []byte, at time.Time) error {
	return tx.exec(`UPDATE gateways SET hello = $1, hello_at = $2 WHERE id = $3`, hello, at.UnixMilli(), gateway)
}

// AddBatch stores a batch; one that begins where another does is an error.
func (tx *Tx) AddBatch(b Batch, at time.Time) error {
	err := tx.exec(`INSERT INTO batches (gateway, epoch, first, next, wall_from, wall_to, body, sealed, stored_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		b.Gateway, int64(b.Epoch), int64(b.First), int64(b.Next), b.WallFrom, b.WallTo, b.Body, b.Sealed, at.UnixMilli())
	if err != nil {
		return fmt.Errorf("batch of epoch %016x from %d: %w", b.Epoch, b.First, err)
	}
	return nil
}

// SetRange keeps the compact range of an epoch. Only a new one is numbered, for
// which the others are counted.
func (tx *Tx) SetRange(gateway int64, epoch uint64, r tree.Range, at time.Time) error {
	known, err := tx.tx.ExecContext(tx.ctx, `UPDATE epochs SET size = $1, tree = $2, stored_at = $3 WHERE gateway = $4 AND epoch = $5`,
		int64(r.Size()), r.Encode(), at.UnixMilli(), gateway, int64(epoch))
	var n int64
	if err == nil {
		n, err = known.RowsAffected()
	}
	if err == nil && n == 0 {
		err = tx.exec(`INSERT INTO epochs (gateway, epoch, number, size, tree, stored_at)
			VALUES ($1, $2, (SELECT COUNT(*) + 1 FROM epochs WHERE gateway = $3), $4, $5, $6)`,
			gateway, int64(epoch), gateway, int64(r.Size()), r.Encode(), at.UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("range of epoch %016x: %w", epoch, err)
	}
	return nil
}

// Begins notes that a machine of this key begins a new epoch, and reports whether
// the same machine had others before.
func (tx *Tx) Begins(gateway int64, public []byte) (again bool, err error) {
	var old []byte
	rows, err := tx.query(`SELECT public FROM machines WHERE gateway = $1`, gateway)
	if err = first(rows, err, &old); err != nil && !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("machine of a gateway: %w", err)
	}
	if bytes.Equal(old, public) {
		return true, nil
	}
	return false, tx.exec(`INSERT INTO machines (gateway, public) VALUES ($1, $2) ON CONFLICT (gateway) DO UPDATE SET public = excluded.public`,
		gateway, public)
}

// Cosign notes that the witness is to cosign an epoch at this size, root and time
// (unix s), and reports whether it may: never less than before, another tree of
// the same size, or an earlier time. It compares and sets in one statement, so
// that two fronts on one database can't both go on from the same place.
func (tx *Tx) Cosign(gateway int64, epoch, size uint64, root wire.Hash, unix int64) (bool, error) {
	moved, err := tx.tx.ExecContext(tx.ctx, `INSERT INTO cosigned (gateway, epoch, size, root, time) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (gateway, epoch) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time
		WHERE cosigned.time <= excluded.time AND (cosigned.size < excluded.size OR cosigned.size = excluded.size AND cosigned.root = excluded.root)`,
		gateway, int64(epoch), int64(size), root[:], unix)
	var n int64
	if err == nil {
		n, err = moved.RowsAffected()
	}
	if err != nil {
		return false, fmt.Errorf("cosigned size of epoch %016x: %w", epoch, err)
	}
	return n == 1, nil
}

// Cosigned returns what was cosigned last of an epoch; zeros: nothing.
func (tx *Tx) Cosigned(gateway int64, epoch uint64) (size uint64, unix int64, err error) {
	var n int64
	rows, err := tx.query(`SELECT size, time FROM cosigned WHERE gateway = $1 AND epoch = $2`, gateway, int64(epoch))
	if err = first(rows, err, &n, &unix); errors.Is(err, ErrNotFound) {
		err = nil
	}
	return uint64(n), unix, err
}

// AddFork keeps a batch that contradicts what is stored, at most `most` of a
// gateway. It reports whether it is a new one.
func (tx *Tx) AddFork(gateway int64, epoch, first uint64, root wire.Hash, envelope []byte, most int, at time.Time) (bool, error) {
	n, err := one(tx.query(`SELECT COUNT(*) FROM forks WHERE gateway = $1`, gateway))
	if err != nil || n >= int64(most) {
		return false, err
	}
	known, err := one(tx.query(`SELECT COUNT(*) FROM forks WHERE gateway = $1 AND epoch = $2 AND first = $3 AND root = $4`,
		gateway, int64(epoch), int64(first), root[:]))
	if err != nil || known > 0 {
		return false, err
	}
	return true, tx.exec(`INSERT INTO forks (gateway, epoch, first, root, envelope, found_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		gateway, int64(epoch), int64(first), root[:], envelope, at.UnixMilli())
}

// AddAlarm keeps an alarm. What was stored stays stored, and when it was first
// heard stays too. Of alarms of a gateway whose entries have not come, at most
// `most` are kept: the oldest go.
func (tx *Tx) AddAlarm(a Alarm, most int) error {
	stored := int64(0)
	if a.Stored {
		stored = 1
	}
	err := tx.exec(`INSERT INTO alarms (gateway, epoch, seq, header, stored, heard_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (gateway, epoch, seq) DO UPDATE SET header = excluded.header, stored = excluded.stored WHERE alarms.stored = 0`,
		a.Gateway, int64(a.Epoch), int64(a.Sequence), a.Header, stored, a.Heard.UnixMilli())
	if err != nil || a.Stored {
		return err
	}
	return tx.exec(`DELETE FROM alarms WHERE gateway = $1 AND stored = 0 AND heard_at <
		(SELECT MIN(heard_at) FROM (SELECT heard_at FROM alarms WHERE gateway = $2 AND stored = 0 ORDER BY heard_at DESC LIMIT $3) AS newest)`,
		a.Gateway, a.Gateway, most)
}

// AddApplied keeps the proof that a list is in force at a gateway.
func (tx *Tx) AddApplied(a Applied, at time.Time) error {
	return tx.exec(`INSERT INTO applied (gateway, epoch, seq, version, hash, stored_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (gateway, epoch, seq) DO NOTHING`,
		a.Gateway, int64(a.Epoch), int64(a.Sequence), int64(a.Version), a.Hash[:], at.UnixMilli())
}

// AddRecord stores a tenancy record with the next number of all, and its
// sealed person, if that came with it.
func (tx *Tx) AddRecord(r Record, sealed []byte) (uint64, error) {
	number, err := one(tx.query(`SELECT COALESCE(MAX(number), 0) + 1 FROM deliveries`))
	if err != nil {
		return 0, err
	}
	err = tx.exec(`INSERT INTO deliveries (number, gateway, line, record, envelope, person, stored_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		number, r.Gateway, int64(r.Line), int64(r.Record), r.Envelope, r.Person, r.Stored.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("record %d of line %016x: %w", r.Record, r.Line, err)
	}
	if len(sealed) > 0 {
		err = tx.AddPerson(sealed, r.Stored)
	}
	return uint64(number), err
}

// AddPerson stores a sealed person by its SHA-256.
func (tx *Tx) AddPerson(sealed []byte, at time.Time) error {
	hash := sha256.Sum256(sealed)
	return tx.exec(`INSERT INTO persons (hash, sealed, stored_at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING`,
		hash[:], sealed, at.UnixMilli())
}

// PutTrust keeps a Trust document.
func (tx *Tx) PutTrust(version uint64, envelope []byte) error {
	return tx.exec(`INSERT INTO trust (version, envelope) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING`, int64(version), envelope)
}

// PutHouse keeps the House document of a building in place of the one before.
func (tx *Tx) PutHouse(building string, version uint64, envelope []byte) error {
	return tx.exec(`INSERT INTO houses (building, version, envelope) VALUES ($1, $2, $3)
		ON CONFLICT (building) DO UPDATE SET version = excluded.version, envelope = excluded.envelope`, building, int64(version), envelope)
}

// PutList keeps the newest list of a building; keep names all its buckets, and
// buckets are those of them that came with it. What no list needs any more goes.
func (tx *Tx) PutList(l List, buckets [][]byte, keep []wire.Hash, at time.Time) error {
	for _, body := range buckets {
		hash := sha256.Sum256(body)
		if err := tx.exec(`INSERT INTO buckets (building, hash, body) VALUES ($1, $2, $3) ON CONFLICT (building, hash) DO NOTHING`,
			l.Building, hash[:], body); err != nil {
			return fmt.Errorf("bucket: %w", err)
		}
	}
	have, err := bucketHashes(tx.query(`SELECT hash FROM buckets WHERE building = $1`, l.Building))
	if err != nil {
		return fmt.Errorf("buckets: %w", err)
	}
	for _, hash := range keep {
		have[hash] = true
	}
	for hash, needed := range have {
		if !needed {
			if err := tx.exec(`DELETE FROM buckets WHERE building = $1 AND hash = $2`, l.Building, hash[:]); err != nil {
				return fmt.Errorf("bucket: %w", err)
			}
		}
	}
	twin, err := one(tx.query(`SELECT COUNT(*) FROM lists WHERE building = $1 AND version = $2 AND manifest IS NOT NULL`,
		l.Building, int64(l.Version)))
	if err == nil && twin > 0 {
		err = errors.New("one of its version is the newest")
	}
	if err != nil {
		return fmt.Errorf("list %d: %w", l.Version, err)
	}
	for _, statement := range []string{`UPDATE lists SET manifest = NULL, second = NULL WHERE building = $1 AND manifest IS NOT NULL`,
		`DELETE FROM old_lists WHERE building = $1`} {
		if err := tx.exec(statement, l.Building); err != nil {
			return fmt.Errorf("list: %w", err)
		}
	}
	if len(l.Old) > 0 {
		if err := tx.exec(`INSERT INTO old_lists (building, hash, manifest, second) VALUES ($1, $2, $3, $4)`, l.Building, l.OldHash[:], l.Old, l.OldSecond); err != nil {
			return fmt.Errorf("list: %w", err)
		}
	}
	return tx.exec(`INSERT INTO lists (building, version, hash, stored_at, manifest, second) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (building, version) DO UPDATE SET hash = excluded.hash, stored_at = excluded.stored_at, manifest = excluded.manifest,
			second = excluded.second`,
		l.Building, int64(l.Version), l.Hash[:], at.UnixMilli(), l.Manifest, l.Second)
}
