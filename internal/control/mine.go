package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// MineRequest asks for the entries of the card that was held up in a visit as proof, with the PIN that its tenant has
// chosen with a card; empty: the one that was typed at a reader.
type MineRequest struct {
	PIN string `json:"pin,omitempty"`
}

// Mine is all that a gateway holds about a resident: the tenancy with that card, and what the log has of it.
type Mine struct {
	Building string     `json:"building"`
	Gateway  string     `json:"gateway"`
	Zone     string     `json:"zone"`
	Time     time.Time  `json:"time"`  // of the answer
	Clock    string     `json:"clock"` // what it was worth
	Tenancy  Tenancy    `json:"tenancy"`
	Entries  []OwnEntry `json:"entries"` // oldest first; those that were erased are not here any more
}

// OwnEntry is an entry of the log as the resident sees it whose card it names.
type OwnEntry struct {
	Time      time.Time `json:"time"`
	Clock     string    `json:"clock"` // what the time was worth
	Kind      string    `json:"kind"`
	Outcome   string    `json:"outcome,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Door      string    `json:"door,omitempty"`
	Direction string    `json:"direction,omitempty"`
	Method    string    `json:"method,omitempty"` // how the resident was known: card, card and PIN
	Count     uint64    `json:"count,omitempty"`
}

// Mine returns what is held about the resident of a visit.
func (c *Client) Mine(ctx context.Context, session string, r MineRequest) (m Mine, err error) {
	return m, c.socket.Call(ctx, http.MethodPost, "/v1/desk/"+url.PathEscape(session)+"/mine", r, &m)
}
