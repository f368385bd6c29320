package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/control"
)

// playDaemon answers about one OSDP reader, and tells what it was asked.
func playDaemon(t *testing.T, reader control.Reader, asked func(string)) (socket string) {
	t.Helper()
	return playRefusing(t, reader, func(s string) *control.Error { asked(s); return nil })
}

// playRefusing also refuses what it is told to.
func playRefusing(t *testing.T, reader control.Reader, refuse func(string) *control.Error) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", socket)
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e := refuse(r.Method + " " + r.URL.Path); e != nil {
			w.WriteHeader(e.Status)
			_ = json.NewEncoder(w).Encode(e)
			return
		}
		if r.URL.Path == "/v1/readers" {
			_ = json.NewEncoder(w).Encode([]control.Reader{reader})
			return
		}
		_, _ = w.Write([]byte("{}"))
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}

// TestInstallGivenUp: where nobody sees any more what becomes of a window, it
// closes at the daemon too, and nobody is told that the reader is paired.
func TestInstallGivenUp(t *testing.T) {
	for name, c := range map[string]struct{ at, want string }{ // once the window is open
		"interrupted while it opens": {"POST", "interrupted"},
		"interrupted":                {"GET", "interrupted"},
		"the daemon can't tell":      {"GET", "disk"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var asked []string
		socket := playRefusing(t, control.Reader{Door: "front", ID: "in", Line: control.LineWaiting, OSDP: &control.OSDP{Install: true}}, func(s string) *control.Error {
			asked = append(asked, s)
			switch opened := slices.Contains(asked, "POST /v1/doors/front/readers/in/install"); {
			case !opened || !strings.HasPrefix(s, c.at):
			case c.want == "interrupted":
				cancel()
			default:
				return &control.Error{Message: c.want, Status: http.StatusInternalServerError}
			}
			return nil
		})
		var out, errOut bytes.Buffer
		status := run(ctx, []string{"--socket", socket, "reader", "install", "front", "in"}, nil, &out, &errOut)
		cancel()
		if status != 1 || out.Len() > 0 || !strings.Contains(errOut.String(), "the window is closed") || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: status %d, %s%s", name, status, &out, &errOut)
		}
		if last := asked[len(asked)-1]; last != "DELETE /v1/doors/front/readers/in/install" {
			t.Errorf("%s: the daemon was asked %v", name, asked)
		}
	}
}

// TestInstallPaired: no window is opened for a reader that needs none.
func TestInstallPaired(t *testing.T) {
	socket := playDaemon(t, control.Reader{Door: "front", ID: "in", Online: true, Line: control.LineSecured, OSDP: &control.OSDP{}},
		func(s string) {
			if s != "GET /v1/readers" {
				t.Errorf("the daemon was asked %s", s)
			}
		})
	out, errOut, status := tool(t, "", "--socket", socket, "reader", "install", "front", "in")
	if status != 1 || out != "" || !strings.Contains(errOut, "paired already") || !strings.Contains(errOut, "reader rekey") {
		t.Errorf("status %d, %s%s", status, out, errOut)
	}
	_, errOut, status = tool(t, "", "--socket", socket, "reader", "set", "front", "in", "--baud", "1234")
	if status != 1 || !strings.Contains(errOut, "one of 9600") {
		t.Errorf("status %d, %s", status, errOut)
	}
}
