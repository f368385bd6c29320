// Package exits answers whether somebody holds an exit button: so the first run of the page knows that
// whoever asks is at the gateway, and has no code at hand.
//
// It refuses to tell anything else of what is pressed (refusal N2).
package exits

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/exitbutton"
	"gatehouse/internal/socket"
)

// Route is the one that the daemon answers, with a house and without.
const Route = "POST /v1/exit/hold"

// hint is what else there is to do.
const hint = "use the code of the label: gatehouse-page code prints it"

// Handle registers the route of a house that is served: its exit buttons count.
func Handle(s *socket.Server, g *gateway.Gateway) {
	socket.Handle(s, Route, func(r *http.Request, _ socket.None) (control.ExitHeld, error) {
		if g.Decider.State.Listening {
			return control.ExitHeld{}, socket.Refused(http.StatusConflict, hint, "the exit buttons are the old controller's, while this gateway only listens")
		}
		if !slices.ContainsFunc(g.Doors, func(d *gateway.Door) bool { return d.Config.Exit != nil }) {
			return control.ExitHeld{}, None()
		}
		return Watch(r.Context(), &g.Exits)
	})
}

// None refuses where no exit button is known.
func None() error {
	return socket.Refused(http.StatusConflict, hint, "no exit button is known at this gateway")
}

// NotServed refuses where there is a site file, and its house is not served.
func NotServed(why error) error {
	return socket.Refused(http.StatusServiceUnavailable, hint, "the exit buttons are not known while the house is not served: %v", why)
}

// Watch waits for a button that is held; beside runs meanwhile.
func Watch(ctx context.Context, all *exitbutton.Buttons, beside ...func(context.Context)) (control.ExitHeld, error) {
	minute, cancel := context.WithTimeout(ctx, control.ExitWatch)
	defer cancel()
	answer, err := all.Watch(minute, beside...)
	switch {
	case answer != exitbutton.Held && ctx.Err() != nil:
		return control.ExitHeld{}, socket.Refused(http.StatusServiceUnavailable, "try again", "the watch ended before its minute was over")
	case errors.Is(err, exitbutton.ErrBusy):
		return control.ExitHeld{}, socket.Refused(http.StatusConflict, "wait a minute, or "+hint, "%v", err)
	case err != nil:
		return control.ExitHeld{}, socket.Refused(http.StatusConflict, "see to its wires, or "+hint, "%v", err)
	}
	return control.ExitHeld{Held: answer == exitbutton.Held, Stuck: answer == exitbutton.Stuck}, nil
}
