// Package pass judges the QR passes that tenants show at a door: an issuer's
// signature, the minutes of the pass, whether it was used before, and what its
// tenancy may open.
//
// It works with no network. It refuses to open twice by one pass, whatever the
// clock does; to judge by a clock that nobody trusts; to take the word of an
// issuer that the root has taken back; and to write, log or hand on the text of a
// pass, which opens a door. It writes nothing of its own: the entry of a granted
// pass has the pass's mark as its detail, and Recall brings those of the last
// minutes back after a start. Until then every pass that was issued before the
// start counts as used. An entry that a sick disk kept from being durable in time,
// and a power cut then lost, is forgotten: such a pass may open once more while it
// lasts.
package pass

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// Skew is how far the gateway's clock and the issuer's may differ, in seconds.
const Skew = 60

// maxUsed is how many used passes are remembered: 16 minutes of one passage each
// quarter of a second. A flood makes people ask for a new pass, never one pass
// open twice.
const maxUsed = 4096

// Keys is what a Judge asks of the keyring; *keyring.Keyring is one. Safe for
// concurrent use.
type Keys interface {
	Grants() *access.Grants
	OpenPass(text string) (qrpass.Pass, error) // error: no pass of this building
}

// Judge judges the passes of one gateway, for all of its doors. Make it with New. Safe
// for concurrent use.
type Judge struct {
	keys    Keys
	elapsed func() time.Duration // since New, on the monotonic clock

	mu       sync.Mutex
	recalled bool      // what the runs before have used is known
	used     []wire.ID // of markOf, ascending, without those that are forgotten
	horizon  uint32    // passes from then or before, unix s, were forgotten: they count as used
	now      int64     // unix s, of the last decision: not earlier
	latest   int64     // and not later
}

var _ door.Passes = (*Judge)(nil)

// markOf is what a pass is known by: when it was issued, then its own id.
func markOf(p qrpass.Pass) (m wire.ID) {
	binary.BigEndian.PutUint32(m[:], p.From)
	copy(m[4:], p.ID[:])
	return m
}

func issued(mark wire.ID) uint32 { return binary.BigEndian.Uint32(mark[:]) }

func compare(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) }

// New makes a Judge. It starts nothing. The moment counts: passes that were
// issued before it, or within Skew of it, are taken for used until Recall.
func New(keys Keys) *Judge {
	start := time.Now()
	return &Judge{keys: keys, elapsed: func() time.Duration { return time.Since(start) }}
}

// Decide judges a scanned code at a door. It uses nothing up: a pass that is
// granted is used by Use alone, so that one that opens nothing here still opens
// the right door.
//
// The first that fails is the reason: not ready (no grants), bad code (no pass,
// or none that an active issuer signed for this building), pass over
// (its minutes are not now, with Skew), clock untrusted, replayed, and then what the
// grants of its tenancy say (access.DecideTenancy). Who is the tenancy of a
// genuine pass, with the grant that the reason is about, if there is one; of any
// other code it is nobody, and ID is zero. A pass is over, or not begun, where all
// sources of the time say so; where they differ about it the clock is untrusted.
func (j *Judge) Decide(code device.Code, at string, t access.Time) door.Pass {
	grants := j.keys.Grants()
	if grants == nil {
		return door.Pass{Reason: wire.ReasonNotReady}
	}
	p, err := j.keys.OpenPass(code.Text())
	if err != nil {
		return door.Pass{Reason: wire.ReasonBadCode}
	}
	v := door.Pass{ID: markOf(p), Who: wire.Who{Tenancy: &p.Tenancy, Method: wire.MethodPass}}
	switch {
	case t.Hi < int64(p.From)-Skew || t.Lo >= int64(p.Until)+Skew:
		v.Reason = wire.ReasonPassOver
	case t.Lo < int64(p.From)-Skew || t.Hi >= int64(p.Until)+Skew:
		v.Reason = wire.ReasonClockUntrusted
	case j.isUsed(v.ID, t):
		v.Reason = wire.ReasonReplayed
	default:
		d := access.DecideTenancy(grants, p.Tenancy, &access.Query{Door: at, Time: t})
		v.Reason, v.Doubtful = d.Reason, d.Doubtful
		if grant := d.Grant; grant != (wire.ID{}) {
			v.Who.Grant = &grant
		}
	}
	return v
}

// Use takes a granted pass as used, and reports whether this was its first use.
// Call it before the door opens: false means that another door was faster with
// the same pass, which is ReasonReplayed here. It is false for a pass that was
// not granted.
func (j *Judge) Use(v door.Pass) bool {
	if v.Reason != wire.ReasonGranted {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget()
	i, seen := j.find(v.ID)
	if seen {
		return false
	}
	j.used = slices.Insert(j.used, i, v.ID)
	if len(j.used) > maxUsed {
		j.drop(1)
	}
	return true
}

// Recall tells which passes (their door.Pass.ID) the runs before have used: all
// that may still be good, and some more do no harm. From then on a pass that was
// issued before the start is good, unless it is among them.
func (j *Judge) Recall(used []wire.ID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.recalled = true
	j.used = append(j.used, used...)
	slices.SortFunc(j.used, compare)
	j.used = slices.Compact(j.used)
	j.drop(max(0, len(j.used)-maxUsed))
}

func (j *Judge) isUsed(mark wire.ID, t access.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now, j.latest = t.Lo, t.Hi
	_, seen := j.find(mark)
	return seen
}

// find reports whether a pass counts as used, and where it stands or belongs.
// Callers hold mu.
func (j *Judge) find(mark wire.ID) (int, bool) {
	i, seen := slices.BinarySearchFunc(j.used, mark, compare)
	start := j.latest - int64(j.elapsed()/time.Second) // as this clock has it: one that was set has moved it too
	return i, seen || issued(mark) <= j.horizon || !j.recalled && int64(issued(mark)) <= start+Skew
}

// forget drops what is over for every pass that was issued then or before,
// however long it was good for. Callers hold mu.
func (j *Judge) forget() {
	n := 0
	for n < len(j.used) && int64(issued(j.used[n]))+qrpass.Max+Skew <= j.now {
		n++
	}
	j.drop(n)
}

// drop forgets the n passes that were issued first. That moves the horizon, so
// that a clock that is set back later, or a flood, brings none of them back.
// Callers hold mu.
func (j *Judge) drop(n int) {
	if n == 0 {
		return
	}
	j.horizon = max(j.horizon, issued(j.used[n-1]))
	j.used = slices.Delete(j.used, 0, n)
}
