package play

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/internal/amount"
	"gatehouse/internal/journal/segment"
)

// Audit compares the ledgers at the end of the day.
func (p *Play) Audit() error {
	late := p.settle() // a difference shows below
	if p.Ctx.Err() != nil {
		return p.Ctx.Err()
	}
	r, err := p.recompute()
	if err != nil {
		return err
	}
	b := ledger.NewLog(p.killNth, p.Remote)
	if err := p.Files.Entries(b.Add); err != nil {
		return err
	}
	world := p.House.World.Copied()
	var table strings.Builder
	ledger.WriteTable(&table, world, b)
	p.Story.Print("%s", table.String())
	lost, unexplained, wrong := b.Compare(world)
	p.Story.Print("\nlost %d, unexplained %d, of %s\n", lost, unexplained, amount.Of(b.Entries, "entry"))
	p.Story.Print("root of the log's tree, hashed anew from %s on disk: %s\n", amount.Of(r.Next, "entry"), r.Root)
	if k := (ledger.Of(ledger.YardDoor, ledger.AtKill)); world[k] > b.Count(k) {
		p.Story.Print("the kill -9 took one entry, as it may: that the lock was released. The card that it was released for is in the log\n")
	}
	if b.SlowDisk > 0 {
		p.Story.Print("the disk was slow: so says the log, in %s\n", amount.Of(b.SlowDisk, "entry"))
	}
	if b.FullDisk > 0 {
		p.Story.Print("the disk is %d %% full, and the log says so\n", b.FullDisk)
	}
	if r.Next != b.Entries {
		return fmt.Errorf("the log has %s, its tree %d", amount.Of(b.Entries, "entry"), r.Next)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the ledgers do not match: %s", ledger.Explain(wrong, world, b))
	}
	return late
}

// recompute hashes the entries on disk anew and compares the root with the one
// that the daemon wrote beside them. The files are copied while nothing is
// written, because the daemon has them open.
func (p *Play) recompute() (r segment.Report, err error) {
	for range 50 {
		before := p.Files.Changed()
		if r, err = p.Files.Verify(); err == nil && before.Equal(p.Files.Changed()) {
			return r, nil
		}
		if err := p.Wait(100 * time.Millisecond); err != nil {
			return r, err
		}
	}
	return r, errors.Join(err, errors.New("the log on disk never stood still, or is not good"))
}
