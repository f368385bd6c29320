package setup

import (
	"context"
	"net/http"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/exits"
	house "gatehouse/internal/gateway"
	"gatehouse/internal/socket"
)

// consumer is our name as the user of a line, for the kernel.
const consumer = "gatehouse-first-run"

// postExitHold waits for an exit button that is held, at the lines that the board's drawing has for them.
// They are open, as inputs, for as long as that takes. A site file that is there has others, which nobody
// reads while its house is not served.
func (s *Server) postExitHold(r *http.Request, _ socket.None) (control.ExitHeld, error) {
	if state, why := s.standing(); state != control.SetupNew {
		return control.ExitHeld{}, exits.NotServed(why)
	}
	looked, _ := s.looker.found()
	var follow []func(context.Context)
	for _, button := range s.o.Machine.ExitButtons(looked.Board) {
		send := func(e device.Event) { s.exits.Saw(button.Name, e) }
		follow = append(follow, func(ctx context.Context) {
			house.FollowExit(ctx, button.Input, consumer, s.o.Machine.Lines, send)
		})
	}
	if len(follow) == 0 {
		return control.ExitHeld{}, exits.None()
	}
	return exits.Watch(r.Context(), &s.exits, follow...)
}
