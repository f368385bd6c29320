package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/site"
)

type noOutput struct{}

func (noOutput) Set(bool) error { return nil }
func (noOutput) Close() error   { return nil }

// standing is a gateway of its own before it is enrolled.
type standing struct {
	*gateway.Gateway
	client control.SetupClient
	again  chan struct{}
	stop   func()
}

func stand(t *testing.T, dir string) *standing {
	t.Helper()
	house, err := site.Parse([]byte("building = \"lane-7\"\ngateway = \"gw1\"\nstate = \"" + dir + "/state\"\nsocket = \"" + dir + "/sock\"\n" +
		"[[door]]\nid = \"front\"\negress = \"mechanical\"\nlock = \"fail-secure\"\nrelay = {chip = \"sim0\", line = 2, pull = \"down\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{Site: house, Time: clock.System(), Version: "test", Log: zerolog.Nop(),
		Hardware: gateway.Hardware{Output: func(device.OutputConfig) (device.Output, error) { return noOutput{}, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	s := &standing{Gateway: g, client: control.SettingUp(control.NewClient(house.Socket)), again: make(chan struct{}, 1)}
	srv := server.New(g, server.Options{Version: "test", Log: zerolog.Nop(), Again: func() { s.again <- struct{}{} }})
	s.stop = background(t, "gateway", func(ctx context.Context) error { return g.Run(ctx, srv.Serve) })
	eventually(t, "it answers", func() bool { _, err := s.client.State(t.Context()); return err == nil })
	return s
}

// TestEnrolBySocket: a registry's token that is handed in over the daemon's socket enrols the
// gateway; the daemon is asked to begin anew, and then has a registry. A token that is none,
// one for another gateway, and a second one are refused. A gateway without its key for the broker,
// as a restored one is, takes a token that replaces it.
func TestEnrolBySocket(t *testing.T) {
	town := newTown(t, false)
	town.start(t)
	dir, err := os.MkdirTemp("", "e") // short: the path of a socket has 104 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	token := func(building string) string {
		made, err := town.operator.AddGateway(t.Context(), operator.NewGateway{Place: api.Place{District: "d", Town: "t", Building: building, Gateway: "gw1"}})
		if err != nil {
			t.Fatal(err)
		}
		return made.Text
	}
	g := stand(t, dir)
	refused := func(token, says string) {
		t.Helper()
		if _, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: token}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	refused("GH1-no", "no token")
	refused(token("lane-8"), "the token is for")
	own := token("lane-7")
	got, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: own})
	if err != nil || got.Registry != "bench" || got.Building != "lane-7" || !got.BuildingKey || !got.Alone || got.Directory != filepath.Join(dir, "state", "keys") {
		t.Fatalf("%+v, %v", got, err)
	}
	<-g.again
	g.stop()
	if g = stand(t, dir); g.Central == nil || g.Keyring.Keys.Registry().Name != "bench" {
		t.Error("it has no registry")
	}
	refused(own, "enrolled already")
	again, err := town.operator.AddGateway(t.Context(), operator.NewGateway{Place: api.Place{District: "d", Town: "t", Building: "lane-7", Gateway: "gw1"}, Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	refused(again.Text, "enrolled already")
	for _, file := range []string{keys.ClientKeyFile, keys.ClientCertFile} {
		if err := os.Remove(filepath.Join(dir, "state", "keys", file)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: again.Text}); err != nil {
		t.Error(err)
	}
	<-g.again
	g.stop()
	if g = stand(t, dir); g.Central == nil {
		t.Error("it has no registry any more")
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "keys", "registry.json")); err != nil {
		t.Error(err)
	}
}
