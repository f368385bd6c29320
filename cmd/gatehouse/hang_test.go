package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/network"
)

// TestHanging: whatever the tool is to do, a daemon that takes the request and never answers is told as
// such within AnswerWithin, with what to do.
func TestHanging(t *testing.T) {
	key := filepath.Join(t.TempDir(), "issuer.key")
	b := newBench(t)
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	hangs := network.Network{Dialer: func(context.Context, string, string) (net.Conn, error) {
		ours, _ := net.Pipe() // nobody reads
		return ours, nil
	}}
	for _, line := range []string{"status", "log", "log --follow", "door test front", "release front", "lock front", "prove show", "prove door front", "prove begin",
		"recovery show", "recovery new", "backup " + t.TempDir(), "tenancy list", "tenancy show 3B", "guest list", "grant list", "grant end 3B --key " + key,
		"adopt on --days 3", "adopt off", "adopt list", "reader list", "reader install front in", "reader rekey front in", "teach front in",
		"checkout 3B --by landlord --cause moved_out", "card suspend 3B --by landlord", "tenancy codes 3B --by card", "guest give 3B --by card", "guest end 7", "fire drill begin", "fire drill show", "fire drill end", "fire reset", "clock confirm", "clock set 09:30 --key " + key} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			err := runOver(t, ctx, hangs, line)
			var said *control.Error
			if !errors.As(err, &said) || !strings.Contains(said.Message, "does not answer") || !strings.Contains(said.Hint, "sudo systemctl restart gatehoused") {
				t.Errorf("%s: %v", line, err)
			}
			want := control.AnswerWithin
			if line == "reader install front in" { // it tries to close the window, which may be open
				want *= 2
			}
			if took := time.Since(began); took != want {
				t.Errorf("%s: after %v", line, took)
			}
		})
	}
}

// runOver runs a command over a network.
func runOver(t *testing.T, ctx context.Context, n network.Network, line string) error {
	t.Helper()
	var c cli
	var out, errOut bytes.Buffer
	cmd, _ := command.Tool{Name: "gatehouse", Out: &out, Err: &errOut}.Parse(&c, strings.Fields(line))
	if cmd == nil {
		t.Fatalf("%s: %s", line, &errOut)
	}
	return cmd.Run(&session.Session{Ctx: ctx, Client: control.NewClientWithin(n, "/run/s", control.AnswerWithin),
		Console: command.Console{Name: "gatehouse", In: strings.NewReader("yes\n"), Out: &out, Err: &errOut}})
}
