package keyring

import "gatehouse/sync/wire"

// OpenPass returns the pass that a scanned text holds, if one of the issuers in
// force signed it for this building: those that the newest trust document names,
// so that a key that the root has taken back opens nothing from then on; in a
// house by itself those that were pinned by hand. It needs no network, no lock
// and no clock. Errors are those of wire.OpenPass.
func (k *Keyring) OpenPass(text string) (wire.Pass, error) {
	return wire.OpenPass(text, k.opts.Building, k.issuers())
}

// OpenClock returns what an issuer has signed as the time, for this building. The
// errors are those of wire.Open.
func (k *Keyring) OpenClock(envelope []byte) ([]byte, error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeClock, Role: wire.RoleIssuer, Address: k.opts.Building}, k.issuers())
	return payload, err
}
