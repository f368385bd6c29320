package uplink

import (
	"crypto/rand"
	"sync"

	"gatehouse/sync/wire"
)

// nonces makes nonces of two halves: one of the connection, which its last will has too, and one of
// the hello. The link begins connections, the actor hellos.
type nonces struct {
	mu         sync.Mutex
	connection [8]byte
}

// connect begins a connection, and returns the nonce of its last will.
func (c *nonces) connect() (n wire.Nonce) {
	rand.Read(n[:8]) // never fails: it ends the program instead
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(c.connection[:], n[:8])
	return n
}

func (c *nonces) next() (n wire.Nonce) {
	rand.Read(n[8:])
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(n[:8], c.connection[:])
	return n
}
