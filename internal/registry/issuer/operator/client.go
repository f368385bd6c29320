package operator

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"gatehouse/internal/network"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/socket"
)

// Client calls one issuer. Safe for concurrent use. What the issuer refuses comes as an *api.Error with what to do.
type Client struct{ socket *socket.Client }

// NewClient makes a client of the issuer behind a unix socket. It connects when it is first used.
func NewClient(path string) *Client { return NewClientOver(network.Network{}, path) }

// NewClientOver is NewClient over another network than the machine's own.
func NewClientOver(n network.Network, path string) *Client {
	return &Client{socket.NewClient(n, path, socket.Peer{Name: "issuer",
		Absent: "start registryd issue --dir DIRECTORY, or say where its socket is with --issuer",
		Denied: "run this as the issuer's user"})}
}

// Status asks how the issuer is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.socket.Call(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// Offers lists what gateways hold that needs an operator's word.
func (c *Client) Offers(ctx context.Context) (o []Offer, err error) {
	return o, c.socket.Call(ctx, http.MethodGet, "/v1/offers", nil, &o)
}

// Decide is that word.
func (c *Client) Decide(ctx context.Context, d Decision) (done Done, err error) {
	return done, c.socket.Call(ctx, http.MethodPost, "/v1/offers", d, &done)
}

// ImportHouse brings the House document that a gateway has.
func (c *Client) ImportHouse(ctx context.Context, envelope []byte) (done Done, err error) {
	return done, c.socket.Call(ctx, http.MethodPost, "/v1/houses", House{envelope}, &done)
}

// Backup returns a whole copy of the issuer's database, which the caller closes.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	return c.socket.Open(ctx, http.MethodGet, "/v1/backup", nil)
}

// PutAway forgets what restores have shown.
func (c *Client) PutAway(ctx context.Context) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/remarks/done", struct{}{}, nil)
}

// Clock is how the issuer's clock is.
func (c *Client) Clock(ctx context.Context) (r agreed.Report, err error) {
	return r, c.socket.Call(ctx, http.MethodGet, "/v1/clock", nil, &r)
}

// ConfirmClock is the operator's word that the machine's clock is right.
func (c *Client) ConfirmClock(ctx context.Context) (r agreed.Report, err error) {
	return r, c.socket.Call(ctx, http.MethodPost, "/v1/clock", struct{}{}, &r)
}

// UndoClock asks for the first of the two signatures that take a time back.
func (c *Client) UndoClock(ctx context.Context, u Undo) (signed Undo, err error) {
	return signed, c.socket.Call(ctx, http.MethodPost, "/v1/undos", u, &signed)
}

// AddGateway makes a token.
func (c *Client) AddGateway(ctx context.Context, g NewGateway) (t Token, err error) {
	return t, c.socket.Call(ctx, http.MethodPost, "/v1/gateways", g, &t)
}

// AddOfficer makes an officer's certificate.
func (c *Client) AddOfficer(ctx context.Context, n NewOfficer) (o Officer, err error) {
	return o, c.socket.Call(ctx, http.MethodPost, "/v1/officers", n, &o)
}

// RevokeOfficer ends an officer's enrolment.
func (c *Client) RevokeOfficer(ctx context.Context, e EndedOfficer) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/officers/revoke", e, &socket.None{})
}

// Officers lists all.
func (c *Client) Officers(ctx context.Context) (all []Officer, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/officers", nil, &all)
}

// RemoveGateway takes a gateway out of its building: the front cuts it off.
func (c *Client) RemoveGateway(ctx context.Context, building, gateway string) (d Done, err error) {
	return d, c.socket.Call(ctx, http.MethodDelete, "/v1/gateways/"+url.PathEscape(building)+"/"+url.PathEscape(gateway), nil, &d)
}

// Gateways lists those of a building; of all, for "".
func (c *Client) Gateways(ctx context.Context, building string) (g []Gateway, err error) {
	return g, c.socket.Call(ctx, http.MethodGet, "/v1/gateways?"+url.Values{"building": {building}}.Encode(), nil, &g)
}

// Tenancies lists those of a building; of all, for "".
func (c *Client) Tenancies(ctx context.Context, building string) (t []Tenancy, err error) {
	return t, c.socket.Call(ctx, http.MethodGet, "/v1/tenancies?"+url.Values{"building": {building}}.Encode(), nil, &t)
}

// Problems lists what could not be taken in, and what is odd.
func (c *Client) Problems(ctx context.Context, building string) (p []Problem, err error) {
	return p, c.socket.Call(ctx, http.MethodGet, "/v1/problems?"+url.Values{"building": {building}}.Encode(), nil, &p)
}

// Grants lists those of a building, or of one tenancy.
func (c *Client) Grants(ctx context.Context, building, tenancy string) (g []Grant, err error) {
	q := url.Values{"building": {building}, "tenancy": {tenancy}}
	return g, c.socket.Call(ctx, http.MethodGet, "/v1/grants?"+q.Encode(), nil, &g)
}

// Do carries an act out, and returns when the front has the list, or when it can't have it now.
func (c *Client) Do(ctx context.Context, a Act) (d Done, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/acts", a, &d)
}

// Pass makes a pass for a tenancy.
func (c *Client) Pass(ctx context.Context, n NewPass) (p Pass, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/passes", n, &p)
}

// Lists shows the newest list of each building and those that wait for a second signature.
func (c *Client) Lists(ctx context.Context, building string) (l []List, err error) {
	return l, c.socket.Call(ctx, http.MethodGet, "/v1/lists?"+url.Values{"building": {building}}.Encode(), nil, &l)
}

// Countersign hands in a second signature.
func (c *Client) Countersign(ctx context.Context, s Countersign) (d Done, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/countersign", s, &d)
}

// Publish hands everything to the front again, for one that lost its store.
func (c *Client) Publish(ctx context.Context) (s Status, err error) {
	return s, c.socket.Call(ctx, http.MethodPost, "/v1/publish", nil, &s)
}

// Look asks where the sealed person of a tenancy is.
func (c *Client) Look(ctx context.Context, l Look) (p Person, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/person", l, &p)
}

// Forget asks in which building the entries of a tenancy are, to erase who they name.
func (c *Client) Forget(ctx context.Context, f Forget) (h Home, err error) {
	return h, c.socket.Call(ctx, http.MethodPost, "/v1/forget", f, &h)
}

// Brief asks for a run that erases whom entries name for a shorter time, or says that it is done.
func (c *Client) Brief(ctx context.Context, run Brief) (b Brief, err error) {
	return b, c.socket.Call(ctx, http.MethodPost, "/v1/brief", run, &b)
}

// Erasures lists the orders to forget, the newest of each tenancy, the oldest first.
func (c *Client) Erasures(ctx context.Context) (all []Erasure, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/erasures", nil, &all)
}

// Escrow fetches the sealed building key.
func (c *Client) Escrow(ctx context.Context, building string) (e Escrow, err error) {
	return e, c.socket.Call(ctx, http.MethodGet, "/v1/escrow?"+url.Values{"building": {building}}.Encode(), nil, &e)
}

// Audit lists what was done, the newest first, at most 1,000.
func (c *Client) Audit(ctx context.Context) (a []Audit, err error) {
	return a, c.socket.Call(ctx, http.MethodGet, "/v1/audit", nil, &a)
}
