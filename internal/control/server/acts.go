package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"gatehouse/internal/control/server/takeover"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/gateway"
	"gatehouse/internal/socket"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
)

type acts struct{ *gateway.Gateway }

func (g acts) postRelease(r *http.Request, _ socket.None) (any, error) {
	d, err := doorOf(g.Gateway, r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	if err := takeover.Refuse(g.Gateway); err != nil {
		return nil, err
	}
	state, err := release(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return control.Released{Door: d.Config.ID, State: string(state)}, nil
}

// postLock takes back a release. Its answer is the same whether somebody else goes through or not
// (refusal N2).
func (g acts) postLock(r *http.Request, _ socket.None) (any, error) {
	d, err := doorOf(g.Gateway, r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	if err := d.LockNow(r.Context()); err != nil {
		return nil, fmt.Errorf("lock door %s: %w", d.Config.ID, err)
	}
	if msg := d.Status().LockErr; msg != "" {
		return nil, socket.Refused(http.StatusBadGateway, "see gatehouse status", "the lock of door %s can't be driven: %s", d.Config.ID, msg)
	}
	return control.Released{Door: d.Config.ID, State: shownState(d.Status().State)}, nil
}

// release lets people through a door, or says why its lock does not.
func release(ctx context.Context, d *gateway.Door) (door.State, error) {
	state, err := d.Release(ctx)
	if err != nil {
		return state, fmt.Errorf("release door %s: %w", d.Config.ID, err)
	}
	if msg := d.Status().LockErr; msg != "" {
		return state, socket.Refused(http.StatusBadGateway, "see gatehouse status", "the lock of door %s can't be driven: %s", d.Config.ID, msg)
	}
	return state, nil
}

// postFireReset secures the doors again. Only the socket leads here, for somebody on site: whoever
// has the machine says so by being there; whoever asks on the page shows it at a door.
func (g acts) postFireReset(r *http.Request, _ socket.None) (any, error) {
	if err := takeover.Refuse(g.Gateway); err != nil {
		return nil, err
	}
	if g.Fire == nil {
		return nil, socket.Refused(http.StatusConflict, "", "this gateway has no fire input")
	}
	if err := g.showsUp(r.Context()); err != nil {
		return nil, err
	}
	if err := g.ResetFire(r.Context()); errors.Is(err, gateway.ErrFireActive) {
		return nil, socket.Refused(http.StatusConflict, "reset the fire panel first; if the input can't be read, mend its line", "%v", err)
	} else if err != nil {
		return nil, err
	}
	return *fireStatus(g.Gateway), nil
}

// showsUp waits until somebody presses an exit button or holds up a card that opens, for who asks
// on the page: a phone may be anywhere (refusal N11). What is not at rest is refused by the reset
// itself, at once.
func (g acts) showsUp(ctx context.Context) error {
	if f, _ := g.Fire.Now(); caller.Of(ctx).Role == caller.Operator || f.Active || f.Blind || !f.Latched {
		return nil
	}
	from := g.Journal.Status().Position
	g.Journal.Queue(wire.Header{Kind: wire.KindFireReset, Outcome: wire.OutcomeActive, Source: caller.Of(ctx).String()}, wire.Who{})
	ctx, cancel := context.WithTimeout(ctx, control.ResetWait)
	defer cancel()
	there := func(h wire.Header) bool {
		return h.Kind == wire.KindExit && h.Outcome == wire.OutcomeActive || h.Kind == wire.KindAccess && h.Outcome == wire.OutcomeGranted
	}
	if !follow(ctx, g.Gateway, from, there) {
		return socket.Refused(http.StatusConflict, "ask again, and press an exit button or hold up a card that opens within a minute", "nobody was seen at a door, so the doors stay released")
	}
	return nil
}

// postAccess records who may use the page. It gives no access: the page keeps its accounts.
func (g acts) postAccess(r *http.Request, in control.Access) (any, error) {
	of, err := caller.Parse(in.Account)
	if err != nil {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "", "%v", err)
	}
	enter(g.Gateway, r, wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeDone, Reason: choose(in.Ended, wire.ReasonAccessEnded, wire.ReasonAccessGiven), Detail: []byte(of.String())})
	return struct{}{}, nil
}

// clockAsk is the one open question for a signed time.
type clockAsk struct {
	mu    sync.Mutex
	nonce [16]byte
	at    time.Duration // CLOCK_BOOTTIME
	open  bool
}

// clocks handles times that are given by hand.
type clocks struct {
	*gateway.Gateway
	asked clockAsk
}

// answerWithin is how long a signed time may take, because it is signed at once.
const answerWithin = time.Minute

func (a *clockAsk) ask(at time.Duration) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	rand.Read(a.nonce[:]) // never fails
	a.at, a.open = at, true
	return bytes.Clone(a.nonce[:])
}

// take reports how long ago the question was asked, once.
func (a *clockAsk) take(nonce []byte, at time.Duration) (within time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok = a.open && bytes.Equal(nonce, a.nonce[:]) && at-a.at <= answerWithin
	a.open = a.open && !ok
	return at - a.at, ok
}

// standalone refuses what only the landlord of a standalone house may do: a registry signs the time itself.
func standalone(g *gateway.Gateway) error {
	if g.Keyring.Keys.Registry() != nil {
		return socket.Refused(http.StatusConflict, "gatehouse clock confirm makes the time shown count for visitors and for the desk", "this house has a registry, which signs the time")
	}
	return nil
}

func (g *clocks) postClockAsk(_ *http.Request, _ socket.None) (any, error) {
	if err := standalone(g.Gateway); err != nil {
		return nil, err
	}
	return control.ClockAsk{Building: g.Site.Building, Nonce: g.asked.ask(g.Clock.Read().Boot)}, nil
}

// farOff is how far a time may be from what is known without a question.
const farOff = 366 * 24 * time.Hour

// knows is the latest that the gateway's clock says, or has surely come.
func (g *clocks) knows() time.Time {
	r := g.Clock.Read()
	return time.Unix(max(r.Wall.Unix(), r.Interval.Sure, trueclock.Earliest), 0)
}

func (g *clocks) postClockSet(r *http.Request, in control.SignedClock) (any, error) {
	if err := standalone(g.Gateway); err != nil {
		return nil, err
	}
	payload, err := g.Keyring.Keys.OpenClock(in.Envelope)
	if err != nil || len(payload) != 16+8 {
		return nil, socket.Refused(http.StatusForbidden, "use the key with which gatehouse init made this house", "the time is not signed by the landlord's key")
	}
	within, ok := g.asked.take(payload[:16], g.Clock.Read().Boot)
	if !ok {
		return nil, socket.Refused(http.StatusConflict, "run the command again", "the signed time came too late, or a second time")
	}
	unix := int64(binary.BigEndian.Uint64(payload[16:]))
	if unix < trueclock.Earliest || unix >= 1<<32 {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "as 2026-12-01 09:30", "that is no time of today")
	}
	if known := g.knows(); !in.Far && time.Unix(unix, 0).Sub(known).Abs() > farOff {
		zone := g.Site.Zone()
		return nil, socket.Refused(http.StatusConflict, "if it is the time all the same: the same command with --far",
			"%s is more than a year from what this gateway knows of the time (%s)", calendar.Minute(time.Unix(unix, 0), zone), calendar.Minute(known, zone))
	}
	enter(g.Gateway, r, g.Clock.Set(unix, within))
	return clockStatus(g.Gateway), nil
}

func (g *clocks) postClockConfirm(r *http.Request, _ socket.None) (any, error) {
	g.PollClock()
	h, err := g.Clock.Confirm(g.Site.Zone())
	if err != nil {
		return nil, socket.Refused(http.StatusConflict, "set the clock of the gateway first", "%v", err)
	}
	enter(g.Gateway, r, h)
	return clockStatus(g.Gateway), nil
}
