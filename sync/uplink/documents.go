package uplink

import (
	"errors"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// trust takes the root's document; house takes an issuer's. The keyring judges
// and keeps them.
func (a *actor) trust(envelope []byte) error {
	version := func() uint64 { return a.o.Keyring.Registry().Trust.Version }
	return a.document(wire.TypeTrust, version, a.o.Keyring.SetTrust, envelope)
}

func (a *actor) house(envelope []byte) error {
	version := func() uint64 { return a.o.Keyring.Registry().House.Version }
	err := a.document(wire.TypeHouse, version, a.o.Keyring.SetHouse, envelope)
	if err == nil {
		a.rollSoon(time.Now()) // there may be a new sibling
	}
	return err
}

func (a *actor) document(kind string, version func() uint64, set func([]byte) error, envelope []byte) error {
	before := version()
	err := set(envelope)
	if v := version(); v != before {
		a.o.Log.Info().Str("document", kind).Uint64("version", v).Msg("in force")
		a.o.Journal.Queue(wire.Header{Kind: wire.KindAuthority, Outcome: wire.OutcomeDone, Source: kind, Count: v}, wire.Who{})
		a.fetchSoon(time.Now())
	}
	return a.withoutDisk(err)
}

// withoutDisk logs that something is in force and on no disk: that is no
// refusal.
func (a *actor) withoutDisk(err error) error {
	if errors.Is(err, keyring.ErrNotDurable) {
		a.o.Log.Error().Err(err).Msg("in force until the next start")
		return nil
	}
	return err
}
