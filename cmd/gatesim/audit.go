package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/journal/segment"
)

// audit compares the books at the end of the day.
func (p *play) audit() error {
	late := p.settle() // a difference shows below
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	r, err := p.recompute()
	if err != nil {
		return err
	}
	b := newBook(p.killNth, p.remote)
	if err := p.entries(b.add); err != nil {
		return err
	}
	world := p.world.copied()
	p.table(world, b)
	lost, unexplained, wrong := b.compare(world)
	fmt.Fprintf(p.out, "\nlost %d, unexplained %d, of %s\n", lost, unexplained, amount.Of(b.entries, "entry"))
	fmt.Fprintf(p.out, "root of the log's tree, hashed anew from %s on disk, and found beside them: %s\n", amount.Of(r.Next, "entry"), r.Root)
	if k := (row{yardDoor, atKill}); world[k] > b.count(k) {
		fmt.Fprintln(p.out, "the kill -9 took one entry, as it may: that the lock was released. The card that it was released for is in the log")
	}
	if b.slowDisk > 0 {
		fmt.Fprintf(p.out, "the disk was slow: so says the log, in %s\n", amount.Of(b.slowDisk, "entry"))
	}
	if b.fullDisk > 0 {
		fmt.Fprintf(p.out, "the disk is %d %% full, and the log says so\n", b.fullDisk)
	}
	if r.Next != b.entries {
		return fmt.Errorf("the log has %s, its tree %d", amount.Of(b.entries, "entry"), r.Next)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the books do not match: %s", explain(wrong, world, b))
	}
	return late
}

// explain names every line of the books that does not match.
func explain(wrong []row, world ledger, b *book) string {
	slices.SortFunc(wrong, compareRows)
	var all []string
	for _, r := range wrong {
		all = append(all, fmt.Sprintf("%s, %q: %d at the doors, %d in the log", place(r.door), r.what, world[r], b.count(r)))
	}
	return strings.Join(all, "; ")
}

func place(door string) string {
	if door == "" {
		return "house"
	}
	return "door " + door
}

// recompute hashes the entries on disk anew and compares the root with the one
// that the daemon wrote beside them. The files are copied while nothing is
// written, because the daemon has them open.
func (p *play) recompute() (r segment.Report, err error) {
	for range 50 {
		before := p.changed()
		if r, err = p.verifyCopy(); err == nil && before.Equal(p.changed()) {
			return r, nil
		}
		if err := p.wait(100 * time.Millisecond); err != nil {
			return r, err
		}
	}
	return r, errors.Join(err, errors.New("the log on disk never stood still, or is not good"))
}

// verifyCopy checks copies of the journal's files and returns the report of the
// last one.
func (p *play) verifyCopy() (last segment.Report, err error) {
	files, err := filepath.Glob(filepath.Join(p.dir, "state", "journal", "*-*.db"))
	if err != nil {
		return last, err
	}
	tmp, err := os.MkdirTemp(p.dir, "audit-")
	if err != nil {
		return last, err
	}
	defer os.RemoveAll(tmp)
	for _, f := range files { // in the order of their first entries
		content, err := os.ReadFile(f)
		if err != nil {
			return last, err
		}
		copied := filepath.Join(tmp, filepath.Base(f))
		if err := os.WriteFile(copied, content, 0o600); err != nil {
			return last, err
		}
		if last, err = segment.Verify(copied); err != nil {
			return last, err
		}
	}
	return last, nil
}

// order is that of the summary; what it does not name comes last.
var order = []string{granted, denied, released, atKill, secured, opened, closed, exits, commands, online, offline,
	fault, faultOver, readerKey, fireActive, fireIdle, fireReset, fireRefused, listApplied, captured, tenancyChanged, told, starts, stops, siteRead, clockSet}

func rank(what string) int {
	i := slices.IndexFunc(order, func(o string) bool {
		return o == what || strings.HasSuffix(o, ": ") && strings.HasPrefix(what, o)
	})
	if i < 0 {
		return len(order)
	}
	return i
}

// table prints the books side by side.
func (p *play) table(world ledger, b *book) {
	p.print.Lock()
	defer p.print.Unlock()
	var whats []string
	for _, l := range []ledger{world, b.rows} {
		for r := range l {
			if r.what != ofDisk && r.what != fromCentre && !slices.Contains(whats, r.what) {
				whats = append(whats, r.what)
			}
		}
	}
	slices.SortFunc(whats, func(a, b string) int { return compareRows(row{what: a}, row{what: b}) })
	fmt.Fprintln(p.out, "\nwhat happened, as the doors saw it / as the daemon's log tells it")
	t := tabwriter.NewWriter(p.out, 0, 4, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tfront door\tyard door\tgate\thouse\t")
	for _, what := range whats {
		fmt.Fprintf(t, "%s\t", what)
		for _, door := range []string{frontDoor, yardDoor, gateDoor, ""} {
			cell(t, world[row{door, what}], b.rows[row{door, what}], what)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
}

func cell(w io.Writer, happened, told int, what string) {
	switch {
	case happened == 0 && told == 0:
		fmt.Fprint(w, "\t")
	case happened == told || what == atKill && happened > told:
		fmt.Fprintf(w, "%d / %d\t", happened, told)
	default:
		fmt.Fprintf(w, "! %d / %d\t", happened, told)
	}
}

func compareRows(a, b row) int {
	return cmp.Or(rank(a.what)-rank(b.what), cmp.Compare(a.what, b.what), cmp.Compare(a.door, b.door))
}
