// Package adopt takes over what this database, after a restore, does not know although the registry
// has signed it: lists and House documents that gateways, the front or an operator have. A list
// proves itself: one that a now trusted issuer has signed is taken over, its restrictions for good,
// and goes into the log, so that the next list proves that it descends from it.
//
// It refuses to take over what nobody trusted now has signed: that is offered to the operator. It
// refuses a list whose version is out of reach of other gateways.
package adopt

import (
	"fmt"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// assemble joins the signed parts of what a gateway holds.
func assemble(b *building.Building, h api.Holding) (all wire.Holding, err error) {
	for n, envelope := range h.Parts {
		part, err := building.Open[wire.Holding](b, h.Place.Gateway, wire.TypeHolding, envelope)
		if err != nil {
			return all, err
		}
		if int(part.Part) != n || int(part.Parts) != len(h.Parts) {
			return all, fmt.Errorf("%w: part %d stands at %d", wire.ErrMalformed, part.Part, n)
		}
		if n == 0 {
			all.Manifest, all.Second = part.Manifest, part.Second
		}
		if len(part.House) > 0 {
			all.House = part.House
		}
		all.Buckets = append(all.Buckets, part.Buckets...)
		all.Tombstones = append(all.Tombstones, part.Tombstones...)
	}
	return all, nil
}

// Holding judges what a gateway holds. What proves itself is taken over; the rest is offered to the
// operator. What can't be read is logged: the gateway may send it again.
func Holding(c *ledger.Change, in api.Holding) {
	b := c.Building(in.Place.Building)
	if b == nil {
		return
	}
	h, err := assemble(b, in)
	if err != nil {
		c.Log.Warn().Err(err).Str("gateway", in.Place.Address()).Msg("what a gateway holds can't be read")
		return
	}
	if len(h.House) > 0 {
		adoptHouse(c, b, in.Place.Gateway, h.House)
	}
	if len(h.Manifest) == 0 {
		return
	}
	l, trusted, err := lists.Read(b.ID, h.Manifest, h.Second, h.Buckets, c.Keys.Issuers)
	if err != nil {
		c.Log.Warn().Err(err).Str("gateway", in.Place.Address()).Msg("the list that a gateway holds is not one")
		return
	}
	switch {
	case c.InLog(b, l.Hash):
		b.CountAsk(in.Place.Gateway, &l)
	case !trusted:
		offer(c, b, in.Place.Gateway, h, l.Hash)
		return
	default:
		List(c, b, in.Place.Gateway, l)
	}
	offerTombstones(c, b, in.Place.Gateway, h.Tombstones)
}

// Front judges what the front has of a building.
func Front(c *ledger.Change, k api.Stored) {
	b := findOrMake(c, k)
	if b == nil {
		return
	}
	adoptHouse(c, b, "the front", k.House)
	if len(k.List.Manifest) == 0 {
		return
	}
	l, trusted, err := lists.Read(b.ID, k.List.Manifest, k.List.Second, k.List.Buckets, c.Keys.Issuers)
	if err != nil || !trusted {
		return // of an issuer that was replaced: gateways say what they have
	}
	// The list's own root shows whether the front's log is the one before it.
	if log, ok := lists.Proved(l.Manifest, k.List.Log); ok {
		store.AppendLog(c.Tx, b, log...)
	}
	l.SetOld(k.List.Old, k.List.OldSecond)
	List(c, b, "the front", l)
}

// maxStep is how far a list's version may be above the known one: a thief's list could use up the
// numbers. Gateways take twice as much, so that the list after one that was taken over is within
// reach of all.
const maxStep = 1 << 19

// List takes over what a list says that is not in the log and that a now trusted issuer has signed.
// from is who has it: a gateway, or the front.
func List(c *ledger.Change, b *building.Building, from string, l lists.Signed) {
	if c.InLog(b, l.Hash) {
		return
	}
	newest := l.After(&b.Lists.Newest)
	if low := b.Lowest(); newest && l.Manifest.Version-min(l.Manifest.Version, low) > maxStep {
		c.Remark(b.ID, "%s has list %d, which is more than %d above list %d: it is not taken over, and no other list reaches that gateway. Somebody may have the issuer's key: "+
			"registryd trust new --replace issuer --as-false", from, l.Manifest.Version, maxStep, low)
		return
	}
	t := newTaking(c, b, l)
	before := b.Tenancies.OpenAt(c.Clock.Unix())
	if newest && len(l.Second) == 0 {
		// Gateways count what it took against the next list for a day, and so does this database.
		// What lists before it took of that earlier is unknown.
		c.Count(b, b.Removed(&l), min(l.Manifest.Issued, c.Clock.Unix()))
	}
	t.take(newest)
	warn(c, b, from, &l, before)
	log, err := l.Forms()
	c.Fail(err)
	store.AppendLog(c.Tx, b, log...)
	if newest {
		follow(c, b, l)
	}
	c.Relist(b)
	back := ""
	if t.ended > 0 {
		// The list has no cards of it: which of them had been suspended since the copy is unknown.
		back = "; what should not have ended comes back by registryd reinstate, also cards of it that were suspended before it ended: registryd suspend stops them again"
	}
	c.Remark(b.ID, "%s had list %d, which this database did not know: %s. The next list follows it; registryd tenancies --building %s shows what is so now%s%s",
		from, l.Manifest.Version, t.String(), b.ID, back, strange(c.Since(), l.Manifest.Issued))
}

// follow makes a list that was taken over the predecessor of the next one. A grant that it did not
// name can't come later with a record that it has seen.
func follow(c *ledger.Change, b *building.Building, l lists.Signed) {
	c.Replace(b, l)
	for _, s := range l.Manifest.Seen {
		line := building.Line{Gateway: s.Gateway, Number: s.Line}
		if s.Number > b.Lines.Covered[line].Number {
			cover := building.Cover{Number: s.Number, Events: b.Tenancies.Count()}
			b.Lines.Covered[line] = cover
			store.PutCovered(c.Tx, b.ID, line, cover)
		}
	}
	if b.KeyNumber == 0 && len(l.Grants) > 0 {
		b.KeyNumber = l.Grants[0].Credential[0] // the building has its key: a new gateway must not make another
		store.PutBuilding(c.Tx, b)
	}
}

// strange describes a list that was taken over although nothing explains why this database did not
// know it: it was signed when this database was in use already. Times are unix s.
func strange(since, issued uint32) string {
	if issued <= since {
		return ""
	}
	text := "no copy was put back here"
	if since > 0 {
		text = fmt.Sprintf("this database was put back or made on %s", atText(since))
	}
	return fmt.Sprintf(". It was signed on %s, and %s: if that was no other start of this registry, somebody else has the issuer's key: "+
		"registryd trust new --replace issuer --as-false", atText(issued), text)
}

func atText(s uint32) string { return time.Unix(int64(s), 0).UTC().Format(time.RFC3339) }

// warn reports that one issuer alone has signed a list that ended more than one issuer may in the
// days between: it may be a thief's. before are the tenancies that were open.
func warn(c *ledger.Change, b *building.Building, from string, l *lists.Signed, before map[wire.ID]bool) {
	days := 1
	if was := b.Lists.Newest.Manifest.Issued; was > 0 && l.Manifest.Issued > was {
		days += int((l.Manifest.Issued - was) / building.LossesWindow)
	}
	after := b.Tenancies.OpenAt(c.Clock.Unix())
	gone := make([]wire.ID, 0, len(before))
	for id := range before {
		if !after[id] {
			gone = append(gone, id)
		}
	}
	if len(l.Second) > 0 || len(gone) <= grantlist.MayLose(len(before))*days {
		return
	}
	c.Remark(b.ID, "list %d of %s, by one issuer's key alone, has ended %s (%s): more than one issuer may. If that is not so, somebody has the key: "+
		"registryd trust new --replace issuer --as-false, then registryd reinstate --tenancy ID for each (registryd tenancies --building %s)",
		l.Manifest.Version, from, amount.Of(len(gone), "tenancy"), b.Tenancies.FlatsText(gone), b.ID)
}
