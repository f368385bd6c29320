package uplink

import (
	"errors"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// trust takes the root's document; house takes an issuer's. The keyring judges
// and keeps them.
func (a *actor) trust(envelope []byte) error {
	version := func() uint64 { return a.o.Keyring.Registry().Trust.Version }
	before := version()
	err := a.document(wire.TypeTrust, version, a.o.Keyring.SetTrust, envelope)
	if version() != before { // answers that were refused may have been signed by a key that is trusted now
		a.spoken = 0
		a.greetAgain(time.Now())
	}
	return err
}

func (a *actor) house(envelope []byte) error {
	before := a.o.Keyring.Registry().House
	version := func() uint64 { return a.o.Keyring.Registry().House.Version }
	err := a.document(wire.TypeHouse, version, a.o.Keyring.SetHouse, envelope)
	a.newcomers.turn(before, a.o.Keyring.Registry().House, time.Now())
	if err == nil {
		a.siblings.soon(time.Now()) // there may be a new sibling
	}
	return err
}

// undo takes back a time that was signed, where two issuers say so. The next hello
// shows the registry that it is gone.
func (a *actor) undo(envelope []byte) error {
	floor, err := a.o.Keyring.Undo(envelope)
	if err != nil {
		return err
	}
	a.o.Log.Warn().Str("role", string(floor.Role)).Uint64("epoch", floor.Epoch).Uint32("unix", floor.Unix).Msg("two issuers have taken back a time that was signed")
	a.o.Journal.Queue(wire.Header{Kind: wire.KindAuthority, Outcome: wire.OutcomeDone, Source: wire.TypeUndo, Count: floor.Undos + 1}, wire.Who{})
	if a.o.TakeBack != nil {
		a.o.TakeBack(floor)
	}
	a.greetDue = time.Now()
	return nil
}

func (a *actor) document(kind string, version func() uint64, set func([]byte) error, envelope []byte) error {
	before := version()
	err := set(envelope)
	if v := version(); v != before {
		a.o.Log.Info().Str("document", kind).Uint64("version", v).Msg("in force")
		a.o.Journal.Queue(wire.Header{Kind: wire.KindAuthority, Outcome: wire.OutcomeDone, Source: kind, Count: v}, wire.Who{})
		a.fetchSoon(time.Now())
	}
	return withoutDisk(a.o.Log, err)
}

// withoutDisk logs that something is in force and on no disk: that is no
// refusal.
func withoutDisk(log zerolog.Logger, err error) error {
	if errors.Is(err, keyring.ErrNotDurable) {
		log.Error().Err(err).Msg("in force until the next start")
		return nil
	}
	return err
}
