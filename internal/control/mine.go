package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// MineRequest begins a resident's reading of the own entries, by flat and the PIN of six digits or more that was chosen
// with a card.
type MineRequest struct {
	Flat   string `json:"flat"`
	PIN    string `json:"pin,omitempty"`
	Keypad string `json:"keypad,omitempty"` // the door at whose keys the PIN is typed, instead; of the operator alone
}

// MineBegun is a reading whose card has not been held up yet.
type MineBegun struct {
	Session string         `json:"session"`
	Doors   []string       `json:"doors"` // of this gateway
	Pause   map[string]int `json:"pause"` // seconds until the card is held up there again
}

// MineNow is a reading as it stands.
type MineNow struct {
	MineBegun
	Left int   `json:"left"`           // seconds until it ends
	Held *Mine `json:"held,omitempty"` // none: the card was not held up yet
}

// MineCard waits for a card of the tenancy, held up twice at the readers of a door; empty: of any.
type MineCard struct {
	Door string `json:"door,omitempty"`
}

// Mine is all that a gateway holds about a resident: the tenancy with the card that was held up, what the log has of
// that card, and what was done about the tenancy.
type Mine struct {
	Building string     `json:"building"`
	Gateway  string     `json:"gateway"`
	Zone     string     `json:"zone"`
	Time     time.Time  `json:"time"`     // of the answer
	Clock    string     `json:"clock"`    // what it was worth
	WhoDays  int        `json:"who_days"` // after so many days it is erased here whose an entry was, a week later at most
	Tenancy  Tenancy    `json:"tenancy"`
	Guests   []Guest    `json:"guests"`  // codes that the tenant has given and that are good now
	Entries  []OwnEntry `json:"entries"` // oldest first; those that were erased are not here any more
	Acts     []OwnEntry `json:"acts"`    // what was done about the tenancy at a desk or by a resident, and by whom; oldest first
}

// OwnEntry is an entry of the log as the resident sees it whose card or tenancy it names.
type OwnEntry struct {
	ID        string     `json:"id"` // epoch and number, as the registry writes them
	Time      time.Time  `json:"time"`
	Clock     string     `json:"clock"`              // what the time was worth
	Earliest  *time.Time `json:"earliest,omitempty"` // of a clock that was not good: it was not before; none: nobody knows
	Latest    *time.Time `json:"latest,omitempty"`   // nor after; none: the time is sure
	Kind      string     `json:"kind"`
	Outcome   string     `json:"outcome,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Door      string     `json:"door,omitempty"`
	Direction string     `json:"direction,omitempty"`
	Method    string     `json:"method,omitempty"` // how the resident was known: card, card and PIN
	Count     uint64     `json:"count,omitempty"`
	By        string     `json:"by,omitempty"` // who did it: "operator", "owner-402117"
}

// MineCorrection is a resident's request to have something put right.
type MineCorrection struct {
	About string `json:"about"`           // entry, name, number, flat, term, card or other
	Entry string `json:"entry,omitempty"` // OwnEntry.ID of the one that it is about
	Text  string `json:"text"`
}

// MineTaken says that a request is in the log.
type MineTaken struct {
	Number string `json:"number"` // by which the registry finds it
}

// Begin begins a reading.
func (r MineRequest) Begin(ctx context.Context, c *Client) (b MineBegun, err error) {
	if r.Keypad != "" {
		return b, c.socket.Wait(ctx, http.MethodPost, "/v1/mine", r, &b)
	}
	return b, c.socket.Call(ctx, http.MethodPost, "/v1/mine", r, &b)
}

// Reading is a resident's reading: it begins with MineRequest.Begin and ends by itself, some minutes after the card.
type Reading struct {
	Daemon  *Client
	Session string
}

func (r Reading) path() string { return "/v1/mine/" + url.PathEscape(r.Session) }

// Card waits for the card, and returns what is held.
func (r Reading) Card(ctx context.Context, in MineCard) (m Mine, err error) {
	return m, r.Daemon.socket.Wait(ctx, http.MethodPost, r.path()+"/card", in, &m)
}

// Now returns how the reading stands.
func (r Reading) Now(ctx context.Context) (m MineNow, err error) {
	return m, r.Daemon.socket.Call(ctx, http.MethodGet, r.path(), nil, &m)
}

// Correct asks for a correction. It is durable in the log when it returns.
func (r Reading) Correct(ctx context.Context, in MineCorrection) (t MineTaken, err error) {
	return t, r.Daemon.socket.Call(ctx, http.MethodPost, r.path()+"/correction", in, &t)
}

// End forgets what was read.
func (r Reading) End(ctx context.Context) error {
	return r.Daemon.socket.Call(ctx, http.MethodDelete, r.path(), nil, &struct{}{})
}
