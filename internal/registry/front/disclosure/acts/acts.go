// Package acts keeps what the front did under mandates in a ledger outside its database: answers and their later
// parts, papers that withdraw a mandate, emergencies with a second authority's word, refusals, and of which mandates
// people were told. A copy of the database that is put back gets from it what it lacks, before anybody is served: no
// mandate has more answers than it allows, and no answer was given that stands nowhere.
//
// It refuses to store an act that is not on disk in the ledger first, and to pass over a line that it can't read.
package acts

import (
	"encoding/json"
	"fmt"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// Act is one line of the ledger; one field besides Number is set.
type Act struct {
	Number    uint64     `json:"number"` // of the line, from 1
	Answer    *Answer    `json:"answer,omitempty"`
	Emergency *Emergency `json:"emergency,omitempty"`
	Validated *Validated `json:"validated,omitempty"`
	Told      *Told      `json:"told,omitempty"`
	Refused   *Refused   `json:"refused,omitempty"`
	Lost      bool       `json:"lost,omitempty"` // the lines before were lost
}

// Answer is an answer or a later part of one; with no place it is the paper that withdrew a mandate.
type Answer struct {
	Place     api.Place       `json:"place,omitzero"`
	Reference wire.ID         `json:"reference"` // of the mandate
	Number    int             `json:"number,omitempty"`
	Part      int             `json:"part,omitempty"` // 0: as it was first given
	At        time.Time       `json:"at"`
	Uncertain bool            `json:"uncertain,omitempty"`
	Mandate   []byte          `json:"mandate"` // envelope
	Plan      json.RawMessage `json:"plan"`    // what it is made of, as json.Marshal writes it
}

// Emergency is an answer after which a second authority's word is owed.
type Emergency struct {
	Place     api.Place  `json:"place"`
	Mandate   wire.Hash  `json:"mandate"` // SHA-256 of its envelope
	Reference wire.ID    `json:"reference"`
	Number    int        `json:"number"`
	Approver  wire.KeyID `json:"approver"`
	Seat      string     `json:"seat"` // of the approver at that time
	At        time.Time  `json:"at"`
}

// Validated is a second authority's word on an emergency.
type Validated struct {
	Mandate    wire.Hash `json:"mandate"`
	Validation []byte    `json:"validation"` // envelope
}

// Told says that the people were told whom a mandate asked about.
type Told struct {
	Reference wire.ID   `json:"reference"`
	At        time.Time `json:"at"`
	Teller    string    `json:"teller"` // who said so
}

// Refused is a mandate that was refused.
type Refused struct {
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"` // code
	District string    `json:"district,omitempty"`
	Town     string    `json:"town,omitempty"`
}

// store stores an act in the database, also one of a gateway that a copy of it does not know yet.
func (a Act) store(tx *store.Tx) error {
	switch {
	case a.Answer != nil:
		return a.Answer.store(tx)
	case a.Emergency != nil:
		e := a.Emergency
		id, _, err := tx.Gateway(wire.Place(e.Place))
		if err != nil {
			return err
		}
		return tx.Emergencies.Add(store.Emergency{Mandate: e.Mandate, Reference: e.Reference, Gateway: id, Number: e.Number, Approver: e.Approver, Seat: e.Seat, At: e.At})
	case a.Validated != nil:
		return tx.Emergencies.Validate(a.Validated.Mandate, a.Validated.Validation)
	case a.Told != nil:
		return tx.Tellings.Add(a.Told.Reference, store.Told{At: a.Told.At, Teller: a.Told.Teller})
	case a.Refused != nil:
		r := a.Refused
		return tx.Refusals.Add(store.Refusal{At: r.At, Reason: r.Reason, District: r.District, Town: r.Town})
	}
	return fmt.Errorf("line %d says nothing that this program knows", a.Number)
}

func (a *Answer) store(tx *store.Tx) (err error) {
	row := store.Disclosure{Reference: a.Reference, Number: a.Number, Part: a.Part, At: a.At, Uncertain: a.Uncertain, Mandate: a.Mandate, Plan: a.Plan}
	if a.Place != (api.Place{}) {
		if row.Gateway, _, err = tx.Gateway(wire.Place(a.Place)); err != nil {
			return err
		}
	}
	if a.Part > 0 {
		return tx.Disclosures.Supplement(row)
	}
	return tx.Disclosures.Add(row)
}
