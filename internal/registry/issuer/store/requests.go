package store

import (
	"database/sql"
	"time"

	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// stateRead is when somebody last looked for requests in all buildings, unix s.
const stateRead = "requests_read"

// AddRequest keeps that there is a request; one that is known stays as it is.
func AddRequest(t *Tx, r operator.Request, tenancy wire.ID) {
	t.exec("keep request", `INSERT INTO requests (number, building, tenancy, at) VALUES (?,?,?,?) ON CONFLICT DO NOTHING`, r.Number, r.Building, tenancy[:], r.Time.Unix())
}

// DropRequests forgets those that are done and were made before a time, unix s.
func DropRequests(t *Tx, before uint32) {
	t.exec("forget old requests", `DELETE FROM requests WHERE at < ? AND done <> 0`, before)
}

// ForgetRequests forgets that a tenancy asked for anything.
func ForgetRequests(t *Tx, tenancy wire.ID) {
	t.exec("forget requests of a tenancy", `DELETE FROM requests WHERE tenancy = ?`, tenancy[:])
}

// RequestDone keeps that an open request was answered at a time, unix s, and returns its building; empty: none is open.
func RequestDone(t *Tx, number string, at uint32) (building string, err error) {
	there, err := find(t, "read request", []any{&building}, `SELECT building FROM requests WHERE number = ? AND done = 0`, number)
	if there {
		t.exec("close request", `UPDATE requests SET done = ? WHERE number = ?`, at, number)
	}
	return building, err
}

// Requests are all that are known, the oldest first.
func Requests(q Querier) ([]operator.Request, error) {
	list := []operator.Request{}
	err := each(q, "read requests", func(rows *sql.Rows) error {
		var r operator.Request
		var tenancy wire.ID
		var done int64
		err := rows.Scan(&r.Number, &r.Building, bytesInto(tenancy[:]), (*unix)(&r.Time), &done)
		if r.Tenancy = tenancy.String(); done != 0 {
			at := time.Unix(done, 0).UTC()
			r.Done = &at
		}
		list = append(list, r)
		return err
	}, `SELECT number, building, tenancy, at, done FROM requests ORDER BY at, number`)
	return list, err
}

// LateRequests counts those that are open and were made before a time, unix s.
func LateRequests(q Querier, before uint32) (n int, err error) {
	_, err = find(q, "count requests", []any{&n}, `SELECT COUNT(*) FROM requests WHERE done = 0 AND at < ?`, before)
	return n, err
}

// RequestsRead is when somebody last looked for requests in all buildings, unix s; 0: never.
func RequestsRead(q Querier) (int64, error) { return State(q, stateRead) }

// SetRequestsRead keeps that.
func SetRequestsRead(t *Tx, at uint32) { SetState(t, stateRead, int64(at)) }
