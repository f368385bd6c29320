package issuer

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"gatehouse/internal/registry/issuer/fold"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// A database that was put back does not know what was signed since. The front and
// the gateways do, and a list proves itself: what one says that an issuer trusted now
// has signed is taken over, its restrictions for good, and goes into the log, so that
// the next list proves that it descends from it.

// maxStep is how far a list's version may be above what is known: a thief's list
// could use up the numbers. Gateways take twice as much, so that the next list, which
// goes above the one that was taken over, is still within reach of those that have not
// got it.
const maxStep = 1 << 19

// foreign is a list that this database does not know, whole and verified.
type foreign struct {
	signedList
	from string // who has it: gateway, or the front
}

// openForeign reads a list by the keys of the issuers that are trusted now. Where
// these are none of its signer the error is wire.ErrUnknownKey, and the list is read
// all the same.
func openForeign(building, from string, manifest, second []byte, buckets [][]byte, issuers []wire.Key) (f foreign, trusted bool, err error) {
	_, _, refused := wire.Open(manifest, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building}, issuers)
	if refused != nil && !errors.Is(refused, wire.ErrUnknownKey) {
		return f, false, refused
	}
	byHash := make(map[wire.Hash][]byte, len(buckets))
	for _, b := range buckets {
		byHash[sha256.Sum256(b)] = b
	}
	f = foreign{signedList{form: form{envelope: manifest, second: second}}, from}
	return f, refused == nil, openList(&f.signedList, byHash)
}

// adopt takes over what a list says that is not in the log: an issuer that is trusted
// now has signed it, or the operator takes its word.
func (c *change) adopt(b *building, f foreign) error {
	if there, err := inLog(c, b.id, f.hash); err != nil || there {
		return err
	}
	newest := f.stamp().after(b.list.stamp())
	if low := b.lowest(); newest && f.manifest.Version-min(f.manifest.Version, low) > maxStep {
		return c.remark(b, "%s has list %d, which is more than %d above list %d: it is not taken over, and no other list reaches that gateway. Somebody may have the issuer's key: "+
			"registryd trust new --replace issuer --as-false", f.from, f.manifest.Version, maxStep, low)
	}
	t := c.newTaking(b, f)
	before := b.openNow(c.issuer.now())
	if newest {
		if err := t.counts(); err != nil {
			return err
		}
	}
	if err := t.take(newest); err != nil {
		return err
	}
	if err := t.warn(before); err != nil {
		return err
	}
	log, err := f.forms()
	if err == nil {
		err = c.appendLog(b, log...)
	}
	if err != nil {
		return err
	}
	if newest {
		if err := c.follow(b, f); err != nil {
			return err
		}
	}
	c.touched[b.id] = true
	back := ""
	if t.ended > 0 {
		back = "; what should not have ended comes back by registryd reinstate"
	}
	return c.remark(b, "%s had list %d, which this database did not know: %s. The next list follows it; registryd tenancies --building %s shows what is so now%s%s",
		f.from, f.manifest.Version, t.String(), b.id, back, c.strange(f))
}

// follow makes a list that was taken over the one that the next follows.
func (c *change) follow(b *building, f foreign) error {
	if err := c.replaceList(b, f.signedList); err != nil {
		return err
	}
	if err := c.cover(b, f.manifest.Seen); err != nil || b.keyNumber != 0 || len(f.grants) == 0 {
		return err
	}
	b.keyNumber = f.grants[0].Credential[0] // the building has its key: a new gateway must not make another
	return c.storeBuilding(b)
}

// strange says of a list that was taken over that nothing explains why this database did
// not know it: it was signed when this one was in use already.
func (c *change) strange(f foreign) string {
	since := c.issuer.since
	if f.manifest.Issued <= since {
		return ""
	}
	text := "no copy was put back here"
	if since > 0 {
		text = fmt.Sprintf("this database was put back or made on %s", atText(since))
	}
	return fmt.Sprintf(". It was signed on %s, and %s: if that was no other start of this registry, somebody else has the issuer's key: "+
		"registryd trust new --replace issuer --as-false", atText(f.manifest.Issued), text)
}

func atText(s uint32) string { return time.Unix(int64(s), 0).UTC().Format(time.RFC3339) }

// lowest is the lowest version that a gateway of the building is known to have, or
// this database: each of them has to take the next list.
func (b *building) lowest() uint64 {
	low := b.list.manifest.Version
	for _, g := range b.house.Gateways {
		if applied := b.applied[g.ID]; applied > 0 {
			low = min(low, applied)
		}
	}
	return low
}

// forms are what gateways name a list by: one that reads the first format alone has the
// same without the log.
func (f foreign) forms() ([]logged, error) {
	own := logged{f.hash, f.epoch, f.manifest.Version, false}
	if f.manifest.Format != wire.LogFormat {
		return []logged{own}, nil
	}
	old := f.manifest
	old.Format, old.Earlier, old.Log, old.Words = wire.ListFormat, 0, wire.Hash{}, nil
	hash, err := manifestHash(old)
	return []logged{{hash, f.epoch, f.manifest.Version, false}, own}, err
}

// replaceList puts a list that was taken over in the place of the newest.
func (c *change) replaceList(b *building, l signedList) error {
	if _, err := c.Exec(`DELETE FROM lists WHERE building = ? AND held = 1`, b.id); err != nil {
		return err
	}
	if _, err := c.Exec(`DELETE FROM buckets WHERE building = ?`, b.id); err != nil {
		return err
	}
	b.list, b.held = l, nil
	clear(b.known)
	clear(b.asks)
	c.issuer.unsent[b.id] = true
	return c.storeList(b, l, signedList{}, false)
}

// cover notes which records of gateways a list that was taken over has seen: one of
// these that comes later, with a grant that the list did not name, comes too late.
func (c *change) cover(b *building, seen []wire.Seen) error {
	for _, s := range seen {
		key := lineKey{s.Gateway, s.Line}
		if s.Number <= b.covered[key].number {
			continue
		}
		b.covered[key] = cover{s.Number, len(b.records)}
		_, err := c.Exec(`INSERT INTO covered (building, gateway, line, number, events) VALUES (?,?,?,?,?)
			ON CONFLICT (building, gateway, line) DO UPDATE SET number = excluded.number, events = excluded.events`,
			b.id, s.Gateway, blob(s.Line), int64(s.Number), len(b.records))
		if err != nil {
			return fmt.Errorf("keep what a list has seen: %w", err)
		}
	}
	return nil
}

// taking is the work of taking one list over.
type taking struct {
	*change
	b    *building
	f    foreign
	rows map[wire.ID][]wire.Grant // of the list, by grant

	ended, stopped, joined, brought int              // grants
	over                            int              // of those that were brought
	notices                         map[wire.ID]bool // by grant: learnt how one stands
}

// newTaking prepares the work.
func (c *change) newTaking(b *building, f foreign) *taking {
	t := &taking{change: c, b: b, f: f, rows: make(map[wire.ID][]wire.Grant), notices: make(map[wire.ID]bool)}
	for i := range f.grants {
		t.rows[f.grants[i].ID] = append(t.rows[f.grants[i].ID], f.grants[i])
	}
	return t
}

// String says what came of it.
func (t *taking) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{{t.ended, amount.Of(t.ended, "grant") + " ended by it"}, {t.stopped, amount.Of(t.stopped, "grant") + " stopped or shortened by it"},
		{t.joined, amount.Of(t.joined, "grant") + " that got cards"}, {t.brought, amount.Of(t.brought, "grant") + " learnt from it"},
		{t.over, fmt.Sprintf("%d of them over already", t.over)}, {len(t.notices), "how notices on " + amount.Of(len(t.notices), "grant") + " stand"}} {
		if p.n > 0 {
			parts = append(parts, p.text)
		}
	}
	if parts == nil {
		parts = []string{"nothing new in it"}
	}
	return strings.Join(parts, ", ") + t.wordless()
}

func (t *taking) take(newest bool) error {
	listed := t.b.listed()
	for id, g := range t.b.grants {
		if !g.Known || g.Ended {
			continue
		}
		rows := t.rows[id]
		var err error
		switch {
		case len(rows) == 0 && newest && t.lacks(g, listed[id]), allRevoked(rows):
			t.ended++
			err = t.say(wire.Change{Op: wire.OpEnd, Cause: wire.CauseOrder}, g)
		case len(rows) > 0:
			err = t.restrict(g, rows, newest)
		}
		if err != nil {
			return err
		}
	}
	if !newest {
		return nil
	}
	for id, rows := range t.rows {
		if g := t.b.grants[id]; g == nil || !g.Known {
			if err := t.bring(id, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// openNow are the tenancies that have something that opens.
func (b *building) openNow(now uint32) map[wire.ID]bool {
	open := make(map[wire.ID]bool)
	for _, g := range b.grants {
		if g.Known && !g.Ended && (g.Until() == 0 || g.Until() > now) {
			open[g.Tenancy] = true
		}
	}
	return open
}

// warn tells that one issuer alone has signed a list that ended more than one may in
// the days between: it is so, since it was in force at a door, and it may be a thief's.
func (t *taking) warn(before map[wire.ID]bool) error {
	days := 1
	if was := t.b.list.manifest.Issued; was > 0 && t.f.manifest.Issued > was {
		days += int((t.f.manifest.Issued - was) / lossesWindow)
	}
	after := t.b.openNow(t.issuer.now())
	gone := make([]wire.ID, 0, len(before))
	for id := range before {
		if !after[id] {
			gone = append(gone, id)
		}
	}
	if len(t.f.second) > 0 || len(gone) <= grantlist.MayLose(len(before))*days {
		return nil
	}
	return t.remark(t.b, "list %d of %s, by one issuer's key alone, has ended %s (%s): more than one issuer may. If that is not so, somebody has the key: "+
		"registryd trust new --replace issuer --as-false, then registryd reinstate --tenancy ID for each (registryd tenancies --building %s)",
		t.f.manifest.Version, t.f.from, amount.Of(len(gone), "tenancy"), flatsText(t.b.flatsOf(gone)), t.b.id)
}

// counts takes what the list took from tenancies, as this database knows them, as taken
// when it was signed: gateways count that against the next list for a day. Lists before it
// may have taken some of that earlier, which nothing here says. For what two issuers have
// signed they do not.
func (t *taking) counts() error {
	if len(t.f.second) > 0 {
		return nil
	}
	return t.count(t.b, t.b.removed(t.f.signedList), min(t.f.manifest.Issued, t.issuer.now()))
}

func allRevoked(rows []wire.Grant) bool {
	return len(rows) > 0 && !slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.State != wire.GrantRevoked })
}

// lacks reports whether the list would name a grant if that were not over: it stood
// in the list that this database has, or the list was made with the record of its
// check-in. One that names a door which no list knew may never have been in a list.
func (t *taking) lacks(g *fold.Grant, listed bool) bool {
	if until := g.Until(); until != 0 && int64(until) <= int64(t.f.manifest.Issued) {
		return false // its term was over: that is no end
	}
	if listed {
		return true
	}
	e := &g.CheckIn
	if e.Source == "" {
		return false
	}
	for _, s := range t.f.manifest.Seen {
		if s.Gateway == e.Source && s.Line == e.Line && e.Number <= s.Number {
			return !slices.ContainsFunc(e.Change.Doors, func(d string) bool { return !slices.Contains(t.f.manifest.Doors, d) })
		}
	}
	return false
}

// later reports whether something was said of a card that the list was not made with.
func (t *taking) later(g *fold.Grant, about func(wire.Change) bool) bool {
	return slices.ContainsFunc(t.b.events[g.ID], func(e fold.Event) bool {
		if !about(e.Change) {
			return false
		}
		if e.Source == "" {
			return e.At > t.f.manifest.Issued
		}
		i, there := slices.BinarySearchFunc(t.f.manifest.Seen, wire.Seen{Gateway: e.Source, Line: e.Line}, wire.Seen.Compare)
		return !there || e.Number > t.f.manifest.Seen[i].Number
	})
}

// restrict takes over what the list says of a grant that is not over: cards stopped,
// an end that comes earlier, cards that this database does not have.
func (t *taking) restrict(g *fold.Grant, rows []wire.Grant, newest bool) error {
	var stop, join []wire.CredentialID
	for _, r := range rows {
		i := slices.IndexFunc(g.Cards, func(c fold.Card) bool { return c.ID == r.Credential })
		if i < 0 && newest {
			join = append(join, r.Credential)
		}
		stopped := i >= 0 && g.Cards[i].Suspended
		if r.State != wire.GrantActive && !stopped && !t.later(g, func(c wire.Change) bool {
			return c.Op == wire.OpResume && slices.Contains(c.Credentials, r.Credential)
		}) {
			stop = append(stop, r.Credential) // also one that is not here: its record may come again
		}
	}
	t.joined, t.stopped = t.joined+min(len(join), 1), t.stopped+min(len(stop), 1)
	if err := t.cards(wire.OpBind, join, g); err != nil {
		return err
	}
	if err := t.cards(wire.OpSuspend, stop, g); err != nil {
		return err
	}
	if newest {
		if err := t.standing(g.ID); err != nil {
			return err
		}
	}
	return t.shorten(t.b.grants[g.ID], rows)
}

func (t *taking) cards(op wire.Op, cards []wire.CredentialID, g *fold.Grant) error {
	for part := range slices.Chunk(cards, maxCards) {
		if err := t.say(wire.Change{Op: op, Credentials: part}, g); err != nil {
			return err
		}
	}
	return nil
}

// bring makes a grant that only the list knows: what the landlord wrote about it, its
// flat too, comes with the gateway's record, if that is still there.
func (t *taking) bring(id wire.ID, rows []wire.Grant) error {
	m, first := t.f.manifest, rows[0]
	var doors []string
	for _, d := range m.DoorSets[first.DoorSet] {
		doors = append(doors, m.Doors[d])
	}
	slices.Sort(doors)
	var all []wire.CredentialID
	for _, r := range rows {
		all = append(all, r.Credential)
	}
	g := &fold.Grant{ID: id, Tenancy: first.Tenancy}
	in := wire.Change{Op: wire.OpCheckIn, Credentials: all[:min(len(all), maxCards)], Kind: first.Kind, Doors: doors, From: first.From, Until: first.Until,
		Flat: fold.UnknownFlat, Basis: wire.BasisDuty, Document: wire.DocumentResidentID}
	if t.noticeUntil(id, in.Until) != nil {
		in.Until = 0 // that is no term
	}
	t.brought++
	if err := t.say(in, g); err != nil {
		return err
	}
	g = t.b.grants[id]
	if len(all) > maxCards {
		if err := t.cards(wire.OpBind, all[maxCards:], g); err != nil {
			return err
		}
	}
	if err := t.standing(id); err != nil {
		return err
	}
	if allRevoked(rows) {
		t.over++
		return t.say(wire.Change{Op: wire.OpEnd, Cause: wire.CauseOrder}, g)
	}
	var stop []wire.CredentialID
	for _, r := range rows {
		if r.State != wire.GrantActive {
			stop = append(stop, r.Credential)
		}
	}
	return t.cards(wire.OpSuspend, stop, g)
}

// say takes one change over in the registry's name, as of when the list was made. The
// rows don't say on whose word a card came: at most on the landlord's.
func (t *taking) say(c wire.Change, g *fold.Grant) error {
	c.At, c.Clock, c.Proof, c.Tenancy, c.Grant = t.f.manifest.Issued, wire.ClockRegistry, wire.ProofRegistry, g.Tenancy, g.ID
	if c.Op == wire.OpBind {
		c.Proof = wire.ProofLandlord
	}
	return t.put(fold.Event{At: c.At, Change: c})
}

// put takes one change over. The same list taken over twice says the same: no random
// ids here.
func (t *taking) put(e fold.Event) error {
	c := &e.Change
	sum := sha256.Sum256(slices.Concat(t.f.hash[:], c.Grant[:], binary.BigEndian.AppendUint32([]byte{byte(c.Op), byte(c.Proof)}, c.At), slices.Concat(credentialBytes(c.Credentials)...)))
	copy(e.Record[:], sum[:])
	if _, known := t.b.records[recordKey{"", e.Record}]; known {
		return nil
	}
	return t.change.take(t.b, e, 0, 0)
}

func credentialBytes(all []wire.CredentialID) [][]byte {
	out := make([][]byte, len(all))
	for i := range all {
		out[i] = bytes.Clone(all[i][:])
	}
	return out
}

// resumedSince reports whether a suspension comes with a record that a list was made with
// which was taken over, and that list has these cards as active: the registry has resumed
// them since, and its word is in no record.
func (b *building) resumedSince(e fold.Event) bool {
	read := b.covered[lineKey{e.Source, e.Line}]
	g := b.grants[e.Change.Grant]
	if e.Change.Op != wire.OpSuspend || e.Number > read.number || g == nil {
		return false
	}
	for _, id := range e.Change.Credentials {
		i := slices.IndexFunc(g.Cards, func(k fold.Card) bool { return k.ID == id })
		if i < 0 || g.Cards[i].Suspended || g.Cards[i].By.Arrival >= read.events {
			return false
		}
	}
	return true
}

// endCovered ends a grant whose check-in comes after a list that was made with it and
// did not name it any more.
func (c *change) endCovered(b *building, key lineKey, number uint64, id wire.ID) error {
	g := b.grants[id]
	if number > b.covered[key].number || g == nil || !g.Known || g.Ended || len(b.events[id]) > 1 || b.listed()[id] || g.Until() != 0 && g.Until() <= c.issuer.now() || unknownDoor(g, b.doors()) != "" {
		return nil
	}
	e := fold.Event{At: c.issuer.now(), Change: wire.Change{Op: wire.OpEnd, At: c.issuer.now(), Clock: wire.ClockRegistry, Proof: wire.ProofRegistry,
		Tenancy: g.Tenancy, Grant: id, Cause: wire.CauseOrder}}
	_, _ = rand.Read(e.Record[:]) // never fails
	return c.take(b, e, 0, 0)
}
