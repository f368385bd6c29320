package store

import (
	"database/sql"

	"gatehouse/internal/registry/issuer/operator"
)

// officers is schema version 2. The id is the start of the SHA-256 of the signing key, as hex.
const officers = `CREATE TABLE IF NOT EXISTS officers (id TEXT PRIMARY KEY, unit TEXT NOT NULL, badge TEXT NOT NULL, district TEXT NOT NULL, town TEXT NOT NULL,
	since INTEGER NOT NULL, until INTEGER NOT NULL, revoked INTEGER NOT NULL, reason TEXT NOT NULL)`

// PutOfficer keeps that an officer got a certificate, in the place of the one before; revoked is over by it.
func PutOfficer(t *Tx, o operator.Officer) {
	t.exec("keep officer", `INSERT OR REPLACE INTO officers (id, unit, badge, district, town, since, until, revoked, reason) VALUES (?,?,?,?,?,?,?,0,'')`,
		o.ID, o.Unit, o.Badge, o.District, o.Town, o.From.Unix(), o.Until.Unix())
}

// RevokeOfficer keeps that an officer gets no more certificates from a time, unix s. It reports whether there is one.
func RevokeOfficer(t *Tx, id string, at uint32, reason string) bool {
	return t.exec("revoke officer", `UPDATE officers SET revoked = ?, reason = ? WHERE id = ? AND revoked = 0`, at, reason, id) > 0
}

// Officers are all, by unit and badge number.
func Officers(q Querier) ([]operator.Officer, error) {
	list := []operator.Officer{}
	err := each(q, "read officers", func(rows *sql.Rows) error {
		var o operator.Officer
		var revoked int64
		err := rows.Scan(&o.ID, &o.Unit, &o.Badge, &o.District, &o.Town, (*unix)(&o.From), (*unix)(&o.Until), &revoked, &o.Reason)
		o.Revoked = revoked > 0
		list = append(list, o)
		return err
	}, `SELECT id, unit, badge, district, town, since, until, revoked, reason FROM officers ORDER BY unit, badge, id`)
	return list, err
}
