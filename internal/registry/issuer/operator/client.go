package operator

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
	"syscall"

	"gatehouse/internal/registry/api"
)

// Client calls one issuer. Safe for concurrent use. What the issuer refuses
// comes as an *api.Error with what to do.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client of the issuer behind a unix socket. It connects when
// it is first used.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Status asks how the issuer is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// AddGateway makes a token.
func (c *Client) AddGateway(ctx context.Context, g NewGateway) (t Token, err error) {
	return t, c.call(ctx, http.MethodPost, "/v1/gateways", g, &t)
}

// RemoveGateway takes a gateway out of its building: the front cuts it off.
func (c *Client) RemoveGateway(ctx context.Context, building, gateway string) (d Done, err error) {
	return d, c.call(ctx, http.MethodDelete, "/v1/gateways/"+url.PathEscape(building)+"/"+url.PathEscape(gateway), nil, &d)
}

// Gateways lists those of a building; of all, for "".
func (c *Client) Gateways(ctx context.Context, building string) (g []Gateway, err error) {
	return g, c.call(ctx, http.MethodGet, "/v1/gateways?"+url.Values{"building": {building}}.Encode(), nil, &g)
}

// Tenancies lists those of a building; of all, for "".
func (c *Client) Tenancies(ctx context.Context, building string) (t []Tenancy, err error) {
	return t, c.call(ctx, http.MethodGet, "/v1/tenancies?"+url.Values{"building": {building}}.Encode(), nil, &t)
}

// Problems lists what could not be taken in, and what is odd.
func (c *Client) Problems(ctx context.Context, building string) (p []Problem, err error) {
	return p, c.call(ctx, http.MethodGet, "/v1/problems?"+url.Values{"building": {building}}.Encode(), nil, &p)
}

// Grants lists those of a building, or of one tenancy.
func (c *Client) Grants(ctx context.Context, building, tenancy string) (g []Grant, err error) {
	q := url.Values{"building": {building}, "tenancy": {tenancy}}
	return g, c.call(ctx, http.MethodGet, "/v1/grants?"+q.Encode(), nil, &g)
}

// Do carries an act out, and returns when the front has the list, or when it
// can't have it now.
func (c *Client) Do(ctx context.Context, a Act) (d Done, err error) {
	return d, c.call(ctx, http.MethodPost, "/v1/acts", a, &d)
}

// Lists shows the newest list of each building and those that wait for a second
// signature.
func (c *Client) Lists(ctx context.Context, building string) (l []List, err error) {
	return l, c.call(ctx, http.MethodGet, "/v1/lists?"+url.Values{"building": {building}}.Encode(), nil, &l)
}

// Countersign hands in a second signature.
func (c *Client) Countersign(ctx context.Context, s Countersign) (d Done, err error) {
	return d, c.call(ctx, http.MethodPost, "/v1/countersign", s, &d)
}

// Publish hands everything to the front again, for one that lost its store.
func (c *Client) Publish(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodPost, "/v1/publish", nil, &s)
}

// Look asks where the sealed person of a tenancy is.
func (c *Client) Look(ctx context.Context, l Look) (p Person, err error) {
	return p, c.call(ctx, http.MethodPost, "/v1/person", l, &p)
}

// Escrow fetches the sealed building key.
func (c *Client) Escrow(ctx context.Context, building string) (e Escrow, err error) {
	return e, c.call(ctx, http.MethodGet, "/v1/escrow?"+url.Values{"building": {building}}.Encode(), nil, &e)
}

// Audit lists what was done, the newest first, at most 1,000.
func (c *Client) Audit(ctx context.Context) (a []Audit, err error) {
	return a, c.call(ctx, http.MethodGet, "/v1/audit", nil, &a)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request %s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://issuer"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		fail := &api.Error{Status: resp.StatusCode}
		if json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(fail) != nil || fail.Message == "" {
			fail.Message = "the issuer answered " + resp.Status
		}
		return fail
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("answer of the issuer to %s: %w", path, err)
	}
	return nil
}

// explain turns a failed connection into what to do about it.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return &api.Error{Message: fmt.Sprintf("no issuer answers at %s", c.socket),
			Hint: "start registryd issue --dir FOLDER, or say where its socket is with --issuer"}
	case errors.Is(err, fs.ErrPermission):
		return &api.Error{Message: fmt.Sprintf("not allowed to use %s", c.socket), Hint: "run this as the issuer's user"}
	}
	return fmt.Errorf("call the issuer at %s: %w", c.socket, err)
}
