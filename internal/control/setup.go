package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"gatehouse/internal/socket"
)

// What a daemon may be doing.
const (
	SetupNew    = "new"    // there is no site file: it can be made over the socket
	SetupWrong  = "wrong"  // there is one with which no house can be served
	SetupFailed = "failed" // there is one in order, and the house can't be served all the same: it is tried again
	SetupHouse  = "house"  // the house is served
)

// Setup is what the daemon does, and what stands in the way of its serving a house.
type Setup struct {
	State string `json:"state"`
	File  string `json:"file,omitempty"`  // the site file that is waited for
	Fault string `json:"fault,omitempty"` // what is wrong with it, or why the house can't be served
	Look  *Look  `json:"look,omitempty"`  // nil: nobody has looked at the machine yet
	// Boards are those for whose doors a profile has lines.
	Boards []Board `json:"boards,omitempty"`
}

// Board is a profile of a board.
type Board struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

// LookRequest has the daemon look at its machine.
type LookRequest struct {
	Board   string   `json:"board,omitempty"` // the profile's name; empty: as it is found
	Seconds int      `json:"seconds"`         // to listen for cards; at most MostLook
	Ports   []string `json:"ports,omitempty"` // none: all
	Cards   bool     `json:"cards,omitempty"` // also at readers that answer by themselves: which one has a card held to it?
}

// MostLook is how long a look may listen for cards, in seconds.
const MostLook = 900

// Look is what was found on the machine until now.
type Look struct {
	Running  bool          `json:"running"`
	Model    string        `json:"model,omitempty"`
	Board    string        `json:"board,omitempty"` // the profile's name; empty: none is known
	Title    string        `json:"title,omitempty"` // of the board
	Doors    int           `json:"doors"`           // for so many the board's profile has lines
	Readers  []FoundReader `json:"readers,omitempty"`
	Lines    []FoundLine   `json:"lines,omitempty"`
	Silent   []string      `json:"silent,omitempty"`   // ports on which nobody spoke
	Problems []string      `json:"problems,omitempty"` // each with what to do
	// Found is all of it, as gatehoused discover --json prints it.
	Found json.RawMessage `json:"found"`
}

// FoundReader is a reader that spoke.
type FoundReader struct {
	Words    string   `json:"words"` // which one it is
	Type     string   `json:"type"`
	Port     string   `json:"port,omitempty"`
	Address  *int     `json:"address,omitempty"`
	Door     int      `json:"door,omitempty"` // a Wiegand reader's lines are those of this door of the profile, from 1
	Pins     string   `json:"pins,omitempty"` // of its lines
	Formats  []string `json:"formats,omitempty"`
	Identity string   `json:"identity,omitempty"`
	Swapped  bool     `json:"swapped,omitempty"` // Wiegand: D0 and D1 are exchanged
	Clear    bool     `json:"clear,omitempty"`   // OSDP: it says that it has no secure channel
	Card     bool     `json:"card,omitempty"`    // a card was held to it
}

// FoundLine is an input of the wiring that the board's profile has.
type FoundLine struct {
	Name string `json:"name"` // as the profile names it
	Pin  string `json:"pin"`
	High bool   `json:"high"`
}

// Answers are what a person says of a building; docs/setup.md describes every key.
type Answers struct {
	Building string       `toml:"building" json:"building"`
	Gateway  string       `toml:"gateway" json:"gateway,omitempty"`
	TimeZone string       `toml:"time_zone" json:"time_zone,omitempty"`
	Registry string       `toml:"registry" json:"registry,omitempty"`
	Board    string       `toml:"board" json:"board,omitempty"` // where it is not found
	State    string       `toml:"state" json:"state,omitempty"`
	Socket   string       `toml:"socket" json:"socket,omitempty"`
	Fire     bool         `toml:"fire" json:"fire,omitempty"` // a fire panel's contact is wired
	Doors    []DoorAnswer `toml:"door" json:"doors"`
}

// DoorAnswer is what a person says of one door. The first has the first lines of the
// board's wiring, unless its place says otherwise.
type DoorAnswer struct {
	ID      string         `toml:"id" json:"id"`
	Place   int            `toml:"place" json:"place,omitempty"` // which of the wiring's doors it is, from 1; 0: as they stand
	Egress  string         `toml:"egress" json:"egress"`
	Lock    string         `toml:"lock" json:"lock"`
	Exit    bool           `toml:"exit" json:"exit,omitempty"`       // there is a button; egress = "electric" has one always
	Contact bool           `toml:"contact" json:"contact,omitempty"` // there is a door contact
	Pull    string         `toml:"pull" json:"pull,omitempty"`       // of the relay's line, measured, where the profile does not know
	Readers []ReaderAnswer `toml:"reader" json:"readers,omitempty"`
}

// ReaderAnswer says which reader that was found is at a door: the first that is not at
// another one and fits. What is left out is as it was found.
type ReaderAnswer struct {
	ID        string   `toml:"id" json:"id"`
	Direction string   `toml:"direction" json:"direction,omitempty"`
	Type      string   `toml:"type" json:"type,omitempty"`
	Port      string   `toml:"port" json:"port,omitempty"`
	Address   *int     `toml:"address" json:"address,omitempty"`
	Profile   string   `toml:"profile" json:"profile,omitempty"`
	Formats   []string `toml:"formats" json:"formats,omitempty"`
	Place     int      `toml:"place" json:"place,omitempty"` // whose reader lines it is at, of the wiring's doors from 1; 0: its door's own
}

// PartState is how one part of a plan is.
type PartState string

// The states of a PlanItem.
const (
	PartOK    PartState = "ok"
	PartLook  PartState = "look"  // it can be used; somebody should look after it
	PartFault PartState = "fault" // no site file comes of it
)

// PlanItem is one part of a plan.
type PlanItem struct {
	What  string    `json:"what"`
	State PartState `json:"state"`
	Words string    `json:"words"`
}

// Plan is what is proposed of answers and what was found.
type Plan struct {
	Items []PlanItem `json:"items"`
	Text  string     `json:"text,omitempty"` // the site file; empty where there is a fault
}

// Faulty says that no site file came of it.
func (p Plan) Faulty() bool { return p.Text == "" }

// WriteSite has the daemon write the site file of a plan.
type WriteSite struct {
	Answers Answers `json:"answers"`
	Text    string  `json:"text,omitempty"` // as it was proposed; another one is not written. Empty: any
}

// SiteWritten answers it.
type SiteWritten struct {
	File string `json:"file"`
}

// EnrolRequest has the gateway made known to the registry whose operator gave the token. It
// stands in a body, never in a path.
type EnrolRequest struct {
	Token string `json:"token"`
}

// Enrolled tells what an enrolment did. A daemon that did it begins anew then, since its keys
// are others.
type Enrolled struct {
	Registry    string    `json:"registry"`
	Building    string    `json:"building"`
	Gateway     string    `json:"gateway"`
	Directory   string    `json:"folder"` // of its keys
	BuildingKey bool      `json:"building_key"`
	Alone       bool      `json:"alone"` // the building has no other gateway
	Expires     time.Time `json:"certificate_expires"`
	Seconds     int64     `json:"clock_behind_s"` // this machine's clock behind the registry's; below zero: ahead
}

// KeyFile is the file that a landlord without a registry keeps away from the gateway: the issuer's key,
// and a copy of the building's. It stands in a body, never in a path, and its text in no log.
type KeyFile struct {
	Name string `json:"name,omitempty"` // proposed
	Text []byte `json:"text"`
}

// KeysInstalled tells what keys a gateway has now. A daemon that installed them begins anew then.
type KeysInstalled struct {
	Building string   `json:"building"`
	Files    []string `json:"files"`
}

// ExitWatch is how long the daemon waits for an exit button that is held.
const ExitWatch = time.Minute

// ExitHeld tells whether somebody held an exit button for ten seconds: nothing else of what is pressed
// at a door (refusal N2).
type ExitHeld struct {
	Held  bool `json:"held"`
	Stuck bool `json:"stuck,omitempty"` // a button is pressed and is not let go, which proves nothing
}

// WatchExit waits until somebody has held an exit button, ExitWatch at most. Only the page's first run
// calls it; it is not among the acts that the tool and the page both have.
func WatchExit(ctx context.Context, c *Client) (h ExitHeld, err error) {
	return h, c.socket.Wait(ctx, http.MethodPost, "/v1/exit/hold", nil, &h)
}

// SetupClient sets a gateway up by its daemon. Safe for concurrent use.
type SetupClient struct{ socket *socket.Client }

// SettingUp is a client's daemon for whoever sets the gateway up.
func SettingUp(c *Client) SetupClient { return SetupClient{c.socket} }

// State asks what the daemon does, and what the last look has found until now.
func (c SetupClient) State(ctx context.Context) (s Setup, err error) {
	return s, c.socket.Call(ctx, http.MethodGet, "/v1/setup", nil, &s)
}

// Look has the daemon look at its machine; a look that goes on ends. State tells what it finds.
func (c SetupClient) Look(ctx context.Context, r LookRequest) (s Setup, err error) {
	return s, c.socket.Wait(ctx, http.MethodPost, "/v1/setup/look", r, &s)
}

// Propose makes a site file of answers and of what the last look has found until now.
func (c SetupClient) Propose(ctx context.Context, a Answers) (p Plan, err error) {
	return p, c.socket.Call(ctx, http.MethodPost, "/v1/setup/propose", a, &p)
}

// Write writes it, whole or not at all, and never over one that is there. The daemon then
// begins to serve the house.
func (c SetupClient) Write(ctx context.Context, w WriteSite) (s SiteWritten, err error) {
	return s, c.socket.Call(ctx, http.MethodPost, "/v1/setup/write", w, &s)
}

// Enrol makes a gateway whose house is served known to a registry.
func (c SetupClient) Enrol(ctx context.Context, r EnrolRequest) (e Enrolled, err error) {
	return e, c.socket.Wait(ctx, http.MethodPost, "/v1/enrol", r, &e)
}

// MakeKeyFile has a gateway without keys make the landlord's key file, of which it keeps no private
// part.
func (c SetupClient) MakeKeyFile(ctx context.Context) (k KeyFile, err error) {
	return k, c.socket.Call(ctx, http.MethodPost, "/v1/keyfile", nil, &k)
}

// InstallKeys gives a gateway without keys those of a key file, which shows that it was kept.
func (c SetupClient) InstallKeys(ctx context.Context, k KeyFile) (i KeysInstalled, err error) {
	return i, c.socket.Call(ctx, http.MethodPut, "/v1/keyfile", k, &i)
}
