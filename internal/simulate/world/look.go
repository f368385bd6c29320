package world

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/sync/wire"
)

// Look asks all machines how they are, and notes what each has heard by now.
func (w *World) Look() {
	w.lookIssuer()
	for _, b := range w.Bed.Gateways {
		w.lookGateway(b)
	}
}

// lookIssuer notes which list says what.
func (w *World) lookIssuer() {
	if !w.Bed.Registry.Issuer.Running() {
		return
	}
	lists, err := w.Bed.Registry.Op.Lists(w.Bed.Ctx, "")
	if err != nil {
		return
	}
	for _, l := range lists {
		hash := fmt.Sprintf("%x", l.Hash)
		if !l.Held && w.Model.Lists[hash] == nil {
			w.Model.Lists[hash] = maps.Clone(w.Model.Minds["issuer"].Knows)
		}
	}
}

// lookGateway notes what a gateway has heard by the list that it has applied, and
// what the registry has heard of its desk.
func (w *World) lookGateway(b *testbed.Gateway) {
	s, err := b.Status()
	if err != nil {
		return
	}
	if list := w.Model.Lists[s.Grants.Hash]; list != nil && w.listHash[b.Name] != s.Grants.Hash {
		w.Model.Hear(b.Name, list)
		w.listHash[b.Name] = s.Grants.Hash
	}
	w.NoteTime(b)
	if u := s.Uplink; u != nil {
		if u.State == "in step" && w.Bed.Registry.Front.Clock.Right() {
			b.Clock.Tell()
		}
		if u.Records == 0 && u.State == "in step" && w.takenIn() {
			w.Model.Tell(b.Name)
		}
	}
	for _, p := range s.Problems {
		if strings.HasPrefix(p, "no list of grants yet") {
			continue // what to do in a new house, until the registry has heard of the first tenant
		}
		w.Shown.Says(w.Now(), "%s says: %s", b.Name, p)
	}
	w.noteEntries(b)
}

// NoteTime notes that a right clock has told a machine the time: after some
// minutes it has looked there.
func (w *World) NoteTime(b *testbed.Gateway) {
	const looks = 3 * time.Minute
	if b.Clock.Right() && b.Clock.Boot() > looks {
		b.Clock.Tell()
	}
}

// Keeps is for how many days a gateway keeps who passed: what its site file says or, where that is less, the policy in the trust document on its disk.
func (w *World) Keeps(b *testbed.Gateway) int {
	days := cmp.Or(w.Bed.WhoDays(), 30)
	if r, err := keys.LoadRegistry(b.Disk.Path("state", "keys")); err == nil && r != nil && r.Trust.Retention != nil && r.Trust.Retention.Whos > 0 {
		days = min(days, int(r.Trust.Retention.Whos))
	}
	return days
}

// inTheDark reports whether nothing has told a gateway the time since it was booted: neither a time server nor a battery clock
// nor the registry.
func (w *World) inTheDark(b *testbed.Gateway) bool {
	line := w.Bed.Registry.Front.Running() && !w.Bed.Registry.Cut[b.Name]
	if quality, _ := b.Clock.Quality(); line || quality != wire.ClockUnset {
		w.lit[b.Name] = w.Now()
	}
	return w.Now()-w.lit[b.Name] > b.Clock.Boot()
}

// noteEntries remembers a gateway's entries, and tells those that are new. Those
// of one instant are told in the order of their words: they come from parts that
// do not wait for each other.
func (w *World) noteEntries(b *testbed.Gateway) {
	all := b.Entries()
	w.Erased.Keeps(b.Name, w.Keeps(b), w.Now())
	w.Erased.Note(b.Name, all, w.inTheDark(b), w.Now(), w.Report)
	fresh := w.Entries.Note(b.Name, all, w.Now())
	if !w.Plan.Trace {
		return
	}
	slices.SortStableFunc(fresh, func(a, b testbed.Entry) int { return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Words, b.Words)) })
	for _, e := range fresh {
		w.Report.Entry(b.Name + ": " + e.Words)
	}
}

// takenIn reports whether the issuer has taken in everything that the front has.
func (w *World) takenIn() bool {
	if !w.Bed.Registry.Issuer.Running() || !w.Bed.Registry.Front.Running() {
		return false
	}
	f, err := w.Bed.Registry.API.Status(w.Bed.Ctx)
	i, err2 := w.Bed.Registry.Op.Status(w.Bed.Ctx)
	return err == nil && err2 == nil && f.LastWork == i.After
}
