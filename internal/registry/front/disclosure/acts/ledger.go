package acts

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/store"
)

// Ledger is the file of acts, one JSON object a line, which is only ever appended to: the front's ledger of erasures is
// written anew each time, and would grow too long. The database knows the number of the newest line that it has. Safe for
// concurrent use.
type Ledger struct {
	store *store.Store
	path  string

	mu   sync.Mutex // held during an update; it guards what follows
	file *os.File
	end  end
	torn bool // there may be something behind the whole lines
}

// end is where the whole lines of a ledger end.
type end struct {
	number uint64 // of the newest line; more where those before it were lost
	size   int64  // bytes
	sum    string // of the newest line
}

// line is how an act stands in the file. The sum is that of the act and of the sum of the line before, so that a line
// that somebody has changed or taken out shows.
type line struct {
	Sum string          `json:"sum"`
	Act json.RawMessage `json:"act"`
}

func sum(before string, act []byte) string {
	h := sha256.New()
	h.Write([]byte(before))
	h.Write(act)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Open opens the ledger at a path, makes it where there is none, and stores in the database what that lacks of it. A last
// line that is torn was never acted upon, and goes.
func Open(ctx context.Context, s *store.Store, path string, now time.Time, log zerolog.Logger) (l *Ledger, err error) {
	l = &Ledger{store: s, path: path}
	if l.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("open the ledger of answers: %w", err)
	}
	n := 0
	if l.end, err = l.read(func(Act) error { return nil }); err == nil {
		l.torn = true
		err = l.trim()
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err == nil {
		err = s.Update(ctx, func(tx *store.Tx) (err error) {
			n, err = l.replay(tx, now, log)
			return err
		})
	}
	if err != nil {
		return nil, errors.Join(err, l.file.Close())
	}
	if n > 0 {
		log.Warn().Int("lines", n).Msg("the database lacked what the ledger of answers has: it was put back, and has it again")
	}
	return l, nil
}

// Close closes the file.
func (l *Ledger) Close() error { return l.file.Close() }

// replay stores the lines that the database lacks, and returns how many. Where lines are lost it leaves a remark and, in
// their place, a line that says so.
func (l *Ledger) replay(tx *store.Tx, now time.Time, log zerolog.Logger) (n int, err error) {
	mark, err := tx.Backups.Acts()
	if err != nil {
		return 0, err
	}
	_, err = l.read(func(a Act) error {
		if a.Number <= mark {
			return nil
		}
		n++
		if a.Lost {
			return tx.Backups.Remark(l.said(fmt.Sprintf("has lost lines before line %d", a.Number)), now)
		}
		return a.store(tx)
	})
	if err != nil {
		return n, err
	}
	if l.end.number < mark {
		said := l.said(fmt.Sprintf("has line %d, the database knows of line %d", l.end.number, mark))
		log.Warn().Str("ledger", l.path).Msg(said)
		if err = tx.Backups.Remark(said, now); err == nil {
			l.end.number, l.end.sum = mark, ""
			err = l.append([]Act{{Lost: true}})
		}
	}
	return n, errors.Join(err, tx.Backups.SetActs(l.end.number))
}

// said is what an operator is told whose ledger has lost lines.
func (l *Ledger) said(what string) string {
	return filepath.Base(l.path) + " " + what + ": a copy of the database that is put back lacks the answers between, and mandates may be answered once more. " +
		"Stop the front, and put back the newest that a backup has; if it is that, go on, and make a backup now. docs/restore.md"
}

// read reads every whole line from the beginning, and returns where they end.
func (l *Ledger) read(each func(Act) error) (e end, err error) {
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return e, fmt.Errorf("read the ledger of answers: %w", err)
	}
	for lines := bufio.NewReader(l.file); ; {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return e, nil
		}
		var a Act
		if err == nil {
			a, err = e.next(text)
		}
		if err == nil {
			err = each(a)
		}
		if err != nil {
			return e, fmt.Errorf("ledger of answers %s, behind line %d: %w; stop the front, put the copy of the newest backup in its place, or move the file away if there is none: "+
				"then what a copy of the database lacks of answers stays unknown. docs/restore.md", l.path, e.number, err)
		}
	}
}

// next decodes the line behind the end, and moves the end behind it.
func (e *end) next(text []byte) (a Act, err error) {
	var one line
	if err = json.Unmarshal(text, &one); err == nil {
		err = json.Unmarshal(one.Act, &a)
	}
	before, follows := e.sum, a.Number == e.number+1
	if a.Lost {
		before, follows = "", a.Number > e.number
	}
	switch {
	case err != nil:
		return a, err
	case !follows || one.Sum != sum(before, one.Act):
		return a, errors.New("the next line was changed, or one before it was taken out")
	}
	e.number, e.size, e.sum = a.Number, e.size+int64(len(text)), one.Sum
	return a, nil
}

// Tx is a transaction of the database in which acts are stored.
type Tx struct {
	*store.Tx
	acts []Act
}

// Do stores an act in the database.
func (t *Tx) Do(a Act) error {
	t.acts = append(t.acts, a)
	return a.store(t.Tx)
}

// Update runs f in a transaction of the database. What f does is in the ledger, synced, before it is committed: after
// a power cut between the two the next Open stores it, and it counts as done.
func (l *Ledger) Update(ctx context.Context, f func(*Tx) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.Update(ctx, func(tx *store.Tx) error {
		if err := l.catchUp(tx); err != nil {
			return err
		}
		t := &Tx{Tx: tx}
		if err := f(t); err != nil || len(t.acts) == 0 {
			return err
		}
		if err := l.append(t.acts); err != nil {
			return err
		}
		return tx.Backups.SetActs(l.end.number)
	})
}

// catchUp stores what is in the ledger and not in the database, since that failed to commit it.
func (l *Ledger) catchUp(tx *store.Tx) error {
	mark, err := tx.Backups.Acts()
	if err != nil || mark >= l.end.number {
		return err
	}
	_, err = l.replay(tx, time.Time{}, zerolog.Nop())
	return err
}

// append writes lines durably, all or none, and numbers them.
func (l *Ledger) append(all []Act) error {
	if err := l.trim(); err != nil {
		return err
	}
	var b bytes.Buffer
	next := l.end
	for _, a := range all {
		next.number++
		a.Number = next.number
		act, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("write the ledger of answers: %w", err)
		}
		next.sum = sum(next.sum, act)
		if err := json.NewEncoder(&b).Encode(line{next.sum, act}); err != nil {
			return fmt.Errorf("write the ledger of answers: %w", err)
		}
	}
	next.size += int64(b.Len())
	l.torn = true
	if _, err := l.file.WriteAt(b.Bytes(), l.end.size); err != nil {
		return fmt.Errorf("write the ledger of answers: %w", err)
	}
	if err := durable.SyncData(l.file); err != nil {
		return fmt.Errorf("sync the ledger of answers: %w", err)
	}
	l.end, l.torn = next, false
	return nil
}

// trim cuts off what is behind the whole lines.
func (l *Ledger) trim() error {
	if !l.torn {
		return nil
	}
	if err := l.file.Truncate(l.end.size); err != nil {
		return fmt.Errorf("cut the ledger of answers to its whole lines: %w", err)
	}
	l.torn = false
	return nil
}

// Copy writes the ledger as of now, for a backup: it has all that a copy of the database from before has.
func (l *Ledger) Copy(w io.Writer) error {
	l.mu.Lock()
	size := l.end.size
	l.mu.Unlock()
	_, err := io.Copy(w, io.NewSectionReader(l.file, 0, size))
	return err
}
