package entries

import (
	"bytes"
	"sync"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// contextFor is the longest time for which who parts are sealed in one context: for as long the
// gateway has a secret that opens them.
const contextFor = time.Hour

// seals makes the seals of who parts: each by itself in a context that serves many batches, if the
// registry reads that, else all of a batch at once. Its methods are safe for concurrent use: the
// packer seals, and the acks tell what the registry has.
type seals struct {
	o Options

	mu    sync.Mutex
	reads bool          // the registry reads contexts
	has   wire.ID       // the context that it has by the newest ack; zero: none
	now   *whos.Context // nil: none
	epoch uint64        // of now
	to    []byte        // the records key for which now was made
}

// hear takes the context that an ack names; nil: the registry reads none.
func (s *seals) hear(context *wire.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads, s.has = context != nil, wire.ID{}
	if context != nil {
		s.has = *context
	}
}

// lacks reports whether the registry can't read a batch that names a context by its id alone; zero:
// it names none.
func (s *seals) lacks(named wire.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return named != wire.ID{} && named != s.has
}

// seal seals the who parts of a batch and puts them into it; named is the context that it names by
// its id alone, or zero.
func (s *seals) seal(parts []whos.Part, b *wire.Batch) (named wire.ID, err error) {
	if len(parts) == 0 {
		return named, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	records := s.o.Keyring.Trust().Records
	if !s.reads {
		b.Sealed, err = whos.Seal(records, s.o.Address, b.Epoch, b.First, parts)
		return named, err
	}
	if err := s.begin(records, b.Epoch); err != nil {
		return named, err
	}
	if b.Context = s.now.Encapsulated(); s.now.ID() == s.has {
		named = s.has
		b.Context = named[:]
	}
	b.Sealed, err = s.now.Seal(b.First, parts)
	return named, err
}

// begin makes a context, unless there is one for this key and epoch.
func (s *seals) begin(records []byte, epoch uint64) error {
	if s.now != nil && s.epoch == epoch && bytes.Equal(s.to, records) {
		return nil
	}
	s.drop()
	c, err := whos.Begin(records, s.o.Address, epoch)
	if err != nil {
		return err
	}
	s.now, s.epoch, s.to = c, epoch, records
	time.AfterFunc(contextFor, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.now == c {
			s.drop()
		}
	})
	return nil
}

// drop forgets the context.
func (s *seals) drop() {
	if s.now != nil {
		s.now.Forget()
		s.now = nil
	}
}

// end forgets the context. The next batch begins another.
func (s *seals) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
}
