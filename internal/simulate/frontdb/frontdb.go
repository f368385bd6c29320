// Package frontdb reads what stands in the front's database, whatever the front says of it.
package frontdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// Stored is what stands there.
type Stored struct {
	Entries map[string]map[testbed.Spot]bool   // by gateway, whatever is left of them
	Seals   map[string]map[testbed.Spot][]byte // of those, who parts, sealed; several that open only together are the same bytes
	Answers map[Answer]bool                    // that were written down
}

// Answer names an answer under a mandate.
type Answer struct {
	Gateway   string
	Reference wire.ID
	Number    uint64
}

// Read reads the front's database as it lies on its disk. Nobody may be writing.
func Read(ctx context.Context, disk *virtual.Disk, scratch string) (Stored, error) {
	return ReadIn(ctx, disk.Dir(), scratch)
}

// ReadIn reads the one in a directory, from a copy that it makes in the directory scratch and removes again.
func ReadIn(ctx context.Context, from, scratch string) (s Stored, err error) {
	dir, err := os.MkdirTemp(scratch, "stored-")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(from, api.FileDatabase+suffix))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "front.db"+suffix), b, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "front.db"))
	if err != nil {
		return s, err
	}
	defer db.Close()
	s = Stored{map[string]map[testbed.Spot]bool{}, map[string]map[testbed.Spot][]byte{}, map[Answer]bool{}}
	return s, errors.Join(s.seals(ctx, db), s.answers(ctx, db))
}

// each calls do at each row of a query.
func each(ctx context.Context, db *sql.DB, query string, do func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s Stored) seals(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, `SELECT g.gateway, b.body, b.sealed, COALESCE(b.context, 0) FROM batches b JOIN gateways g ON g.id = b.gateway`, func(r *sql.Rows) error {
		var gateway string
		var body, sealed []byte
		var number int64
		if err := r.Scan(&gateway, &body, &sealed, &number); err != nil {
			return err
		}
		var b wire.Batch
		if err := wire.Decode(body, &b); err != nil {
			return err
		}
		if s.Entries[gateway] == nil {
			s.Entries[gateway], s.Seals[gateway] = map[testbed.Spot]bool{}, map[testbed.Spot][]byte{}
		}
		for i := range b.Headers {
			s.Entries[gateway][spot(b, i)] = true
		}
		if len(sealed) == 0 {
			return nil
		}
		return s.split(s.Seals[gateway], b, sealed, number)
	})
}

// spot is the place of an entry of a batch.
func spot(b wire.Batch, i int) testbed.Spot {
	return testbed.Spot{Epoch: fmt.Sprintf("%016x", b.Epoch), N: b.First + uint64(i)}
}

func (s Stored) split(into map[testbed.Spot][]byte, b wire.Batch, sealed []byte, context int64) error {
	if context == 0 { // they open only together
		for i, who := range b.Whos {
			if len(who) > 0 {
				into[spot(b, i)] = sealed
			}
		}
		return nil
	}
	parts, err := whos.Split(sealed)
	for _, p := range parts {
		into[spot(b, int(p.Index))] = bytes.Clone(p.Bytes)
	}
	return err
}

func (s Stored) answers(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, `SELECT g.gateway, d.reference, d.number FROM disclosures d JOIN gateways g ON g.id = d.gateway`, func(r *sql.Rows) error {
		var a Answer
		var reference []byte
		err := r.Scan(&a.Gateway, &reference, &a.Number)
		copy(a.Reference[:], reference)
		s.Answers[a] = true
		return err
	})
}
