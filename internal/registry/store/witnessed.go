package store

import "gatehouse/sync/wire"

// witnessed creates schema version 7: of each log of others, by its origin, the last checkpoint that the witness has
// cosigned; time in Unix s.
const witnessed = `CREATE TABLE witnessed (origin TEXT PRIMARY KEY, size BIGINT NOT NULL, root BYTEA NOT NULL, time BIGINT NOT NULL)`

// Witnessed are the logs of others that the witness cosigns. It is part of a Tx.
type Witnessed struct{ conn }

// Head is a checkpoint of a log of others that was cosigned.
type Head struct {
	Size uint64
	Root wire.Hash
	Unix int64 // s
}

// Last returns the last cosigned checkpoint of a log; false: there is none.
func (w Witnessed) Last(origin string) (h Head, found bool, err error) {
	var root []byte
	found, err = w.row("read what was witnessed", []any{&h.Size, &root, &h.Unix}, `SELECT size, root, time FROM witnessed WHERE origin = $1`, origin)
	copy(h.Root[:], root)
	return h, found, err
}

// Move notes that the witness is to cosign a checkpoint that leads on from the last one (zero: none), and reports
// whether it may: not where another is the last by now, nor at an earlier time. It compares and sets in one statement,
// as Cosign does.
func (w Witnessed) Move(origin string, last, next Head) (bool, error) {
	var n int64
	var err error
	if last == (Head{}) {
		n, err = w.changed(`INSERT INTO witnessed (origin, size, root, time) VALUES ($1, $2, $3, $4) ON CONFLICT (origin) DO NOTHING`,
			origin, next.Size, next.Root[:], next.Unix)
	} else {
		n, err = w.changed(`UPDATE witnessed SET size = $1, root = $2, time = $3 WHERE origin = $4 AND size = $5 AND root = $6 AND time <= $7`,
			next.Size, next.Root[:], next.Unix, origin, last.Size, last.Root[:], next.Unix)
	}
	return n == 1, wrap("note what is witnessed", err)
}
