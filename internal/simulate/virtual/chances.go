package virtual

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// Chances are waits by chance that are the same in every run: the n-th depends on
// the seed, the name and n alone.
type Chances struct {
	Seed uint64
	Name string
	n    atomic.Uint64
}

// UpTo is the next of them: 0 or more, and less than limit. Safe for concurrent use.
func (c *Chances) UpTo(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], c.Seed)
	binary.BigEndian.PutUint64(b[8:], c.n.Add(1))
	sum := sha256.Sum256(append(b[:], c.Name...))
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(limit))
}
