// Package control is the interface of a building's daemon for tools on the same machine: HTTP and
// JSON over the daemon's unix socket. It has the messages and the client; package server has the
// daemon's side.
//
// It carries no card numbers outwards: a swipe comes back as credential ids. The socket's owner and
// mode alone decide who may connect.
package control

import (
	"time"

	"gatehouse/internal/socket"
)

// Status is what `gatehouse status` shows.
type Status struct {
	Building    string    `json:"building"`
	Gateway     string    `json:"gateway"`
	Registry    string    `json:"registry"` // its id; "none"
	Uplink      *Uplink   `json:"uplink,omitempty"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Initialised bool      `json:"initialised"` // the building's keys are there
	Clock       Clock     `json:"clock"`
	Fire        *Fire     `json:"fire,omitempty"`
	// Listening: the old controller decides at the doors; nil: the gateway does.
	Listening *Listening `json:"listening,omitempty"`
	Doors     []Door     `json:"doors"`
	Journal   Journal    `json:"journal"`
	Grants    Grants     `json:"grants"`
	Problems  []string   `json:"problems"` // the texts of ToDo
	ToDo      []ToDo     `json:"to_do"`
}

// ToDo is one thing that needs attention.
type ToDo struct {
	Code string   `json:"code"`           // as docs/status.md has it; others may come
	Door string   `json:"door,omitempty"` // that it is about
	Args []string `json:"args,omitempty"` // of Text: door, device, number, file, reason
	Text string   `json:"text"`           // what is wrong and what to do, in English
	// Since is when this daemon saw it first. With AtStart it was there when the daemon began,
	// maybe for longer. None: of an older daemon.
	Since   *time.Time `json:"since,omitempty"`
	AtStart bool       `json:"at_start,omitempty"`
}

// Clock is the state of the wall clock.
type Clock struct {
	Now     time.Time `json:"now"`
	Zone    string    `json:"zone,omitempty"` // of the building, in which all times are sent
	Quality string    `json:"quality"`
	Trusted bool      `json:"trusted"`
}

// ClockAsk is a nonce for a signed time, good once and within a minute.
type ClockAsk struct {
	Building string `json:"building"`
	Nonce    []byte `json:"nonce"`
}

// SignedClock is a time signed by the landlord of a standalone house: an envelope
// of wire.TypeClock over the nonce and unix seconds (8 bytes, big-endian).
type SignedClock struct {
	// Far: it is meant although it is more than a year from what the gateway knows.
	Far      bool   `json:"far,omitempty"`
	Envelope []byte `json:"envelope"`
}

// Fire is the state of the fire input.
type Fire struct {
	Active     bool `json:"active"`
	Unreadable bool `json:"unreadable"` // doors are released until it can be read
	Latched    bool `json:"latched"`    // doors stay released until `gatehouse fire reset`
}

// Listening is the state of a house in which the old controller decides, while the gateway drives
// nothing and learns the cards.
type Listening struct {
	Until *time.Time `json:"until,omitempty"` // cards are learned until then; nil: nobody knows
	Over  bool       `json:"over"`            // learning has ended
}

// ListeningRequest sets who decides at the doors from now on: with Days from 1 to 60 the old
// controller, while cards are learned for that long; with 0 the gateway.
type ListeningRequest struct {
	Days int `json:"days"`
}

// Door is the state of one door.
type Door struct {
	ID    string `json:"id"`
	State string `json:"state"` // "normal", "held", "forced", "emergency" or "listening"; not whether somebody goes through
	Lock  string `json:"lock"`  // "ok" or what is wrong
	// ExitPressed is how long the exit button has been pressed, ns; 0 unless it looks stuck.
	ExitPressed time.Duration `json:"exit_pressed_ns,omitempty"`
	Devices     []Device      `json:"devices,omitzero"` // readers and inputs
}

// Device is the state of a reader or input of a door.
type Device struct {
	ID     string `json:"id"`
	Type   string `json:"type"` // wiegand, serial or input
	Online bool   `json:"online"`
	Fault  string `json:"fault,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// Journal is the state of the journal without its size, which would reveal how many people came in.
type Journal struct {
	Epoch    string `json:"epoch"`
	Degraded string `json:"degraded,omitempty"`
	WhoDays  int    `json:"who_days"` // journal.who_days of the site file, or fewer by the registry's policy
}

// Grants is the state of the list of grants.
type Grants struct {
	Version uint64     `json:"version"`
	Hash    string     `json:"hash"`
	Issued  *time.Time `json:"issued,omitempty"`
	Count   int        `json:"count"`
	Copies  int        `json:"copies"` // good copies on disk, of 2
}

// Uplink is the state of the connection to the registry.
type Uplink struct {
	Registry string `json:"registry"` // its id
	District string `json:"district"`
	Town     string `json:"town"`
	Broker   string `json:"broker"`
	State    string `json:"state"` // "down", "greeting", "list not proved", "in step", "not enrolled"
	Epoch    string `json:"epoch"`
	List     uint64 `json:"list"`     // newest version that the registry named
	Active   uint64 `json:"in_force"` // active version here
	// Waiting is since when a newer list is known and not active here.
	Waiting *time.Time `json:"waiting,omitempty"`
	Records int        `json:"records"` // tenancy records that it has not confirmed
	Refused uint64     `json:"refused"` // messages since the start
	Problem string     `json:"problem,omitempty"`
	Link    string     `json:"link,omitempty"` // why the link is down, in plain words
}

// LogEntry is one entry of `gatehouse log`, or of a test of a door. It has no number and refers to
// no other entry, because gaps would reveal the entries that are not shown.
type LogEntry struct {
	Time      time.Time `json:"time"`
	Clock     string    `json:"clock"`
	Kind      string    `json:"kind"`
	Outcome   string    `json:"outcome,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Door      string    `json:"door,omitempty"`
	Source    string    `json:"source,omitempty"`
	Of        string    `json:"of,omitempty"` // to whose account, likewise
	By        string    `json:"by,omitempty"` // who did it, as package caller writes it; empty: the gateway by itself
	Direction string    `json:"direction,omitempty"`
	Count     uint64    `json:"count,omitempty"`
	Detail    string    `json:"detail,omitempty"` // hex
}

// Access records that somebody may use the page of the house, or no longer may.
type Access struct {
	Account string `json:"account"` // whose, as package caller writes it; of an invitation the role alone
	Ended   bool   `json:"ended,omitempty"`
}

// LogQuery selects entries of the log.
type LogQuery struct {
	Last   int      // number of the newest matching entries; negative: all
	Follow bool     // go on with new ones
	Since  string   // 2h, 3d, or a time in the building's zone as people write it; empty: any
	Doors  []string // none: all, and entries of no door
	Kinds  []string // none: all
}

// DoorTest requests a test of a door.
type DoorTest struct {
	Minutes int `json:"minutes"` // 1 to MostTest
}

// MostTest is the longest test of a door, minutes.
const MostTest = 15

// Released answers a release.
type Released struct {
	Door  string `json:"door"`
	State string `json:"state"`
}

// List is the active grant list, for the issuer's tool.
type List struct {
	Building string            `json:"building"`
	TimeZone string            `json:"time_zone"` // of the building: days begin at its midnight
	Doors    []string          `json:"doors"`     // of this gateway
	Issuers  [][]byte          `json:"issuers"`   // public keys whose lists it takes; none: an older daemon does not say
	Manifest []byte            `json:"manifest"`  // signed; empty: none
	Last     uint64            `json:"last"`      // highest version ever applied
	Buckets  [][]byte          `json:"buckets"`
	Labels   map[string]string `json:"labels"` // grant id in hex -> the landlord's own label
}

// Key is one grant of `gatehouse grant list`.
type Key struct {
	Grant       string     `json:"grant"` // id, hex
	Label       string     `json:"label,omitempty"`
	Kind        string     `json:"kind"`
	State       string     `json:"state"` // active, suspended, revoked, or mixed where its cards differ
	Doors       []string   `json:"doors"`
	From        *time.Time `json:"from,omitempty"`
	Until       *time.Time `json:"until,omitempty"` // exclusive
	Credentials int        `json:"credentials"`     // forms of its cards
}

// Update is a new version of the list.
type Update struct {
	Manifest []byte            `json:"manifest"`
	Buckets  [][]byte          `json:"buckets"` // those that changed
	Labels   map[string]string `json:"labels"`
}

// SwipeRequest waits for the next card at a reader; empty: at any.
type SwipeRequest struct {
	Door    string `json:"door,omitempty"`
	Reader  string `json:"reader,omitempty"`
	Seconds int    `json:"seconds,omitempty"` // default 60
}

// PrintedRequest asks for the credentials of a number printed on a card; the number is in the body,
// never in a path.
type PrintedRequest struct {
	Form   string `json:"form"` // of cardnumber.PrintedForms
	Number string `json:"number"`
}

// Card is the meaning of a card in this building: the credentials of its swipe or printed number,
// and the doors that can't read it in any of these forms.
type Card struct {
	Door        string   `json:"door,omitempty"`
	Reader      string   `json:"reader,omitempty"`
	Bits        int      `json:"bits"`
	Credentials []string `json:"credentials"`   // hex; the first is of all known bits of the card
	Holds       []int    `json:"holds"`         // bits of the card's number in each of them; 0: unknown
	Kin         []string `json:"kin,omitempty"` // shorter forms that no reader here sends: an older key of the card may have one
	Missing     []string `json:"missing"`       // doors that need a swipe at their own reader
	Reason      string   `json:"reason"`        // the answer that the door would give
}

// Adopt is one unknown card that waits for a name. While the old controller decides it has days,
// and neither door nor times.
type Adopt struct {
	ID        string    `json:"id"` // short, for `gatehouse adopt bind`
	Card      Card      `json:"card"`
	Door      string    `json:"door,omitempty"`
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
	Count     uint64    `json:"count,omitempty"`
	Days      int       `json:"days,omitempty"` // on how many it was seen, up to 3, of those that are over
}

// AdoptState answers `gatehouse adopt`.
type AdoptState struct {
	Listening bool       `json:"listening,omitempty"` // the old controller decides
	Until     *time.Time `json:"until,omitempty"`     // unknown cards are kept until then
	Cards     []Adopt    `json:"cards"`
}

// AdoptRequest switches adopt mode on for a number of days; 0 switches it off and erases the cards.
type AdoptRequest struct {
	Days int `json:"days"`
}

// Error is the body of every answer that is not 2xx.
type Error = socket.Error
