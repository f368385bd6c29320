package wire

import (
	"cmp"
	"fmt"
	"slices"
)

// Op is what a tenancy record changes. Numbers are for ever.
type Op uint8

// The changes.
const (
	OpCheckIn  Op = 1 // a grant for a tenancy: credentials, doors, flat, from, until
	OpBind     Op = 2 // credentials join the grant: a replaced card, another reader's form
	OpSuspend  Op = 3 // these credentials of the grant stop opening: a lost card
	OpResume   Op = 4 // they open again: found
	OpEnd      Op = 5 // the grant is over, for good
	OpNotice   Op = 6 // the landlord alone: it will be over at Until
	OpDispute  Op = 7 // the tenant objects: Until of the notice does not count
	OpWithdraw Op = 8 // the notice is taken back
)

// String returns the stable name.
func (o Op) String() string { return name(opNames, uint16(o), "op") }

var opNames = map[uint16]string{1: "check_in", 2: "bind", 3: "suspend", 4: "resume", 5: "end", 6: "notice", 7: "dispute", 8: "withdraw"}

// Proof says on whose word a change rests.
type Proof uint8

const (
	ProofLandlord Proof = 1 // the landlord alone
	ProofCard     Proof = 2 // the tenant's own card was held up
	ProofPIN      Proof = 3 // the tenant's own PIN was entered
	ProofRegistry Proof = 4
	ProofTerm     Proof = 5 // its end had come
)

// String returns the stable name.
func (p Proof) String() string { return name(proofNames, uint16(p), "proof") }

var proofNames = map[uint16]string{1: "landlord", 2: "card", 3: "pin", 4: "registry", 5: "term"}

// Basis is why the data of a person may be kept (PIPL article 13).
type Basis uint8

// The bases.
const (
	BasisContract Basis = 1 // needed for the lease
	BasisDuty     Basis = 2 // registration that the law asks for
	BasisConsent  Basis = 3
)

// String returns the stable name.
func (b Basis) String() string { return name(basisNames, uint16(b), "basis") }

var basisNames = map[uint16]string{1: "contract", 2: "duty", 3: "consent"}

// Cause is why a tenancy ends. The list is closed: arrears of rent and residence
// permits are not in it, because a home's door is no means to collect either.
type Cause uint8

const (
	CauseMovedOut  Cause = 1
	CauseLeaseOver Cause = 2
	CauseAgreed    Cause = 3 // both sides
	CauseNeverCame Cause = 4
	CauseDied      Cause = 5
	CauseOrder     Cause = 6 // a court's or the registry's
	CauseMistake   Cause = 7 // of the desk: wrong flat, wrong card
)

// String returns the stable name.
func (c Cause) String() string { return name(causeNames, uint16(c), "cause") }

var causeNames = map[uint16]string{1: "moved_out", 2: "lease_over", 3: "agreed", 4: "never_came", 5: "died", 6: "order", 7: "mistake"}

// DocumentType of a person.
type DocumentType uint8

const (
	DocumentResidentID DocumentType = 1 // resident identity card, GB 11643 number
	DocumentPassport   DocumentType = 2
	DocumentHongKong   DocumentType = 3 // mainland travel permit for Hong Kong and Macao residents
	DocumentTaiwan     DocumentType = 4 // mainland travel permit for Taiwan residents
	DocumentForeigner  DocumentType = 5 // foreigner's permanent residence card
	DocumentResidence  DocumentType = 6 // residence permit of Hong Kong, Macao and Taiwan residents, GB 11643 number
	DocumentOther      DocumentType = 7 // a soldier's, a birth certificate, a stateless person's: its number has no known rule

	LastDocument = DocumentOther
)

// String returns the stable name.
func (d DocumentType) String() string { return name(documentNames, uint16(d), "document") }

var documentNames = map[uint16]string{1: "resident_id", 2: "passport", 3: "hk_macao_permit", 4: "taiwan_permit", 5: "foreigner_card", 6: "residence_permit", 7: "other"}

// Change is what a tenancy record says, sealed. A check-in opens a grant; the
// others name one.
type Change struct {
	Op          Op             `cbor:"1,keyasint"`
	At          uint32         `cbor:"2,keyasint"` // unix s, by the gateway's clock
	Clock       ClockQuality   `cbor:"3,keyasint,omitempty"`
	Proof       Proof          `cbor:"4,keyasint"`
	Tenancy     ID             `cbor:"5,keyasint"`
	Grant       ID             `cbor:"6,keyasint"`
	Credentials []CredentialID `cbor:"7,keyasint,omitempty"` // of a check-in, bind, suspend, resume
	Kind        GrantKind      `cbor:"8,keyasint,omitempty"` // of a check-in
	Doors       []string       `cbor:"9,keyasint,omitempty"` // of a check-in
	From        uint32         `cbor:"10,keyasint,omitempty"`
	Until       uint32         `cbor:"11,keyasint,omitempty"` // unix s, exclusive; of a check-in (0: no end) and a notice
	Flat        string         `cbor:"12,keyasint,omitempty"` // of a check-in
	Basis       Basis          `cbor:"13,keyasint,omitempty"` // of a check-in
	Informed    bool           `cbor:"14,keyasint,omitempty"` // of a check-in: the person was told what is kept
	Cause       Cause          `cbor:"15,keyasint,omitempty"` // of an end and a notice
	Document    DocumentType   `cbor:"16,keyasint,omitempty"` // of a check-in: which kind was seen; its number is in Person
	Brief       bool           `cbor:"17,keyasint,omitempty"` // of a check-in, to the issuer alone: logs name this tenancy for a shorter time
}

// Person is who lives there; sealed to the records key, known to no gateway. With
// a card that joins later it has the cards alone: no document, number or name.
type Person struct {
	Tenancy  ID           `cbor:"1,keyasint"`
	Document DocumentType `cbor:"2,keyasint"`
	Number   string       `cbor:"3,keyasint"`
	Name     string       `cbor:"4,keyasint"`
	Cards    []RawCard    `cbor:"5,keyasint"` // so that a building key can be replaced without one swipe
}

// RawCard is a card as a reader gave it.
type RawCard struct {
	_    struct{} `cbor:",toarray"`
	Bits uint16
	Data []byte // left-justified, zero-padded
}

// Record is one signed change. The registry and the siblings each get it in
// their own seal.
type Record struct {
	Line   uint64 `cbor:"1,keyasint"` // random: a numbering of this gateway's; a new one after its disk was rolled back
	Number uint64 `cbor:"2,keyasint"` // from 1, without a gap
	ID     ID     `cbor:"3,keyasint"` // of the change: the same in another line is the same change
	House  []byte `cbor:"4,keyasint"` // the Change under a key made of the building key
	Desk   []byte `cbor:"5,keyasint"` // the Change sealed to the issuer's desk key
	Person Hash   `cbor:"6,keyasint"` // SHA-256 of the sealed person; zeros: none
}

func (r Record) check() error {
	const most = 8 << 10
	return malformedIf(r.Line == 0 || r.Number == 0 || r.ID == (ID{}) || len(r.House) == 0 || len(r.House) > most || len(r.Desk) == 0 || len(r.Desk) > most,
		"record without line, number, id or change")
}

func (c Change) check() error {
	switch {
	case changeFields[c.Op] == nil:
		return fmt.Errorf("%w: change %d", ErrMalformed, c.Op)
	case c.At == 0 || c.Clock > ClockRegistry || c.Proof < ProofLandlord || c.Proof > ProofTerm || c.Tenancy == (ID{}) || c.Grant == (ID{}):
		return fmt.Errorf("%w: change without time, clock, proof, tenancy or grant", ErrMalformed)
	}
	if c.Op == OpCheckIn {
		return cmp.Or(c.checkFields(), c.checkIn())
	}
	return cmp.Or(c.checkFields(), c.checkNoCheckIn())
}

// checkFields wants of credentials, cause and end what the kind of change has.
func (c Change) checkFields() error {
	switch fields := changeFields[c.Op]; {
	case fields.cards != (len(c.Credentials) > 0) || len(c.Credentials) > 16:
		return fmt.Errorf("%w: %s with %d credentials", ErrMalformed, c.Op, len(c.Credentials))
	case slices.ContainsFunc(c.Credentials, func(id CredentialID) bool { return !id.named() }):
		return fmt.Errorf("%w: %s with a credential of no key", ErrMalformed, c.Op)
	case fields.cause != (c.Cause != 0) || c.Cause > CauseMistake:
		return fmt.Errorf("%w: %s with cause %d", ErrMalformed, c.Op, c.Cause)
	case fields.until && c.Until == 0 || c.Op != OpCheckIn && !fields.until && c.Until != 0 || c.Until != 0 && c.Until <= c.From:
		return fmt.Errorf("%w: %s with end %d", ErrMalformed, c.Op, c.Until)
	}
	return nil
}

// checkNoCheckIn refuses the fields of a check-in.
func (c Change) checkNoCheckIn() error {
	return malformedIf(c.Kind != 0 || len(c.Doors) > 0 || c.From != 0 || c.Flat != "" || c.Basis != 0 || c.Informed || c.Document != 0 || c.Brief,
		"%s with fields of a check-in", c.Op)
}

// changeFields says what each change has besides the common part.
var changeFields = map[Op]*struct{ cards, cause, until bool }{
	OpCheckIn: {cards: true}, OpBind: {cards: true}, OpSuspend: {cards: true}, OpResume: {cards: true},
	OpEnd: {cause: true}, OpNotice: {cause: true, until: true}, OpDispute: {}, OpWithdraw: {},
}

func (c Change) checkIn() error {
	switch {
	case c.Kind < GrantResident || c.Kind > GrantBrigade:
		return fmt.Errorf("%w: kind %d", ErrMalformed, c.Kind)
	case len(c.Doors) == 0 || len(c.Doors) > maxDoors:
		return fmt.Errorf("%w: %d doors", ErrMalformed, len(c.Doors))
	case !ValidText(c.Flat):
		return fmt.Errorf("%w: flat of %d bytes", ErrMalformed, len(c.Flat))
	case c.Basis < BasisContract || c.Basis > BasisConsent:
		return fmt.Errorf("%w: basis %d", ErrMalformed, c.Basis)
	case c.Document < DocumentResidentID || c.Document > LastDocument:
		return fmt.Errorf("%w: document %d", ErrMalformed, c.Document)
	}
	return checkDoors(c.Doors)
}

func (p Person) check() error {
	named := p.Document != 0 || p.Number != "" || p.Name != ""
	switch {
	case p.Tenancy == (ID{}) || p.Document > LastDocument || !named && len(p.Cards) == 0:
		return fmt.Errorf("%w: person without tenancy, or with nothing to say", ErrMalformed)
	case named && (p.Document == 0 || p.Number == "" || len(p.Number) > maxText || p.Name == "" || len(p.Name) > 8*maxText):
		return fmt.Errorf("%w: person without document, number or name", ErrMalformed)
	}
	return p.checkCards()
}

func (p Person) checkCards() error {
	for _, c := range p.Cards {
		if c.Bits == 0 || len(c.Data) != (int(c.Bits)+7)/8 {
			return fmt.Errorf("%w: card of %d bits in %d bytes", ErrMalformed, c.Bits, len(c.Data))
		}
	}
	return nil
}
