package server

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
)

// clockAsk is the one question for a signed time that is open.
type clockAsk struct {
	mu    sync.Mutex
	nonce [16]byte
	at    time.Duration // CLOCK_BOOTTIME
	open  bool
}

// answerWithin is how long a signed time may take: it is signed in the moment.
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

// standalone refuses what only the landlord of a house by itself may do: where
// there is a registry, it signs the time.
func (srv *Server) standalone() error {
	if srv.gw.Keyring.Registry() != nil {
		return fail(http.StatusConflict, "gatehouse clock confirm makes the time shown count for visitors and for the desk", "this house has a registry, which signs the time")
	}
	return nil
}

func (srv *Server) postClockAsk(*http.Request) (any, error) {
	if err := srv.standalone(); err != nil {
		return nil, err
	}
	return control.ClockAsk{Building: srv.gw.Site.Building, Nonce: srv.asked.ask(srv.gw.Clock.Read().Boot)}, nil
}

func (srv *Server) postClockSet(r *http.Request) (any, error) {
	in, err := read[control.SignedClock](r)
	if err != nil {
		return nil, err
	}
	if err := srv.standalone(); err != nil {
		return nil, err
	}
	payload, err := srv.gw.Keyring.OpenClock(in.Envelope)
	if err != nil || len(payload) != 16+8 {
		return nil, fail(http.StatusForbidden, "use the key with which gatehouse init made this house", "the time is not signed by the landlord's key")
	}
	within, ok := srv.asked.take(payload[:16], srv.gw.Clock.Read().Boot)
	if !ok {
		return nil, fail(http.StatusConflict, "run the command again", "the signed time came too late, or a second time")
	}
	unix := int64(binary.BigEndian.Uint64(payload[16:]))
	if unix < trueclock.Earliest || unix >= 1<<32 {
		return nil, fail(http.StatusUnprocessableEntity, "as 2026-12-01 09:30", "that is no time of today")
	}
	srv.gw.Journal.Queue(srv.gw.Clock.Set(unix, within), wire.Who{})
	return srv.clockStatus(), nil
}
