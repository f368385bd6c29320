package setup

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/discovery"
	"gatehouse/internal/profile"
)

// looker inspects the machine on request, one look at a time: a new one ends the one before. Safe
// for concurrent use.
type looker struct {
	machine discovery.Machine
	boards  []control.Board // for whose doors a profile has lines
	asks    chan ask

	mu      sync.Mutex
	number  int // of the last requested look; 0: none
	running bool
	last    discovery.Found
}

// ask is a request for a look.
type ask struct {
	number int
	discovery.Request
}

func newLooker(m discovery.Machine) *looker {
	return &looker{machine: m, boards: boards(m.Profiles), asks: make(chan ask)}
}

// ask begins a look, which has no findings yet when it returns.
func (l *looker) ask(ctx context.Context, in control.LookRequest) error {
	l.mu.Lock()
	l.number++
	a := ask{l.number, discovery.Request{Board: in.Board, Ports: in.Ports, Listen: time.Duration(in.Seconds) * time.Second, Cards: in.Cards}}
	l.running, l.last = true, discovery.Found{}
	l.mu.Unlock()
	select {
	case l.asks <- a:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run performs looks until ctx ends.
func (l *looker) run(ctx context.Context) {
	var looking sync.WaitGroup
	stop := func() {}
	for {
		var next ask
		select {
		case next = <-l.asks:
		case <-ctx.Done():
		}
		stop()
		looking.Wait()
		if ctx.Err() != nil {
			return
		}
		look, cancel := context.WithCancel(ctx)
		stop = cancel
		looking.Go(func() { l.look(look, next) })
	}
}

func (l *looker) look(ctx context.Context, a ask) {
	a.Seen = func(f discovery.Found) { l.take(a.number, f, true) }
	l.take(a.number, l.machine.Discover(ctx, a.Request), false)
}

// take stores the findings of a look, if it is the last one that was requested.
func (l *looker) take(number int, f discovery.Found, running bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number == l.number {
		l.last, l.running = f, running
	}
}

// found returns the present findings of the last look; false: none was requested.
func (l *looker) found() (discovery.Found, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.number > 0
}

// shown returns the last look in the form of the socket; nil: there was none.
func (l *looker) shown() *control.Look {
	l.mu.Lock()
	f, running, any := l.last, l.running, l.number > 0
	l.mu.Unlock()
	if !any {
		return nil
	}
	whole, _ := json.Marshal(f) // plain data
	out := &control.Look{Running: running, Model: f.Model, Board: f.Board, Silent: f.Silent, Problems: f.Problems, Found: whole}
	board, err := l.machine.Profiles.Board(f.Board)
	if f.Board == "" || err != nil {
		board = profile.Board{} // without lines
	}
	out.Title = board.Title
	if board.Wiring != nil {
		out.Doors = len(board.Wiring.Doors)
	}
	for _, in := range f.Inputs {
		out.Lines = append(out.Lines, control.FoundLine{Name: in.Name, Pin: pinOf(board, in.Chip, in.Line), High: in.High})
	}
	for _, r := range f.Readers {
		out.Readers = append(out.Readers, readerOf(r, board))
	}
	return out
}

func readerOf(r discovery.Reader, b profile.Board) control.FoundReader {
	out := control.FoundReader{Words: r.String(), Type: r.Type, Port: r.Port, Address: r.Address, Formats: r.Formats, Identity: r.Identity, Swapped: r.Swapped, Clear: r.Clear, Card: r.Card}
	if r.D0 == nil || b.Wiring == nil {
		return out
	}
	out.Pins = pinOf(b, r.Chip, *r.D0) + ", " + pinOf(b, r.Chip, *r.D1)
	out.Door = 1 + slices.IndexFunc(b.Wiring.Doors, func(d profile.DoorWiring) bool { return d.D0 == *r.D0 })
	return out
}

// pinOf returns a line's pin, without the header's name, because a screen is small.
func pinOf(b profile.Board, chip string, line int) string {
	pin, _, _ := strings.Cut(b.PinOf(chip, line), " of ")
	return pin
}

// boards returns the boards with a profile that has lines for doors.
func boards(known profile.Set) (all []control.Board) {
	list, _ := known.List() // a directory that can't be read has no profile for us
	for _, e := range list {
		if b, err := known.Board(e.Name); e.Kind == profile.Boards && err == nil && b.Wiring != nil {
			all = append(all, control.Board{Name: b.Name, Title: b.Title})
		}
	}
	return all
}
