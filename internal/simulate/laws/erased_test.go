package laws

import (
	"testing"
	"time"

	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/sync/wire"
)

// house is what one gateway and the registry have of an entry that names a tenancy.
type house struct {
	*Erased
	*report.Report
	tenancy wire.ID
	at      testbed.Spot
}

// newHouse is one in which the entry was made at the beginning.
func newHouse() house {
	h := house{NewErased(), &report.Report{}, wire.ID{1}, testbed.Spot{Epoch: "a", N: 3}}
	h.note(false, 0)
	return h
}

// entry is the entry as it lies on the gateway's disk.
func (h house) entry(erased bool) testbed.Entry {
	e := testbed.Entry{At: h.at, Time: plan.Begin, Door: "front", Clock: wire.ClockNTP, Erased: erased}
	if !erased {
		e.Salt, e.Who = []byte("0123456789abcdef"), wire.Who{Tenancy: &h.tenancy}
	}
	return e
}

func (h house) note(erased bool, now time.Duration) {
	h.Note("gw1", []testbed.Entry{h.entry(erased)}, false, now, h.Report)
}

// registry is a database that has the who part, or not.
func (h house) registry(has bool) frontdb.Stored {
	s := frontdb.Stored{Seals: map[string]map[testbed.Spot][]byte{"gw1": {}}}
	if has {
		s.Seals["gw1"][h.at] = []byte("sealed")
	}
	return s
}

// found is a search that finds something, or nothing.
func found(file string) func([][]byte) string { return func([][]byte) string { return file } }

func held(is bool) func(testbed.Entry) bool { return func(testbed.Entry) bool { return is } }

func (h house) look(erased bool, kept bool, file string, now time.Duration) {
	h.Gateway("gw1", []testbed.Entry{h.entry(erased)}, held(kept), found(file), now, h.Report)
}

// keeps has the gateway keep who passed for some days, and a backup of the registry have the entry, as long as it has it.
func (h house) keeps(days int, backup bool) {
	h.Keeps("gw1", days, 0)
	if backup {
		h.Safe(frontdb.Stored{Entries: map[string]map[testbed.Spot]bool{"gw1": {h.at: true}}})
	}
}

// TestErasedAtGateway: what is erased comes back in no entry and no byte, an order is carried out, and age counts; what
// is held stays.
func TestErasedAtGateway(t *testing.T) {
	const long = 30 * plan.Day
	forget := func(h house) { h.order(); h.note(true, 1) }
	for name, c := range map[string]struct {
		do   func(h house)
		want int
	}{
		"erased":              {func(h house) { forget(h); h.look(true, false, "", 2) }, 0},
		"erased, and back":    {func(h house) { forget(h); h.note(false, 2) }, 1},
		"an old image":        {func(h house) { forget(h); h.Another("gw1"); h.note(false, 2) }, 0},
		"bytes left":          {func(h house) { forget(h); h.look(true, false, "ahead", 2) }, 1},
		"nothing erased":      {func(h house) { h.look(false, false, "ahead", 2) }, 0},
		"young":               {func(h house) { h.keeps(2, true); h.look(false, false, "", 8*plan.Day) }, 0},
		"old":                 {func(h house) { h.keeps(2, true); h.look(false, false, "", long) }, 1},
		"old, and held":       {func(h house) { h.keeps(2, true); h.look(false, true, "", long) }, 0},
		"old, and not safe":   {func(h house) { h.keeps(2, false); h.look(false, false, "", long) }, 0},
		"ordered":             {func(h house) { h.order(); h.look(false, false, "", 2*time.Hour) }, 1},
		"ordered just now":    {func(h house) { h.order(); h.look(false, false, "", 2*time.Minute) }, 0},
		"ordered, and held":   {func(h house) { h.order(); h.look(false, true, "", 2*time.Hour) }, 0},
		"ordered, done":       {func(h house) { forget(h); h.look(true, false, "", 2*time.Hour) }, 0},
		"preserved, and gone": {func(h house) { h.keeps(1, true); h.preserve(); h.note(true, plan.Day) }, 1},
		"preserved, and over": {func(h house) { h.keeps(1, true); h.preserve(); h.note(true, 8*plan.Day) }, 0},
	} {
		h := newHouse()
		if c.do(h); len(h.Breaches) != c.want {
			t.Errorf("%s: %d breaches, want %d: %v", name, len(h.Breaches), c.want, h.Breaches)
		}
	}
}

// TestKept: who passed is kept for the smaller of what site file and policy ever said, until a backup of the registry has it
// or 30 days longer, and never goes while nothing has told the gateway the time; the smaller number counts from when it came.
func TestKept(t *testing.T) {
	goes := func(h house, days float64) { h.note(true, time.Duration(days*float64(plan.Day))) }
	for name, c := range map[string]struct {
		do   func(h house)
		want int
	}{
		"in time":             {func(h house) { h.keeps(6, true); goes(h, 6) }, 0},
		"early":               {func(h house) { h.keeps(6, true); goes(h, 5) }, 1},
		"by a policy":         {func(h house) { h.keeps(6, true); h.Keeps("gw1", 2, plan.Day); goes(h, 2) }, 0},
		"by one that is over": {func(h house) { h.keeps(6, true); h.Keeps("gw1", 2, 1); h.Keeps("gw1", 6, 2); goes(h, 2) }, 0},
		"before it":           {func(h house) { h.keeps(6, true); h.Keeps("gw1", 2, plan.Day); goes(h, 1) }, 1},
		"no backup":           {func(h house) { h.keeps(6, false); goes(h, 12) }, 1},
		"no backup for long":  {func(h house) { h.keeps(6, false); goes(h, 36) }, 0},
		"in the dark": {func(h house) {
			h.keeps(6, true)
			h.Note("gw1", []testbed.Entry{h.entry(true)}, true, 30*plan.Day, h.Report)
		}, 1},
		"a policy just came": {func(h house) {
			h.keeps(30, true)
			h.Keeps("gw1", 2, 20*plan.Day)
			h.look(false, false, "", 21*plan.Day)
		}, 0},
		"a policy had time": {func(h house) {
			h.keeps(30, true)
			h.Keeps("gw1", 2, 20*plan.Day)
			h.look(false, false, "", 22*plan.Day)
		}, 1},
	} {
		h := newHouse()
		if c.do(h); len(h.Breaches) != c.want {
			t.Errorf("%s: %d breaches, want %d: %v", name, len(h.Breaches), c.want, h.Breaches)
		}
	}
}

// order has the gateway take an order a minute after the entry.
func (h house) order() {
	h.Order("gw1", h.tenancy.String(), plan.Begin.Add(time.Minute), time.Minute)
}

// preserve has the gateway keep the entry's hour for a week.
func (h house) preserve() {
	h.PreserveOnSite("gw1", "front", plan.Begin.Add(-time.Hour), plan.Begin.Add(time.Hour), 7*plan.Day)
}

// TestErasedAtRegistry: what was forgotten is gone and comes back by no restore, what is preserved stays until the order
// ends, and age counts from when it was stored.
func TestErasedAtRegistry(t *testing.T) {
	judge := func(h house, has bool, file string, now time.Duration) {
		h.Registry(h.registry(has), found(file), now, h.Report)
	}
	forget := func(h house) { h.Forget(h.tenancy.String(), h.registry(true), 1) }
	preserve := func(h house, door string) {
		h.Preserve("gw1", door, plan.Begin.Add(-time.Hour), plan.Begin.Add(time.Hour), 7*plan.Day, h.registry(true))
	}
	for name, c := range map[string]struct {
		do   func(h house)
		want int
	}{
		"forgotten":                      {func(h house) { forget(h); judge(h, false, "", 2) }, 0},
		"forgotten, and there":           {func(h house) { forget(h); judge(h, true, "", 2) }, 1},
		"forgotten, and back":            {func(h house) { forget(h); h.PutBack(2); judge(h, true, "", 3) }, 1},
		"forgotten, and bytes left":      {func(h house) { forget(h); judge(h, false, "front.db-wal", 2) }, 1},
		"another is forgotten":           {func(h house) { h.Forget(wire.ID{2}.String(), h.registry(true), 1); judge(h, true, "", 2) }, 0},
		"preserved":                      {func(h house) { preserve(h, "front"); forget(h); judge(h, true, "", plan.Day) }, 0},
		"preserved, and gone":            {func(h house) { preserve(h, "front"); forget(h); judge(h, false, "", plan.Day) }, 1},
		"another door is preserved":      {func(h house) { preserve(h, "back"); forget(h); judge(h, true, "", plan.Day) }, 1},
		"preserved, and put back before": {func(h house) { preserve(h, "front"); h.PutBack(2); judge(h, false, "", plan.Day) }, 0},
		"the order is over":              {func(h house) { preserve(h, "front"); forget(h); judge(h, true, "", 9*plan.Day) }, 1},
		"the order is over, and done":    {func(h house) { preserve(h, "front"); forget(h); judge(h, false, "", 9*plan.Day) }, 0},
		"old":                            {func(h house) { h.Keeps(Registry, 2, 0); h.Aged(h.registry(true), 10*plan.Day, h.Report) }, 1},
		"old, and gone":                  {func(h house) { h.Keeps(Registry, 2, 0); h.Aged(h.registry(false), 10*plan.Day, h.Report) }, 0},
		"old, and preserved": {func(h house) {
			preserve(h, "front")
			h.Keeps(Registry, 2, 0)
			h.Aged(h.registry(true), 10*plan.Day, h.Report)
		}, 0},
		"old, and stored again": {func(h house) {
			h.PutBack(8 * plan.Day)
			h.Keeps(Registry, 2, 0)
			h.Aged(h.registry(true), 10*plan.Day, h.Report)
		}, 0},
	} {
		h := newHouse()
		if c.do(h); len(h.Breaches) != c.want {
			t.Errorf("%s: %d breaches, want %d: %v", name, len(h.Breaches), c.want, h.Breaches)
		}
	}
}
