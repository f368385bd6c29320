package reception

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// statusDaemon is the client of a daemon that answers with its status alone.
func statusDaemon(t *testing.T, st control.Status) *control.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.sock")
	d := socket.NewServer(socket.Options{Path: path, Name: "daemon", Mode: 0o600, MostBody: 1 << 20, Log: zerolog.Nop()})
	socket.Handle(d, "GET /v1/status", func(*http.Request, socket.None) (control.Status, error) { return st, nil })
	ctx, cancel := context.WithCancel(context.Background())
	l, err := d.Listen(ctx)
	noErr(t, err)
	done := make(chan struct{})
	go func() { defer close(done); _ = d.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	return control.NewClient(path)
}

// TestNotice: --notice prints the words of the page in both languages, for the house as it is, and
// checks nobody in.
func TestNotice(t *testing.T) {
	words, err := text.Load()
	noErr(t, err)
	for registry, alone := range map[string]bool{"r1": false, "none": true} {
		var out bytes.Buffer
		s := &session.Session{Ctx: t.Context(), Console: command.Console{Out: &out}, Client: statusDaemon(t, control.Status{Registry: registry, Journal: control.Journal{WhoDays: 45}})}
		noErr(t, CheckIn{Notice: true}.Run(s))
		want := strings.Join(append(words.Kept(text.Chinese, alone, 45), words.Kept(text.English, alone, 45)...), "\n")
		if got := strings.ReplaceAll(strings.TrimSpace(out.String()), "\n\n", "\n"); got != want {
			t.Errorf("registry %s: %s", registry, got)
		}
	}
}
