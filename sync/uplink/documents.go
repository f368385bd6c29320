package uplink

import (
	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
)

// documents handles the documents of root and issuers. The keyring judges and keeps them.
type documents struct {
	keyring Keyring
	log     zerolog.Logger
}

// set hands the root's or an issuer's document to the keyring, and returns the entries to be
// recorded. No entries: the active document has not changed, whatever the error says.
func (d *documents) set(kind string, envelope []byte) (acts []wire.Header, err error) {
	set, before := d.keyring.SetTrust, d.version(kind)
	if kind == wire.TypeHouse {
		set = d.keyring.SetHouse
	}
	err = set(envelope)
	if v := d.version(kind); v != before {
		d.log.Info().Str("document", kind).Uint64("version", v).Msg("active")
		acts = []wire.Header{{Kind: wire.KindAuthority, Outcome: wire.OutcomeDone, Source: kind, Count: v}}
	}
	return acts, withoutDisk(d.log, err)
}

func (d *documents) version(kind string) uint64 {
	if kind == wire.TypeHouse {
		return d.keyring.House().Version
	}
	return d.keyring.Trust().Version
}

// undo takes back a signed time that two issuers have revoked.
func (d *documents) undo(envelope []byte) (wire.Floor, []wire.Header, error) {
	floor, err := d.keyring.Undo(envelope)
	if err != nil {
		return floor, nil, err
	}
	d.log.Warn().Str("role", string(floor.Role)).Uint64("epoch", floor.Epoch).Uint32("unix", floor.Unix).Msg("two issuers have taken back a time that was signed")
	return floor, []wire.Header{{Kind: wire.KindAuthority, Outcome: wire.OutcomeDone, Source: wire.TypeUndo, Count: floor.Undos + 1}}, nil
}
