package capacity

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/sync/wire"
)

// usage is how much of a list's limits is used.
type usage struct {
	house   *wire.House
	known   map[string]bool        // doors
	rows    map[string]int         // cards, by gateway
	near    map[string]map[int]int // cards whose ids share the leading bits, by gateway
	buckets map[int]int            // cards whose ids share the leading bits
	sets    map[string]int         // doors of a set, joined: bytes in the tables
	doors   map[string]bool
	brought map[string]int // bytes of sets, by the gateway that brought them first
	size    int            // of all of them
	named   map[wire.ID]bool
	added   map[string]int // units that no list had before, by gateway
	left    map[string]bool
}

func newUsage(b *building.Building) *usage {
	return &usage{house: &b.House, known: b.Doors(), rows: make(map[string]int), near: make(map[string]map[int]int), buckets: make(map[int]int),
		sets: make(map[string]int), doors: make(map[string]bool), brought: make(map[string]int), named: make(map[wire.ID]bool),
		added: make(map[string]int), left: make(map[string]bool)}
}

// doorsOf returns the doors under which a unit is in the list. A grant that is over opens none.
func (u *usage) doorsOf(one *unit) []string {
	doors := one.g.CheckIn.Change.Doors
	if !one.g.Ended || one.stands || building.UnknownDoor(one.g, u.known) == "" {
		return doors
	}
	if len(u.known) == 0 {
		return doors[:1]
	}
	return []string{slices.Min(slices.Collect(maps.Keys(u.known)))}
}

// take adds a unit, or leaves it out.
func (u *usage) take(one *unit) bool {
	source := one.by.Source
	if !one.stands && !u.fits(one) {
		u.left[source] = true
		return false
	}
	if u.near[source] == nil {
		u.near[source] = make(map[int]int)
	}
	for _, c := range one.cards {
		u.near[source][c.Bucket(near)]++
		u.buckets[c.Bucket(near)]++
	}
	u.rows[source] += len(one.cards)
	doors := u.doorsOf(one)
	cost := u.cost(doors)
	for _, d := range doors {
		u.doors[d] = true
	}
	u.sets[joined(doors)] += cost
	u.brought[source] += cost
	u.size += cost
	u.named[one.g.ID] = true
	if !one.stands {
		u.added[source]++
	}
	return true
}

// cost returns how many bytes of tables a set of doors adds.
func (u *usage) cost(doors []string) int {
	if _, there := u.sets[joined(doors)]; there {
		return 0
	}
	cost := 3 + 3*len(doors)
	for _, d := range doors {
		if !u.doors[d] {
			cost += 2 + len(d)
		}
	}
	return cost
}

// fits reports whether a unit that no list had before may stand in this one.
func (u *usage) fits(one *unit) bool {
	source := one.by.Source
	if source != "" && u.house.Gateway(source) == nil || !one.checkIn() && !u.named[one.g.ID] ||
		!one.g.Ended && building.UnknownDoor(one.g, u.known) != "" || u.rows[source]+len(one.cards) > MaxRows {
		return false
	}
	if cost := u.cost(u.doorsOf(one)); cost > 0 && (u.size+cost > MaxTables || u.brought[source]+cost > maxOwn) {
		return false
	}
	more := make(map[int]int)
	for _, c := range one.cards {
		at := c.Bucket(near)
		more[at]++
		if u.near[source][at]+more[at] > MaxNear || u.buckets[at]+more[at] > MaxBucket {
			return false
		}
	}
	return true
}

// tables returns the manifest that a draft follows. Sets of doors stay in it while there is space,
// so that buckets keep their bytes; else only those in use.
func (u *usage) tables(m wire.Manifest) wire.Manifest {
	size, have := 0, make(map[string]bool)
	for _, d := range m.Doors {
		size += 2 + len(d)
	}
	for _, set := range m.DoorSets {
		names := make([]string, len(set))
		for i, d := range set {
			names[i] = m.Doors[d]
		}
		slices.Sort(names)
		have[joined(names)] = true
		size += 3 + 3*len(set)
	}
	for set, cost := range u.sets {
		if !have[set] {
			size += cost
		}
	}
	if size > MaxTables {
		m.Doors, m.DoorSets = nil, nil
	}
	return m
}

// Bounds of a list.
const (
	MaxRows   = 8192                // cards that records of one gateway put into a list: 2,048 tenancies with four forms each
	MaxNear   = 64                  // of these, whose ids begin with the same wire.MaxBucketBits bits: grants of one card, for one
	MaxBucket = wire.MaxBucket / 72 // cards of a bucket that is cut no further; 72 bytes are the most that one takes
	MaxTables = 16 << 10            // bytes of doors and sets of doors
	maxOwn    = MaxTables / 4       // that records of one gateway bring
	near      = wire.MaxBucketBits
)

func joined(doors []string) string { return strings.Join(doors, " ") }
