package wire

import (
	"bytes"
	"cmp"
	"fmt"
)

// Register is an LWW register (last writer wins) of a list of LogFormat: what it says besides its
// rows, the newest state of a notice, that a card proves its tenant, or that the registry has suspended it. It is a
// Change that a gateway may have missed, or one that the registry made; the notice and
// the objection to it are two registers.
type Register struct {
	_       struct{}       `cbor:",toarray"`
	Grant   ID             // that rows name
	Op      Op             // OpBind, OpSuspend, OpNotice, OpDispute or OpWithdraw
	Proof   Proof          // ProofRegistry: it decides on all that was said at the building through At
	At      uint32         // unix s, as the change has it
	Tenancy ID             // that of the grant
	Until   uint32         // of OpNotice: when it ends, unix s, exclusive; else 0
	Cause   Cause          // of OpNotice; else 0
	Cards   []CredentialID // of OpBind, OpSuspend: the forms of one card, ascending; else none
}

// Size is how many bytes a register takes in a manifest, at most.
func (w *Register) Size() int { return 1 + 17 + 1 + 1 + 5 + 17 + 5 + 1 + 1 + 18*len(w.Cards) }

// Compare is the order of registers in a manifest.
func (w *Register) Compare(o *Register) int {
	if c := cmp.Or(bytes.Compare(w.Grant[:], o.Grant[:]), cmp.Compare(w.Op, o.Op), cmp.Compare(w.Proof, o.Proof), cmp.Compare(w.At, o.At)); c != 0 {
		return c
	}
	if len(w.Cards) == 0 || len(o.Cards) == 0 {
		return cmp.Compare(len(w.Cards), len(o.Cards))
	}
	return bytes.Compare(w.Cards[0][:], o.Cards[0][:])
}

// Check refuses what no manifest may hold.
func (w *Register) Check() error {
	ofCard := w.Op == OpBind || w.Op == OpSuspend && w.Proof == ProofRegistry
	switch {
	case !ofCard && (w.Op < OpNotice || w.Op > OpWithdraw):
		return fmt.Errorf("%w: no register of a list: %s", ErrMalformed, w.Op)
	case w.Grant == ID{} || w.Tenancy == ID{} || w.At == 0 || w.Proof < ProofLandlord || w.Proof > ProofTerm:
		return fmt.Errorf("%w: register without grant, tenancy, time or proof", ErrMalformed)
	}
	return cmp.Or(w.checkFields(ofCard), w.checkCards())
}

// checkFields wants of end, cause and cards what the kind of register has.
func (w *Register) checkFields(ofCard bool) error {
	switch {
	case (w.Op == OpNotice) != (w.Until != 0) || (w.Op == OpNotice) != (w.Cause != 0) || w.Cause > CauseMistake:
		return fmt.Errorf("%w: %s with end %d and cause %d", ErrMalformed, w.Op, w.Until, w.Cause)
	case ofCard != (len(w.Cards) > 0) || len(w.Cards) > maxRegisterCards:
		return fmt.Errorf("%w: %s of %d credentials", ErrMalformed, w.Op, len(w.Cards))
	}
	return nil
}

func (w *Register) checkCards() error {
	for i, id := range w.Cards {
		if !id.named() || i > 0 && bytes.Compare(w.Cards[i-1][:], id[:]) >= 0 {
			return fmt.Errorf("%w: credentials of a register out of range or order", ErrMalformed)
		}
	}
	return nil
}

// maxRegisters bounds those of a manifest; maxRegisterCards the forms of a card that one names.
const (
	maxRegisters     = 512
	maxRegisterCards = 16
)

func checkRegisters(registers []Register) error {
	if len(registers) > maxRegisters {
		return fmt.Errorf("%w: %d registers", ErrMalformed, len(registers))
	}
	for i := range registers {
		if err := registers[i].Check(); err != nil {
			return fmt.Errorf("register %d: %w", i, err)
		}
		if i > 0 && registers[i-1].Compare(&registers[i]) >= 0 {
			return fmt.Errorf("register %d: %w: out of order", i, ErrMalformed)
		}
	}
	return nil
}
