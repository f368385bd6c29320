package commit

import (
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// Weigh judges the cosignature that a gateway claims in a hello.
func (t *Txn) Weigh(g *roster.Gateway, l *Ledger, c wire.Cosigned) error {
	l.claim = claim{state: claimNone}
	if c.Size == 0 {
		return nil
	}
	size, at, err := t.Cosigned(l.ID, c.Epoch)
	if err != nil || c.Size <= size && int64(c.Time) <= at {
		return err
	}
	r, err := t.Stored(l.ID, c.Epoch)
	if err != nil {
		return err
	}
	l.claim = claim{c, claimAhead}
	switch {
	case r.Size() == c.Size:
		t.judge(g, l, r.Root())
	case r.Size() > c.Size: // the stored tree was not cosigned before the claimed time
		l.claim.state = claimTrue
	}
	if l.claim.state != claimAhead {
		return nil
	}
	t.o.Limited.Warn().Str("gateway", g.Address()).Uint64("cosigned", c.Size).Uint64("stored", r.Size()).
		Msg("it holds a newer cosignature than this database knows: entries are taken, and not cosigned until they reach it")
	return t.Backups.Remark(api.FileDatabase+": a gateway holds a newer cosignature of ours than this database knows, so it was put back to an earlier day "+
		"(or that gateway lies). What it lacks is sent again and cosigned only from there on; docs/restore.md says what is lost", t.Now)
}

// Reached judges a claim when a batch extends an epoch to the claimed size or beyond. before is the
// tree without the batch, fresh are the new leaves.
func (t *Txn) Reached(g *roster.Gateway, l *Ledger, epoch uint64, before tree.Range, fresh []tlog.Hash) {
	c := &l.claim
	if c.state != claimAhead || c.Epoch != epoch || before.Size()+uint64(len(fresh)) < c.Size {
		return
	}
	t.judge(g, l, before.AddAll(fresh[:c.Size-before.Size()]).Root())
}

func (t *Txn) judge(g *roster.Gateway, l *Ledger, root tlog.Hash) {
	c := &l.claim
	at := checkpoint.Checkpoint{Address: g.Address(), Epoch: c.Epoch, Size: c.Size, Root: wire.Hash(root)}
	if c.state = claimTrue; !at.VerifyCosignature(t.o.Witness, uint64(c.Time), c.Signature) {
		c.state = claimFalse
		t.o.Limited.Error().Str("gateway", g.Address()).Uint64("cosigned", c.Size).
			Msg("the cosignature that it holds is not over the entries that it sends: this epoch is not cosigned")
	}
}
