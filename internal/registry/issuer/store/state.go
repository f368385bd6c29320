package store

import (
	"database/sql"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// State reads a number that is of no building; 0: it is not there.
func State(q Querier, key string) (value int64, err error) {
	_, err = find(q, "read "+key, []any{&value}, `SELECT value FROM state WHERE key = ?`, key)
	return value, err
}

// SetState keeps such a number.
func SetState(t *Tx, key string, value int64) {
	t.exec("keep "+key, `INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
}

// AddTrust keeps a trust document; one that is there stays.
func AddTrust(t *Tx, version uint64, envelope []byte) {
	t.exec("keep trust document", `INSERT INTO trusts (version, envelope) VALUES (?,?) ON CONFLICT DO NOTHING`, int64(version), envelope)
}

// Trusts are the envelopes of all trust documents.
func Trusts(q Querier) ([][]byte, error) {
	return column[[]byte](q, "read trust documents", `SELECT envelope FROM trusts`)
}

// AddAudit writes down who does what at a time, unix s.
func AddAudit(t *Tx, at uint32, who, what, building, subject, reason string) {
	t.exec("audit", `INSERT INTO audit (at, who, what, building, subject, reason) VALUES (?,?,?,?,?,?)`, at, who, what, building, subject, reason)
}

// Audits are the last thousand, the newest first.
func Audits(q Querier) ([]operator.Audit, error) {
	return all(q, "read audit", func(a *operator.Audit) []any {
		return []any{(*unix)(&a.Time), &a.Who, &a.What, &a.Building, &a.Subject, &a.Reason}
	}, `SELECT at, who, what, building, subject, reason FROM audit ORDER BY n DESC LIMIT 1000`)
}

// AddRemark keeps what a start or a restore has shown; the same text once.
func AddRemark(t *Tx, at uint32, building, text string) {
	t.exec("keep remark", `INSERT INTO remarks (building, text, at) VALUES (?,?,?) ON CONFLICT DO NOTHING`, building, text, at)
}

// Remarks are all that were not put away, the oldest first.
func Remarks(q Querier) ([]api.Remark, error) {
	return all(q, "read remarks", func(r *api.Remark) []any { return []any{&r.Building, &r.Text, (*unix)(&r.Time)} },
		`SELECT building, text, at FROM remarks ORDER BY at, building, text`)
}

// PutAway forgets all remarks.
func PutAway(t *Tx) { t.exec("forget remarks", `DELETE FROM remarks`) }

// maxProblems of one gateway are kept: no more than somebody can look at.
const maxProblems = 2048

// AddProblem keeps what could not be taken in, with its bytes (nil: it is the list's),
// once for each record, and reports whether it is new.
func AddProblem(t *Tx, at uint32, p api.Place, line, record uint64, text string, envelope []byte) (added bool) {
	return t.exec("keep problem", `INSERT INTO problems (at, building, gateway, line, number, text, envelope) SELECT ?1,?2,?3,?4,?5,?6,?7
		WHERE NOT EXISTS (SELECT 1 FROM problems WHERE building = ?2 AND gateway = ?3 AND line = ?4 AND number = ?5 AND text = ?6)
		AND (SELECT count(*) FROM problems WHERE building = ?2 AND gateway = ?3) < ?8`,
		at, p.Building, p.Gateway, blob(line), int64(record), text, envelope, maxProblems) > 0
}

// ClearProblems forgets those of a building's list that are none any more; now has the text by gateway.
func ClearProblems(t *Tx, building string, now map[string]string) {
	var stale []int64
	t.Fail(each(t, "read problems", func(rows *sql.Rows) error {
		var n int64
		var gateway, text string
		err := rows.Scan(&n, &gateway, &text)
		if now[gateway] != text {
			stale = append(stale, n)
		}
		return err
	}, `SELECT n, gateway, text FROM problems WHERE building = ? AND envelope IS NULL`, building))
	for _, n := range stale {
		t.exec("forget problem", `DELETE FROM problems WHERE n = ?`, n)
	}
}

// Problems are those of a building (of all, for ""), and the records that wait for one before them.
func Problems(q Querier, building string) ([]operator.Problem, error) {
	kept, err := all(q, "read problems", func(p *operator.Problem) []any {
		return []any{(*unix)(&p.Time), &p.Building, &p.Gateway, (*signed)(&p.Record), &p.Text}
	}, `SELECT at, building, gateway, number, text FROM problems WHERE ? IN ('', building) ORDER BY n`, building)
	if err != nil {
		return nil, err
	}
	waiting, err := all(q, "read waiting records", func(p *operator.Problem) []any {
		return []any{&p.Building, &p.Gateway, (*signed)(&p.Record), &p.Text}
	}, `SELECT building, gateway, number, 'it waits for a record before it' FROM waiting WHERE ? IN ('', building)`, building)
	return append(kept, waiting...), err
}

// Count counts buildings and problems.
func Count(q Querier) (buildings, problems int, err error) {
	_, err = find(q, "count buildings and problems", []any{&buildings, &problems},
		`SELECT (SELECT count(*) FROM buildings), (SELECT count(*) FROM problems) + (SELECT count(*) FROM waiting)`)
	return buildings, problems, err
}
