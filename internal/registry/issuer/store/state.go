package store

import (
	"database/sql"
	"errors"
	"fmt"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// State reads a number that is of no building; 0: it is not there.
func State(q Querier, key string) (value int64, err error) {
	err = q.QueryRow(`SELECT value FROM state WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", key, err)
	}
	return value, nil
}

// SetState keeps such a number.
func SetState(q Querier, key string, value int64) error {
	return exec(q, "keep "+key, `INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
}

// AddTrust keeps a trust document; one that is there stays.
func AddTrust(q Querier, version uint64, envelope []byte) error {
	return exec(q, "keep trust document", `INSERT INTO trusts (version, envelope) VALUES (?,?) ON CONFLICT DO NOTHING`, int64(version), envelope)
}

// Trusts are the envelopes of all trust documents.
func Trusts(q Querier) ([][]byte, error) {
	return column[[]byte](q, "read trust documents", `SELECT envelope FROM trusts`)
}

// AddAudit writes down who does what at a time, unix s.
func AddAudit(q Querier, at uint32, who, what, building, subject, reason string) error {
	return exec(q, "audit", `INSERT INTO audit (at, who, what, building, subject, reason) VALUES (?,?,?,?,?,?)`, at, who, what, building, subject, reason)
}

// Audits are the last thousand, the newest first.
func Audits(q Querier) ([]operator.Audit, error) {
	out := []operator.Audit{}
	err := each(q, "read audit", func(rows *sql.Rows) error {
		var a operator.Audit
		err := rows.Scan((*unix)(&a.Time), &a.Who, &a.What, &a.Building, &a.Subject, &a.Reason)
		out = append(out, a)
		return err
	}, `SELECT at, who, what, building, subject, reason FROM audit ORDER BY n DESC LIMIT 1000`)
	return out, err
}

// AddRemark keeps what a start or a restore has shown; the same text once.
func AddRemark(q Querier, at uint32, building, text string) error {
	return exec(q, "keep remark", `INSERT INTO remarks (building, text, at) VALUES (?,?,?) ON CONFLICT DO NOTHING`, building, text, at)
}

// Remarks are all that were not put away, the oldest first.
func Remarks(q Querier) ([]api.Remark, error) {
	all := []api.Remark{}
	err := each(q, "read remarks", func(rows *sql.Rows) error {
		var r api.Remark
		err := rows.Scan(&r.Building, &r.Text, (*unix)(&r.Time))
		all = append(all, r)
		return err
	}, `SELECT building, text, at FROM remarks ORDER BY at, building, text`)
	return all, err
}

// PutAway forgets all remarks.
func PutAway(q Querier) error { return exec(q, "forget remarks", `DELETE FROM remarks`) }

// maxProblems of one gateway are kept: no more than somebody can look at.
const maxProblems = 2048

// AddProblem keeps what could not be taken in, with its bytes (nil: it is the list's),
// once for each record, and reports whether it is new.
func AddProblem(q Querier, at uint32, p api.Place, line, record uint64, text string, envelope []byte) (added bool, err error) {
	r, err := q.Exec(`INSERT INTO problems (at, building, gateway, line, number, text, envelope) SELECT ?1,?2,?3,?4,?5,?6,?7
		WHERE NOT EXISTS (SELECT 1 FROM problems WHERE building = ?2 AND gateway = ?3 AND line = ?4 AND number = ?5 AND text = ?6)
		AND (SELECT count(*) FROM problems WHERE building = ?2 AND gateway = ?3) < ?8`,
		at, p.Building, p.Gateway, blob(line), int64(record), text, envelope, maxProblems)
	var n int64
	if err == nil {
		n, err = r.RowsAffected()
	}
	if err != nil {
		return false, fmt.Errorf("keep problem: %w", err)
	}
	return n > 0, nil
}

// ClearProblems forgets those of a building's list that are none any more; now has the
// text by gateway.
func ClearProblems(q Querier, building string, now map[string]string) error {
	var stale []int64
	err := each(q, "read problems", func(rows *sql.Rows) error {
		var n int64
		var gateway, text string
		err := rows.Scan(&n, &gateway, &text)
		if now[gateway] != text {
			stale = append(stale, n)
		}
		return err
	}, `SELECT n, gateway, text FROM problems WHERE building = ? AND envelope IS NULL`, building)
	for _, n := range stale {
		if err == nil {
			err = exec(q, "forget problem", `DELETE FROM problems WHERE n = ?`, n)
		}
	}
	return err
}

// Problems are those of a building (of all, for ""), and the records that wait for one
// before them.
func Problems(q Querier, building string) (out []operator.Problem, err error) {
	err = each(q, "read problems", func(rows *sql.Rows) error {
		var p operator.Problem
		var number int64
		err := rows.Scan((*unix)(&p.Time), &p.Building, &p.Gateway, &number, &p.Text)
		p.Record = uint64(number)
		out = append(out, p)
		return err
	}, `SELECT at, building, gateway, number, text FROM problems WHERE ? IN ('', building) ORDER BY n`, building)
	if err != nil {
		return nil, err
	}
	err = each(q, "read waiting records", func(rows *sql.Rows) error {
		var p operator.Problem
		var number int64
		err := rows.Scan(&p.Building, &p.Gateway, &number)
		p.Record, p.Text = uint64(number), "it waits for a record before it"
		out = append(out, p)
		return err
	}, `SELECT building, gateway, number FROM waiting WHERE ? IN ('', building)`, building)
	return out, err
}

// Count counts buildings and problems.
func Count(q Querier) (buildings, problems int, err error) {
	err = q.QueryRow(`SELECT (SELECT count(*) FROM buildings), (SELECT count(*) FROM problems) + (SELECT count(*) FROM waiting)`).
		Scan(&buildings, &problems)
	return buildings, problems, err
}
