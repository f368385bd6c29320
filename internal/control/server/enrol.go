package server

import (
	"encoding/json"
	"net/http"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/control/server/keyfile"
	"gatehouse/internal/control/server/todo"
	"gatehouse/internal/enrol"
	"gatehouse/internal/gateway"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// enrolling enrols the gateway with a registry, for users without root.
type enrolling struct {
	*gateway.Gateway
	o    Options
	turn *keyfile.Turn
}

func (g enrolling) streamEnrol(w http.ResponseWriter, r *http.Request, in control.EnrolRequest) error {
	return g.turn.Take(func() error { return g.enrol(w, r, in) })
}

// enrol answers before the daemon restarts, as it must with other keys.
func (g enrolling) enrol(w http.ResponseWriter, r *http.Request, in control.EnrolRequest) error {
	switch {
	case g.o.Again == nil:
		return socket.Refused(http.StatusConflict, "call gatehouse enrol, and start it again", "this daemon can't begin anew by itself")
	case g.Site.Registry == site.NoRegistry:
		return socket.Refused(http.StatusConflict, "take that line out of it", "this house is standalone: its site file says registry = %q", site.NoRegistry)
	case g.Keyring.Keys.Registry() != nil && todo.KeysWhole(g.Gateway):
		return socket.Refused(http.StatusConflict, "gatehouse enrol does it anew, with the daemon stopped", "this gateway is enrolled already")
	}
	token, err := wire.ParseToken(in.Token)
	if err != nil {
		return socket.Refused(http.StatusUnprocessableEntity, "the registry's operator makes one: registryd gateway add", "this is no token: %v", err)
	}
	dir := g.Site.Path("keys")
	got, err := enrol.Enrol(r.Context(), enrol.Options{Token: token, Dir: dir, Building: g.Site.Building, Gateway: g.Site.Gateway,
		Software: "gatehouse " + g.o.Version, Doors: g.Site.DoorIDs(), Network: g.o.Registry})
	if err != nil {
		return err
	}
	out := control.Enrolled{Registry: got.Registry.Name, Building: g.Site.Building, Gateway: g.Site.Gateway, Directory: dir, BuildingKey: got.BuildingKey,
		Alone: len(got.Registry.House.Gateways) == 1, Expires: got.Expires.In(g.Site.Zone()), Seconds: int64(got.Skew / time.Second)}
	g.o.Log.Info().Str("registry", got.Registry.Name).Msg("enrolled; the daemon begins anew with its keys")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the caller may be gone
	g.o.Again()
	return nil
}
