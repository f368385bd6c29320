package store

import (
	"fmt"
	"time"

	"gatehouse/internal/registry/api"
)

// snapshots creates schema version 2: backups of gateways, which the registry can't read. turn: 0
// is the newest, 1 the previous one.
const snapshots = `CREATE TABLE snapshots (
	building TEXT NOT NULL, gateway TEXT NOT NULL, turn BIGINT NOT NULL,
	sum TEXT NOT NULL, size BIGINT NOT NULL, made BIGINT NOT NULL, stored_at BIGINT NOT NULL, heard_at BIGINT NOT NULL, fetched_at BIGINT,
	body BYTEA NOT NULL,
	PRIMARY KEY (building, gateway, turn))`

// Snapshots are the backups of gateways. It is part of a Tx; that of a Store can only read.
type Snapshots struct{ conn }

// List returns the stored backups of a building (of all, for ""), without their bodies: by gateway,
// the newest first.
func (s Snapshots) List(building string) ([]api.Snapshot, error) {
	return list(s.conn, "read snapshots", snapshotFields, `SELECT building, gateway, turn, sum, size, made, stored_at, heard_at, fetched_at
		FROM snapshots WHERE ($1 = '' OR building = $2) ORDER BY building, gateway, turn`, building, building)
}

func snapshotFields(s *api.Snapshot) []any {
	return []any{&s.Place.Building, &s.Place.Gateway, &s.Turn, &s.Sum, &s.Size, &s.Made, &s.Stored, &s.Heard, &s.Fetched}
}

// Body returns a backup, or ErrNotFound.
func (s Snapshots) Body(building, gateway string, turn int) (body []byte, err error) {
	return body, s.need(fmt.Sprintf("read snapshot of %s/%s", building, gateway), []any{&body},
		`SELECT body FROM snapshots WHERE building = $1 AND gateway = $2 AND turn = $3`, building, gateway, turn)
}

// Heard notes that a gateway offered its newest backup by its sum, and reports whether that one is
// stored.
func (s Snapshots) Heard(building, gateway string, sum string, at time.Time) (kept bool, err error) {
	n, err := s.changed(`UPDATE snapshots SET heard_at = $1 WHERE building = $2 AND gateway = $3 AND turn = 0 AND sum = $4`, at, building, gateway, sum)
	return n > 0, wrap("hear of a snapshot", err)
}

// Put stores a backup as the newest. The former newest becomes the previous one if it was stored
// before a time; else it is deleted.
func (s Snapshots) Put(n api.Snapshot, body []byte, before time.Time) error {
	of := []any{n.Place.Building, n.Place.Gateway}
	older, err := s.number("read snapshot", `SELECT COUNT(*) FROM snapshots WHERE building = $1 AND gateway = $2 AND turn = 0 AND stored_at < $3`, append(of, before)...)
	if err == nil && older > 0 {
		if err = s.exec(`DELETE FROM snapshots WHERE building = $1 AND gateway = $2 AND turn = 1`, of...); err == nil {
			err = s.exec(`UPDATE snapshots SET turn = 1 WHERE building = $1 AND gateway = $2 AND turn = 0`, of...)
		}
	} else if err == nil {
		err = s.exec(`DELETE FROM snapshots WHERE building = $1 AND gateway = $2 AND turn = 0`, of...)
	}
	if err == nil {
		err = s.exec(`INSERT INTO snapshots (building, gateway, turn, sum, size, made, stored_at, heard_at, body) VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8)`,
			n.Place.Building, n.Place.Gateway, n.Sum, n.Size, n.Made, n.Stored, n.Heard, body)
	}
	return wrap("keep snapshot of "+n.Place.Address(), err)
}

// SetFetched notes that a backup was fetched.
func (s Snapshots) SetFetched(building, gateway string, turn int, at time.Time) error {
	return s.exec(`UPDATE snapshots SET fetched_at = $1 WHERE building = $2 AND gateway = $3 AND turn = $4`, at, building, gateway, turn)
}

// Drop deletes the backups of a gateway, and reports whether there were any.
func (s Snapshots) Drop(building, gateway string) (bool, error) {
	n, err := s.changed(`DELETE FROM snapshots WHERE building = $1 AND gateway = $2`, building, gateway)
	return n > 0, wrap("drop snapshots", err)
}
