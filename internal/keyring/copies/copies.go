// Package copies handles the two copies of a keyring, each with the whole signed list and the grants
// that are over: a database, and a file of the changes ahead of it. They also store the journal's anchor, for the journal to find at its next start.
package copies

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// names are the two files.
var names = [2]string{"grants-a.db", "grants-b.db"}

// maxAnchor bounds the bytes of an anchor.
const maxAnchor = 256

// Pair is the two files. It is safe for concurrent use.
type Pair struct {
	dir *files.Dir

	mu      sync.Mutex // guards the rest and the files
	files   [2]*file
	anchors [][]byte // of the journal, as the files have them
}

// Open reads the anchors in the files of a directory, whether their lists are good or not.
func Open(dir *files.Dir) *Pair {
	p := &Pair{dir: dir}
	for i, name := range names {
		c := &file{path: dir.Join(name)}
		b, err := c.readAnchor()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			dir.Log.Warn().Err(err).Msg("where the journal was can't be read from a copy of the grants")
		}
		if c.journal = b; len(b) > 0 {
			p.anchors = append(p.anchors, b)
		}
		p.files[i] = c
	}
	for _, c := range p.files {
		if len(c.journal) == 0 && len(p.anchors) > 0 {
			c.journal = p.anchors[0] // for a new file
		}
	}
	return p
}

// ReadAnchors reads the anchors in both files of a directory, for a verification of the journal; it
// changes nothing, and leaves out what can't be read.
func ReadAnchors(dir string) (all [][]byte) {
	for _, name := range names {
		c := file{path: filepath.Join(dir, name)}
		if b, err := c.readAnchor(); err == nil && len(b) > 0 {
			all = append(all, b)
		}
	}
	return all
}

// Anchors returns the anchors that the files had when they were opened, and the one of SetAnchor
// since.
func (p *Pair) Anchors() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.anchors)
}

// SetAnchor writes the journal's anchor into each existing file, durably: a failed write is logged,
// and an error only if no other file holds the anchor. A house without a list has no such file, and
// stores none.
func (p *Pair) SetAnchor(anchor []byte) error {
	if len(anchor) == 0 || len(anchor) > maxAnchor {
		return fmt.Errorf("keep an anchor of the journal: %d bytes", len(anchor))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var failed []error
	kept := false
	anchor = slices.Clone(anchor)
	for _, c := range p.files {
		c.journal = anchor
		err := c.update(func(tx *bolt.Tx) error { return putAnchor(tx, anchor) })
		switch {
		case err == nil:
			kept = true
		case !errors.Is(err, fs.ErrNotExist):
			failed = append(failed, err)
			p.dir.Log.Warn().Err(err).Msg("where the journal is can't be written to a copy of the grants")
		}
	}
	if !kept && len(failed) > 0 {
		return fmt.Errorf("keep an anchor of the journal: %w", errors.Join(failed...))
	}
	p.anchors = [][]byte{anchor}
	return nil
}

// Found is a file with a good signature and manifest.
type Found struct {
	Content
	List *signedlist.List // without its buckets
	file *file
}

// Read reads both files, the newer list first; open verifies a manifest. damaged reports whether
// any file was there and could not be used.
func (p *Pair) Read(open func(Content) (*signedlist.List, error)) (found []Found, damaged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.files {
		f, err := p.inspect(c, open)
		switch {
		case err == nil:
			found = append(found, f)
		case !errors.Is(err, fs.ErrNotExist):
			p.discard(c, err)
			damaged = true
		}
	}
	slices.SortStableFunc(found, func(a, b Found) int { return b.List.Rank().Compare(a.List.Rank()) })
	return found, damaged
}

func (p *Pair) inspect(c *file, open func(Content) (*signedlist.List, error)) (Found, error) {
	content, err := p.content(c)
	if err != nil {
		return Found{}, err
	}
	l, err := open(content)
	switch {
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrBadSignature):
		return Found{}, fmt.Errorf("read %s: %w: %w", c.path, durable.ErrDamaged, err)
	case err != nil: // good for another house or issuer: not ours to put aside
		c.err = fmt.Errorf("read %s: %w", c.path, err)
		return Found{}, c.err
	}
	return Found{content, l, c}, nil
}

// content reads a copy: its database, and the changes ahead of it. A damaged file of these is put aside.
func (p *Pair) content(c *file) (Content, error) {
	content, err := c.read()
	if err != nil {
		return content, err
	}
	err = content.follow(c)
	content.Lost = err != nil && (content.used || errors.Is(err, durable.ErrDamaged))
	c.lost, c.gone = content.Lost, errors.Is(err, fs.ErrNotExist)
	if err != nil {
		p.dir.Log.Error().Err(err).Msg("changes ahead of a copy of the grants can't be used")
		if errors.Is(err, durable.ErrDamaged) {
			p.dir.PutAside(c.aheadPath())
		}
	}
	return content, nil
}

// Missing returns the names of the files that are not there.
func (p *Pair) Missing() (all []string) {
	for _, c := range p.files {
		if _, err := os.Stat(c.path); errors.Is(err, fs.ErrNotExist) {
			all = append(all, c.name())
		}
		if c.gone {
			all = append(all, filepath.Base(c.aheadPath()))
		}
	}
	return all
}

// Behind returns the name of the file that is behind the other; empty: none is, only one was found, or power
// went between the frame of the first and that of the second.
func Behind(found []Found) string {
	if len(found) < 2 {
		return ""
	}
	a, b := found[0], found[1]
	switch c := cmp.Or(a.List.Rank().Compare(b.List.Rank()), cmp.Compare(len(a.Over), len(b.Over))); {
	case c >= 0 && a.file.name() == names[0] && a.from == b.state():
		return ""
	case c > 0:
		return b.file.name()
	case c < 0:
		return a.file.name()
	}
	return ""
}

// Use notes what a file holds, with the grants that are over, and lets judge decide whether its
// list may be used; a refused one is put aside if it is damaged.
func (p *Pair) Use(f Found, over *merge.Tombstones, judge func(path string) error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := f.file
	c.note(f.Content)
	err := fmt.Errorf("read %s: %w: buckets are not those of the manifest", c.path, durable.ErrDamaged)
	if slices.Equal(c.buckets, f.List.Manifest.Buckets) {
		c.hash, c.version = f.List.Hash, f.List.Manifest.Version
		if slices.Equal(f.Over, over.IDs[:min(len(f.Over), len(over.IDs))]) && f.Anchored {
			c.over = len(f.Over)
		}
		err = judge(c.path)
	}
	if err != nil {
		p.discard(c, err)
	}
	return err == nil
}

// discard puts a damaged file aside. A file that can't be read but is not damaged (a sick disk,
// another owner) stays where it is.
func (p *Pair) discard(c *file, why error) {
	c.known, c.err = false, why
	p.dir.Log.Error().Err(why).Msg("copy of the grants can't be used")
	if errors.Is(why, durable.ErrDamaged) {
		p.dir.PutAside(c.path)
	}
}

// Hold reports whether both files are known to hold l and the grants that are over.
func (p *Pair) Hold(l *signedlist.List, over *merge.Tombstones) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.files[0].holds(l, over) && p.files[1].holds(l, over)
}

// Fit reports whether one sync makes each copy hold s, without a change of its database.
func (p *Pair) Fit(s *Stored) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !slices.ContainsFunc(p.files[:], func(c *file) bool { return !c.holds(s.List, s.Over) && c.frame(s) == nil })
}

// Write makes each copy hold s, durably, the first before the second, and returns an error for each that does
// not.
func (p *Pair) Write(s *Stored) (failed []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.files {
		if !c.known {
			p.recover(c)
		}
		if err := p.write(c, s, c.write); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// write makes a copy hold s. One that is found damaged is put aside and made again.
func (p *Pair) write(c *file, s *Stored, by func(*Stored) error) error {
	err := by(s)
	p.dir.DidWrite()
	if errors.Is(err, durable.ErrDamaged) {
		p.dir.PutAside(c.path)
		err = c.write(s)
	}
	if err != nil {
		p.dir.Log.Error().Err(err).Msg("copy of the grants can't be written")
	}
	return err
}

// Begin lets the next lists cost one sync in each copy that holds s, and lets each database say whether something is
// ahead of it. It writes them once in a run, and after the first list that is not in them, so nothing that is urgent
// should wait for it.
func (p *Pair) Begin(s *Stored) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.files {
		switch {
		case !c.holds(s.List, s.Over), c.direct:
		case c.log == nil:
			_ = p.write(c, s, c.fold) // logged there
		case !c.log.Empty() && !c.used:
			_ = p.write(c, s, c.say)
		}
	}
}

// Fold moves the changes ahead of the databases into them where these hold s, and leaves nothing there.
func (p *Pair) Fold(s *Stored) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.files {
		log := c.log
		if !c.holds(s.List, s.Over) || log == nil || p.write(c, s, c.seal) != nil {
			continue
		}
		if err := log.Clear(); err != nil {
			p.dir.Log.Warn().Err(err).Msg("changes that are in a copy of the grants can't be erased ahead of it")
		}
		p.dir.DidWrite()
	}
}

// recover reads a file whose last write failed, so that it need not be written whole.
func (p *Pair) recover(c *file) {
	content, err := p.content(c)
	switch {
	case err == nil:
		c.note(content)
	case errors.Is(err, durable.ErrDamaged):
		p.dir.PutAside(c.path)
	}
}

// Status is the state of one of the two files.
type Status struct {
	Name    string
	Good    bool   // holds the active list
	Version uint64 // of the list in it; 0: unknown or none
	Error   string // of the last access
}

// Status returns the state of both files in relation to the active list (nil: none).
func (p *Pair) Status(active *signedlist.List) (all [2]Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.files {
		all[i] = Status{Name: c.name(), Version: c.version, Good: active != nil && c.known && c.hash == active.Hash}
		if c.err != nil {
			all[i].Error = c.err.Error()
		}
	}
	return all
}
