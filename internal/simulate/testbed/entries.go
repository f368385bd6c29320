package testbed

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/journal/journaltest"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Entry is one of a journal, as it lies on the disk.
type Entry struct {
	At    Spot
	Time  time.Time
	Kind  string
	Words string
	Why   string // its reason
	Door  string
	Clock wire.ClockQuality

	Detail []byte // of its header
	Salt   []byte // with which its who part is stored; nil: it has none here
	Who    wire.Who
	Erased bool // it had a who part
}

// Spot is the place of an entry in a gateway's log.
type Spot struct {
	Epoch string
	N     uint64
}

// Entries are those that are on the gateway's disk: nobody in the house sees them
// all, and so the daemon is not asked.
func (b *Gateway) Entries() (all []Entry) {
	_ = journaltest.ReadCopies(b.Disk.Path("state", "journal"), b.Bed.Dir, func(e journaled.Entry) error {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			return nil // what can't be read is no entry
		}
		words := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s", h.Kind, h.Outcome, h.Reason, h.Door, h.Source)), " ")
		one := Entry{At: Spot{fmt.Sprintf("%016x", e.Epoch), e.Sequence}, Time: h.Time(), Kind: h.Kind.String(), Words: words, Why: h.Reason.String(),
			Door: h.Door, Clock: h.Clock, Detail: h.Detail, Erased: e.Erased}
		if len(e.Who) > 0 {
			one.Salt = e.Salt[:]
			one.Who, _ = wire.DecodeWho(e.Who)
		}
		all = append(all, one)
		return nil
	})
	return all
}

// LastReason is the reason of the newest swipe in the log since it was asked last.
// Epochs have names by chance, so that time alone is an order.
func (b *Gateway) LastReason() string {
	reason, newest := "no entry", time.Time{}
	for _, e := range b.Entries() {
		if b.asked[e.At] {
			continue
		}
		b.asked[e.At] = true
		if e.Kind == "access" && !e.Time.Before(newest) {
			reason, newest = e.Why, e.Time
		}
	}
	return reason
}
