package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server"
	"gatehouse/internal/enrol"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/keys"
	"gatehouse/internal/network"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
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

func stand(t *testing.T, dir string, registry network.Network) *standing {
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
	srv := server.New(g, server.Options{Version: "test", Log: zerolog.Nop(), Registry: registry, Again: func() {
		select {
		case s.again <- struct{}{}:
		default: // asked twice, which the test tells, and must not hang
		}
	}})
	s.stop = background(t, "gateway", func(ctx context.Context) error { return g.Run(ctx, srv.Serve) })
	eventually(t, "it answers", func() bool { _, err := s.client.State(t.Context()); return err == nil })
	return s
}

// begins waits until the daemon was asked to begin anew.
func (s *standing) begins(t *testing.T) {
	t.Helper()
	select {
	case <-s.again:
	case <-time.After(time.Minute):
		t.Fatal("the daemon is not asked to begin anew")
	}
}

// stays fails where the daemon was asked to begin anew.
func (s *standing) stays(t *testing.T, after string) {
	t.Helper()
	select {
	case <-s.again:
		t.Fatalf("after %s the daemon is asked to begin anew", after)
	default:
	}
}

// shortDir is a directory for a socket, whose path has 104 bytes at most.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// token is one of the registry's for the gateway gw1 of a building.
func (town *town) token(t *testing.T, building string, replace bool) string {
	t.Helper()
	made, err := town.operator.AddGateway(t.Context(), operator.NewGateway{Place: api.Place{District: "d", Town: "t", Building: building, Gateway: "gw1"}, Replace: replace})
	if err != nil {
		t.Fatal(err)
	}
	return made.Text
}

// TestEnrolBySocket: a registry's token that is handed in over the daemon's socket enrols the
// gateway; the daemon is asked to begin anew, and then has a registry. A token that is none,
// one for another gateway, and a second one are refused. A gateway without its key for the broker,
// as a restored one is, takes a token that replaces it.
func TestEnrolBySocket(t *testing.T) {
	town := newTown(t, false)
	town.start(t)
	dir := shortDir(t)
	g := stand(t, dir, network.Network{})
	refused := func(token, says string) {
		t.Helper()
		if _, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: token}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
		g.stays(t, "a token that is to be refused: "+says)
	}
	refused("GH1-no", "no token")
	refused(town.token(t, "lane-8", false), "the token is for")
	own := town.token(t, "lane-7", false)
	got, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: own})
	if err != nil || got.Registry != "bench" || got.Building != "lane-7" || !got.BuildingKey || !got.Alone || got.Directory != filepath.Join(dir, "state", "keys") {
		t.Fatalf("%+v, %v", got, err)
	}
	g.begins(t)
	g.stop()
	if g = stand(t, dir, network.Network{}); g.Central == nil || g.Keyring.Keys.Registry().Name != "bench" {
		t.Error("it has no registry")
	}
	refused(own, "enrolled already")
	again := town.token(t, "lane-7", true)
	refused(again, "enrolled already")
	for _, file := range []string{keys.ClientKeyFile, keys.ClientCertFile} {
		if err := os.Remove(filepath.Join(dir, "state", "keys", file)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: again}); err != nil {
		t.Error(err)
	}
	g.begins(t)
	g.stop()
	if g = stand(t, dir, network.Network{}); g.Central == nil {
		t.Error("it has no registry any more")
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "keys", "registry.json")); err != nil {
		t.Error(err)
	}
}

// nth is a network of which the nth connection waits for what happens before it.
func nth(n int32, before func()) network.Network {
	var dialled atomic.Int32
	return network.Network{Dialer: func(ctx context.Context, kind, address string) (net.Conn, error) {
		if dialled.Add(1) == n {
			before()
		}
		return network.Network{}.Dial(ctx, kind, address)
	}}
}

// TestEnrolAfterRefusal: a gateway whose token was replaced after it had made the building's key still
// lacks keys, as it says, takes the next token over its socket, or a key file. One that a sibling was faster
// than enrols at once, without the key that it made.
func TestEnrolAfterRefusal(t *testing.T) {
	town := newTown(t, false)
	town.start(t)
	dir, next := shortDir(t), ""
	g := stand(t, dir, nth(2, func() { next = town.token(t, "lane-7", false) }))
	if _, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: town.token(t, "lane-7", false)}); err == nil || !strings.Contains(err.Error(), "not the newest token") {
		t.Fatal(err)
	}
	g.stays(t, "a token that was replaced")
	if st := status(t, g); !slices.ContainsFunc(st.ToDo, func(d control.ToDo) bool { return d.Code == "no_keys" }) {
		t.Errorf("to do: %+v", st.ToDo)
	}
	if _, err := g.client.MakeKeyFile(t.Context()); err != nil {
		t.Errorf("it takes no key file any more: %v", err)
	}
	if got, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: next}); err != nil || !got.BuildingKey {
		t.Fatalf("%+v, %v", got, err)
	}
	g.begins(t)

	of := func(gateway string) string {
		made, err := town.operator.AddGateway(t.Context(), operator.NewGateway{Place: api.Place{District: "d", Town: "t", Building: "lane-8", Gateway: gateway}})
		if err != nil {
			t.Error(err)
		}
		return made.Text
	}
	enrolled := func(gateway string, n network.Network) enrol.Result {
		token, err := wire.ParseToken(of(gateway))
		if err != nil {
			t.Error(err)
		}
		got, err := enrol.Enrol(t.Context(), enrol.Options{Token: token, Dir: t.TempDir(), Building: "lane-8", Gateway: gateway, Doors: []string{gateway}, Network: n})
		if err != nil {
			t.Errorf("%s: %v", gateway, err)
		}
		return got
	}
	slow := enrolled("gw2", nth(2, func() {
		if !enrolled("gw1", network.Network{}).BuildingKey {
			t.Error("the first one has no key")
		}
	}))
	if slow.BuildingKey || slow.Registry != nil && len(slow.Registry.House.Gateways) != 2 {
		t.Errorf("%+v", slow)
	}
}

// status is what a gateway says of itself.
func status(t *testing.T, g *standing) control.Status {
	t.Helper()
	st, err := control.NewClient(g.Site.Socket).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestKeysOneAtATime: while a gateway enrols it takes no key file, and while the daemon begins anew with
// the keys of one way it takes none by the other: files of both would make a gateway of neither.
func TestKeysOneAtATime(t *testing.T) {
	town := newTown(t, false)
	town.start(t)
	at, asks, goes := shortDir(t), make(chan struct{}), make(chan struct{})
	var first sync.Once
	slow := network.Network{Dialer: func(ctx context.Context, kind, address string) (net.Conn, error) {
		first.Do(func() {
			close(asks)
			<-goes
		})
		return network.Network{}.Dial(ctx, kind, address)
	}}
	g := stand(t, at, slow)
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "somebody gives this gateway its keys already") {
			t.Errorf("%s: %v", what, err)
		}
	}
	file, err := g.client.MakeKeyFile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	enrolled, token := make(chan error, 1), town.token(t, "lane-7", false)
	go func() {
		_, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: token})
		enrolled <- err
	}()
	<-asks
	_, err = g.client.InstallKeys(t.Context(), file)
	refused("a key file during an enrolment", err)
	_, err = g.client.MakeKeyFile(t.Context())
	refused("another one", err)
	g.stays(t, "a refused key file")
	close(goes)
	if err := <-enrolled; err != nil {
		t.Error(err)
	}
	g.begins(t)
	_, err = g.client.InstallKeys(t.Context(), file)
	refused("a key file after the enrolment", err)
	if _, err := os.Stat(filepath.Join(at, "state", "keys", keys.IssuerFile)); err == nil {
		t.Error("an enrolled gateway has the key of a key file")
	}

	by := shortDir(t)
	g = stand(t, by, network.Network{})
	if file, err = g.client.MakeKeyFile(t.Context()); err == nil {
		_, err = g.client.InstallKeys(t.Context(), file)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.begins(t)
	_, err = g.client.Enrol(t.Context(), control.EnrolRequest{Token: town.token(t, "lane-7", true)})
	refused("an enrolment after the key file", err)
	if _, err := os.Stat(filepath.Join(by, "state", "keys", keys.RegistryFile)); err == nil {
		t.Error("a gateway with the key of a key file is enrolled")
	}
}
