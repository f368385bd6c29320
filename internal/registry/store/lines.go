package store

import (
	"context"
	"errors"
	"fmt"
)

// What a gateway's tenancy records are numbered in, and what its own word has
// taken back.

// Line returns how many records of a gateway's line are stored.
func (tx *Tx) Line(gateway int64, line uint64) (uint64, error) {
	n, err := one(tx.query(`SELECT COALESCE(MAX(record), 0) FROM deliveries WHERE gateway = $1 AND line = $2`, gateway, int64(line)))
	if err != nil {
		return 0, fmt.Errorf("read line: %w", err)
	}
	return uint64(n), nil
}

// SetLine keeps in which line a gateway numbers, and whether it must begin another.
func (tx *Tx) SetLine(gateway int64, line uint64, renew bool) error {
	flag := int64(0)
	if renew {
		flag = 1
	}
	return tx.exec(`INSERT INTO lines (gateway, line, renew) VALUES ($1, $2, $3)
		ON CONFLICT (gateway) DO UPDATE SET line = excluded.line, renew = excluded.renew`, gateway, int64(line), flag)
}

// Record returns the envelope of a stored record, or ErrNotFound.
func (tx *Tx) Record(gateway int64, line, record uint64) (envelope []byte, err error) {
	rows, err := tx.query(`SELECT envelope FROM deliveries WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, int64(line), int64(record))
	if err := first(rows, err, &envelope); err != nil {
		return nil, fmt.Errorf("read record %d of line %016x: %w", record, line, err)
	}
	return envelope, nil
}

// HandAgain gives a stored record the next number of all, as if it had come now,
// so that who asks after a number gets it once more.
func (tx *Tx) HandAgain(gateway int64, line, record uint64) error {
	return tx.exec(`UPDATE deliveries SET number = (SELECT MAX(number) + 1 FROM deliveries) WHERE gateway = $1 AND line = $2 AND record = $3`,
		gateway, int64(line), int64(record))
}

// Owe notes that the person of a stored record may still be with its maker.
func (tx *Tx) Owe(gateway int64, line, record uint64) error {
	return tx.exec(`INSERT INTO owed (gateway, line, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, gateway, int64(line), int64(record))
}

// Paid notes that the maker has brought a record itself, with what it has of
// its person. It reports whether that was owed.
func (tx *Tx) Paid(gateway int64, line, record uint64) (bool, error) {
	n, err := one(tx.query(`SELECT COUNT(*) FROM owed WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, int64(line), int64(record)))
	if err != nil || n == 0 {
		return false, err
	}
	return true, tx.exec(`DELETE FROM owed WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, int64(line), int64(record))
}

// Owed returns the first record of a line whose person is owed; 0: none.
func (tx *Tx) Owed(gateway int64, line uint64) (uint64, error) {
	n, err := one(tx.query(`SELECT COALESCE(MIN(record), 0) FROM owed WHERE gateway = $1 AND line = $2`, gateway, int64(line)))
	return uint64(n), err
}

// SetBack judges what a hello says: it is of an epoch, whose size it names, and
// of a list that is in force. If the gateway had proved a newer list its disk was
// set back, or is another one: these proofs are void, and it is true. A hello
// that an entry of its own epoch has overtaken, or one of an earlier epoch, is an
// old one that comes again, and says nothing.
func (tx *Tx) SetBack(gateway int64, epoch, size, list uint64) (bool, error) {
	beyond, err := one(tx.query(`SELECT COUNT(*) FROM applied WHERE gateway = $1 AND version > $2`, gateway, int64(list)))
	if err != nil || beyond == 0 {
		return false, err
	}
	overtaken, err := one(tx.query(`SELECT COUNT(*) FROM applied WHERE gateway = $1 AND epoch = $2 AND seq >= $3 AND version > $4`,
		gateway, int64(epoch), int64(size), int64(list)))
	if err != nil || overtaken > 0 {
		return false, err
	}
	later, err := one(tx.query(`SELECT COUNT(*) FROM epochs e JOIN epochs o ON o.gateway = e.gateway AND o.number > e.number
		WHERE e.gateway = $1 AND e.epoch = $2`, gateway, int64(epoch)))
	if err != nil || later > 0 {
		return false, err
	}
	if err := tx.exec(`DELETE FROM applied WHERE gateway = $1 AND version > $2`, gateway, int64(list)); err != nil {
		return false, err
	}
	return true, tx.exec(`INSERT INTO setbacks (gateway, number, list) VALUES ($1, 1, $2) ON CONFLICT (gateway) DO UPDATE SET
		number = setbacks.number + 1, list = CASE WHEN excluded.list < setbacks.list THEN excluded.list ELSE setbacks.list END`,
		gateway, int64(list))
}

// fillLine reads where a gateway's tenancy records stand, and its set-backs.
func (s *Store) fillLine(ctx context.Context, g *Gateway) error {
	var line, renew, records, setBacks, setBackTo int64
	rows, err := s.read.QueryContext(ctx, `SELECT line, renew FROM lines WHERE gateway = $1`, g.ID)
	err = first(rows, err, &line, &renew)
	if errors.Is(err, ErrNotFound) {
		rows, err = s.read.QueryContext(ctx, `SELECT line FROM deliveries WHERE gateway = $1 ORDER BY number DESC LIMIT 1`, g.ID)
		err = first(rows, err, &line)
	}
	if err == nil {
		records, err = one(s.read.QueryContext(ctx, `SELECT COALESCE(MAX(record), 0) FROM deliveries WHERE gateway = $1 AND line = $2`, g.ID, line))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	owed, err := one(s.read.QueryContext(ctx, `SELECT COUNT(*) FROM owed WHERE gateway = $1`, g.ID))
	if err != nil {
		return err
	}
	rows, err = s.read.QueryContext(ctx, `SELECT number, list FROM setbacks WHERE gateway = $1`, g.ID)
	if err := first(rows, err, &setBacks, &setBackTo); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	g.Line, g.Records, g.Renew, g.Owing = uint64(line), uint64(records), renew == 1, owed > 0
	g.SetBacks, g.SetBackTo = uint64(setBacks), uint64(setBackTo)
	return nil
}
