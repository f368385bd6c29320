package control

import (
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
	"gatehouse/internal/socket"
)

// Client calls one daemon. Safe for concurrent use.
type Client struct {
	socket *socket.Client
	Doors  Doors
}

// NewClient makes a client of the daemon behind a unix socket. It connects when first used.
func NewClient(path string) *Client { return NewClientOver(network.Network{}, path) }

// NewClientOver is NewClient over another network than the machine's own.
func NewClientOver(n network.Network, path string) *Client { return NewClientWithin(n, path, 0) }

// AnswerWithin is how long people's programs, the tool and the page, wait for an answer that waits for
// nobody: a daemon that takes longer hangs.
const AnswerWithin = 10 * time.Second

// NewClientWithin is NewClientOver for whoever wants to hear within a time that the daemon hangs: what is
// to be answered at once fails after it. What waits for somebody, a network or a backup goes on for as long
// as its context, once the daemon has given a sign of life. 0: all go on.
func NewClientWithin(n network.Network, path string, within time.Duration) *Client {
	c := socket.NewClient(n, path, socket.Peer{Name: "daemon", Alive: "/v1/status",
		Absent: "start gatehoused: sudo systemctl start gatehoused, or gatehoused --config FILE; or say where its socket is with --socket",
		Denied: "join the group gatehouse, or run this as root",
		Hangs:  "wait a minute: its unit starts it again by itself. If it stays so: sudo systemctl restart gatehoused, or pull the gateway's plug and put it in again; meanwhile the doors are as in a power cut"}).Within(within)
	return &Client{c, Doors{c}}
}

// Status returns the state of the gateway.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.socket.Call(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// Release lets people through a door.
func (c *Client) Release(ctx context.Context, door string) (r Released, err error) {
	return r, c.socket.Call(ctx, http.MethodPost, "/v1/doors/"+url.PathEscape(door)+"/release", nil, &r)
}

// ResetWait is how long the gateway waits for somebody at a door who asked on the page to end an
// emergency.
const ResetWait = time.Minute

// ResetFire ends an emergency after the panel has been reset. For others than the operator it
// takes until somebody presses an exit button or holds up a card that opens, ResetWait at most.
func (c *Client) ResetFire(ctx context.Context) (f Fire, err error) {
	return f, c.socket.Wait(ctx, http.MethodPost, "/v1/fire/reset", nil, &f)
}

// NoteAccess records in the daemon's log who may use the page, which keeps its accounts itself.
// Only the page calls it; it is not among the acts that the tool and the page both have.
func NoteAccess(ctx context.Context, c *Client, a Access) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/access", a, &struct{}{})
}

// AskClock returns a nonce for a signed time.
func (c *Client) AskClock(ctx context.Context) (a ClockAsk, err error) {
	return a, c.socket.Call(ctx, http.MethodPost, "/v1/clock/ask", nil, &a)
}

// SetClock submits a signed time.
func (c *Client) SetClock(ctx context.Context, s SignedClock) (k Clock, err error) {
	return k, c.socket.Call(ctx, http.MethodPost, "/v1/clock/set", s, &k)
}

// ConfirmClock confirms that the gateway's clock is right.
func (c *Client) ConfirmClock(ctx context.Context) (k Clock, err error) {
	return k, c.socket.Call(ctx, http.MethodPost, "/v1/clock/confirm", nil, &k)
}

// List fetches the active grant list.
func (c *Client) List(ctx context.Context) (l List, err error) {
	return l, c.socket.Call(ctx, http.MethodGet, "/v1/grants", nil, &l)
}

// Keys lists the grants for people.
func (c *Client) Keys(ctx context.Context) (k []Key, err error) {
	return k, c.socket.Call(ctx, http.MethodGet, "/v1/keys", nil, &k)
}

// Apply submits a new version of the list. A *Error with Conflict means that somebody else was
// faster: fetch the list again.
func (c *Client) Apply(ctx context.Context, u Update) (g Grants, err error) {
	return g, c.socket.Wait(ctx, http.MethodPut, "/v1/grants", u, &g)
}

// Swipe waits for the next card that is not in use, or that is held up twice with a rest in
// between. The door does not open for it.
func (c *Client) Swipe(ctx context.Context, r SwipeRequest) (card Card, err error) {
	return card, c.socket.Wait(ctx, http.MethodPost, "/v1/swipe", r, &card)
}

// Printed returns the credentials of a printed number.
func (c *Client) Printed(ctx context.Context, r PrintedRequest) (card Card, err error) {
	return card, c.socket.Call(ctx, http.MethodPost, "/v1/printed", r, &card)
}

// Log calls each with the kept entries that an owner may see: faults, alarms and acts at the
// gateway, nobody's passages. Oldest first, from the newest `last` on (negative: all); with follow
// it goes on with new ones until ctx ends.
func (c *Client) Log(ctx context.Context, ask LogQuery, each func(LogEntry) error) error {
	q := url.Values{"last": {strconv.Itoa(ask.Last)}, "follow": {strconv.FormatBool(ask.Follow)}, "door": ask.Doors, "kind": ask.Kinds}
	if ask.Since != "" {
		q.Set("since", ask.Since)
	}
	return stream(ctx, c.socket, http.MethodGet, "/v1/log?"+q.Encode(), nil, func() {}, each)
}

// TestDoor calls begun when the test of a door has begun, and then each with the events there, for
// a number of minutes or until ctx ends. The test is recorded, and shown at the door's readers.
func (c *Client) TestDoor(ctx context.Context, door string, r DoorTest, begun func(), each func(LogEntry) error) error {
	return stream(ctx, c.socket, http.MethodPost, "/v1/doors/"+url.PathEscape(door)+"/test", r, begun, each)
}

func stream(ctx context.Context, c *socket.Client, method, path string, in any, begun func(), each func(LogEntry) error) error {
	body, err := c.Open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer body.Close()
	begun()
	dec := json.NewDecoder(body)
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
