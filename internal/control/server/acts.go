package server

import (
	"errors"
	"fmt"
	"net/http"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/socket"
)

// acts are what is done at the doors by hand.
type acts struct{ *gateway.Gateway }

func (g acts) routes(s *socket.Server) {
	socket.Handle(s, "POST /v1/doors/{door}/release", g.postRelease)
	socket.Handle(s, "POST /v1/fire/reset", g.postFireReset)
}

func (g acts) postRelease(r *http.Request, _ socket.None) (any, error) {
	d, err := doorOf(g.Gateway, r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	state, err := d.Release(r.Context())
	if err != nil {
		return nil, fmt.Errorf("release door %s: %w", d.Config.ID, err)
	}
	if msg := d.Status().LockErr; msg != "" {
		return nil, socket.Refused(http.StatusBadGateway, "see gatehouse status", "the lock of door %s can't be driven: %s", d.Config.ID, msg)
	}
	return control.Released{Door: d.Config.ID, State: string(state)}, nil
}

// postFireReset secures the doors again. Only the socket leads here, and only
// somebody on site has it.
func (g acts) postFireReset(r *http.Request, _ socket.None) (any, error) {
	if g.Fire == nil {
		return nil, socket.Refused(http.StatusConflict, "", "this gateway has no fire input")
	}
	if err := g.ResetFire(r.Context()); errors.Is(err, gateway.ErrFireActive) {
		return nil, socket.Refused(http.StatusConflict, "reset the fire panel first; if the input can't be read, mend its line", "%v", err)
	} else if err != nil {
		return nil, err
	}
	return *fireStatus(g.Gateway), nil
}
