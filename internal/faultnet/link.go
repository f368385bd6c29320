package faultnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/sync/mqtt"
)

// Errors that a link's Status shows.
var (
	errCut    = errors.New("connection was cut")
	errDenied = errors.New("the broker refused a subscription")
	errGone   = errors.New("another client came with the same name")
)

// Link is one client's end. It has the methods of mqtt.Link but for Run: the
// test cuts and restores it. All its state belongs to the broker's lock.
type Link struct {
	broker   *Broker
	name     string
	filters  []string
	makeWill func() mqtt.Message
	messages chan mqtt.Message

	up         bool
	blind      bool // half-open: looks up, and nothing passes
	gone       bool // another link has the name
	connection int  // counts connections: what was on its way to an older one is lost
	will       *mqtt.Message
	changed    chan struct{}
	since      time.Time
	dropped    int64
	last       error
}

// Publish is mqtt.Link's: the same refusals, and nil promises as little. The
// payload is copied.
func (l *Link) Publish(ctx context.Context, topic string, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if topic == "" || strings.ContainsAny(topic, "+#\x00") {
		return fmt.Errorf("publish: bad topic %q", topic)
	}
	if len(payload) > mqtt.MaxPayload {
		return fmt.Errorf("publish on %s: payload of %d bytes, at most %d", topic, len(payload), mqtt.MaxPayload)
	}
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if !l.up {
		return mqtt.ErrDown
	}
	if !l.blind {
		l.broker.publish(l.name, mqtt.Message{Topic: topic, Payload: payload})
	}
	return nil
}

// Messages returns what arrives. It is never closed; 256 wait, then the newest
// are lost.
func (l *Link) Messages() <-chan mqtt.Message { return l.messages }

// State reports whether the link is up, and a channel that is closed at the
// next change.
func (l *Link) State() (up bool, changed <-chan struct{}) {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return l.up, l.changed
}

// Status returns how the link is.
func (l *Link) Status() mqtt.Status {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	s := mqtt.Status{Up: l.up, Since: l.since, Err: l.last, Connects: int64(l.connection), Dropped: l.dropped}
	if s.Err != nil {
		s.Advice = s.Err.Error()
	}
	return s
}

// Cut breaks the connection: what is on its way to the link is lost and its
// will is published. It stays down until Restore.
func (l *Link) Cut() {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.lose(true)
}

// Stop ends the connection in order: no will.
func (l *Link) Stop() {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.lose(false)
}

// Restore connects again, unless the link is up, the access list denies one of
// its filters, or another client has taken its name.
func (l *Link) Restore() {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.connect()
}

// Blind makes a connection half-open, as when a router forgets it: both ends take
// it for up, and nothing passes until it is cut. A new connection sees again.
func (l *Link) Blind() {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.blind = l.up
}

// Drop ends the broker's end of the connection, and publishes the will. A client whose
// link is half-open does not hear of it: its own end looks up, and is deaf.
func (l *Link) Drop() {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if !l.up || !l.blind {
		l.lose(true)
		return
	}
	if l.will != nil {
		l.broker.publish(l.name, *l.will)
		l.will = nil
	}
}

// Blinded reports whether the connection is half-open.
func (l *Link) Blinded() bool {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return l.blind
}

func (l *Link) connect() {
	if l.up {
		return
	}
	if l.gone {
		l.last = errGone
		return
	}
	for _, f := range l.filters {
		if l.broker.denies(l.name, Subscribe, f) {
			l.last = fmt.Errorf("%w: %s", errDenied, f)
			return
		}
	}
	l.will = nil
	if l.makeWill != nil {
		will := l.makeWill()
		l.will = &will
	}
	l.connection++
	l.blind = false
	l.change(true)
}

func (l *Link) lose(publishWill bool) {
	if !l.up {
		return
	}
	l.last = errCut
	l.change(false)
	if publishWill && l.will != nil {
		l.broker.publish(l.name, *l.will)
	}
}

func (l *Link) change(up bool) {
	l.up, l.since = up, time.Now()
	close(l.changed)
	l.changed = make(chan struct{})
}

// wants reports whether the link is up and subscribes to topic.
func (l *Link) wants(topic string) bool {
	return l.up && !l.blind && slices.ContainsFunc(l.filters, func(f string) bool { return match(f, topic) })
}

// deliver gives the link a message that was sent to one of its connections.
func (l *Link) deliver(connection int, m mqtt.Message) {
	if !l.up || l.blind || connection != l.connection {
		return
	}
	m.Payload = slices.Clone(m.Payload)
	select {
	case l.messages <- m:
	default:
		l.dropped++
	}
}
