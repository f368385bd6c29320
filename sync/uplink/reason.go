package uplink

import (
	"errors"

	"gatehouse/sync/wire"
)

func reasonOf(err error) wire.Reason {
	for _, c := range [...]struct {
		err    error
		reason wire.Reason
	}{
		{wire.ErrTooLarge, wire.ReasonTooLarge}, {wire.ErrWrongAddress, wire.ReasonMisaddressed},
		{wire.ErrUnknownKey, wire.ReasonBadSignature}, {wire.ErrBadSignature, wire.ReasonBadSignature},
		{wire.ErrWrongRole, wire.ReasonBadSignature}, {wire.ErrWrongType, wire.ReasonMalformed},
		{wire.ErrWrongVersion, wire.ReasonMalformed}, {wire.ErrMalformed, wire.ReasonMalformed},
		{errFarTime, wire.ReasonClockLeapt},
	} {
		if errors.Is(err, c.err) {
			return c.reason
		}
	}
	if j, ok := errors.AsType[*Judged](err); ok && j.Reason != wire.ReasonNone {
		return j.Reason
	}
	return wire.ReasonListRefused
}
