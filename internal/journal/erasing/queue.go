package erasing

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// QueueName is the file in a journal's directory with the entries that shall name nobody and may still do.
const QueueName = "forget"

// Queue are entries whose who parts go by an order, named by boot number and counter: a new epoch, which gives
// them other sequence numbers, changes nothing. They are one list, however many orders they come from, so that nobody
// reads there which are of one person. Safe for concurrent use; make it with OpenQueue.
type Queue struct {
	path string

	mu    sync.Mutex
	wait  map[wire.Ref]bool
	added uint64 // counts the orders of this run
}

// OpenQueue reads the queue of a journal's directory; none: it is empty. After an error it has what could be read.
func OpenQueue(dir string) (*Queue, error) {
	q := &Queue{path: filepath.Join(dir, QueueName), wait: map[wire.Ref]bool{}, added: 1}
	b, err := os.ReadFile(q.path)
	if errors.Is(err, fs.ErrNotExist) {
		return q, nil
	}
	for line := range strings.Lines(string(b)) {
		var r wire.Ref
		if _, bad := fmt.Sscanf(line, "%d %d\n", &r.Boot, &r.Counter); bad != nil {
			err = fmt.Errorf("%w: a line that names no entry", durable.ErrDamaged)
			continue
		}
		q.wait[r] = true
	}
	if err != nil {
		return q, fmt.Errorf("read %s: %w", q.path, err)
	}
	return q, nil
}

// Add adds entries, durably, or none.
func (q *Queue) Add(refs []wire.Ref) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := maps.Clone(q.wait)
	for _, r := range refs {
		next[r] = true
	}
	if err := q.save(next); err != nil {
		return err
	}
	q.added++
	return nil
}

// waiting returns the entries that wait, and how many orders there were.
func (q *Queue) waiting() (wait map[wire.Ref]bool, added uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.wait), q.added
}

// leave drops those of the entries of before that are not left. What was added since stays.
func (q *Queue) leave(were, left map[wire.Ref]bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := maps.Clone(q.wait)
	maps.DeleteFunc(next, func(r wire.Ref, _ bool) bool { return were[r] && !left[r] })
	if len(next) == len(q.wait) {
		return nil
	}
	return q.save(next)
}

// save writes the queue; without entries there is no file.
func (q *Queue) save(next map[wire.Ref]bool) error {
	var b strings.Builder
	older := func(a, b wire.Ref) int { return cmp.Or(cmp.Compare(a.Boot, b.Boot), cmp.Compare(a.Counter, b.Counter)) }
	for _, r := range slices.SortedFunc(maps.Keys(next), older) {
		fmt.Fprintf(&b, "%d %d\n", r.Boot, r.Counter)
	}
	var err error
	if b.Len() > 0 {
		err = durable.WriteFile(q.path, []byte(b.String()), 0o600)
	} else {
		err = durable.Remove(q.path)
	}
	if err != nil {
		return fmt.Errorf("write which entries are to be forgotten: %w", err)
	}
	q.wait = next
	return nil
}
