package control

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
	"net/url"
	"strconv"
	"syscall"
)

// Client calls one daemon. Safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client of the daemon behind a unix socket. It connects
// when it is first used.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Status asks how the gateway is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// Release lets people through a door.
func (c *Client) Release(ctx context.Context, door string) (r Released, err error) {
	return r, c.call(ctx, http.MethodPost, "/v1/doors/"+url.PathEscape(door)+"/release", nil, &r)
}

// ResetFire ends an emergency after the panel has been reset.
func (c *Client) ResetFire(ctx context.Context) (f Fire, err error) {
	return f, c.call(ctx, http.MethodPost, "/v1/fire/reset", nil, &f)
}

// ConfirmClock says that the gateway's clock is right as it stands.
func (c *Client) ConfirmClock(ctx context.Context) (k Clock, err error) {
	return k, c.call(ctx, http.MethodPost, "/v1/clock/confirm", nil, &k)
}

// List fetches the grant list in force.
func (c *Client) List(ctx context.Context) (l List, err error) {
	return l, c.call(ctx, http.MethodGet, "/v1/grants", nil, &l)
}

// Keys lists the grants for people.
func (c *Client) Keys(ctx context.Context) (k []Key, err error) {
	return k, c.call(ctx, http.MethodGet, "/v1/keys", nil, &k)
}

// Apply hands in a new version of the list. A *Error with Conflict means that
// somebody else was faster: fetch the list again.
func (c *Client) Apply(ctx context.Context, u Update) (g Grants, err error) {
	return g, c.call(ctx, http.MethodPut, "/v1/grants", u, &g)
}

// Swipe waits for the next card. The door does not open for it.
func (c *Client) Swipe(ctx context.Context, r SwipeRequest) (card Card, err error) {
	return card, c.call(ctx, http.MethodPost, "/v1/swipe", r, &card)
}

// Printed asks for the credentials of a printed number.
func (c *Client) Printed(ctx context.Context, r PrintedRequest) (card Card, err error) {
	return card, c.call(ctx, http.MethodPost, "/v1/printed", r, &card)
}

// Adopts lists the unknown cards that were kept.
func (c *Client) Adopts(ctx context.Context) (a AdoptState, err error) {
	return a, c.call(ctx, http.MethodGet, "/v1/adopt", nil, &a)
}

// SetAdopt switches adopt mode.
func (c *Client) SetAdopt(ctx context.Context, r AdoptRequest) (a AdoptState, err error) {
	return a, c.call(ctx, http.MethodPost, "/v1/adopt", r, &a)
}

// Log calls each with the entries kept, oldest first, from the newest `last`
// on (negative: all); with follow it goes on with new ones until ctx ends.
func (c *Client) Log(ctx context.Context, last int, follow bool, each func(LogEntry) error) error {
	q := url.Values{"last": {strconv.Itoa(last)}, "follow": {strconv.FormatBool(follow)}}
	resp, err := c.send(ctx, http.MethodGet, "/v1/log?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	for {
		var e LogEntry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		} else if err != nil {
			return fmt.Errorf("read log from the daemon: %w", err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("answer of the daemon to %s: %w", path, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request %s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://gatehoused"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	fail := &Error{}
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(fail) != nil || fail.Message == "" {
		fail.Message = "the daemon answered " + resp.Status
	}
	return nil, fail
}

// explain turns a failed connection into what to do about it.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Message: fmt.Sprintf("no daemon answers at %s", c.socket),
			Hint: "start gatehoused --config FILE, or say where its socket is with --socket"}
	case errors.Is(err, fs.ErrPermission):
		return &Error{Message: fmt.Sprintf("not allowed to use %s", c.socket),
			Hint: "join the group gatehouse, or run this as root"}
	}
	return fmt.Errorf("call the daemon at %s: %w", c.socket, err)
}
