package commit

import (
	"time"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// cosignEvery is the least time between cosignatures of an epoch that grows: each is a signature and a
// row. The batches of a passage are further apart, and have one each.
const cosignEvery = 3 * time.Second

// lookEvery is how often epochs are looked for that wait for their cosignature.
const lookEvery = time.Second

// cosigning is an epoch that was cosigned a moment ago.
type cosigning struct {
	at   time.Time // of the cosignature
	owed bool      // an ack was sent since, without one
}

// cosign reports whether the witness may cosign the stored tree of an epoch, and stores that first.
// An empty tree is not cosigned, nor anything while the clock is in doubt: a cosignature states a
// time. One of a moment ago is enough for now: another ack follows, which is cosigned.
func (t *Txn) cosign(l *Ledger, a answer, r tree.Range) (bool, error) {
	now := t.agreed.Unix()
	if r.Size() == 0 || t.unsure || !l.claim.admits(a.epoch, now) {
		return false, nil
	}
	if last, ok := t.memory.cosigns[a.ackKey]; ok && !a.cosigned && last.recent(t.Now, t.o.CosignEvery) {
		t.cosigns[a.ackKey] = cosigning{last.at, true}
		return false, nil
	}
	ok, err := t.Cosign(l.ID, a.epoch, r.Size(), wire.Hash(r.Root()), now)
	if ok {
		t.cosigns[a.ackKey] = cosigning{at: t.Now}
	}
	return ok, err
}

// recent reports whether it is so short ago. With a clock that went back it is not.
func (c cosigning) recent(now time.Time, every time.Duration) bool {
	ago := now.Sub(c.at)
	return 0 <= ago && ago < every
}

// owed returns jobs that send cosignatures that are due, as many as a transaction has, and forgets what
// was cosigned longer ago.
func (c *Committer) owed() (jobs []Job) {
	now := c.o.Now()
	for key, last := range c.memory.cosigns {
		switch {
		case len(jobs) == maxCommitJobs:
			return jobs
		case last.recent(now, c.o.CosignEvery):
		case last.owed:
			jobs = append(jobs, Job{Gateway: key.g, Work: owedCosignature{key.epoch}})
		default:
			delete(c.memory.cosigns, key)
		}
	}
	return jobs
}

// owedCosignature is a job without a message: an ack of what was acked before, cosigned.
type owedCosignature struct{ epoch uint64 }

// Store requests the ack.
func (o owedCosignature) Store(t *Txn, g *roster.Gateway, _ *Ledger) error {
	key := ackKey{g, o.epoch}
	t.cosigns[key] = cosigning{at: t.memory.cosigns[key].at} // it is tried once: the next batch tries again
	t.AckCosigned(g, o.epoch)
	return nil
}
