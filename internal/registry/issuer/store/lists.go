package store

import (
	"database/sql"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// PutList keeps a list, released or held, with those buckets that the one before did not have.
func PutList(t *Tx, id string, l, before lists.Signed, held bool) {
	t.exec("keep list of "+id, `INSERT INTO lists (building, held, manifest, second, old, old_second, sent) VALUES (?,?,?,?,?,?,0)
		ON CONFLICT (building, held) DO UPDATE SET manifest = excluded.manifest, second = excluded.second,
			old = excluded.old, old_second = excluded.old_second, sent = 0`,
		id, held, l.Envelope, l.Second, l.Old.Envelope, l.Old.Second)
	for hash, bytes := range l.Buckets {
		if before.Buckets[hash] == nil {
			t.exec("keep bucket of "+id, `INSERT INTO buckets (building, hash, bytes) VALUES (?,?,?) ON CONFLICT DO NOTHING`, id, hash[:], bytes)
		}
	}
}

// DropHeld forgets the list that is held, and all buckets of the building.
func DropHeld(t *Tx, id string) {
	t.exec("forget held list of "+id, `DELETE FROM lists WHERE building = ? AND held = 1`, id)
	t.exec("forget buckets of "+id, `DELETE FROM buckets WHERE building = ?`, id)
}

// Sweep deletes the buckets of the list before that stand in the newest no more.
func Sweep(t *Tx, id string, before, newest lists.Signed) {
	for hash := range before.Buckets {
		if newest.Buckets[hash] == nil {
			t.exec("sweep buckets of "+id, `DELETE FROM buckets WHERE building = ? AND hash = ?`, id, hash[:])
		}
	}
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

// AppendLog adds manifests to a building's log, in the store and in memory; one that stands there already is left out.
func AppendLog(t *Tx, b *building.Building, all ...lists.Logged) {
	for _, l := range all {
		there, err := InLog(t, b.ID, l.Hash)
		if t.Fail(err); there || t.Failed() {
			continue
		}
		t.exec("keep list in the log of "+b.ID, `INSERT INTO listlog (building, n, hash, epoch, version, own) VALUES (?,?,?,?,?,?)`,
			b.ID, int64(b.Lists.Log.Size()), l.Hash[:], int64(l.Epoch), blob(l.Version), l.Own)
		b.Lists.Log = b.Lists.Log.Add(l.Leaf())
	}
	t.exec("keep the log's range of "+b.ID, `UPDATE buildings SET log = ? WHERE id = ?`, b.Lists.Log.Encode(), b.ID)
}

// InLog reports whether a manifest was taken into account.
func InLog(q Querier, id string, hash wire.Hash) (bool, error) {
	return find(q, "look into the log of "+id, []any{new(int)}, `SELECT 1 FROM listlog WHERE building = ? AND hash = ? LIMIT 1`, id, hash[:])
}

// LogFrom is the part of the log that the front may lack: everything from a place on.
func LogFrom(q Querier, id string, from uint64) ([]api.Logged, error) {
	return all(q, "read log of "+id, func(l *api.Logged) []any {
		return []any{&l.Hash, (*signed)(&l.Epoch), (*number)(&l.Version), &l.Own}
	}, `SELECT hash, epoch, version, own FROM listlog WHERE building = ? AND n >= ? ORDER BY n`, id, int64(from))
}

// HashOf is the hash of the newest manifest of a version in the log.
func HashOf(q Querier, id string, version uint64) (hash wire.Hash, there bool, err error) {
	there, err = find(q, "look into the log of "+id, []any{bytesInto(hash[:])},
		`SELECT hash FROM listlog WHERE building = ? AND version = ? ORDER BY n DESC LIMIT 1`, id, blob(version))
	return hash, there, err
}

// PutRevoked keeps since which version a grant has stood revoked, and whether it is in the list no more.
func PutRevoked(t *Tx, id string, grant wire.ID, r building.Revocation) {
	t.exec("keep revoked grant of "+id, `INSERT INTO revoked (building, grant_id, version, dropped) VALUES (?,?,?,?)
		ON CONFLICT (building, grant_id) DO UPDATE SET version = excluded.version, dropped = excluded.dropped`, id, grant[:], r.Version, r.Dropped)
}

// DropRevoked forgets that.
func DropRevoked(t *Tx, id string, grant wire.ID) {
	t.exec("forget revoked grant", `DELETE FROM revoked WHERE building = ? AND grant_id = ?`, id, grant[:])
}

// PutRemoval keeps that a list has taken something from a tenancy at a time, unix s.
func PutRemoval(t *Tx, id string, tenancy wire.ID, at uint32) {
	t.exec("keep what a list of "+id+" takes away", `INSERT INTO removals (building, tenancy, at) VALUES (?,?,?) ON CONFLICT DO UPDATE SET at = excluded.at`, id, tenancy[:], at)
}

// PutSetBack keeps how many rollbacks of a gateway's disk were heeded.
func PutSetBack(t *Tx, id, gateway string, n uint64) {
	t.exec("keep rollback", `INSERT INTO setbacks (building, gateway, number) VALUES (?,?,?)
		ON CONFLICT (building, gateway) DO UPDATE SET number = excluded.number`, id, gateway, int64(n))
}
