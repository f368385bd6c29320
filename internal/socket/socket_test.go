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
	"testing/synctest"
	"time"

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

// TestWithin: who bounds the wait for an answer is told within that time that the daemon hangs; what
// waits for somebody goes on, once the daemon gave a sign of life, of whatever kind.
func TestWithin(t *testing.T) {
	for name, alive := range map[string]http.HandlerFunc{
		"hangs":              func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"answers":            func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") },
		"answers a refusal":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"error":"no"}`, http.StatusForbidden) },
		"answers what else?": http.NotFound,
	} {
		synctest.Test(t, func(t *testing.T) {
			here, acts := make(pipes), 0
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/alive":
					alive(w, r)
					return
				case r.Method == "POST":
					acts++
					return
				}
				select {
				case <-r.Context().Done():
				case <-time.After(time.Hour):
					_, _ = io.WriteString(w, "7")
				}
			})}
			served := make(chan error, 1)
			go func() { served <- s.Serve(here) }()
			n := network.Network{Dialer: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				here <- theirs
				return ours, nil
			}}
			c := NewClient(n, "/run/s", Peer{Name: "daemon", Alive: "/alive", Hangs: "wait"})
			bounded := c.Within(10 * time.Second)
			for what, call := range map[string]func(got *int) error{
				"Call":           func(got *int) error { return bounded.Call(t.Context(), "GET", "/x", nil, got) },
				"Wait":           func(got *int) error { return bounded.Wait(t.Context(), "GET", "/x", nil, got) },
				"unbounded Call": func(got *int) error { return c.Call(t.Context(), "GET", "/x", nil, got) },
			} {
				began, got := time.Now(), 0
				err := call(&got)
				if goes := what == "unbounded Call" || what == "Wait" && name != "hangs"; goes {
					if err != nil || got != 7 || time.Since(began) != time.Hour {
						t.Errorf("%s, %s: %d, %v after %v", name, what, got, err, time.Since(began))
					}
					continue
				}
				var fail *Error
				if !errors.As(err, &fail) || fail.Hint != "wait" || time.Since(began) != 10*time.Second {
					t.Errorf("%s, %s: %v after %v", name, what, err, time.Since(began))
				}
			}
			if err := bounded.Call(t.Context(), "POST", "/x", nil, nil); (err != nil) != (name == "hangs") || (acts == 0) != (name == "hangs") {
				t.Errorf("%s: %v, and done %d times", name, err, acts)
			}
			c.http.CloseIdleConnections()
			_ = s.Close()
			<-served
		})
	}
}

// pipes are connections to a server in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
