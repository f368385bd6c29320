package device

import (
	"context"
	"errors"
	"os"
	"time"

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

// Session keeps a reader's port in use: it opens it, tells when the reader can
// be used and when not, and tries again when it fails, at first after 250 ms,
// then ever longer up to 10 s. For one goroutine, once.
type Session struct {
	Source string                            // the reader's name in its events
	Events chan<- Event                      // waits for room there
	Open   func() (Port, error)              // opens the port
	Use    func(context.Context, Port) error // works with it until it fails; calls Online as soon as the reader can be used
	Told   func(Event, error)                // nil, or called with each CameOnline and WentOffline, for the log

	status EventKind // the last of CameOnline and WentOffline that was sent
	since  time.Time
	told   map[fault.Code]time.Time
}

// Run works until ctx ends and returns ctx.Err(). WentOffline is sent once, its
// Fault by the cause: fault.Missing,
// fault.Unplugged, fault.NoAnswer, fault.PortBusy or fault.IO.
func (s *Session) Run(ctx context.Context) error {
	for retry := backoff.New(minBackoff, maxBackoff); ; retry.Wait(ctx) {
		err := s.once(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.status == CameOnline && time.Since(s.since) >= settled {
			retry.Reset()
		}
		s.offline(ctx, err)
	}
}

// once opens the port and uses it until it fails or ctx ends.
func (s *Session) once(ctx context.Context) error {
	port, err := s.Open()
	if err != nil {
		return err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = port.Close() // frees a blocked Read
	})
	defer func() {
		if stop() {
			_ = port.Close()
			return
		}
		<-closed
	}()
	return s.Use(ctx, port)
}

// Online tells, once for each time, that the reader can be used.
func (s *Session) Online(ctx context.Context) {
	if s.status == CameOnline {
		return
	}
	s.status, s.since = CameOnline, time.Now()
	s.tell(ctx, Event{Kind: CameOnline}, nil)
}

func (s *Session) offline(ctx context.Context, err error) {
	if s.status == WentOffline {
		return
	}
	found := s.cause(err)
	s.status = WentOffline
	s.tell(ctx, Event{Kind: WentOffline, Fault: found}, err)
}

func (s *Session) cause(err error) fault.Code {
	switch unplugged := errors.Is(err, ErrUnplugged); {
	case unplugged && s.status == CameOnline:
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

func (s *Session) tell(ctx context.Context, e Event, err error) {
	e.Source = s.Source
	if s.Told != nil {
		s.Told(e, err)
	}
	s.Send(ctx, e)
}

// Fault sends a FaultSeen, each kind at most once a second.
func (s *Session) Fault(ctx context.Context, f fault.Code) {
	if last, ok := s.told[f]; f == fault.None || ok && time.Since(last) < faultEvery {
		return
	}
	if s.told == nil {
		s.told = map[fault.Code]time.Time{}
	}
	s.told[f] = time.Now()
	s.Send(ctx, Event{Kind: FaultSeen, Fault: f})
}

// Send sends an event of this reader.
func (s *Session) Send(ctx context.Context, e Event) {
	e.Source = s.Source
	select {
	case s.Events <- e:
	case <-ctx.Done():
	}
}
