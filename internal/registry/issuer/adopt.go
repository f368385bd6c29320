package issuer

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/amount"
	"gatehouse/internal/keyring"
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

// unknownFlat stands in a check-in that was read from a list: that has no flats.
const unknownFlat = "?"

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
	t := taking{change: c, b: b, f: f, rows: make(map[wire.ID][]wire.Grant)}
	for i := range f.grants {
		t.rows[f.grants[i].ID] = append(t.rows[f.grants[i].ID], f.grants[i])
	}
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
		if err := c.replaceList(b, f.signedList); err != nil {
			return err
		}
		if err := c.cover(b, f.manifest.Seen); err != nil {
			return err
		}
	}
	c.touched[b.id] = true
	back := ""
	if t.ended > 0 {
		back = "; what should not have ended comes back by registryd reinstate"
	}
	return c.remark(b, "%s had list %d, which this database did not know: %s. The next list follows it; registryd tenancies --building %s shows what is so now%s. "+
		"If nothing was put back here, somebody else has the issuer's key: registryd trust new --replace issuer --as-false", f.from, f.manifest.Version, t.String(), b.id, back)
}

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

// replaceList makes a list that was taken over the one that the next follows.
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
		if s.Number <= b.covered[key] {
			continue
		}
		b.covered[key] = s.Number
		_, err := c.Exec(`INSERT INTO covered (building, gateway, line, number) VALUES (?,?,?,?)
			ON CONFLICT (building, gateway, line) DO UPDATE SET number = excluded.number`, b.id, s.Gateway, blob(s.Line), int64(s.Number))
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

	ended, stopped, joined, brought int // grants, cards, cards, grants
}

// String says what came of it.
func (t *taking) String() string {
	return fmt.Sprintf("%s ended by it, %s stopped or shortened, %s and %s learnt from it", amount.Of(t.ended, "grant"), amount.Of(t.stopped, "card"), amount.Of(t.joined, "card"), amount.Of(t.brought, "grant"))
}

func (t *taking) take(newest bool) error {
	listed := t.b.listed()
	for id, g := range t.b.grants {
		if !g.known || g.ended {
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
		if g := t.b.grants[id]; g == nil || !g.known {
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
		if g.known && !g.ended && (g.until() == 0 || g.until() > now) {
			open[g.tenancy] = true
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
	if len(t.f.second) > 0 || len(gone) <= keyring.MayLose(len(before))*days {
		return nil
	}
	return t.remark(t.b, "list %d of %s, by one issuer's key alone, has ended %s (%s): more than one issuer may. If that is not so, somebody has the key: "+
		"registryd trust new --replace issuer --as-false, then registryd reinstate --tenancy ID for each (registryd tenancies --building %s)",
		t.f.manifest.Version, t.f.from, amount.Of(len(gone), "tenancy"), flatsText(t.b.flatsOf(gone)), t.b.id)
}

// counts takes what the list took from tenancies, as this database knows them, as taken
// within the day: gateways count that against the next list. For what two issuers have
// signed they do not.
func (t *taking) counts() error {
	if len(t.f.second) > 0 {
		return nil
	}
	return t.count(t.b, t.b.removed(t.f.signedList), t.issuer.now())
}

func allRevoked(rows []wire.Grant) bool {
	return len(rows) > 0 && !slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.State != wire.GrantRevoked })
}

// lacks reports whether the list would name a grant if that were not over: it stood
// in the list that this database has, or the list was made with the record of its
// check-in. One that names a door which no list knew may never have been in a list.
func (t *taking) lacks(g *grant, listed bool) bool {
	if until := g.until(); until != 0 && int64(until) <= int64(t.f.manifest.Issued) {
		return false // its term was over: that is no end
	}
	if listed {
		return true
	}
	e := &g.checkIn
	if e.source == "" {
		return false
	}
	for _, s := range t.f.manifest.Seen {
		if s.Gateway == e.source && s.Line == e.line && e.number <= s.Number {
			return !slices.ContainsFunc(e.change.Doors, func(d string) bool { return !slices.Contains(t.f.manifest.Doors, d) })
		}
	}
	return false
}

// later reports whether something was said of a card that the list was not made with.
func (t *taking) later(g *grant, about func(wire.Change) bool) bool {
	return slices.ContainsFunc(t.b.events[g.id], func(e event) bool {
		if !about(e.change) {
			return false
		}
		if e.source == "" {
			return e.at > t.f.manifest.Issued
		}
		i, there := slices.BinarySearchFunc(t.f.manifest.Seen, wire.Seen{Gateway: e.source, Line: e.line}, wire.Seen.Compare)
		return !there || e.number > t.f.manifest.Seen[i].Number
	})
}

// restrict takes over what the list says of a grant that is not over: cards stopped,
// an end that comes earlier, cards that this database does not have.
func (t *taking) restrict(g *grant, rows []wire.Grant, newest bool) error {
	var stop, join []wire.CredentialID
	until := g.until()
	for _, r := range rows {
		i := slices.IndexFunc(g.cards, func(c card) bool { return c.id == r.Credential })
		if i < 0 && newest {
			join = append(join, r.Credential)
		}
		stopped := i >= 0 && g.cards[i].suspended
		if r.State != wire.GrantActive && !stopped && !t.later(g, func(c wire.Change) bool {
			return c.Op == wire.OpResume && slices.Contains(c.Credentials, r.Credential)
		}) {
			stop = append(stop, r.Credential) // also one that is not here: its record may come again
		}
		if r.Until != 0 && (until == 0 || r.Until < until) {
			until = r.Until
		}
	}
	if err := t.cards(wire.OpBind, join, g); err != nil {
		return err
	}
	if newest {
		if err := t.confirmed(g.id); err != nil {
			return err
		}
	}
	if err := t.cards(wire.OpSuspend, stop, g); err != nil {
		return err
	}
	notice := func(c wire.Change) bool {
		return c.Op == wire.OpNotice || c.Op == wire.OpWithdraw || c.Op == wire.OpDispute
	}
	if until == g.until() || t.later(g, notice) {
		return nil
	}
	t.stopped++
	if w := t.noticeOf(g.id); w != nil && w.Until == until {
		return t.hear(w, g)
	}
	return t.say(wire.Change{Op: wire.OpNotice, Until: until, Cause: wire.CauseOrder}, g)
}

// noticeOf is what the list says of the landlord's notice on a grant; nil: nothing.
func (t *taking) noticeOf(grant wire.ID) *wire.Word {
	i := slices.IndexFunc(t.f.manifest.Words, func(w wire.Word) bool {
		return w.Grant == grant && w.Op == wire.OpNotice && w.Proof == wire.ProofLandlord
	})
	if i < 0 {
		return nil
	}
	return &t.f.manifest.Words[i]
}

// hear takes a notice over as the landlord's: he can take it back, and the tenant can
// object.
func (t *taking) hear(w *wire.Word, g *grant) error {
	c := wire.Change{Op: w.Op, At: w.At, Clock: wire.ClockRegistry, Proof: w.Proof, Tenancy: g.tenancy, Grant: g.id, Until: w.Until, Cause: w.Cause}
	return t.put(event{at: min(w.At, t.issuer.ahead()), change: c, least: w.Until})
}

// confirmed carries on which cards of a grant the list says that the registry has
// confirmed.
func (t *taking) confirmed(grant wire.ID) error {
	for i := range t.f.manifest.Words {
		w := &t.f.manifest.Words[i]
		if w.Grant != grant || w.Op != wire.OpBind || w.Proof != wire.ProofRegistry || !t.b.grants[grant].has(w.Cards) || t.said(w) {
			continue
		}
		c := wire.Change{Op: w.Op, At: w.At, Clock: wire.ClockRegistry, Proof: w.Proof, Tenancy: t.b.grants[grant].tenancy, Grant: grant, Credentials: slices.Clone(w.Cards)}
		if err := t.put(event{at: min(w.At, t.issuer.ahead()), change: c}); err != nil {
			return err
		}
	}
	return nil
}

// said reports whether this database knows a confirmation.
func (t *taking) said(w *wire.Word) bool {
	return slices.ContainsFunc(t.b.events[w.Grant], func(e event) bool {
		return e.ofRegistry() && e.change.Op == w.Op && e.change.At == w.At && slices.Contains(e.change.Credentials, w.Cards[0])
	})
}

// has reports whether the grant has all these cards.
func (g *grant) has(cards []wire.CredentialID) bool {
	return !slices.ContainsFunc(cards, func(c wire.CredentialID) bool {
		return !slices.ContainsFunc(g.cards, func(k card) bool { return k.id == c })
	})
}

func (t *taking) cards(op wire.Op, cards []wire.CredentialID, g *grant) error {
	if op == wire.OpBind {
		t.joined += len(cards)
	} else {
		t.stopped += len(cards)
	}
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
	g := &grant{id: id, tenancy: first.Tenancy}
	in := wire.Change{Op: wire.OpCheckIn, Credentials: all[:min(len(all), maxCards)], Kind: first.Kind, Doors: doors, From: first.From, Until: first.Until,
		Flat: unknownFlat, Basis: wire.BasisDuty, Document: wire.DocumentResidentID}
	notice := t.noticeOf(id)
	if notice != nil && notice.Until == in.Until {
		in.Until = 0 // that is no term
	}
	t.brought++
	err := t.say(in, g)
	if g = t.b.grants[id]; err == nil && notice != nil {
		err = t.hear(notice, g)
	}
	if err != nil {
		return err
	}
	if len(all) > maxCards {
		if err := t.cards(wire.OpBind, all[maxCards:], g); err != nil {
			return err
		}
	}
	if err := t.confirmed(id); err != nil {
		return err
	}
	if allRevoked(rows) {
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
func (t *taking) say(c wire.Change, g *grant) error {
	c.At, c.Clock, c.Proof, c.Tenancy, c.Grant = t.f.manifest.Issued, wire.ClockRegistry, wire.ProofRegistry, g.tenancy, g.id
	if c.Op == wire.OpBind {
		c.Proof = wire.ProofLandlord
	}
	return t.put(event{at: c.At, change: c})
}

// put takes one change over. The same list taken over twice says the same: no random
// ids here.
func (t *taking) put(e event) error {
	c := &e.change
	sum := sha256.Sum256(slices.Concat(t.f.hash[:], c.Grant[:], binary.BigEndian.AppendUint32([]byte{byte(c.Op), byte(c.Proof)}, c.At), slices.Concat(credentialBytes(c.Credentials)...)))
	copy(e.record[:], sum[:])
	if _, known := t.b.records[recordKey{"", e.record}]; known {
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

// endCovered ends a grant whose check-in comes after a list that was made with it and
// did not name it any more.
func (c *change) endCovered(b *building, key lineKey, number uint64, id wire.ID) error {
	g := b.grants[id]
	if number > b.covered[key] || g == nil || !g.known || g.ended || len(b.events[id]) > 1 || b.listed()[id] || g.until() != 0 && g.until() <= c.issuer.now() || unknownDoor(g, b.doors()) != "" {
		return nil
	}
	e := event{at: c.issuer.now(), change: wire.Change{Op: wire.OpEnd, At: c.issuer.now(), Clock: wire.ClockRegistry, Proof: wire.ProofRegistry,
		Tenancy: g.tenancy, Grant: id, Cause: wire.CauseOrder}}
	_, _ = rand.Read(e.record[:]) // never fails
	return c.take(b, e, 0, 0)
}
