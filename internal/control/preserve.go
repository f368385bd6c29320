package control

import (
	"context"
	"net/http"
	"time"
)

// PreserveRequest shows an officer's order to preserve to the gateway.
type PreserveRequest struct {
	Order []byte `json:"order"` // the envelope
}

// Preserved is what an order gets: a refusal, or for how long nothing of its span is erased. It tells nothing
// of the log.
type Preserved struct {
	Refusal *MandateRefusal `json:"refusal,omitempty"`
	Seconds int64           `json:"seconds,omitempty"` // from now, at least
	Until   *time.Time      `json:"until,omitempty"`   // nil: the gateway does not know the time
	Again   bool            `json:"again,omitempty"`   // the order was taken before, and counts from then
}

// Ask shows an order to the gateway. It waits for a mandate that is answered meanwhile, which may take the minute of a card.
func (r PreserveRequest) Ask(ctx context.Context, c *Client) (p Preserved, err error) {
	return p, c.socket.Wait(ctx, http.MethodPost, "/v1/preserve", r, &p)
}
