package uplink

import (
	"crypto/rand"

	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// Will is the last will of the next connection, which begins with the call: the
// link's configuration takes it. Without it the registry learns only by silence
// that a gateway is gone.
func (u *Uplink) Will() mqtt.Message {
	var n wire.Nonce
	rand.Read(n[:8])
	u.mu.Lock()
	copy(u.connection[:], n[:8])
	u.mu.Unlock()
	place := u.o.Keyring.Registry().Place
	payload, err := wire.Encode(wire.Status{Nonce: n})
	if err != nil {
		panic(err) // all fields are ours
	}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeStatus, Role: wire.RoleGateway, Address: place.Address()}, payload, u.o.Key)
	if err != nil {
		panic(err) // key and place were checked by New
	}
	return mqtt.Message{Topic: place.Status(), Payload: envelope}
}

// newNonce is the connection's half and a new one of this hello.
func (u *Uplink) newNonce() (n wire.Nonce) {
	rand.Read(n[8:]) // never fails: it ends the program instead
	u.mu.Lock()
	defer u.mu.Unlock()
	copy(n[:8], u.connection[:])
	return n
}
