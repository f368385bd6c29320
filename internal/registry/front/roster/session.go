package roster

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"gatehouse/sync/wire"
)

// View is what people and acks see of a gateway.
type View struct {
	Nonce  wire.Nonce
	Hello  wire.Hello2
	Format uint64 // of the newest hello; acks are of the same
	Online bool
	Since  time.Time
	Heard  time.Time
	Said   time.Time // the newest hello, by the monotonic clock; zero: not in this run
	Sent   uint64    // list version
	Lacks  bool      // it has something that is not known here, and has not handed it over
	Mute   bool      // the same, but its program is too old to be asked for it
	// Refuses is why it does not take the newest list. Pressed: it has to hand over what
	// it has, so that the issuer can count for itself.
	Refuses wire.Reason
	Pressed bool

	given named // what it handed over last
}

// read takes a stored hello, of whatever format it was, and reports whether it
// could be read.
func (v *View) read(payload []byte) bool {
	for v.Format = wire.Formats; v.Format > 0; v.Format-- {
		var err error
		if v.Hello, err = wire.DecodeHello(v.Format, payload); err == nil {
			return true
		}
	}
	v.Hello = wire.Hello2{}
	return false
}

// nonces are those of the newest hellos of a gateway. Only they tell a replayed hello
// from a new one, since a signature has no time.
type nonces struct {
	list [64]wire.Nonce
	n    int
}

// add reports whether the nonce is a new one, and keeps it.
func (s *nonces) add(n wire.Nonce) bool {
	if slices.Contains(s.list[:min(s.n, len(s.list))], n) {
		return false
	}
	s.list[s.n%len(s.list)] = n
	s.n++
	return true
}

// Hello is a hello that came, with its payload as it is stored.
type Hello struct {
	wire.Hello2
	Payload []byte
	Format  uint64
}

// raise gives a hello the format in which the same one was said before: a gateway that
// gets no answer in time says it in each format that it reads, and answers in the first
// would tell a gateway of the second that its lists prove nothing.
func (h *Hello) raise(before wire.Hello2, format uint64) (err error) {
	before.Hello = h.Hello
	h.Hello2, h.Format = before, format
	h.Payload, err = wire.Encode(h.Hello2)
	return err
}

// named is what a hello says that a registry may lack.
type named struct {
	list     wire.Hash
	removed  uint64 // grants that are over for good
	removals wire.Hash
}

func namedBy(h wire.Hello2) named { return named{h.ListHash, h.Removed, h.RemovedHash} }

// speaks reports whether a gateway can be asked for what it holds.
func speaks(h wire.Hello2) bool {
	return len(h.Formats) > 0 && h.Formats[len(h.Formats)-1] >= wire.LogFormat
}

// errOldHello means a hello before the newest: a gateway does not say one again.
var errOldHello = errors.New("the hello was said before")

// Know takes what the store knows of a gateway: its newest hello, or nil, and when
// that was heard. It returns the epoch that the hello asks about; 0: none.
func (r *Roster) Know(p wire.Place, hello []byte, heard time.Time) (*Gateway, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gatewayAt(p)
	v := &g.state.View
	if hello == nil || !v.read(hello) {
		return g, 0
	}
	v.Nonce, v.Heard = v.Hello.Nonce, heard
	g.said.add(v.Nonce)
	return g, AnswerEpoch(v.Hello)
}

// AnswerEpoch is the epoch that a hello asks about.
func AnswerEpoch(h wire.Hello2) uint64 {
	if h.CursorEpoch != 0 {
		return h.CursorEpoch
	}
	return h.Epoch
}

// Greet takes a hello of a gateway; h may be given a newer format. It reports
// whether it is a new one: the newest may be said again, an older one is refused.
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
	case h.Nonce == v.Nonce: // said again, since no ack came, or by somebody else
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

// Leave takes the last will of a gateway's connection: it counts if the newest hello
// was said on that one.
func (r *Roster) Leave(g *Gateway, connection wire.Nonce) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if connection.SameConnection(g.state.View.Nonce) {
		g.state.View.Online = false
	}
}

// HeardStranger notes that somebody speaks as a gateway with another key.
func (r *Roster) HeardStranger(g *Gateway) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.state.Stranger = r.now()
}

// Heard notes that something new came of some gateways at a time.
func (r *Roster) Heard(gateways []*Gateway, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range gateways {
		g.state.View.Heard = at
	}
}

// Sent notes that a list went out to a gateway, and reports whether it is there to
// hear it. One that did not say so is sent everything all the same: a front that has
// just started has not heard those that stayed connected to a broker elsewhere.
func (r *Roster) Sent(g *Gateway, version uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.state.View.Online {
		g.state.View.Sent = version
	}
	return g.state.View.Online
}

// SetUndo keeps what is to be sent to a gateway until it has taken it; zero: nothing.
func (r *Roster) SetUndo(g *Gateway, u Undo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.state.Undo = u
}

// SetRefusal notes why a gateway does not take the newest list; ReasonNone: it does.
func (r *Roster) SetRefusal(g *Gateway, why wire.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &g.state.View
	v.Refuses = why
	v.Pressed = v.Format >= wire.LogFormat && (why == wire.ReasonSecondNeeded || why == wire.ReasonUnproved)
}

// askAfter is how long after the start a gateway is asked for what it holds of a
// building without a list: before that the issuer may not have handed it in.
const askAfter = time.Minute

// SetLacking notes whether a hello names something that is not known here: the gateway
// is asked for it, unless it has handed over just that, or shown to the operator. It
// reports whether the gateway is to hand over what it holds.
func (r *Roster) SetLacking(g *Gateway, lacks bool, h wire.Hello2) (asked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := &g.state.View
	v.Lacks = lacks && speaks(h) && namedBy(h) != v.given
	v.Mute = lacks && !speaks(h)
	return v.Lacks || v.Pressed
}

// HandedOver notes that the issuer has judged what a gateway holds, if it was asked
// for that with the newest hello.
func (r *Roster) HandedOver(address string, nonce []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gateways[address]
	if g == nil || !bytes.Equal(g.state.View.Nonce[:], nonce) {
		return
	}
	v := &g.state.View
	v.Lacks, v.Pressed, v.given = false, false, namedBy(v.Hello)
}

// Unanswered returns gateways that are online and have something which is not known
// here, or are to hand over what they hold: at most so many.
func (r *Roster) Unanswered(most int) (all []*Gateway) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, g := range r.gateways {
		v := &g.state.View
		if g.state.Member && v.Online && (v.Lacks || v.Mute || v.Pressed) && len(all) < most {
			all = append(all, g)
		}
	}
	return all
}

// Asks reports whether a gateway is to be asked for what it holds.
func (r *Roster) Asks(s State) bool {
	return s.View.Pressed || s.View.Lacks && r.CaughtUp(s.Building)
}

// CaughtUp reports whether the issuer has said what is known of a building, or has had
// the time to.
func (r *Roster) CaughtUp(b *Building) bool {
	return b.List.Version > 0 || time.Since(r.began) > askAfter
}
