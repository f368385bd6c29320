package store

import (
	"database/sql"
	"errors"
	"fmt"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// PutList keeps a list, released or held, with those buckets that the one before did
// not have.
func PutList(q Querier, id string, l, before lists.Signed, held bool) error {
	err := exec(q, "keep list", `INSERT INTO lists (building, held, manifest, second, old, old_second, sent) VALUES (?,?,?,?,?,?,0)
		ON CONFLICT (building, held) DO UPDATE SET manifest = excluded.manifest, second = excluded.second,
			old = excluded.old, old_second = excluded.old_second, sent = 0`,
		id, held, l.Envelope, l.Second, l.Old.Envelope, l.Old.Second)
	for hash, bytes := range l.Buckets {
		if err == nil && before.Buckets[hash] == nil {
			err = exec(q, "keep bucket", `INSERT INTO buckets (building, hash, bytes) VALUES (?,?,?) ON CONFLICT DO NOTHING`, id, hash[:], bytes)
		}
	}
	return err
}

// DropHeld forgets the list that is held, and all buckets of the building.
func DropHeld(q Querier, id string) error {
	if err := exec(q, "forget held list", `DELETE FROM lists WHERE building = ? AND held = 1`, id); err != nil {
		return err
	}
	return exec(q, "forget buckets", `DELETE FROM buckets WHERE building = ?`, id)
}

// Sweep deletes the buckets of the list before that stand in the newest no more.
func Sweep(q Querier, id string, before, newest lists.Signed) error {
	for hash := range before.Buckets {
		if newest.Buckets[hash] != nil {
			continue
		}
		if err := exec(q, "sweep buckets", `DELETE FROM buckets WHERE building = ? AND hash = ?`, id, hash[:]); err != nil {
			return err
		}
	}
	return nil
}

// Held are the buildings of which a list is held, in order.
func Held(q Querier) ([]string, error) {
	return column[string](q, "read held lists", `SELECT building FROM lists WHERE held = 1 ORDER BY building`)
}

// loadLists reads the released list and the held one.
func loadLists(q Querier, b *building.Building) error {
	buckets := make(map[wire.Hash][]byte)
	err := each(q, "read buckets", func(rows *sql.Rows) error {
		var hash wire.Hash
		var bytes []byte
		err := rows.Scan(bytesInto(hash[:]), &bytes)
		buckets[hash] = bytes
		return err
	}, `SELECT hash, bytes FROM buckets WHERE building = ?`, b.ID)
	if err != nil {
		return err
	}
	return each(q, "read lists", func(rows *sql.Rows) error {
		var l lists.Signed
		var held bool
		if err := rows.Scan(&held, &l.Envelope, &l.Second, &l.Old.Envelope, &l.Old.Second); err != nil {
			return err
		}
		if err := l.Open(buckets); err != nil {
			return err
		}
		if held {
			b.Lists.Held = &l
		} else {
			b.Lists.Newest = l
		}
		return nil
	}, `SELECT held, manifest, second, old, old_second FROM lists WHERE building = ?`, b.ID)
}

// AppendLog adds manifests to a building's log, in the store and in memory; one that
// stands there already is left out.
func AppendLog(q Querier, b *building.Building, all ...lists.Logged) error {
	for _, l := range all {
		if there, err := InLog(q, b.ID, l.Hash); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		err := exec(q, "keep list in the log", `INSERT INTO listlog (building, n, hash, epoch, version, own) VALUES (?,?,?,?,?,?)`,
			b.ID, int64(b.Lists.Log.Size()), l.Hash[:], int64(l.Epoch), blob(l.Version), l.Own)
		if err != nil {
			return err
		}
		b.Lists.Log = b.Lists.Log.Add(l.Leaf())
	}
	return exec(q, "keep the log's range", `UPDATE buildings SET log = ? WHERE id = ?`, b.Lists.Log.Encode(), b.ID)
}

// InLog reports whether a manifest was taken into account.
func InLog(q Querier, id string, hash wire.Hash) (bool, error) {
	var n int
	err := q.QueryRow(`SELECT count(*) FROM listlog WHERE building = ? AND hash = ?`, id, hash[:]).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look into the log of %s: %w", id, err)
	}
	return n > 0, nil
}

// LogFrom is the part of the log that the front may lack: everything from a place on.
func LogFrom(q Querier, id string, from uint64) ([]api.Logged, error) {
	all := []api.Logged{}
	err := each(q, "read log of "+id, func(rows *sql.Rows) error {
		var l api.Logged
		var epoch int64
		err := rows.Scan(&l.Hash, &epoch, (*number)(&l.Version), &l.Own)
		l.Epoch = uint64(epoch)
		all = append(all, l)
		return err
	}, `SELECT hash, epoch, version, own FROM listlog WHERE building = ? AND n >= ? ORDER BY n`, id, int64(from))
	return all, err
}

// HashOf is the hash of the newest manifest of a version in the log.
func HashOf(q Querier, id string, version uint64) (hash wire.Hash, there bool, err error) {
	err = q.QueryRow(`SELECT hash FROM listlog WHERE building = ? AND version = ? ORDER BY n DESC LIMIT 1`, id, blob(version)).Scan(bytesInto(hash[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return hash, false, nil
	}
	if err != nil {
		return hash, false, fmt.Errorf("look into the log of %s: %w", id, err)
	}
	return hash, true, nil
}

// PutRevoked keeps since which version a grant has stood revoked, and whether it is in
// the list no more.
func PutRevoked(q Querier, id string, grant wire.ID, r building.Revocation) error {
	return exec(q, "keep revoked grant", `INSERT INTO revoked (building, grant_id, version, dropped) VALUES (?,?,?,?)
		ON CONFLICT (building, grant_id) DO UPDATE SET version = excluded.version, dropped = excluded.dropped`, id, grant[:], r.Version, r.Dropped)
}

// DropRevoked forgets that.
func DropRevoked(q Querier, id string, grant wire.ID) error {
	return exec(q, "forget revoked grant", `DELETE FROM revoked WHERE building = ? AND grant_id = ?`, id, grant[:])
}

// PutRemoval keeps that a list has taken something from a tenancy at a time, unix s.
func PutRemoval(q Querier, id string, tenancy wire.ID, at uint32) error {
	return exec(q, "keep what a list takes away", `INSERT INTO removals (building, tenancy, at) VALUES (?,?,?) ON CONFLICT DO UPDATE SET at = excluded.at`, id, tenancy[:], at)
}

// PutSetBack keeps how many set-backs of a gateway's disk were heeded.
func PutSetBack(q Querier, id, gateway string, n uint64) error {
	return exec(q, "keep set-back", `INSERT INTO setbacks (building, gateway, number) VALUES (?,?,?)
		ON CONFLICT (building, gateway) DO UPDATE SET number = excluded.number`, id, gateway, int64(n))
}
