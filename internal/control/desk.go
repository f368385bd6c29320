package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// DeskRequest opens a visit at the desk. One is open at a time.
type DeskRequest struct {
	TakeOver bool `json:"take_over,omitempty"` // end somebody else's
}

// Desk is an open visit, and the possible choices.
type Desk struct {
	Session  string   `json:"session"`
	TimeZone string   `json:"time_zone"` // of the building: days begin at its midnight
	Doors    []string `json:"doors"`     // of the building
	Here     []string `json:"here"`      // those at whose readers a card can be held up now
	Keys     []string `json:"keys"`      // those of Here at whose readers a PIN can be typed
	Flats    []string `json:"flats"`     // empty: any
	// Pause is for how many seconds a card that proves must be away before it is held up for the
	// second time, by door.
	Pause      map[string]int `json:"pause"`
	NoticeDays int            `json:"notice_days"`
	Trusted    bool           `json:"trusted"` // the clock
}

// DeskSwipe waits for a card at a reader: the next one that is held up twice, Pause apart; or, for
// a card to be given, one that is not in use.
type DeskSwipe struct {
	SwipeRequest
	Proof bool `json:"proof,omitempty"` // it proves a tenant; else it is a card to be given
}

// DeskCard is the desk's answer to a card.
type DeskCard struct {
	Door    string   `json:"door"`
	Forms   int      `json:"forms"`             // number of known forms of the card to be given
	Missing []string `json:"missing"`           // doors here that do not read it yet
	Tenancy *Tenancy `json:"tenancy,omitempty"` // whose card it is, of a proof
}

// CheckIn registers a person who arrives. Document and basis are the stable
// names of the protocol. Number, name and PIN are not kept on the gateway.
type CheckIn struct {
	Document string     `json:"document"`
	Number   string     `json:"number"`
	Name     string     `json:"name"`
	Flat     string     `json:"flat"`
	Label    string     `json:"label,omitempty"`
	Doors    []string   `json:"doors,omitempty"` // empty: all of the building
	From     *time.Time `json:"from,omitempty"`
	Until    *time.Time `json:"until,omitempty"` // exclusive
	Basis    string     `json:"basis"`
	Informed bool       `json:"informed"`
	PIN      string     `json:"pin,omitempty"`
	Check    bool       `json:"check,omitempty"` // only judge it: before the card is held up
}

// DeskPIN waits for the next PIN at the keys of a door's readers. It goes no further than the
// daemon: the tool's user does not see it.
type DeskPIN struct {
	Door    string `json:"door"`
	Seconds int    `json:"seconds,omitempty"` // default 60
}

// Change requests a change of a tenancy: checkout, dispute, withdraw, suspend, resume, replace,
// add, confirm, pin, codes or guest.
type Change struct {
	Action  string      `json:"action"`
	Tenancy string      `json:"tenancy,omitempty"` // id or the start of it, flat or label; empty: that of the card held up
	Proof   string      `json:"proof"`             // landlord, card or pin
	PIN     string      `json:"pin,omitempty"`
	Cause   string      `json:"cause,omitempty"` // of a check-out
	Card    int         `json:"card,omitempty"`  // 0: the only one
	NewPIN  string      `json:"new_pin,omitempty"`
	Typed   bool        `json:"typed,omitempty"` // PINs are those that were typed at a reader's keys in this visit, in their order
	Guest   *GuestTerms `json:"guest,omitempty"` // of the code of a guest
	Check   bool        `json:"check,omitempty"` // only judge Guest: before the tenant proves anything
}

// Tenancy is one person in one flat. Only the registry knows who that is.
type Tenancy struct {
	ID       string        `json:"id"`
	Flat     string        `json:"flat,omitempty"`
	Label    string        `json:"label,omitempty"`
	State    string        `json:"state"` // not_begun, active, notice, suspended, disputed or ended
	Doors    []string      `json:"doors,omitempty"`
	Since    *time.Time    `json:"since,omitempty"`   // of the check-in
	From     *time.Time    `json:"from,omitempty"`    // first day of the term; none: it began at once
	Until    *time.Time    `json:"until,omitempty"`   // of the term, exclusive
	Zone     string        `json:"zone"`              // of the building: days begin at its midnight
	Notice   *time.Time    `json:"notice,omitempty"`  // when the landlord's notice ends it
	Decided  string        `json:"decided,omitempty"` // by the registry on the newest notice: upheld or rejected
	Cause    string        `json:"cause,omitempty"`   // of the end or notice
	Ended    *time.Time    `json:"ended,omitempty"`   // when it did
	Told     string        `json:"told,omitempty"`    // "yes" or "not yet", once the notice has ended: whether the tenant was told of it at a door
	HasPIN   bool          `json:"has_pin"`
	OwnPIN   bool          `json:"own_pin,omitempty"`   // the tenant chose it with a card, so that it proves who asks
	CodesAt  []string      `json:"codes_at,omitempty"`  // doors here whose keys take one-time codes; how many of its codes are used nobody is told
	GuestsAt []string      `json:"guests_at,omitempty"` // doors here that take the codes of its guests. Only GET /v1/tenancy says it, as CodesAt
	Cards    []TenancyCard `json:"cards"`
	Doubtful bool          `json:"doubtful,omitempty"`  // only doubt about the time keeps it open: by some clock it is over
	Counting bool          `json:"counting,omitempty"`  // only days that are still counted keep it open: the date of its notice has come
	Unstored int           `json:"unsettled,omitempty"` // changes that are active here and not yet in the registry's list
}

// TenancyCard is one card of a tenancy.
type TenancyCard struct {
	Number int        `json:"number"`
	State  string     `json:"state"` // active, suspended or ended
	Since  *time.Time `json:"since,omitempty"`
	Forms  int        `json:"forms"`  // number of forms in which readers see it
	Proves bool       `json:"proves"` // holding it up is the tenant's word
	// Copyable: a reader here accepts it by a number alone, which can be copied. False means
	// unknown. Only GET /v1/tenancy says it.
	Copyable bool `json:"copyable,omitempty"`
	Ending   bool `json:"ending,omitempty"` // by the landlord's word it stops when the days of a notice have passed, unless it is used
}

// Done is the result of a check-in or a change.
type Done struct {
	Tenancy Tenancy  `json:"tenancy"`
	Remarks []string `json:"remarks"`
	// Codes are new one-time codes of the tenancy, shown only once, and CodeDoors the doors where
	// they open.
	Codes     []string   `json:"codes,omitempty"`
	CodeDoors []string   `json:"code_doors,omitempty"`
	Guest     *GuestCode `json:"guest,omitempty"` // a new guest code
}

// OpenDesk opens a visit. A *Error with Conflict means that somebody else is at the desk; one with
// http.StatusGone, of any other call, that the visit is over.
func (c *Client) OpenDesk(ctx context.Context, r DeskRequest) (d Desk, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/desk", r, &d)
}

// CloseDesk ends a visit; ending it again is no error.
func (c *Client) CloseDesk(ctx context.Context, session string) error {
	return c.socket.Call(ctx, http.MethodDelete, "/v1/desk/"+url.PathEscape(session), nil, &struct{}{})
}

// ShowCard waits for a card at the desk. The door does not open for it.
func (c *Client) ShowCard(ctx context.Context, session string, r DeskSwipe) (card DeskCard, err error) {
	return card, c.socket.Wait(ctx, http.MethodPost, "/v1/desk/"+url.PathEscape(session)+"/swipe", r, &card)
}

// TypePIN waits for a PIN at the keys of a door's readers.
func (c *Client) TypePIN(ctx context.Context, session string, r DeskPIN) error {
	return c.socket.Wait(ctx, http.MethodPost, "/v1/desk/"+url.PathEscape(session)+"/pin", r, &struct{}{})
}

// CheckIn makes a tenancy for the card that was shown.
func (c *Client) CheckIn(ctx context.Context, session string, r CheckIn) (d Done, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/desk/"+url.PathEscape(session)+"/checkin", r, &d)
}

// Change changes a tenancy.
func (c *Client) Change(ctx context.Context, session string, r Change) (d Done, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/desk/"+url.PathEscape(session)+"/change", r, &d)
}

// Tenancies returns all tenancies.
func (c *Client) Tenancies(ctx context.Context) (all []Tenancy, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/tenancies", nil, &all)
}

// Tenancy returns one by id or the start of it, flat or label.
func (c *Client) Tenancy(ctx context.Context, name string) (t Tenancy, err error) {
	return t, c.socket.Call(ctx, http.MethodGet, "/v1/tenancy?"+url.Values{"name": {name}}.Encode(), nil, &t)
}
