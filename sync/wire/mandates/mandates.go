// Package mandates has the bytes of a mandate: the paper that allows a query of a building's log,
// signed by an approver. It judges form alone; package mandate of internal judges whether a query
// may be answered. A mandate names no person: officers are badge numbers and keys. Its functions are
// safe for concurrent use.
package mandates

import (
	"bytes"
	"cmp"
	"crypto"
	"fmt"
	"slices"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Type is the type of a mandate's envelope: role approver, address: the registry whose trust
// document names the approver.
const Type = "mandate"

// Status is what the approver says of the mandate. Whether it is expired or used up follows from
// the clock and from what was answered, and is never written.
type Status uint8

const (
	Active    Status = 1
	Withdrawn Status = 2 // StatusReason says why
)

// String returns its stable name.
func (s Status) String() string {
	return map[Status]string{Active: "active", Withdrawn: "withdrawn"}[s]
}

// EvidenceFile is the one format of an answer: a zip that anybody can check.
const EvidenceFile = 1

// Bounds of a mandate's lists.
const (
	MaxGateways = 64
	MaxSubjects = 32 // flats, and cards, and tenancies
	maxKEM      = 4096
)

// Mandate is the payload.
type Mandate struct {
	Reference    wire.ID  `cbor:"1,keyasint"` // random; answers are counted by it
	Status       Status   `cbor:"2,keyasint"`
	StatusReason string   `cbor:"3,keyasint"` // of a withdrawn one; else empty
	Request      Request  `cbor:"4,keyasint"`
	Delivery     Delivery `cbor:"5,keyasint"`
	Approval     Approval `cbor:"6,keyasint"`
	Issued       uint32   `cbor:"7,keyasint"`  // unix s: good from then
	Expires      uint32   `cbor:"8,keyasint"`  // unix s, exclusive
	Answers      uint8    `cbor:"9,keyasint"`  // that each of the gateways may give; at least 1
	Emergency    bool     `cbor:"10,keyasint"` // a second authority validates it later
	// Telling stands in mandates of version 2; nil: the mandate is of version 1, which says nothing of it.
	Telling *Telling `cbor:"11,keyasint,omitempty"`
}

// Newest is the version of the envelope of a mandate that has all fields.
const Newest = 2

// Version returns that of a mandate's envelope.
func (m Mandate) Version() uint64 {
	if m.Telling == nil {
		return 1
	}
	return Newest
}

// Telling says from when on whoever is asked about may be told of it, or why never.
type Telling struct {
	_     struct{} `cbor:",toarray"`
	From  uint32   // unix s; 0: never
	Basis string   // the law that says never; else empty
}

// Request is what is asked for: all passages of the doors in the span, or only those of the subjects.
type Request struct {
	District  string              `cbor:"1,keyasint"`
	Town      string              `cbor:"2,keyasint"`
	Building  string              `cbor:"3,keyasint"`
	Gateways  []Gateway           `cbor:"4,keyasint"` // by id, ascending
	Flats     []string            `cbor:"5,keyasint"`
	Cards     []wire.CredentialID `cbor:"6,keyasint"`
	Tenancies []wire.ID           `cbor:"7,keyasint"`
	InHand    bool                `cbor:"8,keyasint"` // the card that the officer holds to a reader there: a found one
	From      uint32              `cbor:"9,keyasint"` // unix s
	Until     uint32              `cbor:"10,keyasint"`
}

// Gateway is one gateway of the building with its doors, ascending.
type Gateway struct {
	_     struct{} `cbor:",toarray"`
	ID    string
	Doors []string
}

// Delivery says who can read the answer.
type Delivery struct {
	Recipient []byte `cbor:"1,keyasint"` // HPKE public key; empty: missing
	Format    uint8  `cbor:"2,keyasint"`
}

// Approval says who asks, why, and who allowed it.
type Approval struct {
	Issuing    Authority  `cbor:"1,keyasint"`
	Validating Authority  `cbor:"2,keyasint"` // empty only in an emergency
	Officers   [2]Officer `cbor:"3,keyasint"`
	Purpose    string     `cbor:"4,keyasint"`
	Case       string     `cbor:"5,keyasint"` // number
	Notice     string     `cbor:"6,keyasint"` // number of the paper
}

// Authority is a public body with the number of its file.
type Authority struct {
	_    struct{} `cbor:",toarray"`
	Name string
	File string
}

// Officer is one of the two who ask.
type Officer struct {
	_     struct{} `cbor:",toarray"`
	Unit  string
	Badge string
	Key   wire.KeyID // of the officer's enrolled signing key; zeros: missing
}

// Doors returns the doors that are asked for at a gateway; nil: it is not named.
func (r Request) Doors(gateway string) []string {
	i := slices.IndexFunc(r.Gateways, func(g Gateway) bool { return g.ID == gateway })
	if i < 0 {
		return nil
	}
	return r.Gateways[i].Doors
}

// Named reports whether the request is for subjects, and not for everybody who passed.
func (r Request) Named() bool {
	return len(r.Flats)+len(r.Cards)+len(r.Tenancies) > 0 || r.InHand
}

// Encode returns the one encoding. An error wraps wire.ErrMalformed.
func Encode(m Mandate) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("encode mandate: %w", err)
	}
	return canonical.Marshal(m)
}

// Decode reads what Encode makes, and nothing else.
func Decode(payload []byte) (m Mandate, err error) {
	if err = canonical.Decode("mandate", payload, &m); err == nil {
		err = m.check()
	}
	if err != nil {
		return Mandate{}, fmt.Errorf("decode mandate: %w", err)
	}
	return m, nil
}

// Sign returns the envelope for a registry.
func Sign(m Mandate, registry string, key crypto.Signer) ([]byte, error) {
	payload, err := Encode(m)
	if err != nil {
		return nil, err
	}
	return wire.Sign(wire.Protected{Type: Type, Role: wire.RoleApprover, Address: registry, Version: m.Version()}, payload, key)
}

func (m Mandate) check() error {
	switch {
	case m.Reference == wire.ID{}:
		return fmt.Errorf("%w: no reference", wire.ErrMalformed)
	case m.Status != Active && m.Status != Withdrawn, (m.Status == Withdrawn) != (m.StatusReason != ""), !text(m.StatusReason):
		return fmt.Errorf("%w: status %d, its reason", wire.ErrMalformed, m.Status)
	case m.Issued == 0 || m.Expires <= m.Issued || m.Answers == 0:
		return fmt.Errorf("%w: good from %d to %d for %d answers", wire.ErrMalformed, m.Issued, m.Expires, m.Answers)
	case len(m.Delivery.Recipient) > maxKEM || m.Delivery.Format != EvidenceFile:
		return fmt.Errorf("%w: recipient's key of %d bytes, format %d", wire.ErrMalformed, len(m.Delivery.Recipient), m.Delivery.Format)
	case m.Telling != nil && ((m.Telling.From == 0) != (m.Telling.Basis != "") || !text(m.Telling.Basis)):
		return fmt.Errorf("%w: it says from when who is asked about may be told, or by which law never, of the two one", wire.ErrMalformed)
	}
	return cmp.Or(m.Request.check(), m.Approval.check())
}

func (r Request) check() error {
	if !wire.ValidName(r.District, false) || !wire.ValidName(r.Town, false) || !wire.ValidName(r.Building, false) {
		return fmt.Errorf("%w: district, town and building must be [a-z0-9-]{1,32}", wire.ErrMalformed)
	}
	if r.From == 0 || r.Until <= r.From {
		return fmt.Errorf("%w: a span from %d to %d", wire.ErrMalformed, r.From, r.Until)
	}
	return cmp.Or(r.checkGateways(), r.checkSubjects())
}

func (r Request) checkGateways() error {
	if len(r.Gateways) > MaxGateways {
		return fmt.Errorf("%w: %d gateways, at most %d", wire.ErrMalformed, len(r.Gateways), MaxGateways)
	}
	for i, g := range r.Gateways {
		if !wire.ValidName(g.ID, false) || i > 0 && r.Gateways[i-1].ID >= g.ID || len(g.Doors) == 0 || len(g.Doors) > MaxGateways ||
			!rising(g.Doors, cmp.Compare) || slices.ContainsFunc(g.Doors, func(d string) bool { return !wire.ValidName(d, false) }) {
			return fmt.Errorf("%w: gateway %d of the request, or its doors", wire.ErrMalformed, i)
		}
	}
	return nil
}

func (r Request) checkSubjects() error {
	if max(len(r.Flats), len(r.Cards), len(r.Tenancies)) > MaxSubjects {
		return fmt.Errorf("%w: more than %d flats, cards or tenancies", wire.ErrMalformed, MaxSubjects)
	}
	if slices.ContainsFunc(r.Flats, func(f string) bool { return !wire.ValidText(f) }) || !rising(r.Flats, cmp.Compare) ||
		!rising(r.Cards, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) }) ||
		!rising(r.Tenancies, func(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) }) {
		return fmt.Errorf("%w: flats, cards or tenancies not in ascending order, each once", wire.ErrMalformed)
	}
	return nil
}

func (a Approval) check() error {
	for _, s := range []string{a.Issuing.Name, a.Issuing.File, a.Validating.Name, a.Validating.File, a.Purpose, a.Case, a.Notice,
		a.Officers[0].Unit, a.Officers[0].Badge, a.Officers[1].Unit, a.Officers[1].Badge} {
		if !text(s) {
			return fmt.Errorf("%w: a text of the approval that can't be printed, or is too long", wire.ErrMalformed)
		}
	}
	return nil
}

// text takes what is missing, too: what must be there is for the judge.
func text(s string) bool { return s == "" || wire.ValidText(s) }

func rising[T any](all []T, compare func(a, b T) int) bool {
	for i := range all[min(1, len(all)):] {
		if compare(all[i], all[i+1]) >= 0 {
			return false
		}
	}
	return true
}
