package gateway

import (
	"context"
	"errors"
	"os"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

// settle is how long an input must be still at least before its release is believed:
// contacts bounce. That fire became active is believed at once.
const settle = 30 * time.Millisecond

// lookEvery is how often the level of a still input is read.
const lookEvery = time.Second

// Back-off of lines that can't be opened.
const (
	retryFirst = time.Second
	retryMost  = 30 * time.Second
)

// input watches one input line and tells its state to send, at the start and
// at every change.
type input struct {
	source string
	cfg    device.LinesConfig
	open   func(device.LinesConfig) (device.Lines, error)
	send   func(device.Event)
	// every: each time that the line is seen active is told, not only the first.
	every bool
	// filter is how long a state must last, but where every is set.
	filter time.Duration
	// urgent: who becomes active is told behind filter even while the line rattles.
	urgent  bool
	chatter chatter
}

// run watches until ctx ends, opening the line again when it goes away.
func (in *input) run(ctx context.Context) {
	retry, reported := backoff.New(retryFirst, retryMost), false
	for ctx.Err() == nil {
		began := time.Now()
		lines, err := in.open(in.cfg)
		if err == nil {
			in.send(device.Event{Kind: device.CameOnline, Source: in.source})
			reported = false
			err = in.watch(ctx, lines)
			if time.Since(began) > retryMost { // not one that opens and fails, again and again
				retry.Reset()
			}
		}
		if ctx.Err() != nil {
			return
		}
		if !reported {
			reported = true
			in.send(device.Event{Kind: device.WentOffline, Source: in.source, Fault: faultOf(err)})
		}
		retry.Wait(ctx)
	}
}

func faultOf(err error) fault.Code {
	switch {
	case errors.Is(err, device.ErrUnplugged):
		return fault.Unplugged
	case errors.Is(err, os.ErrNotExist):
		return fault.Missing
	case errors.Is(err, device.ErrLineBusy):
		return fault.LineBusy
	}
	return fault.IO
}

func (in *input) watch(ctx context.Context, lines device.Lines) error {
	stop := context.AfterFunc(ctx, func() { _ = lines.Close() })
	defer func() {
		if stop() {
			_ = lines.Close()
		}
	}()
	active, err := level(lines)
	if err != nil {
		return err
	}
	in.tell(active, 0)
	if !in.every {
		return in.follow(lines, active)
	}
	edges := make([]device.Edge, 64)
	if active {
		if active, err = in.settled(lines, edges, true, active); err != nil {
			return err
		}
	}
	for {
		n, err := lines.ReadEdges(edges, lookEvery)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		active = in.pressed(edges[:n], active)
		if active, err = in.settled(lines, edges, n > 0, active); err != nil {
			return err
		}
	}
}

// pressed tells each edge to active at once, and returns the state that is told.
func (in *input) pressed(edges []device.Edge, told bool) bool {
	for _, e := range edges {
		if e.Active {
			told = true
			in.tell(true, e.At)
		}
	}
	return told
}

// settled waits until the line is still and tells its state if that is news. An
// active line is looked at twice.
func (in *input) settled(lines device.Lines, edges []device.Edge, moving, told bool) (bool, error) {
	for again := true; ; again = false {
		for moving {
			n, err := lines.ReadEdges(edges, settle)
			if moving = !errors.Is(err, os.ErrDeadlineExceeded); moving && err != nil {
				return told, err
			}
			told = in.pressed(edges[:n], told)
		}
		now, err := level(lines)
		if err != nil {
			return told, err
		}
		if now != told || now {
			in.tell(now, 0)
		}
		if told = now; !now || !again {
			return now, nil
		}
		moving = true
	}
}

func (in *input) tell(active bool, at time.Duration) {
	in.send(device.Event{Kind: device.InputChanged, Source: in.source, Active: active, At: at})
}

func level(lines device.Lines) (bool, error) {
	var v [1]bool
	err := lines.Levels(v[:])
	return v[0], err
}
