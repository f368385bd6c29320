package socket

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/network"
)

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func clientOf(o Options) *Client {
	return NewClient(network.Network{}, o.Path, Peer{Name: o.Name, Absent: "start it"})
}

// run runs a server until the returned function is called, which returns what Run did.
func run(t *testing.T, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(cancel)
	return func() error { cancel(); return <-ended }
}

// answers waits until somebody answers.
func answers(t *testing.T, c *Client, path string) {
	t.Helper()
	for t.Context().Err() == nil {
		if c.Call(t.Context(), http.MethodGet, path, nil, nil) == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func options(t *testing.T) Options {
	return Options{Path: filepath.Join(shortDir(t), "s"), Name: "daemon", Mode: 0o600, Grace: time.Minute, MostBody: 64, Log: zerolog.Nop()}
}

type question struct {
	N int `json:"n"`
}

// TestAnswers: what is sent is read strictly, what comes back has the status and the
// words that the caller can act on.
func TestAnswers(t *testing.T) {
	errOdd := errors.New("odd")
	o := options(t)
	o.Explain = func(err error) *Error {
		return &Error{Status: http.StatusTeapot, Message: "explained: " + err.Error()}
	}
	s := NewServer(o)
	Handle(s, "POST /half", func(_ *http.Request, q question) (int, error) {
		switch {
		case q.N%2 == 1:
			return 0, errOdd
		case q.N < 0:
			return 0, Refused(http.StatusConflict, "take another", "%d is too small", q.N)
		case q.N > 100:
			return 0, &Error{Message: "too large"}
		}
		return q.N / 2, nil
	})
	Stream(s, "GET /words", func(w http.ResponseWriter, r *http.Request, _ None) error {
		if r.URL.Query().Get("n") == "" {
			return Refused(http.StatusBadRequest, "", "want n")
		}
		_, err := io.WriteString(w, "word word")
		return err
	})
	if got := strings.Join(s.Patterns(), ", "); got != "POST /half, GET /words" {
		t.Errorf("patterns %s", got)
	}
	stop := run(t, s)
	c := clientOf(o)
	answers(t, c, "/words?n=2")
	var n int
	if err := c.Call(t.Context(), http.MethodPost, "/half", question{8}, &n); err != nil || n != 4 {
		t.Errorf("half of 8: %d, %v", n, err)
	}
	for _, x := range []struct {
		method, path string
		in           any
		status       int
		says         string
	}{
		{"POST", "/half", question{3}, http.StatusTeapot, "explained: odd"},
		{"POST", "/half", question{-2}, http.StatusConflict, "-2 is too small"},
		{"POST", "/half", question{102}, http.StatusUnprocessableEntity, "too large"},
		{"POST", "/half", map[string]int{"n": 2, "m": 1}, http.StatusBadRequest, "unknown field"},
		{"POST", "/half", nil, http.StatusBadRequest, "not understood"},
		{"POST", "/half", map[string]string{"n": strings.Repeat("1", 64)}, http.StatusBadRequest, "too large"},
		{"GET", "/words", nil, http.StatusBadRequest, "want n"},
		{"GET", "/half", nil, http.StatusMethodNotAllowed, "405"},
	} {
		var fail *Error
		if err := c.Call(t.Context(), x.method, x.path, x.in, nil); !errors.As(err, &fail) || fail.Status != x.status || !strings.Contains(fail.Message, x.says) {
			t.Errorf("%s %v: %+v", x.path, x.in, err)
		}
	}
	resp, err := c.http.Post("http://daemon/half", "application/json", strings.NewReader("{\"n\":\xff}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), "UTF-8") {
		t.Errorf("what is no text: %s", b)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestLenient takes what a program of another version sends.
func TestLenient(t *testing.T) {
	o := options(t)
	o.Lenient = true
	s := NewServer(o)
	Handle(s, "POST /same", func(_ *http.Request, q question) (question, error) { return q, nil })
	Handle(s, "GET /there", func(*http.Request, None) (None, error) { return None{}, nil })
	stop := run(t, s)
	c := clientOf(o)
	answers(t, c, "/there")
	var q question
	if err := c.Call(t.Context(), http.MethodPost, "/same", map[string]int{"n": 2, "m": 1}, &q); err != nil || q.N != 2 {
		t.Errorf("%+v, %v", q, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestLiveOwner: a socket on which somebody answers is not taken, what a dead one left
// behind is.
func TestLiveOwner(t *testing.T) {
	o := options(t)
	there := func() *Server {
		s := NewServer(o)
		Handle(s, "GET /there", func(*http.Request, None) (None, error) { return None{}, nil })
		return s
	}
	dead, err := net.Listen("unix", o.Path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = dead.Close()
	stop := run(t, there())
	answers(t, clientOf(o), "/there")
	second, cancel := context.WithTimeout(t.Context(), 5*time.Second) // one that takes the socket goes on serving
	defer cancel()
	if err := there().Run(second); err == nil || !strings.Contains(err.Error(), "another daemon runs there") {
		t.Fatalf("a second server: %v", err)
	}
	answers(t, clientOf(o), "/there")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestRemovedSocket: a socket that somebody removed is opened anew.
func TestRemovedSocket(t *testing.T) {
	o := options(t)
	o.Look = time.Millisecond
	s := NewServer(o)
	Handle(s, "GET /there", func(*http.Request, None) (None, error) { return None{}, nil })
	stop := run(t, s)
	for range 3 {
		answers(t, clientOf(o), "/there")
		if err := os.Remove(o.Path); err != nil {
			t.Fatal(err)
		}
	}
	answers(t, clientOf(o), "/there")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestStopWaitsForRequests: when Run returns no request is at work: what it writes to may
// be closed then.
func TestStopWaitsForRequests(t *testing.T) {
	o := options(t)
	s := NewServer(o)
	begun, done := make(chan struct{}), false
	Stream(s, "GET /follow", func(w http.ResponseWriter, r *http.Request, _ None) error {
		close(begun)
		<-r.Context().Done() // which ends with the server
		done = true
		return nil
	})
	Handle(s, "GET /there", func(*http.Request, None) (None, error) { return None{}, nil })
	stop := run(t, s)
	c := clientOf(o)
	answers(t, c, "/there")
	asked := make(chan error, 1)
	go func() { asked <- c.Call(t.Context(), http.MethodGet, "/follow", nil, nil) }()
	<-begun
	if err := stop(); err != nil || !done {
		t.Errorf("ended with a request at work: %v, %v", !done, err)
	}
	<-asked
}

// TestWhoMayCall: the socket has the mode that was asked for, and without the group only
// this user's.
func TestWhoMayCall(t *testing.T) {
	for group, want := range map[string]os.FileMode{"": 0o660, "no-such-group-here": 0o600} {
		o := options(t)
		o.Mode, o.Group = 0o660, group
		l, err := NewServer(o).Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(o.Path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("group %q: %v, %v", group, info.Mode(), err)
		}
		_ = l.Close()
	}
}
