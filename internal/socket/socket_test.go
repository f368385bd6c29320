package socket

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/network"
)

// serve answers on a unix socket with a short path.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return NewClient(network.Network{}, path, Peer{Name: "daemon", Absent: "start it", Denied: "ask"})
}

func TestCall(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/double":
			var n int
			_ = json.NewDecoder(r.Body).Decode(&n)
			_ = json.NewEncoder(w).Encode(2 * n)
		case "/busy":
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"error":"somebody is there","hint":"wait","conflict":true}`)
		case "/odd":
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "no JSON")
		case "/half":
			_, _ = io.WriteString(w, `{"a":`)
		}
	})
	var n int
	if err := c.Call(t.Context(), http.MethodPost, "/double", 21, &n); err != nil || n != 42 {
		t.Errorf("%d, %v", n, err)
	}
	for path, want := range map[string]Error{
		"/busy": {Message: "somebody is there", Hint: "wait", Conflict: true, Status: http.StatusConflict},
		"/odd":  {Message: "the daemon answered 418 I'm a teapot", Status: http.StatusTeapot},
	} {
		var fail *Error
		if err := c.Call(t.Context(), http.MethodGet, path, nil, nil); !errors.As(err, &fail) || *fail != want {
			t.Errorf("%s: %+v, want %+v", path, fail, want)
		}
	}
	if err := c.Call(t.Context(), http.MethodGet, "/half", nil, &struct{}{}); err == nil {
		t.Error("half an answer is taken")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Call(gone, http.MethodGet, "/double", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	var fail *Error
	err := NewClient(network.Network{}, filepath.Join(t.TempDir(), "s"), Peer{Name: "front", Absent: "start it"}).Call(t.Context(), http.MethodGet, "/", nil, nil)
	if !errors.As(err, &fail) || fail.Hint != "start it" || fail.Status != 0 {
		t.Errorf("%v, %+v", err, fail)
	}
}
