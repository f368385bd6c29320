package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatehouse/internal/network"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/socket"
)

// Client calls one front. Safe for concurrent use.
type Client struct{ socket *socket.Client }

// NewClient makes a client of the front behind a unix socket. It connects when
// it is first used.
func NewClient(path string) *Client { return NewClientOver(network.Network{}, path) }

// NewClientOver is NewClient over another network than the machine's own.
func NewClientOver(n network.Network, path string) *Client {
	return &Client{socket.NewClient(n, path, socket.Peer{Name: "front",
		Absent: "start registryd serve --config FILE, or say where its socket is with --front",
		Denied: "join the group of the socket, or run this as its owner"})}
}

// of is a query for a building.
func of(building string) string { return url.Values{"building": {building}}.Encode() }

// Work asks for deliveries above a number and for enrolments; with none there
// it waits, at most 60 s.
func (c *Client) Work(ctx context.Context, after uint64, wait time.Duration) (w Work, err error) {
	q := url.Values{"after": {strconv.FormatUint(after, 10)}, "wait": {strconv.FormatFloat(wait.Seconds(), 'f', 3, 64)}}
	return w, c.socket.Call(ctx, http.MethodGet, "/v1/work?"+q.Encode(), nil, &w)
}

// Answer answers an enrolment. An *Error with status 404 means that whoever
// asked is gone.
func (c *Client) Answer(ctx context.Context, a Answer) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/answers", a, nil)
}

// PutList hands in a new list. It returns after the commit and the push. The
// same list again is no error.
func (c *Client) PutList(ctx context.Context, l List) (p Pushed, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/lists", l, &p)
}

// Heads lists what is newest of a building; of all, for "".
func (c *Client) Heads(ctx context.Context, building string) (h []Head, err error) {
	return h, c.socket.Call(ctx, http.MethodGet, "/v1/heads?"+of(building), nil, &h)
}

// Stored fetches what the front has of a building.
func (c *Client) Stored(ctx context.Context, building string) (s Stored, err error) {
	return s, c.socket.Call(ctx, http.MethodGet, "/v1/stored?"+of(building), nil, &s)
}

// Taken says that what a gateway holds was judged: without its parts.
func (c *Client) Taken(ctx context.Context, h Holding) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/holdings/taken", Holding{Place: h.Place, Nonce: h.Nonce}, nil)
}

// PutHouse hands in a building's House document.
func (c *Client) PutHouse(ctx context.Context, d Document) (p Pushed, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/houses", d, &p)
}

// PutTrust hands in a Trust document.
func (c *Client) PutTrust(ctx context.Context, envelope []byte) (p Pushed, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/trust", Document{Envelope: envelope}, &p)
}

// Trusts fetches all trust documents that the front was ever handed.
func (c *Client) Trusts(ctx context.Context) (envelopes [][]byte, err error) {
	return envelopes, c.socket.Call(ctx, http.MethodGet, "/v1/trusts", nil, &envelopes)
}

// PutUndo hands in what two issuers have signed to take a time back at a gateway.
func (c *Client) PutUndo(ctx context.Context, u Undo) (p Pushed, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/undos", u, &p)
}

// Person fetches the sealed person of a tenancy record by the hash that the
// record names; nil where it has not come.
func (c *Client) Person(ctx context.Context, hash []byte) (sealed []byte, err error) {
	return sealed, c.socket.Call(ctx, http.MethodGet, fmt.Sprintf("/v1/person?hash=%x", hash), nil, &sealed)
}

// Gateways lists those of a building; of all, for "".
func (c *Client) Gateways(ctx context.Context, building string) (g []Gateway, err error) {
	return g, c.socket.Call(ctx, http.MethodGet, "/v1/gateways?"+of(building), nil, &g)
}

// Seals fetches the who parts of a building, sealed, batch by batch.
func (c *Client) Seals(ctx context.Context, building string, each func(Seals) error) error {
	body, err := c.socket.Open(ctx, http.MethodGet, "/v1/seals?"+of(building), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return eachLine(body, "who parts", each)
}

// Forget has the who parts of entries erased. It returns when no byte of them is left.
func (c *Client) Forget(ctx context.Context, all []Forget) (f Forgotten, err error) {
	return f, c.socket.Call(ctx, http.MethodPost, "/v1/forget", all, &f)
}

// Preserve shows an officer's order, which keeps a span of the log from erasing for a week.
func (c *Client) Preserve(ctx context.Context, o Order) (out Preserved, err error) {
	return out, c.socket.Call(ctx, http.MethodPost, "/v1/holds", o, &out)
}

// Holds lists the active orders.
func (c *Client) Holds(ctx context.Context) (all []Hold, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/holds", nil, &all)
}

// Clock is how the front's clock is.
func (c *Client) Clock(ctx context.Context) (r agreed.Report, err error) {
	return r, c.socket.Call(ctx, http.MethodGet, "/v1/clock", nil, &r)
}

// ConfirmClock is the operator's word that the machine's clock is right.
func (c *Client) ConfirmClock(ctx context.Context) (r agreed.Report, err error) {
	return r, c.socket.Call(ctx, http.MethodPost, "/v1/clock", struct{}{}, &r)
}

// Alarms lists the newest first, at most limit.
func (c *Client) Alarms(ctx context.Context, building string, limit int) (a []Alarm, err error) {
	q := url.Values{"building": {building}, "limit": {strconv.Itoa(limit)}}
	return a, c.socket.Call(ctx, http.MethodGet, "/v1/alarms?"+q.Encode(), nil, &a)
}

// Backup returns a whole copy of the front's database, which the caller closes.
// Kept with the same id makes it count.
func (c *Client) Backup(ctx context.Context, id string) (io.ReadCloser, error) {
	return c.socket.Open(ctx, http.MethodGet, "/v1/backup?"+url.Values{"id": {id}}.Encode(), nil)
}

// Ledger returns the front's ledger of erasures and orders as of now.
func (c *Client) Ledger(ctx context.Context) (data []byte, err error) {
	return data, c.socket.Call(ctx, http.MethodGet, "/v1/ledger", nil, &data)
}

// Kept says that the copy of this id is kept.
func (c *Client) Kept(ctx context.Context, id string) (k Kept, err error) {
	return k, c.socket.Call(ctx, http.MethodPost, "/v1/backups", Kept{ID: id}, &k)
}

// Snapshots lists the backups that are kept of the gateways of a building; of all, for "".
func (c *Client) Snapshots(ctx context.Context, building string) (all []Snapshot, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/snapshots?"+of(building), nil, &all)
}

// Snapshot fetches a backup as its gateway sent it: turn 0 is the newest.
func (c *Client) Snapshot(ctx context.Context, building, gateway string, turn int) (data []byte, err error) {
	q := url.Values{"building": {building}, "gateway": {gateway}, "turn": {strconv.Itoa(turn)}}
	return data, c.socket.Call(ctx, http.MethodGet, "/v1/snapshot?"+q.Encode(), nil, &data)
}

// DropSnapshots forgets the backups of a gateway.
func (c *Client) DropSnapshots(ctx context.Context, p Place) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/snapshots/drop", p, nil)
}

// PutAway forgets what restores have shown.
func (c *Client) PutAway(ctx context.Context) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/remarks/done", struct{}{}, nil)
}

// VKeys asks for the keys of the registry's witnesses and of a building's logs.
func (c *Client) VKeys(ctx context.Context, building string) (k VKeys, err error) {
	return k, c.socket.Call(ctx, http.MethodGet, "/v1/vkeys?"+of(building), nil, &k)
}

// Status asks how the front is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.socket.Call(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// Entries calls each with the headers that pass the filter, by gateway, epoch
// and sequence, or with Newest what was stored last first. Where the limit cut
// the answer short, more is what After goes on with; else it is empty.
func (c *Client) Entries(ctx context.Context, f EntryFilter, each func(Entry) error) (more string, err error) {
	body, err := c.socket.Open(ctx, http.MethodGet, "/v1/entries?"+f.query().Encode(), nil)
	if err != nil {
		return "", err
	}
	defer body.Close()
	err = eachLine(body, "entries", func(e struct {
		Entry
		More
	}) error {
		if e.More.More != "" {
			more = e.More.More
			return nil
		}
		return each(e.Entry)
	})
	return more, err
}

// eachLine reads objects, one a line. An object that begins with an error is the front's word that it could
// not go on.
func eachLine[T any](body io.Reader, what string, each func(T) error) error {
	for lines := bufio.NewReaderSize(body, 64<<10); ; {
		line, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		case err == nil && bytes.HasPrefix(line, failed):
			var fail Error
			if err = json.Unmarshal(line, &fail); err == nil {
				return &Error{Message: fail.Message, Status: http.StatusInternalServerError}
			}
		}
		var v T
		if err == nil {
			err = json.Unmarshal(line, &v)
		}
		if err != nil {
			return fmt.Errorf("read %s from the front: %w", what, err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
}

// failed begins an Error in JSON.
var failed = []byte(`{"error":`)

func (f EntryFilter) query() url.Values {
	q := url.Values{}
	set := func(key, value string, wanted bool) {
		if wanted {
			q.Set(key, value)
		}
	}
	for key, v := range map[string]string{"building": f.Building, "gateway": f.Gateway, "door": f.Door, "kind": f.Kind, "after": f.After} {
		set(key, v, v != "")
	}
	set("from", f.From.Format(time.RFC3339Nano), !f.From.IsZero())
	set("to", f.To.Format(time.RFC3339Nano), !f.To.IsZero())
	set("newest", "1", f.Newest)
	set("limit", strconv.Itoa(f.Limit), f.Limit > 0)
	return q
}
