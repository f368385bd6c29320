// Package swipe takes the next card that is held up, or the next PIN, for registration at the desk
// or by the tool, and passes unknown cards to the keyring.
//
// It refuses to reveal who comes: it gives out credential ids, never card numbers, and a card that
// may be a resident's is taken only when it is held up twice on purpose.
package swipe

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/keyring/adopt"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// Swipes are the cards and PINs of one house. Safe for concurrent use.
type Swipes struct {
	// Listening: the old controller decides, so residents' cards are unknown here. Set before use.
	Listening bool

	keys    *keys.Store
	unknown *adopt.List
	site    *site.Site
	shapes  []cardnumber.Shape // the forms in which readers here send cards
	log     zerolog.Logger
	least   time.Duration // shortest rest of a card, beyond the release time of its door

	mu      sync.Mutex
	waiting *capture
	own     []*capture // residents who wait for a card of their own
	typing  *typing
	kept    []time.Time // when cards were taken that were held up twice, within the last hour, oldest first
}

// Residents coming home hold a card up once, or again at once. So a card that may be a resident's
// is taken only when it is held up twice at the same reader, with a rest in between that nobody
// needs to come in, and with the door shut meanwhile. Until then the door works as always, and the
// waiting caller is told nothing, or a wait would reveal who comes (refusals N2, N3 and N5).
const (
	againMost = 30 * time.Second // longest rest, beyond the shortest
	pauseMore = 5 * time.Second  // added to the wait that people are told
	// keptHour is how many cards are taken this way in an hour.
	keptHour = 30
	// heldMost is how many cards are told apart in one wait.
	heldMost = 256
)

// typing waits for one PIN at the keys of a door's readers.
type typing struct {
	door  string
	taken chan device.PIN
}

// capture waits for one card at a reader; empty names match any.
type capture struct {
	door, reader string
	twice        bool                       // every card must be held up twice, not only those of the list
	only         map[wire.CredentialID]bool // nil: any card
	taken        chan Card
	held         map[wire.CredentialID]*heldUp
}

// heldUp is a card that was held up while somebody waits for one.
type heldUp struct {
	reader  string
	seen    time.Time // last
	openeds uint64    // number of the door's openings by then
	walks   bool      // its holder comes and goes, or tries to
}

// Card is a card that was waited for: as it was read, and as the tool may see it.
type Card struct {
	Read  device.Card
	Shown control.Card
}

// ErrBusy means that somebody else waits already.
var ErrBusy = errors.New("somebody else is waiting for a card already")

// New makes the swipes of a house. A card rests for least, beyond the time for which its
// door is released, before it is held up for the second time.
func New(k *keys.Store, unknown *adopt.List, s *site.Site, least time.Duration, log zerolog.Logger) *Swipes {
	return &Swipes{keys: k, unknown: unknown, site: s, shapes: s.Shapes(), log: log, least: least}
}

// Shapes returns the forms in which readers here send cards.
func (d *Swipes) Shapes() []cardnumber.Shape { return d.shapes }

// Watch is called with every card by the door's loop, and must not block it. It returns true for
// the card that somebody is waiting for.
func (d *Swipes) Watch(s door.Seen) bool {
	if c := d.take(s); c != nil {
		n, _ := cardnumber.Of(s.Card)
		card := d.Describe(n, cardnumber.DeriveFor(s.Card, d.shapes))
		card.Door, card.Reader, card.Bits, card.Reason = s.Door, s.Reader, s.Card.Len(), s.Reason.String()
		c.taken <- Card{s.Card, card}
		return true
	}
	switch {
	case s.Reason != wire.ReasonUnknown && s.Reason != wire.ReasonNotReady || s.Held:
	case d.Listening:
		d.unknown.Hear(s.Card)
	case s.Reason == wire.ReasonUnknown:
		d.unknown.Notice(s.Card, s.Door, s.Reader)
	}
	return false
}

// take returns the capture that the card completes; nil: none.
func (d *Swipes) take(s door.Seen) *capture {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, now := d.waiting, time.Now()
	if own := d.takeOwn(s, now); own != nil {
		return own
	}
	switch {
	case c == nil || s.Reason == wire.ReasonNotReady && !d.Listening:
		return nil
	case c.door != "" && c.door != s.Door || c.reader != "" && c.reader != s.Reader:
		c.elsewhere(s)
		return nil
	case !c.twice && !inUse(s.Reason) && !d.Listening:
		if s.Held {
			return nil
		}
	case !c.again(s, now, d.Rest(s.Door)) || !d.keep(now):
		return nil
	}
	d.waiting = nil
	return c
}

// takeOwn returns the wait of a resident that the card completes; nil: none. It comes before the desk's, where a card that
// a resident waits for counts no more in this wait: what is held up to read the own entries, before and after, proves
// nothing that somebody else waits to do. The caller holds mu.
func (d *Swipes) takeOwn(s door.Seen, now time.Time) *capture {
	for i, c := range d.own {
		if !c.only[s.Credential] {
			continue
		}
		if d.waiting != nil {
			d.waiting.held[s.Credential] = &heldUp{seen: now, walks: true}
		}
		if c.door != "" && c.door != s.Door {
			c.elsewhere(s)
		} else if c.again(s, now, d.Rest(s.Door)) {
			d.own = slices.Delete(d.own, i, i+1)
			return c
		}
	}
	return nil
}

// elsewhere notes that a card was held up at another reader, and counts no more in this wait if it was here before.
func (c *capture) elsewhere(s door.Seen) {
	if h := c.held[s.Credential]; h != nil {
		h.walks = true
	}
}

// inUse reports whether a card with this answer opens for somebody, or may again.
func inUse(r wire.Reason) bool {
	return r != wire.ReasonUnknown && r != wire.ReasonRevoked && r != wire.ReasonExpired
}

// again reports whether a card is held up for the second time on purpose. A card that comes back
// too soon, at another reader or after the door was opened no longer counts in this wait.
func (c *capture) again(s door.Seen, now time.Time, rest time.Duration) bool {
	h := c.held[s.Credential]
	if h == nil {
		if !s.Held && len(c.held) < heldMost {
			c.held[s.Credential] = &heldUp{reader: s.Reader, seen: now, openeds: s.Openeds}
		}
		return false
	}
	since := now.Sub(h.seen)
	h.seen = now
	if s.Held { // it is still resting there
		return false
	}
	h.walks = h.walks || s.Reader != h.reader || s.Openeds != h.openeds || since < rest
	return !h.walks && since <= rest+againMost
}

// Rest returns how long a card has to be away before it is held up again.
func (d *Swipes) Rest(doorID string) time.Duration {
	for _, cfg := range d.site.Doors {
		if cfg.ID == doorID {
			return d.least + time.Duration(cfg.ReleaseSeconds*float64(time.Second))
		}
	}
	return d.least
}

// Pause returns the wait that people are told, in seconds, with a margin because some count fast.
func (d *Swipes) Pause(doorID string) int { return int((d.Rest(doorID) + pauseMore) / time.Second) }

// keep counts a card that was held up twice; false: the limit is reached.
func (d *Swipes) keep(now time.Time) bool {
	d.kept = slices.DeleteFunc(d.kept, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if len(d.kept) >= keptHour {
		return false
	}
	d.kept = append(d.kept, now)
	return true
}

// Next waits for a card at a reader: one that is held up twice or, without twice, one that nobody
// uses.
func (d *Swipes) Next(ctx context.Context, doorID, reader string, twice bool) (Card, error) {
	return d.next(ctx, doorID, reader, twice, func() { d.log.Info().Str("door", doorID).Str("reader", reader).Msg("a card is waited for") })
}

// Found waits for a card that was found, at any reader: one that nobody uses, or one that does, held up twice. No
// log tells of the wait.
func (d *Swipes) Found(ctx context.Context) (Card, error) {
	return d.next(ctx, "", "", false, func() {})
}

// Own waits until one of some cards is held up twice at a reader (empty: any), as a resident's who is known by PIN. Several
// may wait, beside a desk that waits as well, and no log tells of it.
func (d *Swipes) Own(ctx context.Context, doorID string, cards map[wire.CredentialID]bool) (device.Card, error) {
	c := &capture{door: doorID, only: cards, taken: make(chan Card, 1), held: map[wire.CredentialID]*heldUp{}}
	d.mu.Lock()
	d.own = append(d.own, c)
	d.mu.Unlock()
	select {
	case got := <-c.taken:
		return got.Read, nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.own = slices.DeleteFunc(d.own, func(o *capture) bool { return o == c })
	return device.Card{}, ctx.Err()
}

func (d *Swipes) next(ctx context.Context, doorID, reader string, twice bool, waits func()) (Card, error) {
	c := &capture{door: doorID, reader: reader, twice: twice, taken: make(chan Card, 1), held: map[wire.CredentialID]*heldUp{}}
	if err := claim(&d.mu, &d.waiting, c); err != nil {
		return Card{}, err
	}
	waits()
	return await(ctx, &d.mu, &d.waiting, c, c.taken)
}

// claim takes the only waiting place; ErrBusy if it is taken.
func claim[W any](mu *sync.Mutex, place **W, waits *W) error {
	mu.Lock()
	defer mu.Unlock()
	if *place != nil {
		return ErrBusy
	}
	*place = waits
	return nil
}

// await waits for a value of taken, and frees the waiting place.
func await[W, T any](ctx context.Context, mu *sync.Mutex, place **W, waits *W, taken <-chan T) (got T, err error) {
	select {
	case got = <-taken:
		return got, nil
	case <-ctx.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	if *place == waits {
		*place = nil
	}
	return got, ctx.Err()
}

// Typed is called with every PIN, as Watch with every card.
func (d *Swipes) Typed(t door.Typed) bool {
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

// NextPIN waits for the next PIN at the keys of a door.
func (d *Swipes) NextPIN(ctx context.Context, doorID string) (device.PIN, error) {
	w := &typing{door: doorID, taken: make(chan device.PIN, 1)}
	if err := claim(&d.mu, &d.typing, w); err != nil {
		return device.PIN{}, err
	}
	return await(ctx, &d.mu, &d.typing, w, w.taken)
}

// Describe returns how a card is named in this building in all its known forms, and which doors
// read none of them.
func (d *Swipes) Describe(n cardnumber.Number, forms []cardnumber.Form) control.Card {
	as := Forms{UID: n.UID()}
	var card control.Card
	for _, f := range forms {
		if id, err := d.keys.Identify(f.Card); err == nil {
			card.Credentials, card.Holds = append(card.Credentials, id.String()), append(card.Holds, f.Bits)
		}
		as.Lengths, as.Holds = append(as.Lengths, f.Card.Len()), append(as.Holds, f.Bits)
	}
	for _, c := range n.Kin(forms) {
		if id, err := d.keys.Identify(c); err == nil {
			card.Kin = append(card.Kin, id.String())
		}
	}
	card.Missing = d.Missing(as)
	return card
}

// Forms are the forms that readers may make of a card.
type Forms struct {
	Lengths []int // of its forms, the one first in which it was read or is printed
	Holds   []int // bits of its number in each
	UID     bool
}

// wholeEM is the length of an EM4100 card at a reader that sends all of it.
const wholeEM = 40

// by reports whether a reader that sends cards of these lengths sends one of the forms. A reader
// that sends other cards by their UID may send this one whole.
func (s Forms) by(known []int) bool {
	for i, n := range s.Lengths {
		whole := i == 0 || s.UID || i < len(s.Holds) && s.Holds[i] == wholeEM || !slices.Contains(known, wholeEM)
		if whole && slices.Contains(known, n) {
			return true
		}
	}
	return len(known) == 0
}

// Missing lists the doors with readers that give none of a card's forms.
func (d *Swipes) Missing(as Forms) []string {
	out := []string{}
	for _, cfg := range d.site.Doors {
		reads, readers := false, 0
		for _, r := range cfg.Readers {
			if r.Direction == "out" || r.Type == site.TypeCode {
				continue // opens for every card, or reads none
			}
			readers++
			reads = reads || as.by(r.Bits())
		}
		if readers > 0 && !reads {
			out = append(out, cfg.ID)
		}
	}
	return out
}
