package ledger

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Change is a transaction: what it touched is dropped from memory when it fails, as after any
// failed write. It is valid only within the function that Ledger.Update calls.
type Change struct {
	*store.Tx
	Keys  *authority.Keys
	Clock Clock
	Log   *zerolog.Logger

	state   *state
	touched map[string]bool // buildings; true: its list must be made again
}

// Building returns a building, which may be changed; nil where there is none, or the change fails.
func (c *Change) Building(id string) *building.Building {
	b, err := c.state.building(c, id)
	if c.Fail(err); b != nil {
		c.touch(b)
	}
	return b
}

// InLog reports whether a manifest was taken into account.
func (c *Change) InLog(b *building.Building, hash wire.Hash) bool {
	there, err := store.InLog(c, b.ID, hash)
	c.Fail(err)
	return there
}

// Open returns an existing building.
func (c *Change) Open(id string) (*building.Building, error) {
	b := c.Building(id)
	if b == nil {
		return nil, noBuilding(id)
	}
	return b, nil
}

func noBuilding(id string) error {
	return socket.Refused(http.StatusNotFound, "registryd gateway list shows the buildings", "no building %q", id)
}

// Make adds a building that is new.
func (c *Change) Make(b *building.Building) {
	c.state.buildings[b.ID] = b
	c.touch(b)
}

// touch notes that a building may change, so that it is dropped from memory if the transaction
// fails.
func (c *Change) touch(b *building.Building) {
	if _, there := c.touched[b.ID]; !there {
		c.touched[b.ID] = false
	}
}

// Relist makes the list of a building again at the end of the transaction.
func (c *Change) Relist(b *building.Building) { c.touched[b.ID] = true }

// Since returns when this database was restored or made, unix s; 0: before this was stored.
func (c *Change) Since() uint32 { return c.state.since }

// Take adds an event to store and memory.
func (c *Change) Take(b *building.Building, e fold.Event) {
	e.Settled = e.Settled || b.ResumedSince(e)
	store.AddChange(c.Tx, b.ID, e)
	if e.Change.Brief {
		store.AddBrief(c.Tx, b.ID, e.Change.Tenancy, e.At)
	}
	b.Tenancies.Add(e)
	b.Tenancies.Fold(e.Change.Grant)
}

// Say takes in one change by the registry, as of now.
func (c *Change) Say(b *building.Building, in wire.Change) {
	in.At, in.Clock = c.Clock.Unix(), wire.ClockRegistry
	e := fold.Event{At: in.At, Change: in}
	_, _ = rand.Read(e.Record[:]) // never fails
	c.Take(b, e)
}

// UseLine stores how far a line has come, as the line used last.
func (c *Change) UseLine(b *building.Building, l building.Line, s building.Seen) {
	store.PutSeen(c.Tx, b.ID, l, b.Lines.Use(l, s))
}

// NameLine brings a line of which a record came again back into the list.
func (c *Change) NameLine(b *building.Building, l building.Line) {
	newest := b.Lists.Newest.Manifest.Seen
	if b.Lists.Held != nil {
		newest = b.Lists.Held.Manifest.Seen
	}
	if _, named := slices.BinarySearchFunc(newest, wire.Seen{Gateway: l.Gateway, Line: l.Number}, wire.Seen.Compare); !named {
		c.Relist(b)
		c.UseLine(b, l, b.Lines.Seen[l])
	}
}

// NameAgain puts grants that were taken off the list back on it, as revoked, until every gateway
// has proved that again: one that still holds a record of such a grant would apply it.
func (c *Change) NameAgain(b *building.Building, grants ...wire.ID) {
	for _, id := range grants {
		if b.Lists.Revoked[id].Dropped {
			delete(b.Lists.Revoked, id) // the list that names it gives it its version
			c.Relist(b)
			store.DropRevoked(c.Tx, b.ID, id)
		}
	}
}

// Prove takes what the front has of a gateway's proofs. Where the disk was rolled back since, or
// the front has lost proofs, grants that were dropped on the strength of them are named again.
func (c *Change) Prove(b *building.Building, g api.Gateway) {
	version, setBack := b.Gateways.Prove(g)
	if setBack {
		store.PutSetBack(c.Tx, b.ID, g.Gateway, g.SetBacks)
	}
	c.NameAgain(b, b.Lists.DroppedSince(version)...)
}

// Count stores that a list has taken something from tenancies at a time (unix s), for the day that
// follows.
func (c *Change) Count(b *building.Building, gone []wire.ID, at uint32) {
	for _, id := range gone {
		b.Lists.Removals[id] = at
		store.PutRemoval(c.Tx, b.ID, id, at)
	}
}

// Problem stores what could not be taken in, with its bytes, and logs it once.
func (c *Change) Problem(p api.Place, line, record uint64, text string, envelope []byte) {
	if store.AddProblem(c.Tx, c.Clock.Unix(), p, line, record, text, envelope) {
		c.Log.Warn().Str("gateway", p.Building+"/"+p.Gateway).Uint64("record", record).Msg(text)
	}
}

// Remark stores a finding of a start or a restore, until an operator dismisses it.
func (c *Change) Remark(building, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.Log.Warn().Str("building", building).Msg(text)
	store.AddRemark(c.Tx, c.Clock.Unix(), building, text)
}

// Audit records who does what, in the transaction that does it.
func (c *Change) Audit(who, what, building, subject, reason string) {
	store.AddAudit(c.Tx, c.Clock.Unix(), who, what, building, subject, reason)
}

// Clock is the agreed time: in doubt it stands still. It is never before 1970 nor after 2106, the
// range of wire.
type Clock struct{ *agreed.Clock }

// maxAhead is how far ahead of the agreed time, in s, a gateway's clock is believed: a record from
// further ahead would win for ever.
const maxAhead = 24 * 60 * 60

// Unix returns the agreed time in unix seconds.
func (c Clock) Unix() uint32 {
	at, _ := c.Now()
	return uint32(max(1, min(at.Unix(), 1<<32-1)))
}

// Agreed returns the agreed time in unix seconds, and whether nothing contradicts it.
func (c Clock) Agreed() (now uint32, sure bool) {
	_, doubt := c.Now()
	return c.Unix(), doubt == agreed.None
}

// At returns the agreed time as a time.Time.
func (c Clock) At() time.Time { return time.Unix(int64(c.Unix()), 0).UTC() }

// Ahead returns the latest time (unix s) that a gateway's clock is believed to show.
func (c Clock) Ahead() uint32 { return uint32(min(uint64(c.Unix())+maxAhead, 1<<32-1)) }
