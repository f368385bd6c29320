package world

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// Unread makes a copy of the front's database and opens with the offline key who is named in it. It
// returns what does not open, or is not what the entry's leaf says, and how many do.
func (w *World) Unread(ctx context.Context) (opened int, wrong []string, err error) {
	path := w.Bed.Path("copy.db")
	defer os.Remove(path)
	if err := w.copyTo(ctx, path); err != nil {
		return 0, nil, err
	}
	private, err := keys.LoadSealKey(filepath.Join(w.Bed.Path("offline"), authority.FileRecords))
	if err != nil {
		return 0, nil, err
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return 0, nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT g.building || '/' || g.gateway, b.body, b.sealed, c.encapsulated
		FROM batches b JOIN gateways g ON g.id = b.gateway LEFT JOIN contexts c ON c.number = b.context WHERE b.sealed IS NOT NULL`)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var address string
		var body, sealed, encapsulated []byte
		if err := rows.Scan(&address, &body, &sealed, &encapsulated); err != nil {
			return 0, nil, err
		}
		n, err := open(private, address, body, sealed, encapsulated)
		if opened += n; err != nil {
			wrong = append(wrong, address+": "+err.Error())
		}
	}
	return opened, wrong, rows.Err()
}

// copyTo writes a copy that was checked.
func (w *World) copyTo(ctx context.Context, path string) error {
	body, err := w.Bed.Registry.API.Backup(ctx, "law")
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err == nil {
		_, err = file.ReadFrom(body)
		err = errors.Join(err, file.Close())
	}
	return errors.Join(err, body.Close(), dbfile.Check(ctx, path))
}

// open opens the seals of a stored batch, and returns how many there are.
func open(private []byte, address string, body, sealed, encapsulated []byte) (int, error) {
	var b wire.Batch
	if err := wire.Decode(body, &b); err != nil || len(sealed) == 0 {
		return 0, err
	}
	var parts []whos.Part
	var err error
	if encapsulated == nil {
		parts, err = whos.Unseal(private, address, b.Epoch, b.First, sealed)
	} else {
		var c *whos.Context
		if c, err = whos.Open(private, address, b.Epoch, encapsulated); err == nil {
			parts, err = c.Unseal(b.First, sealed)
		}
	}
	for _, p := range parts {
		if hash := wire.WhoHash(p.Salt, p.Who); err == nil && !bytes.Equal(hash[:], b.Whos[p.Index]) {
			err = fmt.Errorf("who part of entry %d in epoch %016x is another", b.First+uint64(p.Index), b.Epoch)
		}
	}
	return len(parts), err
}
