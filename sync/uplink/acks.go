package uplink

import (
	"context"
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// ack takes what the registry has committed. One for an older hello is a true
// word about the past: it may name versions, but moves no cursor, because a
// registry that was set back since would not stand by it.
func (a *actor) ack(ctx context.Context, envelope []byte) error {
	reg := a.o.Keyring.Registry()
	payload, p, err := wire.Open(envelope, wire.Expect{Type: wire.TypeAck, Role: wire.RoleWitness, Address: a.address, Newest: a.o.Formats},
		reg.Trust.Keyset(wire.RoleWitness))
	if err != nil {
		return err
	}
	k, err := wire.DecodeAck(p.Version, payload)
	if err != nil {
		return err
	}
	now := time.Now()
	a.takeTime(k, p.Epoch, now)
	a.newest(k, now)
	if k.Nonce != a.nonce || a.nonce == (wire.Nonce{}) {
		return nil
	}
	if err := a.checkCosignature(k.Ack); err != nil {
		return err
	}
	a.lastAck, a.format, a.spoken = now, p.Version, p.Version
	if a.o.Spread != nil {
		a.o.Spread(time.Duration(k.Spread) * time.Second)
	}
	a.setWindow(k, now)
	a.lending.askedFor(k.Holding, now)
	answer := !a.connection.agrees()
	if answer {
		a.standing(k, now)
	}
	switch n := a.confirmed(k); {
	case answer:
		a.settle(ctx, k, now)
	case n > 0:
		a.advance(n, k, now)
	}
	if a.connection.agrees() { // not before both ends agree on what was: a set-back of the disk shows by the journal first
		if a.deliveries.acked(k, answer, a.spoken > 1) {
			a.progress(changes, now)
		}
	}
	return nil
}

var errCosignature = fmt.Errorf("%w: the witness's cosignature is not over what its ack says", wire.ErrBadSignature)

// checkCosignature is done before anything moves: what the registry is believed to
// have must be what strangers can be shown. An ack without one is the witness's
// word all the same: a registry that was set back, or whose clock was, must not
// cosign before it has caught up with what it cosigned.
func (a *actor) checkCosignature(k wire.Ack) error {
	if k.Cosignature == (wire.Signature{}) {
		return nil
	}
	c := wire.Checkpoint{Address: a.address, Epoch: k.Epoch, Size: k.Next, Root: k.Root}
	for _, w := range a.o.Keyring.Registry().Trust.Keyset(wire.RoleWitness) {
		if c.VerifyCosignature(w.Public, uint64(k.Time), k.Cosignature) {
			return nil
		}
	}
	return errCosignature
}

// setWindow follows the registry's wish: how many batches, or none for a while.
func (a *actor) setWindow(k wire.Ack2, now time.Time) {
	a.window = min(int(k.Window), maxWindow)
	if a.window == 0 {
		a.window = 1
		a.paused = now.Add(max(time.Second, time.Duration(k.RetryAfter)*time.Second))
		a.again = a.paused.Add(firstWait)
	}
}
