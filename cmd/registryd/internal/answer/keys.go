package answer

import (
	"bytes"
	"context"
	"slices"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Keys reads private records keys from their files. One that no trust document of the registry names is refused: it would
// open nothing, and what it does not open be missing in silence.
func Keys(ctx context.Context, front *api.Client, files ...string) (all [][]byte, err error) {
	known, err := publicRecords(ctx, front)
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		key, err := keys.LoadSealKey(path)
		if err != nil {
			return nil, socket.Hinted("--key names records.key, which registryd init wrote into the offline directory", "%v", err)
		}
		public, err := sealing.PublicOf(key)
		if err != nil || !slices.ContainsFunc(known, func(k []byte) bool { return bytes.Equal(k, public) }) {
			return nil, socket.Hinted("records.key, from the stick of this registry", "%s is no records key that a trust document of this registry names", path)
		}
		all = append(all, key)
	}
	return all, nil
}

// publicRecords returns the records keys of all trust documents.
func publicRecords(ctx context.Context, front *api.Client) (all [][]byte, err error) {
	trusts, err := front.Trusts(ctx)
	for _, envelope := range trusts {
		payload, p, err := wire.Read(envelope)
		if err != nil {
			return nil, err
		}
		t, err := wire.DecodeTrust(p.Version, payload)
		if err != nil {
			return nil, err
		}
		all = append(all, t.Records)
	}
	return all, err
}
