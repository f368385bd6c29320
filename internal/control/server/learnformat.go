package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
	"gatehouse/internal/amount"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// learnIdle ends idle format learning: the reader serves its door again, and the cards leave
// memory.
const learnIdle = 30 * time.Second

// learnMost is how many cards one format learning takes.
const learnMost = 20

// learning is format learning at a reader, one at a time.
type learning struct {
	one sync.Mutex // one request at a time

	mu      sync.Mutex
	reader  *gateway.Reader // nil: none is in format learning
	events  chan device.Event
	over    chan struct{}
	ends    *time.Timer
	cards   []device.Card
	printed map[int]string
}

// learner finds out what a reader sends.
type learner struct {
	*gateway.Gateway
	learning learning
}

// postLearnFormat waits for one card at a reader in format learning, or takes the number printed on the
// last one.
func (g *learner) postLearnFormat(r *http.Request, in control.LearnFormat) (any, error) {
	s, err := served(g.Gateway, r)
	if err != nil {
		return nil, err
	}
	if !s.Lends() && s.OSDP == nil {
		return nil, socket.Refused(http.StatusConflict, "gatehouse decode serial shows what a serial reader sends",
			"reader %s is of type %s, whose cards have no formats to find out", s.Config.Name(s.Door.Config.ID), s.Config.Type)
	}
	if s.Lends() && s.Config.Direction == "out" {
		return nil, socket.Refused(http.StatusConflict, "let a reader of the same kind on the outside learn the format",
			"people leave by reader %s, and meanwhile it would let nobody out", s.Config.Name(s.Door.Config.ID))
	}
	if !g.learning.one.TryLock() {
		return nil, socket.Refused(http.StatusConflict, "wait until they have done", "format learning is under way already")
	}
	defer g.learning.one.Unlock()
	defer g.learning.idle()
	if in.Printed != "" {
		return g.learning.compare(in.Printed)
	}
	if begun, err := g.learning.begin(r.Context(), s, in.Again); err != nil {
		return nil, err
	} else if begun {
		readers{g.Gateway}.done(r, s, wire.ReasonFormatLearning)
	}
	ctx, cancel := waitFor(r.Context(), in.Seconds, swipeDefault)
	defer cancel()
	card, err := g.nextCard(ctx, s)
	if err != nil {
		return nil, err
	}
	return g.learning.show(card)
}

// deleteLearnFormat ends format learning: the reader serves its door again.
func (g *learner) deleteLearnFormat(r *http.Request, _ socket.None) (any, error) {
	s, err := served(g.Gateway, r)
	if err != nil {
		return nil, err
	}
	g.learning.mu.Lock()
	defer g.learning.mu.Unlock()
	if g.learning.reader == s {
		g.learning.end()
	}
	return struct{}{}, nil
}

// nextCard waits for a card at a reader in format learning, for as long as that lasts: after it the
// next card is the door's.
func (g *learner) nextCard(ctx context.Context, s *gateway.Reader) (device.Card, error) {
	over := g.learning.over
	ctx, cancel := during(ctx, over)
	defer cancel()
	if !s.Lends() {
		seen, err := g.Swipes.Next(ctx, s.Door.Config.ID, s.Config.ID, false)
		if errors.Is(err, swipe.ErrBusy) {
			return device.Card{}, socket.Refused(http.StatusConflict, "wait until they have done", "%v", err)
		}
		if err != nil {
			return device.Card{}, noCard(over, fault.None, fmt.Sprintf("; one that somebody has is taken when it is held up again %d seconds later", g.Swipes.Pause(s.Door.Config.ID)))
		}
		return seen.Read, nil
	}
	found := fault.None
	for {
		select {
		case e := <-g.learning.events:
			switch e.Kind {
			case device.CardRead:
				return e.Card, nil
			case device.FaultSeen, device.WentOffline:
				found = e.Fault
			}
		case <-ctx.Done():
			return device.Card{}, noCard(over, found, "")
		}
	}
}

// errOver is the error for a request after format learning has ended.
func errOver() error {
	return socket.Refused(http.StatusConflict, "begin again", "format learning is over")
}

// noCard says why the wait for a card has ended without one; more is what else to do.
func noCard(over <-chan struct{}, found fault.Code, more string) error {
	select {
	case <-over:
		return errOver()
	default:
	}
	if found != fault.None {
		return socket.Refused(http.StatusGatewayTimeout, found.Hint(), "no card was read; the reader reported %s", found)
	}
	return socket.Refused(http.StatusGatewayTimeout, "hold a card up at the reader"+more+"; look at its power and its wires", "no card was read")
}

// begin takes a reader from its door, unless it is in format learning already; then begun is false.
func (c *learning) begin(ctx context.Context, s *gateway.Reader, again bool) (begun bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader == s {
		if again {
			c.cards, c.printed = nil, map[int]string{}
		}
		return false, nil
	}
	c.end()
	c.events, c.over = make(chan device.Event, 64), make(chan struct{})
	if err := s.LearnFormat(ctx, c.events, c.over); err != nil {
		return false, socket.Refused(http.StatusServiceUnavailable, "gatehouse status tells what is wrong with it", "%v", err)
	}
	c.reader, c.printed = s, map[int]string{}
	c.ends = time.AfterFunc(learnIdle, c.expire)
	c.ends.Stop()
	return true, nil
}

// idle ends format learning that nobody continues.
func (c *learning) idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader != nil {
		c.ends.Reset(learnIdle)
	}
}

func (c *learning) expire() {
	if !c.one.TryLock() {
		return // somebody continues: idle sets the timer again
	}
	defer c.one.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end()
}

// close ends format learning with the daemon.
func (c *learning) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end()
}

// end returns the reader to its door. The caller holds mu.
func (c *learning) end() {
	if c.reader == nil {
		return
	}
	c.ends.Stop()
	close(c.over)
	c.reader.Leave()
	c.reader, c.cards, c.printed = nil, nil, nil
}

// show adds a card and returns the result of all so far.
func (c *learning) show(card device.Card) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader == nil {
		return nil, errOver()
	}
	if !slices.Contains(c.cards, card) {
		if len(c.cards) == learnMost {
			return nil, socket.Refused(http.StatusUnprocessableEntity, "begin again", "format learning of %s is long enough", amount.Of(learnMost, "card"))
		}
		c.cards = append(c.cards, card)
	}
	return c.result()
}

// compare takes the number that is printed on the last card.
func (c *learning) compare(printed string) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cards) == 0 {
		return nil, socket.Refused(http.StatusConflict, "hold a card up first", "no card yet")
	}
	c.printed[len(c.cards)-1] = printed
	return c.result()
}

// result returns the result of the cards so far. The caller holds mu.
func (c *learning) result() (any, error) {
	proposals := wiegand.Propose(c.cards)
	for i := range c.cards {
		if printed, ok := c.printed[i]; ok {
			var err error
			if proposals, err = cardnumber.Match(proposals, i, printed); err != nil {
				delete(c.printed, i)
				return nil, socket.Refused(http.StatusUnprocessableEntity, "type it as it is printed: 0006171021, or 094,10637", "%v", err)
			}
		}
	}
	out := control.LearnedFormat{Cards: len(c.cards), Bits: c.cards[len(c.cards)-1].Len(), Proposals: []control.Proposal{},
		Remarks: []string{wiegand.Advice(c.cards, proposals)}}
	for _, p := range proposals {
		shown := control.Proposal{Format: p.Format, Why: strings.Join(p.Why, "; "), Fields: []string{}}
		for _, v := range p.Cards {
			shown.Fields = append(shown.Fields, fieldsText(v))
		}
		out.Proposals = append(out.Proposals, shown)
	}
	return out, nil
}

// fieldsText describes what may be printed on a card.
func fieldsText(v wiegand.Fields) string {
	var parts []string
	add := func(has bool, name string, n uint64) {
		if has {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	add(v.HasOEM, "OEM", v.OEM)
	add(v.HasFacility, "facility", v.Facility)
	add(v.HasIssue, "issue", v.Issue)
	return strings.Join(append(parts, "card "+v.Number().String()), ", ")
}
