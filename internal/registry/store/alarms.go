package store

import (
	"context"
	"time"

	"gatehouse/sync/wire"
)

// Alarm is the header of an alarm.
type Alarm struct {
	Place    wire.Place // set by Alarms
	Gateway  int64
	Epoch    uint64
	Sequence uint64
	Header   []byte
	Stored   bool // its entry is stored; else only a notice arrived
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

// AddAlarm stores an alarm. A stored entry stays stored, and the time of the first notice stays. Of
// a gateway's alarms without an entry at most `most` are stored; the oldest are deleted.
func (tx *Tx) AddAlarm(a Alarm, most int) error {
	err := tx.exec(`INSERT INTO alarms (gateway, epoch, seq, header, stored, heard_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (gateway, epoch, seq) DO UPDATE SET header = excluded.header, stored = excluded.stored WHERE alarms.stored = 0`,
		a.Gateway, a.Epoch, a.Sequence, a.Header, a.Stored, a.Heard)
	if err != nil || a.Stored {
		return err
	}
	return tx.exec(`DELETE FROM alarms WHERE gateway = $1 AND stored = 0 AND heard_at <
		(SELECT MIN(heard_at) FROM (SELECT heard_at FROM alarms WHERE gateway = $2 AND stored = 0 ORDER BY heard_at DESC LIMIT $3) AS newest)`,
		a.Gateway, a.Gateway, most)
}

// Waiting returns the sequence numbers in [from, to) of an epoch of which only a notice has
// arrived, in order.
func (tx *Tx) Waiting(gateway int64, epoch, from, to uint64) ([]uint64, error) {
	return list(tx.conn, "read alarms", itself[uint64],
		`SELECT seq FROM alarms WHERE gateway = $1 AND epoch = $2 AND seq >= $3 AND seq < $4 AND stored = 0 ORDER BY seq`, gateway, epoch, from, to)
}

// AnyWaiting reports whether only a notice has arrived of any alarm of a gateway.
func (tx *Tx) AnyWaiting(gateway int64) (bool, error) {
	n, err := tx.number("read alarms", `SELECT EXISTS (SELECT 1 FROM alarms WHERE gateway = $1 AND stored = 0)`, gateway)
	return n > 0, err
}

// Alarms returns the newest alarms of a building (of all, for ""), at most limit.
func (s *Store) Alarms(ctx context.Context, building string, limit int) ([]Alarm, error) {
	return list(s.reading(ctx), "read alarms", func(a *Alarm) []any {
		return append(placeFields(&a.Place), &a.Epoch, &a.Sequence, &a.Header, &a.Stored, &a.Heard)
	}, `SELECT g.district, g.town, g.building, g.gateway, a.epoch, a.seq, a.header, a.stored, a.heard_at
		FROM alarms a JOIN gateways g ON g.id = a.gateway WHERE ($1 = '' OR g.building = $2)
		UNION ALL SELECT g.district, g.town, g.building, g.gateway, f.epoch, f.first, NULL, 1, f.found_at
		FROM forks f JOIN gateways g ON g.id = f.gateway WHERE ($3 = '' OR g.building = $4)
		ORDER BY 9 DESC, 5 DESC, 6 DESC LIMIT $5`, building, building, building, building, limit)
}

// AddApplied stores the proof that a list is active at a gateway.
func (tx *Tx) AddApplied(a Applied, at time.Time) error {
	return tx.exec(`INSERT INTO applied (gateway, epoch, seq, version, hash, stored_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (gateway, epoch, seq) DO NOTHING`,
		a.Gateway, a.Epoch, a.Sequence, a.Version, a.Hash, at)
}

// SetBack compares a hello, of an epoch with size entries and an active list, with the stored
// proofs. If the gateway had proved a newer list, its disk was rolled back or replaced: these
// proofs become void, and it returns true. A hello that is older than an entry of its own epoch, or
// of an earlier epoch, is a replay and changes nothing.
func (tx *Tx) SetBack(gateway int64, epoch, size, list uint64) (bool, error) {
	const doing = "judge a hello"
	overtaken, err := tx.number(doing, `SELECT COUNT(*) FROM applied WHERE gateway = $1 AND epoch = $2 AND seq >= $3 AND version > $4`,
		gateway, epoch, size, list)
	if err != nil || overtaken > 0 {
		return false, err
	}
	later, err := tx.number(doing, `SELECT COUNT(*) FROM epochs e JOIN epochs o ON o.gateway = e.gateway AND o.number > e.number
		WHERE e.gateway = $1 AND e.epoch = $2`, gateway, epoch)
	if err != nil || later > 0 {
		return false, err
	}
	void, err := tx.changed(`DELETE FROM applied WHERE gateway = $1 AND version > $2`, gateway, list)
	if err != nil || void == 0 {
		return false, err
	}
	return true, tx.exec(`INSERT INTO setbacks (gateway, number, list) VALUES ($1, 1, $2) ON CONFLICT (gateway) DO UPDATE SET
		number = setbacks.number + 1, list = CASE WHEN excluded.list < setbacks.list THEN excluded.list ELSE setbacks.list END`,
		gateway, list)
}
