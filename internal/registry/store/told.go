package store

import (
	"time"

	"gatehouse/sync/wire"
)

// told creates schema version 12: of which mandates those were told whom they asked about.
const told = `CREATE TABLE told (reference BYTEA PRIMARY KEY, at BIGINT NOT NULL, teller TEXT NOT NULL)`

// Told is that the people whom a mandate asked about were told of it.
type Told struct {
	At     time.Time
	Teller string // who said so
}

// Tellings say of which mandates people were told.
type Tellings struct{ conn }

// Add stores that it was told of a mandate, and keeps what was stored first.
func (t Tellings) Add(reference wire.ID, a Told) error {
	return wrap("store that it was told", t.exec(`INSERT INTO told (reference, at, teller) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, reference[:], a.At, a.Teller))
}

// Find reports whether it was told of a mandate, and by whom.
func (t Tellings) Find(reference wire.ID) (a Told, was bool, err error) {
	was, err = t.row("read whether it was told", []any{&a.At, &a.Teller}, `SELECT at, teller FROM told WHERE reference = $1`, reference[:])
	return a, was, err
}
