package operator

import (
	"context"
	"net/http"
	"time"

	"gatehouse/internal/socket"
)

// AnswerWithin is how long a resident's request may wait for an answer before the issuer's status counts it, and how long
// nobody may look for new ones.
const AnswerWithin = 15 * 24 * time.Hour

// ReadRequests asks to read what residents want to have put right; it is written down before it is answered.
type ReadRequests struct {
	Building string `json:"building,omitempty"` // only of this one
	Case     string `json:"case"`               // file number under which they are read
}

// Request is a resident's request as the issuer keeps it: that there is one, and nothing of what it says.
type Request struct {
	Number   string     `json:"number"` // as the resident has it
	Building string     `json:"building"`
	Tenancy  string     `json:"tenancy"`
	Time     time.Time  `json:"time"`
	Done     *time.Time `json:"done,omitempty"` // nil: it is open
}

// FoundRequests are those that somebody has read.
type FoundRequests struct {
	All   []Request `json:"all"`
	Whole bool      `json:"whole"` // of all buildings and times
}

// DoneRequest says that a request was answered.
type DoneRequest struct {
	Number string `json:"number"`
	Case   string `json:"case"` // file number of the answer
}

// Requests is the part of a Client for what residents ask to have put right.
type Requests struct{ socket *socket.Client }

// Requests returns that part.
func (c *Client) Requests() Requests { return Requests{c.socket} }

// Read has it written down that the requests are read, before they are.
func (r Requests) Read(ctx context.Context, in ReadRequests) error {
	return r.socket.Call(ctx, http.MethodPost, "/v1/requests/read", in, nil)
}

// Found has the issuer keep which requests there are, and returns all of them that it knows, with those that are done.
func (r Requests) Found(ctx context.Context, in FoundRequests) (all []Request, err error) {
	return all, r.socket.Call(ctx, http.MethodPost, "/v1/requests/found", in, &all)
}

// Done closes a request.
func (r Requests) Done(ctx context.Context, in DoneRequest) error {
	return r.socket.Call(ctx, http.MethodPost, "/v1/requests/done", in, nil)
}
