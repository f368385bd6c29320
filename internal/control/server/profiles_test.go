package server

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/network"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// serving answers on a socket until the test ends.
func serving(t *testing.T, o Options) (client *socket.Client, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "g") // short: the path of a socket has 104 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "sock")
	o.Log = zerolog.Nop()
	srv := New(&gateway.Gateway{Parts: gateway.Parts{Site: &site.Site{State: dir, Socket: path}, Clock: &clock.Clock{}}}, o)
	ctx, stop := context.WithCancel(context.Background())
	l, err := srv.socket.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.socket.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket.NewClient(network.Network{}, path, socket.Peer{Name: "daemon"}), path
}

// TestProfiles: a daemon that was asked for profiles has them, for its own user and root alone.
func TestProfiles(t *testing.T) {
	client, path := serving(t, Options{Profiles: true})
	for _, name := range []string{"heap", "goroutine", "profile?seconds=1"} {
		body, err := client.Open(t.Context(), "GET", "/debug/pprof/"+name, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			t.Fatalf("%s is no profile: %v", name, err)
		}
		if b, err := io.ReadAll(unzipped); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		_ = body.Close()
	}
	for name, want := range map[string]int{"cards": http.StatusNotFound, "profile?seconds=0": http.StatusBadRequest, "profile?seconds=1e9": http.StatusBadRequest} {
		if got := statusOf(t, client, name); got != want {
			t.Errorf("%s: status %d, want %d", name, got, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
}

// TestNoProfiles: nobody gets one of a daemon that was not asked for them.
func TestNoProfiles(t *testing.T) {
	client, _ := serving(t, Options{})
	for _, name := range []string{"heap", "goroutine", "profile?seconds=1", ""} {
		if got := statusOf(t, client, name); got != http.StatusNotFound {
			t.Errorf("%q: status %d", name, got)
		}
	}
}

func statusOf(t *testing.T, client *socket.Client, name string) int {
	t.Helper()
	body, err := client.Open(t.Context(), "GET", "/debug/pprof/"+name, nil)
	var refused *socket.Error
	if !errors.As(err, &refused) {
		if err == nil {
			_ = body.Close()
		}
		t.Fatalf("%q: %v", name, err)
	}
	return refused.Status
}
