package lists

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

const (
	holdingRoom = 56 << 10        // bytes of one part
	shareEvery  = BorrowEvery / 2 // a sibling gets the list at most this often, also one that was rolled back a moment after it was new
	lendMost    = 5 * time.Minute
)

// Lending sends the lists that this gateway holds to a registry that lost them, and to new
// siblings.
type Lending struct {
	keyring Keyring
	log     zerolog.Logger
	asked   bool // the registry asks for the lists
	due     time.Time
	wait    time.Duration
	lent    map[string]time.Time // when a sibling got the lists last
}

// NewLending lends what the keyring holds.
func NewLending(k Keyring, log zerolog.Logger) Lending {
	return Lending{keyring: k, log: log, lent: map[string]time.Time{}}
}

// AskedFor notes whether the registry asks for the lists.
func (l *Lending) AskedFor(asks bool, now time.Time) {
	if asks && !l.asked {
		l.due, l.wait = now, 0
	}
	l.asked = asks
}

// ToRegistry returns the parts to be sent to the registry now, while it asks; nonce is that of the
// hello that it answered, zero: of none.
func (l *Lending) ToRegistry(nonce wire.Nonce, now time.Time) (parts []wire.Holding, next time.Time) {
	if !l.asked || nonce == (wire.Nonce{}) {
		return nil, time.Time{}
	}
	if now.Before(l.due) {
		return nil, l.due
	}
	l.wait = timing.Backoff(l.wait, timing.FirstWait, lendMost)
	l.due = now.Add(l.wait)
	return l.parts(nonce), l.due
}

// ToSibling returns what a sibling without a list is to be sent.
func (l *Lending) ToSibling(gateway string, nonce wire.Nonce, now time.Time) []wire.Holding {
	if last, ok := l.lent[gateway]; ok && now.Sub(last) < shareEvery {
		return nil
	}
	l.lent[gateway] = now
	return l.parts(nonce)
}

func (l *Lending) parts(nonce wire.Nonce) []wire.Holding {
	h, err := l.keyring.Holding()
	if err != nil {
		l.log.Error().Err(err).Msg("what this gateway holds can't be read")
		return nil
	}
	return partsOf(h, nonce)
}

func partsOf(h Holding, nonce wire.Nonce) []wire.Holding {
	parts := []wire.Holding{{Nonce: nonce, Manifest: h.Manifest, Second: h.Second}}
	size := len(h.Manifest) + len(h.Second)
	last := func(more int) *wire.Holding {
		if size > 0 && size+more > holdingRoom {
			parts, size = append(parts, wire.Holding{Nonce: nonce}), 0
		}
		size += more
		return &parts[len(parts)-1]
	}
	if len(h.House) > 0 {
		last(len(h.House)).House = h.House
	}
	for _, b := range h.Buckets {
		p := last(len(b) + 5)
		p.Buckets = append(p.Buckets, b)
	}
	for _, id := range h.Over {
		p := last(len(id) + 1)
		if len(p.Tombstones) == wire.MaxTombstones {
			parts, size = append(parts, wire.Holding{Nonce: nonce}), len(id)+1
			p = &parts[len(parts)-1]
		}
		p.Tombstones = append(p.Tombstones, id)
	}
	for i := range parts {
		parts[i].Part, parts[i].Parts = uint16(i), uint16(len(parts))
	}
	return parts
}
