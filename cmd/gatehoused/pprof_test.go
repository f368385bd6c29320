package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/network"
	"gatehouse/internal/socket"
)

// TestPprofFlag: a daemon has profiles of itself where it was called with --pprof, and
// nowhere else.
func TestPprofFlag(t *testing.T) {
	for _, profiles := range []bool{true, false} {
		dir, err := os.MkdirTemp("", "g") // short: the path of a socket has 104 bytes at most
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		config := filepath.Join(dir, "site.toml")
		text := fmt.Sprintf("state = \"%[1]s/state\"\nsocket = \"%[1]s/sock\"\n%s", dir, strings.Replace(oneDoor, "gpiochip0", "no-chip", 1))
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- serve(ctx, service{config: config, profiles: profiles, hardware: hardware(), env: func(string) string { return "" }, stderr: io.Discard})
		}()
		client := socket.NewClient(network.Network{}, filepath.Join(dir, "sock"), socket.Peer{Name: "daemon"})
		status := 0
		for end := time.Now().Add(time.Minute); status == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			status = answered(ctx, client, "/debug/pprof/heap")
		}
		stop()
		<-ended // it can't leave a relay safe on a chip that there is not
		want := http.StatusNotFound
		if profiles {
			want = http.StatusOK
		}
		if status != want {
			t.Errorf("pprof %v: status %d, want %d", profiles, status, want)
		}
	}
}

// answered is the status of an answer; 0: there is none yet.
func answered(ctx context.Context, client *socket.Client, path string) int {
	body, err := client.Open(ctx, "GET", path, nil)
	if err == nil {
		_ = body.Close()
		return http.StatusOK
	}
	if refused, ok := err.(*socket.Error); ok {
		return refused.Status
	}
	return 0
}
