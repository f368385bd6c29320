package gateway

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// swipes takes the next card for registration, and tells the keyring of unknown
// ones. Outwards go credential ids, never card numbers.
type swipes struct {
	keyring *keyring.Keyring
	site    *Site
	log     zerolog.Logger

	mu      sync.Mutex
	waiting *capture
	typing  *typing
	kept    []keptCard // of the last hour, oldest first
}

// keptCard is a card that would have opened, and was taken instead.
type keptCard struct {
	card wire.CredentialID
	at   time.Time
}

// How often a card that opens may be taken instead, by all who wait here and of
// one card: whoever asks again and again neither keeps residents out nor learns
// all day who comes (refusals N2 and N3).
const (
	keptHour  = 30
	keptCards = 6 // of one card, in keptSpan
	keptSpan  = 5 * time.Minute
)

// typing waits for one PIN at the keys of a door's readers.
type typing struct {
	door  string
	taken chan device.PIN
}

// capture waits for one card at a reader; empty names stand for any.
type capture struct {
	door, reader string
	taken        chan swipe
}

// swipe is a card that was waited for: as it was read, and as the tool may see it.
type swipe struct {
	card  device.Card
	shown control.Card
}

var errDeskBusy = errors.New("somebody else is waiting for a card already")

func newSwipes(k *keyring.Keyring, s *Site, log zerolog.Logger) *swipes {
	return &swipes{keyring: k, site: s, log: log}
}

// watch is told of every card by the door's loop, and must not block it. It
// returns true for the card that somebody is waiting for.
func (d *swipes) watch(s door.Seen) bool {
	if c := d.take(s); c != nil {
		card := d.describe(keyring.Derive(s.Card))
		card.Door, card.Reader, card.Bits, card.Reason = s.Door, s.Reader, s.Card.Len(), s.Reason.String()
		c.taken <- swipe{s.Card, card}
		return true
	}
	if s.Reason == wire.ReasonUnknown && !s.Held {
		d.keyring.Notice(s.Card, s.Door, s.Reader)
	}
	return false
}

// take returns the capture that the card ends, if there is one.
func (d *swipes) take(s door.Seen) *capture {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.waiting
	if c == nil || s.Held || s.Reason == wire.ReasonNotReady || (c.door != "" && c.door != s.Door) || (c.reader != "" && c.reader != s.Reader) {
		return nil
	}
	if (s.Reason == wire.ReasonGranted || s.Reason == wire.ReasonTermDoubtful) && !d.keep(s.Credential, time.Now()) {
		return nil
	}
	d.waiting = nil
	return c
}

// keep counts a card that opens and is taken; false: it has been enough.
func (d *swipes) keep(card wire.CredentialID, now time.Time) bool {
	d.kept = slices.DeleteFunc(d.kept, func(k keptCard) bool { return now.Sub(k.at) >= time.Hour })
	same := 0
	for _, k := range d.kept {
		if k.card == card && now.Sub(k.at) < keptSpan {
			same++
		}
	}
	if same >= keptCards || len(d.kept) >= keptHour {
		return false
	}
	d.kept = append(d.kept, keptCard{card, now})
	return true
}

// next waits for the next card at a reader.
func (d *swipes) next(ctx context.Context, doorID, reader string) (swipe, error) {
	c := &capture{door: doorID, reader: reader, taken: make(chan swipe, 1)}
	d.mu.Lock()
	if d.waiting != nil {
		d.mu.Unlock()
		return swipe{}, errDeskBusy
	}
	d.waiting = c
	d.mu.Unlock()
	d.log.Info().Str("door", doorID).Str("reader", reader).Msg("the next card is waited for, and opens nothing")
	select {
	case s := <-c.taken:
		return s, nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	if d.waiting == c {
		d.waiting = nil
	}
	d.mu.Unlock()
	return swipe{}, ctx.Err()
}

// typed is told of every PIN, as watch is of every card.
func (d *swipes) typed(t door.Typed) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.typing
	if w == nil || w.door != t.Door {
		return false
	}
	d.typing = nil
	w.taken <- t.PIN
	return true
}

// nextPIN waits for the next PIN at the keys of a door.
func (d *swipes) nextPIN(ctx context.Context, doorID string) (device.PIN, error) {
	w := &typing{door: doorID, taken: make(chan device.PIN, 1)}
	d.mu.Lock()
	if d.typing != nil {
		d.mu.Unlock()
		return device.PIN{}, errDeskBusy
	}
	d.typing = w
	d.mu.Unlock()
	select {
	case p := <-w.taken:
		return p, nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	if d.typing == w {
		d.typing = nil
	}
	d.mu.Unlock()
	return device.PIN{}, ctx.Err()
}

// describe says what a card is called in this building in all its known forms,
// and which doors read none of them.
func (d *swipes) describe(forms []device.Card) control.Card {
	lengths := map[int]bool{}
	var card control.Card
	for _, f := range forms {
		if id, err := d.keyring.Identify(f); err == nil {
			card.Credentials = append(card.Credentials, id.String())
		}
		lengths[f.Len()] = true
	}
	card.Missing = d.missing(lengths)
	return card
}

// missing lists the doors with readers that give none of these lengths.
func (d *swipes) missing(lengths map[int]bool) []string {
	out := []string{}
	for _, cfg := range d.site.Doors {
		reads, readers := false, 0
		for _, r := range cfg.Readers {
			if r.Direction == "out" {
				continue // opens for every card
			}
			if r.Type == typeCode {
				continue // reads no cards
			}
			readers++
			known := r.bits()
			reads = reads || len(known) == 0
			for _, n := range known {
				reads = reads || lengths[n]
			}
		}
		if readers > 0 && !reads {
			out = append(out, cfg.ID)
		}
	}
	return out
}
