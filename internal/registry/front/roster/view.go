package roster

import (
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
