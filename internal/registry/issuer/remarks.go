package issuer

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
)

// remark keeps what a start or a restore has shown, until an operator puts it away.
// The caller holds mu, or nobody else has the issuer yet.
func (i *Issuer) remark(building, text string) error {
	i.opts.Log.Warn().Str("building", building).Msg(text)
	return addRemark(i.db, i.now(), building, text)
}

func (c *change) remark(b *building, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	c.issuer.opts.Log.Warn().Str("building", b.id).Msg(text)
	return addRemark(c, c.issuer.now(), b.id, text)
}

func addRemark(q querier, now uint32, building, text string) error {
	if _, err := q.Exec(`INSERT INTO remarks (building, text, at) VALUES (?,?,?) ON CONFLICT DO NOTHING`, building, text, now); err != nil {
		return fmt.Errorf("keep remark: %w", err)
	}
	return nil
}

// remarks returns what was said, the oldest first. The caller holds mu.
func (i *Issuer) remarks() (all []api.Remark, err error) {
	all = []api.Remark{}
	err = each(i.db, func(rows *sql.Rows) error {
		var r api.Remark
		var at int64
		err := rows.Scan(&r.Building, &r.Text, &at)
		r.Time = time.Unix(at, 0).UTC()
		all = append(all, r)
		return err
	}, `SELECT building, text, at FROM remarks ORDER BY at, building, text`)
	return all, err
}

// putAway forgets what was said.
func (i *Issuer) putAway(who string) error {
	return i.locked(func(c *change) error {
		if _, err := c.Exec(`DELETE FROM remarks`); err != nil {
			return err
		}
		return c.audit(who, "restored --done", "", "", "")
	})
}

// copied makes a whole copy of the database, which is gone when it is closed.
func (i *Issuer) copied(ctx context.Context) (*os.File, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return dbfile.Temporary(filepath.Join(i.opts.Dir, FileDatabase+".copy"), func(path string) error { return dbfile.Copy(ctx, i.db, path) })
}
