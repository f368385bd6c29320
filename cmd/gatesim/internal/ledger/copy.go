package ledger

import (
	"gatehouse/internal/registry/api"
)

// AsLogged is an entry of the registry in the words of the gateway's log.
func AsLogged(e api.Entry) Entry {
	return Entry{Epoch: e.Epoch, Sequence: e.Sequence, Boot: e.Boot, Counter: e.Counter, Kind: e.Kind, Outcome: e.Outcome,
		Reason: e.Reason, Door: e.Door, Source: e.Source, Direction: e.Direction, Count: e.Count}
}

// CompareCopy counts what the registry's copy lacks, what it has twice or more
// than the log, and what it tells otherwise.
func CompareCopy(log, central []Entry) (lost, doubled, differ int) {
	type at struct {
		epoch    string
		sequence uint64
	}
	stored := map[at]Entry{}
	for _, e := range central {
		k := at{e.Epoch, e.Sequence}
		if _, ok := stored[k]; ok {
			doubled++
		}
		stored[k] = e
	}
	for _, e := range log {
		k := at{e.Epoch, e.Sequence}
		c, ok := stored[k]
		delete(stored, k)
		// What the registry's answer leaves out, or writes in another way.
		e.Ref, e.Detail, e.BootTime, e.Time, e.Clock = nil, "", 0, c.Time, c.Clock
		switch {
		case !ok:
			lost++
		case e != c:
			differ++
		}
	}
	return lost, doubled + len(stored), differ // what is left stands in no log
}
