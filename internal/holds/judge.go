package holds

import (
	"crypto/sha256"
	"slices"
	"time"

	"gatehouse/internal/mandate"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// GoodFor is how long after its signing an order is taken.
const GoodFor = 3 * 24 * time.Hour

// early is how far the clock of an officer's machine may be ahead, in seconds.
const early = 600

// Question is what is known where an order is shown.
type Question struct {
	Place wire.Place // of the gateway whose log it is
	Doors []string   // of that gateway; nil: not known here
	Now   trueclock.Interval
}

// Taken is an order that may be taken.
type Taken struct {
	Order   mandates.Order
	Officer mandates.Certificate
	Sum     wire.Hash // SHA-256 of the envelope
}

// Open returns the order of an envelope if an officer has signed it, whom an issuer of the trust document
// has enrolled. Nothing else of it is judged.
func Open(envelope []byte, trust wire.Trust) (t Taken, refusal *mandate.Refusal) {
	o, registry, err := mandates.ReadOrder(envelope)
	if err != nil {
		return t, refuse(unsigned)
	}
	if registry != trust.Registry {
		return t, refuse(otherRegistry, registry, trust.Registry)
	}
	c, err := mandates.OpenCertificate(o.Certificate, trust)
	if err != nil {
		return t, refuse(notEnrolled)
	}
	if _, err := c.Open(envelope, registry); err != nil {
		return t, refuse(unsigned)
	}
	return Taken{o, c, sha256.Sum256(envelope)}, nil
}

// Judge says whether an order may be taken here and now. It is pure.
func Judge(envelope []byte, trust wire.Trust, q Question) (Taken, *mandate.Refusal) {
	t, refusal := Open(envelope, trust)
	for _, check := range []func(Taken, Question) *mandate.Refusal{Examine, meant, inTime} {
		if refusal == nil {
			refusal = check(t, q)
		}
	}
	return t, refusal
}

// Examine judges what does not depend on where the order is shown: the officer asks it before signing, too.
func Examine(t Taken, q Question) *mandate.Refusal {
	o, c := t.Order, t.Officer
	switch {
	case q.Now.Lo >= int64(c.Until) || q.Now.Hi < int64(c.From):
		return refuse(certificateOver, day(c.From), day(c.Until))
	case o.Case == "":
		return refuse(noCase)
	case o.Until-o.From > mandates.MostPreserved:
		return refuse(tooWide, span(o.Until-o.From))
	case o.From >= o.Signed:
		return refuse(future)
	}
	return nil
}

// meant refuses an order that is for another gateway, or by an officer of another town.
func meant(t Taken, q Question) *mandate.Refusal {
	switch {
	case t.Order.Gateway != q.Place.Address():
		return refuse(wrongGateway, t.Order.Gateway, q.Place.Address())
	case !t.Officer.Holds(q.Place.District, q.Place.Town):
		return refuse(notHeld, q.Place.District, q.Place.Town)
	case q.Doors != nil && !slices.Contains(q.Doors, t.Order.Door):
		return refuse(noDoor, t.Order.Door)
	}
	return nil
}

// inTime refuses an order that was surely signed too long ago, or is surely not signed yet. While the
// clock is in doubt it is taken: that shows nothing to anybody.
func inTime(t Taken, q Question) *mandate.Refusal {
	signed := int64(t.Order.Signed)
	switch {
	case q.Now.Lo >= signed+int64(GoodFor/time.Second):
		return refuse(old, day(t.Order.Signed))
	case q.Now.Hi < signed-early:
		return refuse(notYet, day(t.Order.Signed))
	}
	return nil
}

// Room refuses the order of an officer who has too many holds here, or where there is no place for another.
func (b *Book) Room(officer mandates.Certificate) *mandate.Refusal {
	held, full := b.full(wire.IDOf(officer.Public[:]))
	return RoomFor(held, PerOfficer, full)
}

// Enrolled refuses the order of an officer who is not on the registry's list, or was revoked there: a gateway
// without network can't know.
func Enrolled(is bool) *mandate.Refusal {
	if is {
		return nil
	}
	return refuse(revoked)
}

// RoomFor refuses another hold where an officer has as many as one may have, or there is no place.
func RoomFor(held, most int, full bool) *mandate.Refusal {
	switch {
	case held >= most:
		return refuse(tooMany, number(held))
	case full:
		return refuse(noRoom)
	}
	return nil
}
