// Package socket is client and server of a daemon on this machine: HTTP and JSON over its unix
// socket. The socket's owner and mode alone decide who may call.
//
// It refuses to retry and to guess: an answer that is not 2xx is an *Error, with what to do, as the
// daemon wrote it.
package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/network"
)

// CallerHeader names the person for whom a request is, as the caller of its context. It is a claim:
// the server decides by the user at the other end whether it counts.
const CallerHeader = "Gatehouse-Caller"

// Error is the body of every answer that is not 2xx.
type Error struct {
	Message  string `json:"error"`
	Hint     string `json:"hint,omitempty"`     // what to do
	Conflict bool   `json:"conflict,omitempty"` // somebody else was faster: try again on what is there now
	Status   int    `json:"-"`                  // of HTTP; 0: there was no answer
}

func (e *Error) Error() string { return e.Message }

// Hinted returns an Error with a hint.
func Hinted(hint, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Peer describes the called daemon, in messages for people.
type Peer struct {
	Name   string // "daemon"
	Absent string // what to do if nobody answers
	Denied string // what to do if the socket is not for this user
	Hangs  string // what to do if it takes a request and does not answer in time
	Alive  string // path that is answered at once
}

// Client calls one daemon. Safe for concurrent use.
type Client struct {
	path   string
	peer   Peer
	http   *http.Client
	within time.Duration // for an answer to Call; 0: as long as the caller's context
}

// NewClient makes a client of the daemon behind the socket at path. It connects when first used.
func NewClient(n network.Network, path string, peer Peer) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return n.Dial(ctx, "unix", path)
	}
	return &Client{path: path, peer: peer, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Within returns a client to which a daemon that does not answer a Call for so long hangs. Before a Call
// that changes something, Wait and Open it asks for the daemon's sign of life: what is sent to one that
// hangs is done when it wakes up, a door released with nobody there.
func (c *Client) Within(d time.Duration) *Client {
	bounded := *c
	bounded.within = d
	return &bounded
}

// Call sends in, if it is not nil, and reads the answer into out, if that is not nil. It is for what is
// answered at once.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	if method != http.MethodGet {
		if err := c.alive(ctx); err != nil {
			return err
		}
	}
	if c.within > 0 {
		bounded, cancel := context.WithTimeout(ctx, c.within)
		defer cancel()
		ctx = bounded
	}
	body, err := c.send(ctx, method, path, in)
	return c.read(path, body, err, out)
}

// Wait is Call for what rightly takes its time: somebody at a door, a network, a backup.
func (c *Client) Wait(ctx context.Context, method, path string, in, out any) error {
	body, err := c.Open(ctx, method, path, in)
	return c.read(path, body, err, out)
}

// read reads an answer, unless there is none.
func (c *Client) read(path string, body io.ReadCloser, err error, out any) error {
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return c.explain(fmt.Errorf("answer to %s: %w", path, err))
	}
	return nil
}

// Open sends in, if it is not nil, and returns the body of the answer, which the caller closes.
func (c *Client) Open(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	if err := c.alive(ctx); err != nil {
		return nil, err
	}
	return c.send(ctx, method, path, in)
}

// alive asks the daemon for its sign of life, where that is bounded. Whatever it answers is one.
func (c *Client) alive(ctx context.Context) error {
	if c.within == 0 || c.peer.Alive == "" {
		return nil
	}
	err := c.Call(ctx, http.MethodGet, c.peer.Alive, nil, nil)
	var answered *Error
	if errors.As(err, &answered) && answered.Status != 0 {
		return nil
	}
	return err
}

func (c *Client) send(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request %s: %w", path, err)
		}
		if bytes.Contains(b, []byte(`\ufffd`)) { // the replacement for what could not be read
			return nil, &Error{Message: "what was typed is not UTF-8", Hint: "set the terminal, or the program that wrote it, to UTF-8"}
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.peer.Name+path, body)
	if err != nil {
		return nil, err
	}
	if who := caller.Of(ctx).String(); who != "" {
		req.Header.Set(CallerHeader, who)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	fail := &Error{}
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(fail) != nil || fail.Message == "" {
		fail.Message = "the " + c.peer.Name + " answered " + resp.Status
	}
	fail.Status = resp.StatusCode
	return nil, fail
}

// explain describes a failed connection, and what to do about it.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Message: fmt.Sprintf("no %s answers at %s", c.peer.Name, c.path), Hint: c.peer.Absent}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Message: "not allowed to use " + c.path, Hint: c.peer.Denied}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Message: fmt.Sprintf("the %s at %s does not answer in time", c.peer.Name, c.path), Hint: c.peer.Hangs}
	}
	return fmt.Errorf("call the %s at %s: %w", c.peer.Name, c.path, err)
}
