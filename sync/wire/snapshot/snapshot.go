// Package snapshot has the message by which a gateway hands its backup to its registry, and
// the proof by which the machine in its place gets it back. Its functions are safe for
// concurrent use.
package snapshot

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// Most bounds a snapshot, in bytes: a house of some fifty thousand cards.
const Most = 4 << 20

// Snapshot is what a gateway says of its backup, which travels beside it: sealed under the
// recovery code, so that a registry can keep it and not read it.
type Snapshot struct {
	Sum  wire.Hash `cbor:"1,keyasint"` // SHA-256 of the backup
	Size uint32    `cbor:"2,keyasint"` // of it, bytes: 1 to Most
	Made uint32    `cbor:"3,keyasint"` // unix s, by the gateway's clock
}

// Of is what is said of a backup that was made at a time, unix s.
func Of(data []byte, made int64) Snapshot {
	return Snapshot{Sum: sha256.Sum256(data), Size: uint32(min(len(data), Most+1)), Made: uint32(min(max(made, 1), 1<<32-1))}
}

func (s Snapshot) check() error {
	if s.Size == 0 || s.Size > Most || s.Made == 0 {
		return fmt.Errorf("%w: a snapshot of %d bytes, at most %d, made at %d", wire.ErrMalformed, s.Size, Most, s.Made)
	}
	return nil
}

// Is says whether these bytes are the backup of which it is said.
func (s Snapshot) Is(data []byte) bool {
	return len(data) == int(s.Size) && sha256.Sum256(data) == s.Sum
}

// Sign returns the envelope, of the gateway at an address (building/gateway). It refuses a
// backup that is larger than Most.
func (s Snapshot) Sign(address string, key ed25519.PrivateKey) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("sign snapshot: %w", err)
	}
	payload, err := canonical.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("sign snapshot: %w", err)
	}
	return wire.Sign(wire.Protected{Type: wire.TypeSnapshot, Role: wire.RoleGateway, Address: address}, payload, key)
}

// Open returns what an envelope says, if the gateway at that address has signed it with one
// of the keys. Errors are those of wire.Open and wire.Decode.
func Open(envelope []byte, address string, keys ...wire.Key) (s Snapshot, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeSnapshot, Role: wire.RoleGateway, Address: address}, keys)
	if err != nil {
		return s, fmt.Errorf("open snapshot: %w", err)
	}
	if err = canonical.Decode("snapshot.Snapshot", payload, &s); err == nil {
		err = s.check()
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("open snapshot: %w", err)
	}
	return s, nil
}

// Proof is what who asks for the snapshot of a gateway shows: HMAC-SHA256 by the token's
// secret over "snapshot " and the gateway's address.
func Proof(secret [16]byte, address string) wire.Hash {
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("snapshot " + address))
	return wire.Hash(mac.Sum(nil))
}
