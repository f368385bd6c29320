package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// GuestTerms are those of a guest code that is asked for.
type GuestTerms struct {
	From  *time.Time `json:"from,omitempty"`  // none: at once
	Hours int        `json:"hours,omitempty"` // after its start, also one that is past; 0: to the midnight that follows, in the building's zone
	Once  bool       `json:"once,omitempty"`  // it opens once; else any number of times until its end
}

// Guest is a guest code that is good, or will be, without what opens.
type Guest struct {
	ID      string     `json:"id"`
	Tenancy string     `json:"tenancy"`
	Flat    string     `json:"flat,omitempty"`
	Label   string     `json:"label,omitempty"`
	From    *time.Time `json:"from,omitempty"` // none: it was good at once
	Until   time.Time  `json:"until"`          // exclusive
	Zone    string     `json:"zone"`           // of the building, in which the times are
	Once    bool       `json:"once,omitempty"`
	// Used is of one that opens once, and told to its tenant alone.
	Used bool `json:"used,omitempty"`
}

// GuestCode is a guest code that was given, told this once.
type GuestCode struct {
	Guest
	Code     string   `json:"code"`               // to type at the keys of a door
	QR       string   `json:"qr"`                 // text of the QR code, for a scanner
	Keys     []string `json:"keys,omitempty"`     // doors at whose keys it opens
	Scanners []string `json:"scanners,omitempty"` // doors at whose scanners it opens
}

// PassRequest has the digits of a guest code.
type PassRequest struct {
	Digits string `json:"digits"`
}

// Pass is a guest code as whoever has its digits sees it: nothing of who gave it, and nothing of its use.
type Pass struct {
	From     *time.Time `json:"from,omitempty"` // none: it is good already
	Until    time.Time  `json:"until"`          // exclusive
	Zone     string     `json:"zone"`           // of the building, in which the times are
	Once     bool       `json:"once,omitempty"`
	QR       string     `json:"qr"`                 // text of the QR code, for a scanner
	Keys     []string   `json:"keys,omitempty"`     // doors at whose keys the digits open
	Scanners []string   `json:"scanners,omitempty"` // doors at whose scanners the QR code opens
}

// ShowPass asks for the pass of digits.
func ShowPass(ctx context.Context, c *Client, digits string) (p Pass, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/pass", PassRequest{digits}, &p)
}

// Guests lists the guest codes of the house that are not over.
func Guests(ctx context.Context, c *Client) (all []Guest, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/guests", nil, &all)
}

// EndGuest ends a guest code before its time.
func EndGuest(ctx context.Context, c *Client, id string) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/guests/"+url.PathEscape(id)+"/end", nil, &struct{}{})
}
