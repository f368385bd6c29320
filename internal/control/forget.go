package control

import (
	"context"
	"net/http"
)

// ForgetRequest gives the gateway an order to forget whom the entries of a tenancy name.
type ForgetRequest struct {
	Order []byte `json:"order"` // the envelope
}

// Forgotten says that an order is taken. How many entries it is for is nobody's business.
type Forgotten struct{}

// Send gives the order. When it returns without an error the order is carried out whatever happens, within minutes.
func (r ForgetRequest) Send(ctx context.Context, c *Client) error {
	return c.socket.Call(ctx, http.MethodPost, "/v1/forget", r, &Forgotten{})
}
