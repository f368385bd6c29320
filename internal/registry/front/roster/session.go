package roster

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"gatehouse/sync/wire"
)

// View is the state of a gateway for people and acks.
type View struct {
	Nonce  wire.Nonce
	Hello  wire.Hello2
	Format uint64 // of the newest hello; acks have the same
	Online bool
	Since  time.Time
	Heard  time.Time
	Said   time.Time // when the newest hello came, by the monotonic clock; zero: not in this run
	Sent   uint64    // list version
	Lacks  bool      // it has something that is unknown here, and has not handed it over
	TooOld bool      // it has something that is unknown here, but its program is too old to be asked for it
	// Refuses is why it does not use the newest list. HandOver: it must hand over what it has, so
	// that the issuer can judge that.
	Refuses  wire.Reason
	HandOver bool

	given named // what it last handed over
}

// Reads is the newest format that who says a hello reads, whatever format the hello itself has.
func Reads(h wire.Hello2) uint64 {
	if n := len(h.Formats); n > 0 {
		return h.Formats[n-1]
	}
	return 1
}

// read decodes a stored hello of any format, and reports whether that succeeded.
func (v *View) read(payload []byte) bool {
	for v.Format = wire.VersionOf(v.Hello); v.Format > 0; v.Format-- {
		var err error
		if v.Hello, err = wire.DecodeHello(v.Format, payload); err == nil {
			return true
		}
	}
	v.Hello = wire.Hello2{}
	return false
}

// nonces are the newest hellos' nonces of a gateway. They alone distinguish a replayed hello from a
// new one, since a signature has no time.
type nonces struct {
	list []wire.Nonce // at most maxNonces: few gateways say so many hellos in a run
	n    int
}

const maxNonces = 64

// add adds a nonce, and reports whether it is new.
func (s *nonces) add(n wire.Nonce) bool {
	if slices.Contains(s.list, n) {
		return false
	}
	if len(s.list) < maxNonces {
		s.list = append(s.list, n)
	} else {
		s.list[s.n%maxNonces] = n
	}
	s.n++
	return true
}

// Hello is a received hello, with the payload for the store.
type Hello struct {
	wire.Hello2
	Payload []byte
	Format  uint64
}

// raise gives a hello the newer format in which the same one came before: a gateway without an
// answer in time sends it in each format that it reads, and answers in the first would tell a
// gateway of the second that its lists prove nothing.
func (h *Hello) raise(before wire.Hello2, format uint64) (err error) {
	before.Hello = h.Hello
	h.Hello2, h.Format = before, format
	h.Payload, err = wire.Encode(h.Hello2)
	return err
}

// named is what a hello names that a registry may lack.
type named struct {
	list     wire.Hash
	removed  uint64 // number of grants that are over for ever
	removals wire.Hash
}

func namedBy(h wire.Hello2) named { return named{h.ListHash, h.Removed, h.RemovedHash} }

// canHandOver reports whether a gateway can be asked for what it holds.
func canHandOver(h wire.Hello2) bool {
	return Reads(h) >= wire.LogFormat
}

// errOldHello means a hello older than the newest: a gateway does not repeat one.
var errOldHello = errors.New("the hello was said before")

// Know sets the stored state of a gateway: its newest hello, or nil, and when that came.
func (r *Roster) Know(p wire.Place, hello []byte, heard time.Time) *Gateway {
	var v View
	greeted := hello != nil && v.read(hello)
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gatewayAt(p)
	if greeted {
		v.Nonce, v.Heard = v.Hello.Nonce, heard
		g.state.View = v
		g.said.add(v.Nonce)
	}
	return g
}

// AnswerEpoch returns the epoch that a hello asks about; 0: none.
func AnswerEpoch(h wire.Hello2) uint64 {
	if h.CursorEpoch != 0 {
		return h.CursorEpoch
	}
	return h.Epoch
}

// Greet handles a hello of a gateway; h may be raised to a newer format. It reports whether the
// hello is new: the newest may be repeated, an older one is refused.
func (r *Roster) Greet(g *Gateway, h *Hello) (fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &g.state.View
	switch {
	case g.said.add(h.Nonce):
		if !v.Nonce.SameConnection(h.Nonce) || !v.Online {
			v.Since, v.Online = r.now(), true
		}
		v.Nonce, v.Heard, v.Said = h.Nonce, r.now(), time.Now()
		fresh = true
	case h.Nonce == v.Nonce: // repeated, since no ack came, or replayed
		if h.Format < v.Format {
			if err := h.raise(v.Hello, v.Format); err != nil {
				return false, err
			}
		}
	default:
		return false, errOldHello
	}
	v.Hello, v.Format = h.Hello2, h.Format
	return fresh, nil
}

// Leave handles the last will of a gateway's connection: it counts if the newest hello came on that
// one.
func (r *Roster) Leave(g *Gateway, connection wire.Nonce) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if connection.SameConnection(g.state.View.Nonce) {
		g.state.View.Online = false
	}
}

// HeardStranger notes that somebody used another key as a gateway.
func (r *Roster) HeardStranger(g *Gateway) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.state.Stranger = r.now()
}

// Heard notes when new data came from some gateways.
func (r *Roster) Heard(gateways []*Gateway, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range gateways {
		g.state.View.Heard = at
	}
}

// Sent notes that a list was sent to a gateway, and reports whether it is online. Others are sent
// everything all the same: a front that has just started has no hello of those that stayed
// connected to another broker.
func (r *Roster) Sent(g *Gateway, version uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.state.View.Online {
		g.state.View.Sent = version
	}
	return g.state.View.Online
}

// SetUndo sets the undo that is to be sent to a gateway until it has applied it; zero: none.
func (r *Roster) SetUndo(g *Gateway, u Undo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.state.Undo = u
}

// SetRefusal notes why a gateway does not use the newest list; ReasonNone: it does.
func (r *Roster) SetRefusal(g *Gateway, why wire.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &g.state.View
	v.Refuses = why
	v.HandOver = v.Format >= wire.LogFormat && (why == wire.ReasonSecondNeeded || why == wire.ReasonUnproved)
}

// askAfter is how long after the start a gateway is asked for what it holds of a building without a
// list: before that the issuer may not have published it.
const askAfter = time.Minute

// SetLacking notes whether a hello names something that is unknown here: the gateway is asked for
// it, unless it has handed over just that, or is too old, which the operator is shown. It reports
// whether the gateway is to hand over what it holds.
func (r *Roster) SetLacking(g *Gateway, lacks bool, h wire.Hello2) (asked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &g.state.View
	v.Lacks = lacks && canHandOver(h) && namedBy(h) != v.given
	v.TooOld = lacks && !canHandOver(h)
	return v.Lacks || v.HandOver
}

// HandedOver notes that the issuer has judged what a gateway holds, if it was asked for that with
// the newest hello.
func (r *Roster) HandedOver(address string, nonce []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gateways[address]
	if g == nil || !bytes.Equal(g.state.View.Nonce[:], nonce) {
		return
	}
	v := &g.state.View
	v.Lacks, v.HandOver, v.given = false, false, namedBy(v.Hello)
}

// Unanswered returns gateways that are online and have something that is unknown here, or are to
// hand over what they hold: at most most.
func (r *Roster) Unanswered(most int) (all []*Gateway) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, g := range r.gateways {
		v := &g.state.View
		if g.state.Member && v.Online && (v.Lacks || v.TooOld || v.HandOver) && len(all) < most {
			all = append(all, g)
		}
	}
	return all
}

// Asks reports whether a gateway is to be asked for what it holds.
func (r *Roster) Asks(s State) bool {
	return s.View.HandOver || s.View.Lacks && r.CaughtUp(s.Building)
}

// CaughtUp reports whether the issuer has published what is known of a building, or has had the
// time to.
func (r *Roster) CaughtUp(b *Building) bool {
	return b.List.Version > 0 || time.Since(r.began) > askAfter
}
