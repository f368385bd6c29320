package keys

import (
	"crypto/rand"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/sync/wire"
)

// dayLong is measured on the monotonic clock: setting the time makes no new key
// and keeps no old one.
const dayLong = 24 * time.Hour

// Daily makes ids of cards that nobody knows, under a random key that lives in memory
// only, for at most 24 h: it tells repeats from each other within a day, and leaves no
// track of strangers over days. The zero Daily is ready. It is safe for concurrent use.
type Daily struct {
	mu   sync.Mutex
	key  *BuildingKey
	made time.Time
}

// Identify returns the id of a card under the key of this day.
func (d *Daily) Identify(c device.Card) wire.CredentialID { return d.get().Identify(c) }

func (d *Daily) get() *BuildingKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.key == nil || time.Since(d.made) >= dayLong {
		d.key, d.made = &BuildingKey{number: anonymousKey}, time.Now()
		_, _ = rand.Read(d.key.secret[:]) // never fails
	}
	return d.key
}
