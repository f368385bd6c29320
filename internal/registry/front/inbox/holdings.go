package inbox

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// Bounds of the holdings in memory.
const (
	MaxHoldings = 32               // gateways at a time; others are asked later
	maxHolding  = 8 << 20          // bytes from one gateway
	giveEvery   = 20 * time.Second // to an issuer that does not process it
)

var errTooManyAnswer = errors.New("nobody asked for what the gateway holds now: too many answer at a time")

// holdings gathers what gateways hold, in parts: lists that this registry does not know, since its
// database was rolled back or somebody else signs. The issuer judges them. It is safe for
// concurrent use.
type holdings struct {
	mu  sync.Mutex
	all map[string]*holding // by address of the gateway
}

// holding is what one gateway holds.
type holding struct {
	place wire.Place
	nonce wire.Nonce // of the hello that it answers
	parts [][]byte   // envelopes
	left  int        // missing parts
	size  int
	given time.Time // when the issuer last got it
}

func newHoldings() *holdings { return &holdings{all: make(map[string]*holding)} }

// add adds a part. It reports whether the holding is complete.
func (h *holdings) add(p wire.Place, part wire.Holding, envelope []byte) (whole bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	address := p.Address()
	of := h.all[address]
	if of == nil || of.nonce != part.Nonce || len(of.parts) != int(part.Parts) {
		if of == nil && len(h.all) >= MaxHoldings {
			return false, errTooManyAnswer
		}
		of = &holding{place: p, nonce: part.Nonce, parts: make([][]byte, part.Parts), left: int(part.Parts)}
		h.all[address] = of
	}
	if of.parts[part.Part] != nil {
		return of.left == 0, nil
	}
	if of.size += len(envelope); of.size > maxHolding {
		delete(h.all, address)
		return false, fmt.Errorf("what the gateway holds: %w: more than %d bytes", wire.ErrTooLarge, maxHolding)
	}
	of.parts[part.Part] = envelope
	of.left--
	return of.left == 0, nil
}

// whole returns the complete holding that the issuer has not got for the longest time, and notes
// that it gets it now; nil: none. Those that it got within giveEvery are left out, since an issuer
// that processes none would be answered without end.
func (h *holdings) whole(now time.Time) []api.Holding {
	h.mu.Lock()
	defer h.mu.Unlock()
	var next *holding
	for _, of := range h.all {
		if of.left == 0 && (next == nil || of.given.Before(next.given)) {
			next = of
		}
	}
	if next == nil || now.Sub(next.given) < giveEvery {
		return nil
	}
	next.given = now
	return []api.Holding{{Place: api.Place(next.place), Nonce: next.nonce[:], Parts: next.parts}}
}

// take forgets a holding if it is the answer to that hello.
func (h *holdings) take(address string, nonce []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.all[address]
	if of == nil || !bytes.Equal(of.nonce[:], nonce) {
		return false
	}
	delete(h.all, address)
	return true
}
