package issuer

import (
	"cmp"
	"database/sql"
	"fmt"
	"gatehouse/internal/registry/issuer/fold"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// A list has an end: of its manifest, and of each bucket. Whoever has the key of
// one gateway may not fill it, or no revocation of the building would ever be
// signed again. So what one gateway's records put into a list is bounded, and what
// is left out stays a record that counts where it is.
const (
	maxRows   = 8192                // cards that records of one gateway put into a list: 2,048 tenancies with four forms each
	maxNear   = 64                  // of these, whose ids begin with the same wire.MaxBucketBits bits: grants of one card, for one
	maxBucket = wire.MaxBucket / 72 // cards of a bucket that is cut no further; 72 bytes are the most that one takes
	maxTables = 16 << 10            // bytes of doors and sets of doors
	maxOwn    = maxTables / 4       // that records of one gateway bring
	near      = wire.MaxBucketBits
)

// unit is what one event brings into a list: a check-in with its cards, or cards
// that joined later. It is in the list whole or not at all: a gateway goes by the
// list as soon as that names the grant, and a card that it lacks would be none.
type unit struct {
	g      *fold.Grant
	by     *fold.Event
	cards  []wire.CredentialID
	stands bool // in the newest list: it stays, since who is named no more is over
}

func (u *unit) checkIn() bool { return u.by.Change.Op == wire.OpCheckIn }

type rowKey struct {
	grant wire.ID
	card  wire.CredentialID
}

// units are all that may stand in the next list: first what stands there, then
// what operators have ended, then the rest as it came. What was over long before
// the agreed time does not, while that is sure.
func (b *building) units(now uint32, sure bool) (all []unit) {
	standing := make(map[rowKey]bool, len(b.list.grants))
	for _, l := range []*signedList{&b.list, b.held} {
		for i := 0; l != nil && i < len(l.grants); i++ {
			standing[rowKey{l.grants[i].ID, l.grants[i].Credential}] = true
		}
	}
	over := b.over(now, sure)
	for id, g := range b.grants {
		if !g.Known || b.revoked[id].dropped || over[id] {
			continue
		}
		first := len(all)
		for _, c := range g.Cards {
			i := first + slices.IndexFunc(all[first:], func(u unit) bool { return u.by == c.By })
			if i < first {
				i, all = len(all), append(all, unit{g: g, by: c.By})
			}
			all[i].cards = append(all[i].cards, c.ID)
			all[i].stands = all[i].stands || standing[rowKey{id, c.ID}]
		}
	}
	slices.SortFunc(all, func(u, o unit) int {
		return cmp.Or(before(u.stands, o.stands), before(u.g.Ended && u.g.End.Source == "", o.g.Ended && o.g.End.Source == ""),
			before(u.checkIn(), o.checkIn()), cmp.Compare(u.by.Arrival, o.by.Arrival))
	})
	return all
}

// before orders those of which something is true first.
func before(u, o bool) int {
	switch {
	case u == o:
		return 0
	case u:
		return -1
	}
	return 1
}

// room is how much of a list is taken.
type room struct {
	b       *building
	known   map[string]bool // doors
	rows    map[string]int  // cards, by gateway
	near    map[string]map[int]int
	buckets map[int]int
	sets    map[string]int // doors of a set, joined: bytes in the tables
	doors   map[string]bool
	tables  map[string]int // bytes of sets, by the gateway that brought them first
	size    int            // of all of them
	named   map[wire.ID]bool
	added   map[string]int // units that no list had before, by gateway
	left    map[string]bool
}

func (b *building) newRoom() *room {
	return &room{b: b, known: b.doors(), rows: make(map[string]int), near: make(map[string]map[int]int), buckets: make(map[int]int),
		sets: make(map[string]int), doors: make(map[string]bool), tables: make(map[string]int), named: make(map[wire.ID]bool),
		added: make(map[string]int), left: make(map[string]bool)}
}

// doors are those that gateways of the building have, or that a list has named.
func (b *building) doors() map[string]bool {
	known := make(map[string]bool)
	for _, d := range b.list.manifest.Doors {
		known[d] = true
	}
	for _, g := range b.house.Gateways {
		for _, d := range g.Doors {
			known[d] = true
		}
	}
	return known
}

// unknownDoor is one of a grant's that no gateway has said it has; "": none.
func unknownDoor(g *fold.Grant, known map[string]bool) string {
	for _, d := range g.CheckIn.Change.Doors {
		if !known[d] {
			return d
		}
	}
	return ""
}

// doorsOf are the doors under which a unit stands in the list. What is over opens
// none, whichever the list says.
func (r *room) doorsOf(u *unit) []string {
	doors := u.g.CheckIn.Change.Doors
	if !u.g.Ended || u.stands || unknownDoor(u.g, r.known) == "" {
		return doors
	}
	if len(r.known) == 0 {
		return doors[:1]
	}
	return []string{slices.Min(slices.Collect(maps.Keys(r.known)))}
}

// take finds room for a unit, or leaves it out.
func (r *room) take(u *unit) bool {
	source := u.by.Source
	if !u.stands && !r.fits(u) {
		r.left[source] = true
		return false
	}
	for _, c := range u.cards {
		if r.near[source] == nil {
			r.near[source] = make(map[int]int)
		}
		r.near[source][c.Bucket(near)]++
		r.buckets[c.Bucket(near)]++
	}
	r.rows[source] += len(u.cards)
	cost, doors := r.cost(r.doorsOf(u))
	for _, d := range doors {
		r.doors[d] = true
	}
	r.sets[joined(doors)] += cost
	r.tables[source] += cost
	r.size += cost
	r.named[u.g.ID] = true
	if !u.stands {
		r.added[source]++
	}
	return true
}

// cost is how many bytes of tables a set of doors takes, beyond what is there.
func (r *room) cost(doors []string) (int, []string) {
	if _, there := r.sets[joined(doors)]; there {
		return 0, doors
	}
	cost := 3 + 3*len(doors)
	for _, d := range doors {
		if !r.doors[d] {
			cost += 2 + len(d)
		}
	}
	return cost, doors
}

func joined(doors []string) string { return strings.Join(doors, " ") }

func (r *room) fits(u *unit) bool {
	source := u.by.Source
	if source != "" && r.b.house.Gateway(source) == nil || !u.checkIn() && !r.named[u.g.ID] ||
		!u.g.Ended && unknownDoor(u.g, r.known) != "" || r.rows[source]+len(u.cards) > maxRows {
		return false
	}
	cost, _ := r.cost(r.doorsOf(u))
	if cost > 0 && (r.size+cost > maxTables || r.tables[source]+cost > maxOwn) {
		return false
	}
	own, all := make(map[int]int), make(map[int]int)
	for _, c := range u.cards {
		at := c.Bucket(near)
		own[at]++
		all[at]++
		if r.near[source][at]+own[at] > maxNear || r.buckets[at]+all[at] > maxBucket {
			return false
		}
	}
	return true
}

// choice is what the next list is made of.
type choice struct {
	room   *room
	draft  *grantlist.Draft
	grants []wire.Grant // in order
}

// choose finds what fits into the next list. Of the gateways in without nothing
// that is not in the list already.
func (b *building) choose(without map[string]bool, now uint32, sure bool) (c choice, err error) {
	c.room = b.newRoom()
	var in []unit
	for _, u := range b.units(now, sure) {
		if !u.stands && without[u.by.Source] {
			c.room.left[u.by.Source] = true
		} else if c.room.take(&u) {
			in = append(in, u)
		}
	}
	c.draft = grantlist.NewDraft(b.id, b.tables(c.room), b.list.hash)
	c.draft.Seen = b.seenList()
	sets := make(map[string]uint16) // most grants share a few
	for i := range in {
		u := &in[i]
		doors := c.room.doorsOf(u)
		set, there := sets[joined(doors)]
		if !there {
			if set, err = c.draft.DoorSet(doors); err != nil {
				return c, fmt.Errorf("doors of grant %s: %w", u.g.ID, err)
			}
			sets[joined(doors)] = set
		}
		c.grants = append(c.grants, u.g.Lines(set, u.cards)...)
	}
	slices.SortFunc(c.grants, func(a, b wire.Grant) int { return a.Compare(&b) })
	return c, nil
}

// tables is the manifest that a draft follows. Sets of doors stay in it while
// there is room, so that buckets keep their bytes; else only those in use.
func (b *building) tables(r *room) wire.Manifest {
	m, size, have := b.list.manifest, 0, make(map[string]bool)
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
	for set, cost := range r.sets {
		if !have[set] {
			size += cost
		}
	}
	if size > maxTables {
		m.Doors, m.DoorSets = nil, nil
	}
	return m
}

// words are those on the grants of a list, the newest as far as there is room.
func (b *building) words(grants []wire.Grant, room int) (words []wire.Word) {
	var all []fold.Word
	done := make(map[wire.ID]bool)
	for i := range grants {
		g := b.grants[grants[i].ID]
		if g == nil || g.Ended || done[g.ID] {
			continue
		}
		done[g.ID] = true
		for _, w := range g.Words {
			w.Grant, w.Tenancy = g.ID, g.Tenancy
			w.Cards = append([]wire.CredentialID{}, w.Cards...)
			if w.Check() == nil {
				all = append(all, w)
			}
		}
	}
	slices.SortFunc(all, func(v, w fold.Word) int { return cmp.Or(cmp.Compare(w.Arrival, v.Arrival), v.Compare(&w.Word)) })
	for _, w := range all {
		if room -= w.Size(); room < 0 {
			break
		}
		words = append(words, w.Word)
	}
	slices.SortFunc(words, func(v, w wire.Word) int { return v.Compare(&w) })
	return slices.CompactFunc(words, func(v, w wire.Word) bool { return v.Compare(&w) == 0 })
}

// most is the gateway of which most is new, "": nothing is.
func (c choice) most() (gateway string) {
	for _, g := range slices.Sorted(maps.Keys(c.room.added)) {
		if c.room.added[g] > c.room.added[gateway] {
			gateway = g
		}
	}
	return gateway
}

// listTrouble keeps what is wrong with the list now, and forgets what was.
func (c *change) listTrouble(b *building, r *room, failed error) error {
	texts := make(map[string]string) // by gateway; "": the list itself
	if failed != nil {
		texts[""] = fmt.Sprintf("no list can be made: %v", failed)
	}
	for gateway := range r.left {
		texts[gateway] = "some of its records are in no list: they name doors that no gateway has, or are too many for one gateway; " +
			"revoke what is not real, or take it out: registryd gateway remove"
		if b.house.Gateway(gateway) == nil {
			texts[gateway] = "it was removed before all of its records were in a list: those that were not count no more"
		}
	}
	stale, err := c.staleTrouble(b.id, texts)
	if err != nil {
		return err
	}
	for _, n := range stale {
		if _, err := c.Exec(`DELETE FROM problems WHERE n = ?`, n); err != nil {
			return fmt.Errorf("forget problem: %w", err)
		}
	}
	for gateway, text := range texts {
		if err := c.problem(api.Place{Building: b.id, Gateway: gateway}, 0, 0, text, nil); err != nil {
			return err
		}
	}
	return nil
}

// staleTrouble are the problems of a building's list that are none any more.
func (c *change) staleTrouble(building string, now map[string]string) (stale []int64, err error) {
	err = each(c, func(rows *sql.Rows) error {
		var n int64
		var gateway, text string
		err := rows.Scan(&n, &gateway, &text)
		if now[gateway] != text {
			stale = append(stale, n)
		}
		return err
	}, `SELECT n, gateway, text FROM problems WHERE building = ? AND envelope IS NULL`, building)
	return stale, err
}
