package uplink

import (
	"errors"

	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// reasonOf names why a message was refused.
func reasonOf(err error) wire.Reason {
	for _, c := range [...]struct {
		err    error
		reason wire.Reason
	}{
		{wire.ErrTooLarge, wire.ReasonTooLarge}, {wire.ErrWrongAddress, wire.ReasonMisaddressed},
		{wire.ErrUnknownKey, wire.ReasonBadSignature}, {wire.ErrBadSignature, wire.ReasonBadSignature},
		{wire.ErrWrongRole, wire.ReasonBadSignature}, {wire.ErrWrongType, wire.ReasonMalformed},
		{wire.ErrWrongVersion, wire.ReasonMalformed}, {wire.ErrMalformed, wire.ReasonMalformed},
		{keyring.ErrSecondNeeded, wire.ReasonSecondNeeded}, {keyring.ErrUnproved, wire.ReasonUnproved}, {keyring.ErrTooFar, wire.ReasonTooFar}, {keys.ErrOtherFloor, wire.ReasonRolledBack}, {keyring.ErrConflict, wire.ReasonRolledBack}, {keyring.ErrRolledBack, wire.ReasonRolledBack}, {errFarTime, wire.ReasonClockLeapt},
	} {
		if errors.Is(err, c.err) {
			return c.reason
		}
	}
	return wire.ReasonListRefused
}
