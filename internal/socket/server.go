package socket

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/network"
)

// Options of a Server. Path, Name and Mode are needed.
type Options struct {
	Path    string          // of the socket
	Name    string          // of the daemon, in messages: "front"
	Network network.Network // where the socket is
	Mode    os.FileMode     // of the socket
	// Group is the group that may use the socket. Where the machine has no such group, only this
	// process's user may. Empty: the group stays that of the process.
	Group string
	// Look is how often the server checks whether the socket is still there; a removed one is
	// opened again. 0: never.
	Look     time.Duration
	Grace    time.Duration // how long requests may go on when the server is to end
	MostBody int64         // of a request, bytes
	// Lenient accepts a request with unknown fields; else it is refused, as from a program of
	// another version.
	Lenient     bool
	ReadTimeout time.Duration // of a whole request; 0: any
	// Admit checks a request before its body is read, and returns it as it is passed on; nil:
	// everybody who can connect may call everything.
	Admit func(pattern string, r *http.Request) (*http.Request, error)
	// Explain turns an error that is no refusal into one; nil: 500 and the error's text.
	Explain  func(error) *Error
	Log      zerolog.Logger
	ErrorLog *log.Logger // for errors of single connections; nil: standard error
}

// Server answers the callers of one daemon. Make it with NewServer, register what it
// answers, then run it once with Run, or with Listen and Serve.
type Server struct {
	o        Options
	mux      *http.ServeMux
	patterns []string
	requests sync.WaitGroup // those that are being answered
}

// NewServer makes a server that answers nothing yet.
func NewServer(o Options) *Server { return &Server{o: o, mux: http.NewServeMux()} }

// Patterns returns the registered patterns.
func (s *Server) Patterns() []string { return s.patterns }

// None is the type of a missing request body, which is not read.
type None = struct{}

// Handle registers a function for a pattern of http.ServeMux: the request is decoded from JSON, the
// result is encoded as JSON, and an error is a refusal.
func Handle[In, Out any](s *Server, pattern string, do func(*http.Request, In) (Out, error)) {
	Stream(s, pattern, func(w http.ResponseWriter, r *http.Request, in In) error {
		out, err := do(r, in)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the caller may be gone
		return nil
	})
}

// Stream is Handle for a function that writes the answer itself: lines as they come, or a file. It
// may return an error, a refusal, only before it writes.
func Stream[In any](s *Server, pattern string, do func(http.ResponseWriter, *http.Request, In) error) {
	s.patterns = append(s.patterns, pattern)
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		defer s.requests.Done()
		if err := answer(s, pattern, w, r, do); err != nil {
			s.refuse(w, err)
		}
	})
}

// answer admits a request, decodes it and calls do.
func answer[In any](s *Server, pattern string, w http.ResponseWriter, r *http.Request, do func(http.ResponseWriter, *http.Request, In) error) (err error) {
	if s.o.Admit != nil {
		if r, err = s.o.Admit(pattern, r); err != nil {
			return err
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.o.MostBody)
	in, err := read[In](s, r)
	if err != nil {
		return err
	}
	return do(w, r, in)
}

// read decodes the request body, unless In is None.
func read[In any](s *Server, r *http.Request) (in In, err error) {
	if _, none := any(in).(None); none {
		return in, nil
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return in, Refused(http.StatusBadRequest, "", "request can't be read: %v", err)
	case !utf8.Valid(body): // a decoder would replace what it can't read
		return in, Refused(http.StatusBadRequest, "write it in UTF-8", "request not understood: it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if !s.o.Lenient {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(&in); err != nil {
		return in, Refused(http.StatusBadRequest, "call the "+s.o.Name+" by a program of the same version", "request not understood: %v", err)
	}
	return in, nil
}

// Refused is a refusal with its HTTP status and what to do.
func Refused(status int, hint, format string, args ...any) error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// refuse answers with an error. A refusal without a status gets 422.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	var fail *Error
	switch {
	case errors.As(err, &fail):
	case s.o.Explain != nil:
		fail = s.o.Explain(err)
	default:
		fail = &Error{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(cmp.Or(fail.Status, http.StatusUnprocessableEntity))
	_ = json.NewEncoder(w).Encode(fail)
}

// Run opens the socket and serves on it until ctx ends. It fails where the socket can't be opened,
// and returns when no request is being answered any more.
func (s *Server) Run(ctx context.Context) error {
	l, err := s.Listen(ctx)
	if err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

// Keep is Run for a daemon that does more than answer: it makes the socket's directory, and where
// the socket can't be opened it logs that and tries again.
func (s *Server) Keep(ctx context.Context) {
	for retry := backoff.New(time.Second, 30*time.Second); ctx.Err() == nil; retry.Wait(ctx) {
		err := os.MkdirAll(filepath.Dir(s.o.Path), 0o755)
		if err == nil {
			err = s.Run(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		s.o.Log.Error().Err(err).Msg("the tool can't connect")
	}
}

// Listen opens the socket. One that a dead process left is replaced, one that another process
// answers on is not.
func (s *Server) Listen(ctx context.Context) (l net.Listener, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("listen on %s: %w", s.o.Path, err)
		}
	}()
	look, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if c, err := s.o.Network.Dial(look, "unix", s.o.Path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("another %s runs there", s.o.Name)
	}
	if err := os.Remove(s.o.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	if l, err = s.o.Network.Listen(ctx, "unix", s.o.Path); err != nil {
		return nil, err
	}
	mode := s.o.Mode
	if err := chgrp(s.o.Path, s.o.Group); err != nil {
		mode = 0o600
		s.o.Log.Warn().Err(err).Str("socket", s.o.Path).Msgf("only this user and root may use the socket: make the group %s for others", s.o.Group)
	}
	if err := os.Chmod(s.o.Path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("mode of the socket: %w", err), l.Close())
	}
	return l, nil
}

func chgrp(path, group string) error {
	if group == "" {
		return nil
	}
	found, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, -1, gid)
}

// Serve answers on a listener of Listen until ctx ends, and on a new one when the socket was
// removed. Requests end with ctx, so that a following one does not hold up a stop; when it returns,
// none is being answered any more.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer s.requests.Wait()
	for {
		removed, err := s.serve(ctx, l)
		if err != nil {
			return fmt.Errorf("serve %s: %w", s.o.Path, err)
		}
		if !removed || ctx.Err() != nil {
			return nil
		}
		if l, err = s.Listen(ctx); err != nil {
			return err
		}
	}
}

func (s *Server) serve(ctx context.Context, l net.Listener) (removed bool, err error) {
	server := &http.Server{Handler: s.mux, ReadTimeout: s.o.ReadTimeout, ConnContext: withUser, ErrorLog: s.o.ErrorLog}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var gone atomic.Bool
	var watch sync.WaitGroup
	if s.o.Look > 0 {
		watch.Go(func() {
			if s.removed(ctx) {
				gone.Store(true)
				_ = server.Close()
			}
		})
	}
	err = ServeHTTP(ctx, l, server, s.o.Grace)
	cancel()
	watch.Wait()
	return gone.Load(), err
}

// removed waits until somebody has removed the socket; false: ctx has ended.
func (s *Server) removed(ctx context.Context) bool {
	tick := time.NewTicker(s.o.Look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if _, err := os.Lstat(s.o.Path); errors.Is(err, os.ErrNotExist) {
			s.o.Log.Warn().Str("socket", s.o.Path).Msg("the socket was removed; it is opened anew")
			return true
		}
	}
}

// headerTime is how long the TLS handshake, and then the header of a request, may take.
const headerTime = 10 * time.Second

// ServeHTTP serves until ctx ends; requests end with it, or after grace their
// connections do. To the server's own limits it adds those that all of ours have.
func ServeHTTP(ctx context.Context, l net.Listener, server *http.Server, grace time.Duration) error {
	server.ReadHeaderTimeout, server.IdleTimeout, server.MaxHeaderBytes = headerTime, time.Minute, 16<<10
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
