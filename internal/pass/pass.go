// Package pass judges the QR passes that tenants show at a door: an issuer's
// signature, the minutes of the pass, whether it was used before, and what its
// tenancy may open.
//
// It works with no network. It refuses to open twice by one pass, whatever the
// clock does; to judge by a clock that nobody trusts; to take the word of an
// issuer that the root has taken back; and to write, log or hand on the text of a
// pass, which opens a door. It remembers used passes in memory alone, so that a
// scan costs no write: after a start, every pass that was issued before counts as
// used.
package pass

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
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
	OpenPass(text string) (wire.Pass, error) // error: no pass of this building
}

// Judge judges the passes of one gateway, for all of its doors. Make it with New.
// Safe for concurrent use.
type Judge struct {
	keys    Keys
	secret  [32]byte             // names codes, see Verdict.Name
	elapsed func() time.Duration // since New, on the monotonic clock

	mu      sync.Mutex
	used    []mark // ascending, without those that are forgotten
	horizon uint32 // passes from then or before, unix s, were forgotten: they count as used
}

// mark is one used pass. Passes are told apart by both of its parts.
type mark struct {
	from uint32
	id   wire.PassID
}

func (m mark) compare(o mark) int {
	return cmp.Or(cmp.Compare(m.from, o.from), bytes.Compare(m.id[:], o.id[:]))
}

// Verdict is the answer to one scan. It holds nothing of the text.
type Verdict struct {
	Reason wire.Reason // ReasonGranted, or why not
	// Who is the tenancy of a genuine pass, with the grant that Reason is about,
	// if there is one. Of any other code it names nobody.
	Who wire.Who
	// Name is the same for the same text until this run of the daemon ends: it
	// tells a code that is still in front of the scanner, or was refused a moment
	// ago, from another. It begins with 0, so that it is no card's. Never record it.
	Name wire.CredentialID

	mark mark
	now  int64 // unix s
}

// New makes a Judge. It starts nothing. The moment counts: passes that were
// issued before it, or within Skew of it, are taken for used.
func New(keys Keys) *Judge {
	start := time.Now()
	j := &Judge{keys: keys, elapsed: func() time.Duration { return time.Since(start) }}
	_, _ = rand.Read(j.secret[:]) // never fails
	return j
}

// Decide judges a scanned code at the door and time of q, whose Credential does
// not count. It changes nothing: a pass that is granted is used by Use alone, so
// that one that opens nothing here still opens the right door.
//
// The first that fails is the reason: not ready (no grants), bad code (no pass,
// or none that an issuer in force signed for this building), clock untrusted,
// pass over (its minutes are not now, with Skew), replayed, and then what the
// grants of its tenancy say (access.DecideTenancy).
func (j *Judge) Decide(code device.Code, q access.Query) Verdict {
	v := Verdict{Name: j.name(code.Text()), now: max(q.Now, q.Floor)}
	grants := j.keys.Grants()
	if grants == nil {
		v.Reason = wire.ReasonNotReady
		return v
	}
	p, err := j.keys.OpenPass(code.Text())
	if err != nil {
		v.Reason = wire.ReasonBadCode
		return v
	}
	v.mark, v.Who.Tenancy = mark{p.From, p.ID}, &p.Tenancy
	switch {
	case !q.Trusted:
		v.Reason = wire.ReasonClockUntrusted
	case v.now < int64(p.From)-Skew || v.now >= int64(p.Until)+Skew:
		v.Reason = wire.ReasonPassOver
	case j.isUsed(v):
		v.Reason = wire.ReasonReplayed
	default:
		d := access.DecideTenancy(grants, access.ID(p.Tenancy), q)
		v.Reason = wire.Reason(d.Reason)
		if grant := wire.ID(d.Grant); grant != (wire.ID{}) {
			v.Who.Grant = &grant
		}
	}
	return v
}

// Use takes a granted pass as used, and reports whether this was its first use.
// Call it before the door opens: false means that another door was faster with
// the same pass, which is ReasonReplayed here. It is false for a pass that was
// not granted.
func (j *Judge) Use(v Verdict) bool {
	if v.Reason != wire.ReasonGranted {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(v.now)
	i, seen := j.find(v)
	if seen {
		return false
	}
	j.used = slices.Insert(j.used, i, v.mark)
	if len(j.used) > maxUsed {
		j.drop(1)
	}
	return true
}

func (j *Judge) isUsed(v Verdict) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, seen := j.find(v)
	return seen
}

// find reports whether a pass counts as used, and where it stands or belongs.
// Callers hold mu.
func (j *Judge) find(v Verdict) (int, bool) {
	i, seen := slices.BinarySearchFunc(j.used, v.mark, mark.compare)
	start := v.now - int64(j.elapsed()/time.Second) // as this clock has it: one that was set has moved it too
	return i, seen || v.mark.from <= j.horizon || int64(v.mark.from) <= start+Skew
}

// forget drops what is over for every pass that was issued then or before,
// however long it was good for. Callers hold mu.
func (j *Judge) forget(now int64) {
	n := 0
	for n < len(j.used) && int64(j.used[n].from)+wire.MaxPass+Skew <= now {
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
	j.horizon = max(j.horizon, j.used[n-1].from)
	j.used = slices.Delete(j.used, 0, n)
}

func (j *Judge) name(text string) (id wire.CredentialID) {
	mac := hmac.New(sha256.New, j.secret[:])
	mac.Write([]byte(text))
	copy(id[1:], mac.Sum(nil))
	return id
}
