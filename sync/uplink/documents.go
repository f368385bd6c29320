package uplink

import (
	"time"

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
	return err
}
