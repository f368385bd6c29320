package issue

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// SetClock signs the time and hands it in, for a nonce of the daemon's. It is good
// once, and at this gateway alone.
func (i Issuer) SetClock(ctx context.Context, at time.Time) (control.Clock, error) {
	ask, err := i.Client.AskClock(ctx)
	if err != nil {
		return control.Clock{}, err
	}
	payload := binary.BigEndian.AppendUint64(ask.Nonce, uint64(at.Unix()))
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeClock, Role: wire.RoleIssuer, Address: ask.Building}, payload, i.Key)
	if err != nil {
		return control.Clock{}, fmt.Errorf("sign the time: %w", err)
	}
	return i.Client.SetClock(ctx, control.SignedClock{Envelope: envelope})
}
