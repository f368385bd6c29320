package device

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

const (
	minBackoff = 250 * time.Millisecond
	maxBackoff = 10 * time.Second
	settled    = time.Second // a port that was in use this long is not a flapping one
	faultEvery = time.Second
)

// ErrNoAnswer means that a port is open and whatever hangs on it is silent.
var ErrNoAnswer = errors.New("no answer")

// Use opens a port or lines, hands them to use and closes them when that returns. The
// end of ctx closes them too, which frees whoever waits in them.
func Use[T io.Closer](ctx context.Context, open func() (T, error), use func(context.Context, T) error) error {
	opened, err := open()
	if err != nil {
		return err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = opened.Close() // nothing to save; opening again tells what is wrong
	})
	defer func() {
		if stop() {
			_ = opened.Close()
			return
		}
		<-closed
	}()
	return use(ctx, opened)
}

// Session keeps a reader's port in use: it opens it, tells when the reader can
// be used and when not, and tries again when it fails, at first after 250 ms,
// then ever longer up to 10 s. For one goroutine, once.
type Session struct {
	Door Reporter
	Open func() (Port, error)              // opens the port
	Use  func(context.Context, Port) error // works with it until it fails; calls Online as soon as the reader can be used
	Log  zerolog.Logger

	since time.Time // when the reader came online
}

// Run works until ctx ends and returns ctx.Err(). WentOffline is sent once, with the
// fault of CauseOf.
func (s *Session) Run(ctx context.Context) error {
	for retry := backoff.New(minBackoff, maxBackoff); ; retry.Wait(ctx) {
		err := Use(ctx, s.Open, s.Use)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		online := s.Door.status == CameOnline
		if online && time.Since(s.since) >= settled {
			retry.Reset()
		}
		if s.Door.status != WentOffline {
			found := CauseOf(err, online)
			s.Log.Warn().Err(err).Str("reader", s.Door.Source).Stringer("fault", found).Msg("reader offline")
			s.Door.Change(ctx, Event{Kind: WentOffline, Fault: found})
		}
	}
}

// Online tells, once for each time, that the reader can be used.
func (s *Session) Online(ctx context.Context) {
	if s.Door.status == CameOnline {
		return
	}
	s.since = time.Now()
	s.Log.Info().Str("reader", s.Door.Source).Msg("reader online")
	s.Door.Change(ctx, Event{Kind: CameOnline})
}

// Disturbed tells what another program did to the port, and reports true, where err is
// such an error of Read after which the port goes on.
func (s *Session) Disturbed(ctx context.Context, err error) bool {
	found := PortFault(err)
	if found != fault.None {
		s.Log.Warn().Err(err).Str("reader", s.Door.Source).Msg("another program at the port")
		s.Door.Fault(ctx, found, 0)
	}
	return found != fault.None
}

// CauseOf is the fault of a port that can't be opened or used: fault.Missing,
// fault.Unplugged where it was of use before, fault.NoAnswer, fault.PortBusy or fault.IO.
func CauseOf(err error, used bool) fault.Code {
	switch unplugged := errors.Is(err, ErrUnplugged); {
	case unplugged && used:
		return fault.Unplugged
	case unplugged, errors.Is(err, os.ErrNotExist):
		return fault.Missing
	case errors.Is(err, ErrNoAnswer):
		return fault.NoAnswer
	case errors.Is(err, ErrPortBusy):
		return fault.PortBusy
	}
	return fault.IO
}

// Reporter tells a door what one reader reads, and how it is. It waits for room in
// Events, or until ctx ends. For one goroutine.
type Reporter struct {
	Source string // the reader's name in its events
	Events chan<- Event

	status EventKind // the last of CameOnline and WentOffline that was told
	told   map[fault.Code]time.Time
}

// Send sends an event of this reader.
func (r *Reporter) Send(ctx context.Context, e Event) {
	e.Source = r.Source
	select {
	case r.Events <- e:
	case <-ctx.Done():
	}
}

// Change sends CameOnline or WentOffline, unless it was the last of the two.
func (r *Reporter) Change(ctx context.Context, e Event) {
	if r.status != e.Kind {
		r.status = e.Kind
		r.Send(ctx, e)
	}
}

// Offline reports whether the door was told that the reader is away.
func (r *Reporter) Offline() bool { return r.status == WentOffline }

// Fault sends a FaultSeen with the time at, of Event.At: each fault at most once a
// second, and nothing for fault.None.
func (r *Reporter) Fault(ctx context.Context, f fault.Code, at time.Duration) {
	if last, ok := r.told[f]; f == fault.None || ok && time.Since(last) < faultEvery {
		return
	}
	if r.told == nil {
		r.told = map[fault.Code]time.Time{}
	}
	r.told[f] = time.Now()
	r.Send(ctx, Event{Kind: FaultSeen, Fault: f, At: at})
}
