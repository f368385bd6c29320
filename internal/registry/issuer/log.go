package issuer

import (
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// The manifests of a building are a log, in the order in which this issuer took them
// into account: its own in every format, and those that gateways or the front had and
// that a database put back did not know. A list names the root over all before it, so
// that whoever holds one of these can see that it was reckoned with.

// logged is one manifest of a log.
type logged struct {
	hash    wire.Hash
	epoch   uint64 // of the issuers' role that signed it
	version uint64
	own     bool // signed from this database
}

func leafOf(hash wire.Hash) tlog.Hash { return tlog.RecordHash(hash[:]) }

// appendLog adds manifests to a building's log; one that stands there already is
// left out.
func (c *change) appendLog(b *building, all ...logged) error {
	for _, l := range all {
		if there, err := inLog(c, b.id, l.hash); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		_, err := c.Exec(`INSERT INTO listlog (building, n, hash, epoch, version, own) VALUES (?,?,?,?,?,?)`,
			b.id, int64(b.log.Size()), l.hash[:], int64(l.epoch), blob(l.version), l.own)
		if err != nil {
			return fmt.Errorf("keep list in the log: %w", err)
		}
		b.log = b.log.Add(leafOf(l.hash))
	}
	if _, err := c.Exec(`UPDATE buildings SET log = ? WHERE id = ?`, b.log.Encode(), b.id); err != nil {
		return fmt.Errorf("keep the log's range: %w", err)
	}
	return nil
}

// inLog reports whether a manifest was taken into account.
func inLog(q querier, building string, hash wire.Hash) (bool, error) {
	var n int
	err := q.QueryRow(`SELECT count(*) FROM listlog WHERE building = ? AND hash = ?`, building, hash[:]).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look into the log of %s: %w", building, err)
	}
	return n > 0, nil
}

// loadLog reads the log's range. A database of before the log begins one with the
// lists that it has.
func loadLog(q querier, b *building) error {
	var encoded []byte
	err := q.QueryRow(`SELECT log FROM buildings WHERE id = ?`, b.id).Scan(&encoded)
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(encoded) == 0 {
		return nil
	}
	if err == nil {
		b.log, err = tree.Decode(encoded)
	}
	if err != nil {
		return fmt.Errorf("read log of %s: %w", b.id, err)
	}
	return nil
}

// logFrom is the part of the log that the front may lack: everything from a place on.
func logFrom(q querier, building string, from uint64) (all []api.Logged, err error) {
	all = []api.Logged{}
	err = each(q, func(rows *sql.Rows) error {
		var l api.Logged
		var epoch int64
		var version []byte
		err := rows.Scan(&l.Hash, &epoch, &version, &l.Own)
		l.Epoch, l.Version = uint64(epoch), number(version)
		all = append(all, l)
		return err
	}, `SELECT hash, epoch, version, own FROM listlog WHERE building = ? AND n >= ? ORDER BY n`, building, int64(from))
	if err != nil {
		return nil, fmt.Errorf("read log of %s: %w", building, err)
	}
	return all, nil
}

// versionOf is the version of a list of this issuer's in the log; 0: not there.
func versionOf(q querier, building string, version uint64) (hash wire.Hash, there bool, err error) {
	var b []byte
	err = q.QueryRow(`SELECT hash FROM listlog WHERE building = ? AND version = ? ORDER BY n DESC LIMIT 1`, building, blob(version)).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return hash, false, nil
	}
	if err != nil {
		return hash, false, fmt.Errorf("look into the log of %s: %w", building, err)
	}
	return wire.Hash(b), true, nil
}
