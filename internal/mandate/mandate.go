// Package mandate judges the paper that allows a query of a building's log: whether an approver whom
// the root certified has signed it, whether this gateway may answer it now, and whose entries it asks for. It
// is pure: no clock, no file, no log, no store. It refuses what is wider than a case needs, and each refusal says why,
// by which rule, and what to do, in Chinese and English. Its functions are safe for concurrent use.
package mandate

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// Mandate is what an approver has signed: package mandates has its bytes.
type Mandate = mandates.Mandate

// Question is what is known where a mandate is shown.
type Question struct {
	Place wire.Place         // of the gateway whose log is asked for
	Now   trueclock.Interval // Lo to Hi
	Used  int                // answers that this gateway has given under the mandate's reference
}

// Use allows one answer.
type Use struct {
	Mandate  Mandate
	Approver approver.Approver
	Sum      wire.Hash // SHA-256 of the envelope
	Doors    []string  // of this gateway
	Number   int       // of the answer, from 1
	// Uncertain: the clock can't tell whether the mandate is valid now. The audit entry and the answer say so.
	Uncertain bool
}

// Open returns the mandate of an envelope if an approver of the trust document has signed it for that
// registry. Nothing else of it is judged: whether it may be answered is for Judge.
func Open(envelope []byte, trust wire.Trust) (Mandate, *Refusal) {
	m, _, refusal := open(envelope, trust)
	return m, refusal
}

func open(envelope []byte, trust wire.Trust) (Mandate, approver.Approver, *Refusal) {
	keys := make([]wire.Key, len(trust.Approvers))
	for i, a := range trust.Approvers {
		keys[i] = wire.Key{Role: wire.RoleApprover, Public: a.Public[:]}
	}
	payload, p, err := wire.Open(envelope, wire.Expect{Type: mandates.Type, Role: wire.RoleApprover, Address: trust.Registry, Newest: mandates.Newest}, keys)
	switch {
	case errors.Is(err, wire.ErrUnknownKey):
		return Mandate{}, approver.Approver{}, refuse(UnknownApprover)
	case errors.Is(err, wire.ErrWrongAddress):
		return Mandate{}, approver.Approver{}, refuse(OtherRegistry, p.Address, trust.Registry)
	case errors.Is(err, wire.ErrWrongVersion):
		return Mandate{}, approver.Approver{}, refuse(Malformed)
	case err != nil:
		return Mandate{}, approver.Approver{}, refuse(Unsigned)
	}
	m, err := mandates.Decode(payload)
	if err != nil || p.Version != m.Version() {
		return Mandate{}, approver.Approver{}, refuse(Malformed)
	}
	by := trust.Approvers[slices.IndexFunc(keys, func(k wire.Key) bool { return wire.IDOf(k.Public) == p.KeyID })]
	return m, by, nil
}

// Held opens a mandate as Open does, and refuses it where it is not for the building of a place, or its approver does not
// hold that: of those who hold it there are few, and of what anybody else signs there may be any number.
func Held(envelope []byte, trust wire.Trust, at wire.Place) (Mandate, *Refusal) {
	m, by, refusal := open(envelope, trust)
	r := m.Request
	if refusal == nil && (!by.Holds(at.District, at.Town) || r.District != at.District || r.Town != at.Town || r.Building != at.Building) {
		refusal = cmp.Or(Examine(m, by), meant(r, at))
	}
	return m, refusal
}

// Judge says whether the gateway of the question may answer once under a mandate. The caller counts
// the use, durably, before it answers.
func Judge(envelope []byte, trust wire.Trust, q Question) (Use, *Refusal) {
	m, by, refusal := open(envelope, trust)
	if refusal != nil {
		return Use{}, refusal
	}
	if refusal := Examine(m, by); refusal != nil {
		return Use{}, refusal
	}
	if refusal := meant(m.Request, q.Place); refusal != nil {
		return Use{}, refusal
	}
	uncertain, refusal := validNow(m, q)
	if refusal != nil {
		return Use{}, refusal
	}
	return Use{Mandate: m, Approver: by, Sum: sha256.Sum256(envelope), Doors: m.Request.Doors(q.Place.Gateway), Number: q.Used + 1, Uncertain: uncertain}, nil
}

// Examine judges what does not depend on when and where the mandate is shown. An approver asks it
// before signing; where there is no trust document, by names the approver's key alone.
func Examine(m Mandate, by approver.Approver) *Refusal {
	if m.Status == mandates.Withdrawn {
		return refuse(Withdrawn, m.StatusReason)
	}
	if missing := incomplete(m); missing != "" {
		return refuse(Incomplete, missing)
	}
	if refusal := officer(m, wire.IDOf(by.Public[:])); refusal != nil {
		return refusal
	}
	if m.Approval.Officers[0].Key == m.Approval.Officers[1].Key {
		return refuse(OneOfficer)
	}
	if sealing.CheckPublic(m.Delivery.Recipient) != nil {
		return refuse(NoRecipient)
	}
	if r := m.Request; by.District != "" && !by.Holds(r.District, r.Town) {
		return refuse(NotHeld, r.Building, r.District, r.Town)
	}
	return cmp.Or(width(m), telling(m))
}

// officer refuses an approver who is one of those who ask.
func officer(m Mandate, by wire.KeyID) *Refusal {
	for _, o := range m.Approval.Officers {
		if o.Key == by {
			return refuse(ApproverIsOfficer)
		}
	}
	return nil
}

// incomplete names the fields that the paper needs and does not have.
func incomplete(m Mandate) string {
	a := m.Approval
	fields := []struct{ name, value string }{
		{"case", a.Case}, {"notice", a.Notice}, {"purpose", a.Purpose}, {"issuing.name", a.Issuing.Name}, {"issuing.file", a.Issuing.File},
		{"officers.unit", a.Officers[0].Unit}, {"officers.badge", a.Officers[0].Badge},
		{"officers.unit", a.Officers[1].Unit}, {"officers.badge", a.Officers[1].Badge},
	}
	if !m.Emergency {
		fields = append(fields, []struct{ name, value string }{{"validating.name", a.Validating.Name}, {"validating.file", a.Validating.File}}...)
	}
	var missing []string
	for _, f := range fields {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if a.Officers[0].Key == (wire.KeyID{}) || a.Officers[1].Key == (wire.KeyID{}) {
		missing = append(missing, "officers.key")
	}
	return strings.Join(slices.Compact(missing), ", ")
}

// meant refuses a mandate that is for another building or gateway. The building's own place is what
// the gateway knows of itself, so that no approver widens a district by what the paper says.
func meant(r mandates.Request, at wire.Place) *Refusal {
	if r.District != at.District || r.Town != at.Town || r.Building != at.Building {
		return refuse(WrongBuilding, r.District+"/"+r.Town+"/"+r.Building, at.District+"/"+at.Town+"/"+at.Building)
	}
	if r.Doors(at.Gateway) == nil {
		return refuse(WrongGateway, at.Gateway)
	}
	return nil
}

// Ended refuses a mandate that is not good any more at a time in Unix seconds.
func Ended(m Mandate, now int64) *Refusal {
	if int64(m.Expires) <= now {
		return refuse(Expired, day(m.Expires))
	}
	return nil
}

// TakenBack is the refusal of a mandate whose withdrawal was shown before; now: what else there is against it, nil: nothing.
func TakenBack(now *Refusal) *Refusal {
	if now != nil && now.Code == Withdrawn {
		return now
	}
	return refuse(Withdrawn, "此前已出示撤回书 the withdrawal was shown before")
}

// validNow judges time and use. The clock may be uncertain: then the gateway answers once, and says so.
func validNow(m Mandate, q Question) (uncertain bool, refusal *Refusal) {
	issued, expires := int64(m.Issued), int64(m.Expires)
	if refusal := Ended(m, q.Now.Lo); refusal != nil {
		return false, refusal
	}
	switch {
	case q.Now.Hi < issued:
		return false, refuse(NotYet, day(m.Issued))
	case q.Used >= int(m.Answers):
		return false, refuse(UsedUp, number(int64(m.Answers)))
	}
	uncertain = q.Now.Lo < issued || q.Now.Hi >= expires
	if uncertain && q.Used > 0 {
		return false, refuse(UncertainClock)
	}
	return uncertain, nil
}

// Certified returns the approver of the trust document whose key it is.
func Certified(trust wire.Trust, public ed25519.PublicKey) (approver.Approver, *Refusal) {
	i := slices.IndexFunc(trust.Approvers, func(a approver.Approver) bool { return bytes.Equal(a.Public[:], public) })
	if i < 0 {
		return approver.Approver{}, refuse(UnknownApprover)
	}
	return trust.Approvers[i], nil
}
