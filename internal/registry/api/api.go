// Package api is the protocol of the unix socket of the registry's front: HTTP and
// JSON, used by the issuer, the operator's commands and the simulator. It has the
// messages and a client; internal/registry/front answers.
//
// Messages carry headers of entries, signed documents and sealed parts, and nothing
// that names a person in clear. Who may connect is decided by the socket's owner and
// mode alone.
package api

import (
	"fmt"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Files of the front's directory, made by `registryd init`. None of them can sign
// a list or open a seal.
const (
	FileConfig     = "front.toml"
	FileDatabase   = "front.db"
	FileAnswers    = "answers.jsonl"  // the ledger of what was done under mandates
	FileErasures   = "erasures.jsonl" // the ledger of erasures and of orders to preserve
	FileSocket     = "front.sock"
	FileRoot       = "root.pub"    // PEM, Ed25519: the root's public key
	FileTrust      = "trust.cose"  // envelope of the first Trust document; later ones are in the database
	FileWitnessKey = "witness.key" // PEM, Ed25519: acks and cosignatures
	FileServerKey  = "server.key"  // PEM, ECDSA: TLS of broker and enrolment
	FileServerCert = "server.crt"  // PEM, the server's certificate first
	FileCA         = "ca.pem"      // PEM: what gateways' certificates are checked by
)

// Place is wire.Place as JSON shows it; the two convert.
type Place struct {
	District string `json:"district,omitempty"`
	Town     string `json:"town,omitempty"`
	Building string `json:"building"`
	Gateway  string `json:"gateway,omitempty"`
}

// Address is building/gateway.
func (p Place) Address() string { return wire.Place(p).Address() }

// Work is what waits for the issuer.
type Work struct {
	Next       uint64      `json:"next"` // to ask after next time: number of the last delivery, or what was asked after
	Deliveries []Delivery  `json:"deliveries"`
	Enrolments []Enrolment `json:"enrolments"` // all that wait; the same one again until it is answered
	Holdings   []Holding   `json:"holdings,omitempty"`
}

// Holding is what a gateway keeps of its building's lists: it named something that
// is not known here. The same one comes again until it is taken.
type Holding struct {
	Place Place    `json:"place"`
	Nonce []byte   `json:"nonce"`           // of the hello that it answers
	Parts [][]byte `json:"parts,omitempty"` // envelopes of wire.Holding, all of them, in order
}

// Delivery is a tenancy record as its gateway signed it. The front has checked
// the signature, and that numbers have no gap within (gateway, line).
type Delivery struct {
	Number     uint64    `json:"number"` // over all gateways, rising from 1, in the order stored
	Place      Place     `json:"place"`
	Line       uint64    `json:"line"`
	Record     uint64    `json:"record"`   // its number within the line
	Envelope   []byte    `json:"envelope"` // of wire.Record
	PersonHash []byte    `json:"person_hash,omitempty"`
	Stored     time.Time `json:"stored"`
}

// Snapshot is a backup of a gateway that is kept here. Only the landlord's recovery code
// opens it.
type Snapshot struct {
	Place   Place     `json:"place"`            // building and gateway
	Turn    int       `json:"turn"`             // 0: the newest; 1: the one before
	Sum     string    `json:"sha256"`           // of the backup, hex
	Size    int       `json:"size"`             // bytes
	Made    time.Time `json:"made"`             // by the gateway's clock
	Stored  time.Time `json:"stored"`           // here
	Heard   time.Time `json:"heard"`            // when the gateway named it last as what it would send
	Fetched time.Time `json:"fetched,omitzero"` // when somebody with a token got it last; zero: never
	Removed bool      `json:"removed"`          // the gateway is not one of its building any more
}

// Kinds of enrolments.
const (
	KindIntroduce = "introduce" // no envelope: which building and gateway is in Place, and a Proof
	KindSnapshot  = "snapshot"  // likewise, its Proof that of package snapshot; the answer's body is empty
	KindEnrol     = "enrol"     // envelope of wire.EnrolRequest, checked by nobody yet
	KindRenew     = "renew"     // envelope of wire.RenewRequest, checked against the House document
)

// Enrolment is a request by HTTPS that waits for the issuer.
type Enrolment struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Place    Place  `json:"place"` // as the request claims; of introduce and enrol only building and gateway
	Envelope []byte `json:"envelope,omitempty"`
	Proof    []byte `json:"proof,omitempty"` // of introduce: wire.IntroduceProof; of snapshot: snapshot.Proof; checked by nobody yet
}

// Answer is the issuer's to an enrolment: a body (CBOR) or an error.
type Answer struct {
	ID    string `json:"id"`
	Body  []byte `json:"body,omitempty"`
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// List is a new grant list of a building. Buckets that the front has already
// need not be in it.
type List struct {
	Building  string   `json:"building"`
	Manifest  []byte   `json:"manifest"`             // envelope
	Second    []byte   `json:"second,omitempty"`     // envelope
	Old       []byte   `json:"old,omitempty"`        // envelope of the same list in the first format
	OldSecond []byte   `json:"old_second,omitempty"` // envelope
	Buckets   [][]byte `json:"buckets"`
	Ended     uint64   `json:"ended"`    // grants of the building that the issuer knows to be over
	LogFrom   uint64   `json:"log_from"` // where Log begins in the building's log of manifests
	Log       []Logged `json:"log"`      // from there on, the list itself last
}

// Head is what the front has newest of a building.
type Head struct {
	Building string `json:"building"`
	House    uint64 `json:"house"`          // version of the House document; 0: none
	Hash     []byte `json:"hash,omitempty"` // of the list's manifest; none: no list
}

// Stored is what the front has of a building, for an issuer that lost its own.
type Stored struct {
	Building string `json:"building"`
	House    []byte `json:"house,omitempty"` // envelope
	List     List   `json:"list"`            // with all its buckets, and the log before it
}

// Logged is one manifest in the log of a building's lists.
type Logged struct {
	Hash    []byte `json:"hash"`
	Epoch   uint64 `json:"epoch"` // of the issuers' role that signed it
	Version uint64 `json:"version"`
	Own     bool   `json:"own"` // of this issuer; else it was found at a gateway, or at the front
}

// Document is a House document of a building, or, without one, a Trust document.
type Document struct {
	Building string `json:"building,omitempty"`
	Envelope []byte `json:"envelope"`
	Old      []byte `json:"old,omitempty"` // of a House document: the same in the first format
	// Briefs is, with a House document, the envelope of package briefs for that building; none: an issuer of before.
	Briefs []byte `json:"briefs,omitempty"`
}

// Floor is the highest time that was signed to a gateway, as its hello names it.
type Floor struct {
	Role  string `json:"role"`
	Epoch uint64 `json:"epoch"`
	Unix  uint32 `json:"unix"` // s
	Undos uint64 `json:"undos"`
}

// Undo takes the highest time that was signed to a gateway back: two issuers have
// signed it.
type Undo struct {
	Building string `json:"building"`
	Gateway  string `json:"gateway"`
	Envelope []byte `json:"envelope"`
}

// Pushed says to how many connected gateways something was sent.
type Pushed struct {
	Version uint64 `json:"version"`
	Pushed  int    `json:"pushed"`
}

// Gateway is what the front knows of one.
type Gateway struct {
	Place
	Member   bool       `json:"member"`             // the House document names it
	Online   bool       `json:"online"`             // by its own signed word
	Since    *time.Time `json:"since,omitempty"`    // of the last hello of a new connection
	Heard    *time.Time `json:"heard,omitempty"`    // anything signed
	Software string     `json:"software,omitempty"` // version
	Wall     *time.Time `json:"wall,omitempty"`     // its clock in the newest hello of this run of the front
	Clock    string     `json:"clock,omitempty"`    // how good that was
	Zone     string     `json:"zone,omitempty"`     // time zone of its building
	Signed   *Floor     `json:"signed,omitempty"`   // the highest time that was signed to it; nil: not known
	// Said is how long ago that hello was, ns.
	Said      time.Duration `json:"said_ago_ns,omitempty"`
	Epoch     string        `json:"epoch,omitempty"`     // newest epoch stored, 16 hex digits
	Stored    uint64        `json:"stored"`              // entries of that epoch
	Total     uint64        `json:"total"`               // entries of all epochs
	Behind    uint64        `json:"behind"`              // entries that its last hello named and that are not stored
	Line      uint64        `json:"line"`                // newest line of tenancy records
	Records   uint64        `json:"records"`             // stored of it
	List      uint64        `json:"list"`                // newest version for the building
	ListHash  []byte        `json:"list_hash,omitempty"` // of its manifest
	ListAt    *time.Time    `json:"list_at,omitempty"`   // when the front got it
	Sent      uint64        `json:"sent"`                // newest version sent to it since the front started
	Claimed   uint64        `json:"claimed"`             // active version by its last hello
	Applied   uint64        `json:"applied"`             // newest version that a stored list_applied entry proves
	AppliedAt *time.Time    `json:"applied_at,omitempty"`
	SetBacks  uint64        `json:"set_backs"`   // how often a hello has shown that its disk was rolled back, or is another
	SetBackTo uint64        `json:"set_back_to"` // the oldest list that one of these hellos named; what it proved beyond was void then
	// Unproven is for how long the newest list has been without proof, ns; 0 when proved.
	Unproven time.Duration `json:"unproven_ns,omitempty"`
	// Refuses is why it said that it does not take the newest list, or not whole; empty:
	// it did not say so.
	Refuses string `json:"refuses,omitempty"`
	// TooOld says that it has something which is not known here and can't be asked for
	// it: its program speaks format 1 alone.
	TooOld bool `json:"too_old,omitempty"`
	Alarms int  `json:"alarms"` // within the last 24 h
	Forks  int  `json:"forks"`  // batches that contradict what was stored before
}

// Entry is the header of a stored entry. Nobody's card is in it.
type Entry struct {
	Place
	Epoch    string    `json:"epoch"`
	Sequence uint64    `json:"sequence"`
	Boot     uint64    `json:"boot"`
	Counter  uint64    `json:"counter"`
	Time     time.Time `json:"time"` // as recorded
	Clock    string    `json:"clock"`
	Received time.Time `json:"received"` // by the front
	// Unsure means that Time says nothing: the clock was not set, or was ahead.
	// The entry was made between NotBefore (nil: not known) and NotAfter.
	Unsure    bool       `json:"unsure,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
	Kind      string     `json:"kind"`
	Outcome   string     `json:"outcome,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Door      string     `json:"door,omitempty"`
	Source    string     `json:"source,omitempty"`
	Direction string     `json:"direction,omitempty"`
	Count     uint64     `json:"count,omitempty"`
	Detail    []byte     `json:"detail,omitempty"`
	WhoHash   []byte     `json:"who_hash,omitempty"` // there is a sealed who part
}

// More is the last line of an answer that its limit cut short: the place after
// which the next question goes on.
type More struct {
	More string `json:"more"`
}

// EntryFilter narrows entries. Zero fields don't. From and To are held against
// Time, or where that is unsure against NotBefore and NotAfter.
type EntryFilter struct {
	Building string
	Gateway  string
	Door     string
	Kind     string
	From     time.Time
	To       time.Time // exclusive
	Limit    int       // 0: 1,000; at most 1,000,000
	Newest   bool      // what the front got last first
	After    string    // the place that an answer before named, with the same Newest
}

// VKeys are the public keys with which anybody checks cosigned checkpoints, as
// verifiers of signed notes take them.
type VKeys struct {
	Witnesses []string `json:"witnesses"` // of the registry, by the active trust document
	Logs      []string `json:"logs"`      // of each epoch that is stored of a gateway of the building, newest first
}

// Alarm is one that a gateway reported, by a notice or among its entries, or
// that the front found (kind "fork").
type Alarm struct {
	Place
	Epoch    string    `json:"epoch"`
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`  // as recorded
	Heard    time.Time `json:"heard"` // by the front
	Kind     string    `json:"kind"`
	Outcome  string    `json:"outcome,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Door     string    `json:"door,omitempty"`
	Stored   bool      `json:"stored"` // its entry has arrived; before that it is only on its way
}

// Status is how the front is.
type Status struct {
	Registry  string    `json:"registry"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	Broker    string    `json:"broker"` // "embedded" or its address
	Linked    bool      `json:"linked"` // to the broker
	Trust     uint64    `json:"trust"`
	Buildings int       `json:"buildings"`
	Gateways  int       `json:"gateways"`
	Online    int       `json:"online"`
	Entries   uint64    `json:"entries"` // stored
	Batches   uint64    `json:"batches"`
	Bytes     int64     `json:"bytes"`     // of the database
	Full      int       `json:"full"`      // percent of max_mb; 0 where there is none
	Disk      int       `json:"disk"`      // percent of the file system that it is on
	Queued    int       `json:"queued"`    // messages that wait
	Dropped   uint64    `json:"dropped"`   // messages that came while the queue was full, since start
	Refused   uint64    `json:"refused"`   // messages that nobody trusted had signed, since start
	LastWork  uint64    `json:"last_work"` // number of the newest delivery
	Issuer    bool      `json:"issuer"`    // it has asked for work within the last minute
	Problems  []string  `json:"problems"`  // each with what to do
	// Backup is when the newest was made that the front was told of; nil: none was.
	Backup *time.Time `json:"backup,omitempty"`
	// PutBack is when a copy was put in the place of the database last; nil: never.
	PutBack *time.Time `json:"put_back,omitempty"`
	Remarks []Remark   `json:"remarks"` // of restores, until they are put away
	// Retention is how long the front keeps who parts.
	Retention Retention `json:"retention"`
}

// Retention is how long the front keeps who parts, and what it erased.
type Retention struct {
	Passages time.Duration `json:"passages_ns"` // of passages
	Acts     time.Duration `json:"acts_ns"`     // of all other entries
	Erased   uint64        `json:"erased"`      // who parts, so far
	Last     *time.Time    `json:"last,omitempty"`
	Waits    bool          `json:"waits,omitempty"` // the clock is in doubt, so that nothing is erased
}

// String describes it for people.
func (r Retention) String() string {
	days := func(d time.Duration) string { return amount.Of(int(d.Hours()/24), "day") }
	text := fmt.Sprintf("who passed after %s, who did what else after %s; %d erased", days(r.Passages), days(r.Acts), r.Erased)
	switch {
	case r.Waits:
		return text + "; NOTHING MORE while the clock is in doubt"
	case r.Last != nil:
		return text + ", looked at " + calendar.Minute(*r.Last, calendar.Here())
	}
	return text
}

// Seals are the who parts of a stored batch, as only the records key opens them.
type Seals struct {
	Gateway string    `json:"gateway"` // its address, building/gateway, as at sealing
	Epoch   uint64    `json:"epoch"`
	First   uint64    `json:"first"` // sequence number of the batch's first entry
	Stored  time.Time `json:"stored"`
	Sealed  []byte    `json:"sealed"`            // wire.Batch.Sealed
	Context []byte    `json:"context,omitempty"` // its encapsulated key; none: sealed at once
}

// Forget names entries of one epoch that shall name nobody any more.
type Forget struct {
	Gateway   string   `json:"gateway"` // its address, building/gateway
	Epoch     uint64   `json:"epoch"`
	Sequences []uint64 `json:"sequences"`
	Aged      bool     `json:"aged,omitempty"` // their time is over: nobody has asked for it, so it is not counted as a request
}

// Forgotten is how many who parts went, and how many entries' go by themselves later.
type Forgotten struct {
	Erased int `json:"erased"`
	Later  int `json:"later,omitempty"`
}

// Hold is an officer's order to preserve a span of a door's entries.
type Hold struct {
	ID        string    `json:"id"`
	Reference wire.ID   `json:"reference"` // of the signed order
	Gateway   string    `json:"gateway"`   // its address, building/gateway
	Door      string    `json:"door"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Key       string    `json:"key"`     // id of the officer's, hex
	Officer   string    `json:"officer"` // badge number
	Unit      string    `json:"unit"`
	Case      string    `json:"case"`
	Made      time.Time `json:"made"`
	Ends      time.Time `json:"ends"`
}

// Order is an officer's signed order to preserve.
type Order struct {
	Envelope []byte `json:"envelope"`
}

// Preserved is what an order gets: a hold or a refusal.
type Preserved struct {
	Hold        *Hold            `json:"hold,omitempty"`
	Refusal     *mandate.Refusal `json:"refusal,omitempty"`
	DoorUnknown bool             `json:"door_unknown,omitempty"` // the gateway's doors are not known here, so that it may have none of that name
}

// Remark is what a start or a restore has shown.
type Remark struct {
	Time     time.Time `json:"time"`
	Building string    `json:"building,omitempty"`
	Text     string    `json:"text"`
}

// Kept says that a copy of the database is kept where it can't be lost with the
// front.
type Kept struct {
	ID   string    `json:"id"` // with which the copy was asked for
	Time time.Time `json:"time,omitzero"`
}

// Error is the body of every answer that is not 2xx, on the socket and at
// enrolment.
type Error = socket.Error

// Hinted is an Error that says what to do.
func Hinted(hint, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Hint: hint}
}
