package control

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Takeover is what a daemon is asked about a house that is being taken over: who decides
// at its doors, and the cards that nobody knows yet. Safe for concurrent use.
type Takeover struct{ Daemon *Client }

// Adopts lists the unknown cards that were kept.
func (c Takeover) Adopts(ctx context.Context) (a AdoptState, err error) {
	return a, c.Daemon.socket.Call(ctx, http.MethodGet, "/v1/adopt", nil, &a)
}

// SetAdopt switches adopt mode.
func (c Takeover) SetAdopt(ctx context.Context, r AdoptRequest) (a AdoptState, err error) {
	return a, c.Daemon.socket.Call(ctx, http.MethodPost, "/v1/adopt", r, &a)
}

// changeWithin is how long a gateway may take to begin its next run.
const changeWithin = 20 * time.Second

// SetListening says who decides at the doors, and returns once the gateway's next run
// answers, which goes by it.
func (c Takeover) SetListening(ctx context.Context, r ListeningRequest) (s Status, err error) {
	before, err := c.Daemon.Status(ctx)
	if err != nil {
		return s, err
	}
	if err := c.Daemon.socket.Call(ctx, http.MethodPost, "/v1/listening", r, nil); err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, changeWithin)
	defer cancel()
	for {
		if s, err = c.Daemon.Status(ctx); err == nil && !s.Started.Equal(before.Started) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("it is decided, and the gateway has not begun anew yet: %w", context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
