package ledger

import (
	"fmt"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Entry is one entry of a journal, without who. The simulator owns the house
// and reads its files; the daemon shows nobody what passed at its doors.
type Entry struct {
	Epoch     string
	Sequence  uint64
	Boot      uint64
	Counter   uint64
	BootTime  uint64
	Time      time.Time
	Clock     string
	Kind      string
	Outcome   string
	Reason    string
	Door      string
	Source    string
	Direction string
	Ref       *entryRef
	Count     uint64
	Detail    string
}

// entryRef is the entry that another belongs to.
type entryRef struct{ Boot, Counter uint64 }

func entryOf(e journaled.Entry) (Entry, error) {
	h, err := wire.DecodeHeader(e.Header)
	if err != nil {
		return Entry{}, err
	}
	out := Entry{Epoch: fmt.Sprintf("%016x", e.Epoch), Sequence: e.Sequence, Boot: h.Boot, Counter: h.Counter, BootTime: h.BootTime,
		Time: h.Time(), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(), Reason: h.Reason.String(),
		Door: h.Door, Source: h.Source, Direction: h.Direction.String(), Count: h.Count, Detail: fmt.Sprintf("%x", h.Detail)}
	if h.Ref != nil {
		out.Ref = &entryRef{h.Ref.Boot, h.Ref.Counter}
	}
	return out, nil
}
