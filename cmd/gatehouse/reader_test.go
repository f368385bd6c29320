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
	socket = filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", socket)
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked(r.Method + " " + r.URL.Path)
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

// TestInstallGivenUp: a window that is closed before its time closes at the
// daemon too, and nobody is told that the reader is paired.
func TestInstallGivenUp(t *testing.T) {
	for _, at := range []string{"POST", "GET"} { // given up while this is under way, once the window is open
		ctx, cancel := context.WithCancel(t.Context())
		var asked []string
		socket := playDaemon(t, control.Reader{Door: "front", ID: "in", Line: control.LineWaiting, OSDP: &control.OSDP{Install: true}}, func(s string) {
			asked = append(asked, s)
			if opened := slices.Contains(asked, "POST /v1/doors/front/readers/in/install"); opened && strings.HasPrefix(s, at) {
				cancel()
			}
		})
		var out, errOut bytes.Buffer
		status := run(ctx, []string{"--socket", socket, "reader", "install", "front", "in"}, nil, &out, &errOut)
		if status != 1 || out.Len() > 0 || !strings.Contains(errOut.String(), "the window is closed") || !strings.Contains(errOut.String(), "interrupted") {
			t.Errorf("%s: status %d, %s%s", at, status, &out, &errOut)
		}
		if last := asked[len(asked)-1]; last != "DELETE /v1/doors/front/readers/in/install" {
			t.Errorf("%s: the daemon was asked %v", at, asked)
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

// TestWriteReaders: what an OSDP reader says of itself does not move the columns.
func TestWriteReaders(t *testing.T) {
	var b bytes.Buffer
	writeReaders(&b, []control.Reader{
		{Door: "front", ID: "in", Type: "wiegand", Online: true, Line: control.LineUnguarded},
		{Door: "gate", ID: "in", Type: "osdp", Line: control.LineSecured, Fault: "no_answer", Hint: "look",
			OSDP: &control.OSDP{Port: "/dev/bus", Address: 3, Baud: 9600, Vendor: "005349", Model: 1, Version: 2, Serial: "00000001", Firmware: "1.0.0", Polls: 7}},
	})
	want := `front/in  wiegand  line not protected  online
gate/in   osdp     line secured        OUT OF ORDER, last fault: no_answer
  /dev/bus, address 3, 9600 baud: vendor 005349 model 1 version 2 serial 00000001 firmware 1.0.0
  7 polls, 0 retries, 0 bad frames

Whoever`
	if !strings.HasPrefix(b.String(), want) {
		t.Errorf("got:\n%s", &b)
	}
}
