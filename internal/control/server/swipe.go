package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/socket"
)

// Limits of a wait for a card.
const (
	swipeDefault = 60 * time.Second
	swipeMost    = 10 * time.Minute
)

// nextSwipe waits for a card at the reader that the request names: for one that is
// held up twice, or (but for twice) is in use by nobody.
func nextSwipe(ctx context.Context, g *gateway.Gateway, in control.SwipeRequest, twice bool) (swipe.Card, error) {
	if !g.Keyring.Status().HasKey {
		return swipe.Card{}, socket.Refused(http.StatusConflict, "run gatehouse init, then start the daemon again", "the building has no key yet")
	}
	if in.Door != "" {
		if _, err := doorOf(g, in.Door); err != nil {
			return swipe.Card{}, err
		}
	}
	wait := time.Duration(in.Seconds) * time.Second
	if wait <= 0 {
		wait = swipeDefault
		if twice {
			wait += g.Swipes.Rest(in.Door)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, min(wait, swipeMost))
	defer cancel()
	s, err := g.Swipes.Next(ctx, in.Door, in.Reader, twice)
	switch {
	case errors.Is(err, swipe.ErrBusy):
		return s, socket.Refused(http.StatusConflict, "wait until that is done", "%v", err)
	case err != nil && twice: // in the same words whoever has come by
		return s, socket.Refused(http.StatusRequestTimeout, fmt.Sprintf("hold it up to the reader, wait %d seconds with the door shut, and hold it up there again; gatehouse status shows whether the reader is online",
			g.Swipes.Pause(in.Door)), "no card was held up twice")
	case err != nil:
		return s, socket.Refused(http.StatusRequestTimeout, fmt.Sprintf("hold the card up to the reader for a second, and one that opens here already again %d seconds later; gatehouse status shows whether the reader is online",
			g.Swipes.Pause(in.Door)), "no card came")
	}
	return s, nil
}
