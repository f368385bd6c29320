// Package operator is the talk between the registry's operator and the issuer, HTTP and JSON over the issuer's unix socket:
// the messages and the client.
//
// It names nobody: tenancies and grants are random ids, cards are those of one building. Who may connect is decided by
// the socket's owner and mode alone; the user who does is written down with every change.
package operator

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
)

// Status is how the issuer is.
type Status struct {
	Registry  string   `json:"registry"`
	After     uint64   `json:"after"`             // number of the last delivery that was taken in
	Linked    bool     `json:"linked"`            // the front answered last time
	Trouble   string   `json:"trouble,omitempty"` // why no work came of the last question; empty: it did, or none was asked yet
	Buildings int      `json:"buildings"`         //
	Unsent    []string `json:"unsent"`            // buildings whose newest list or house document the front has not got
	Held      []string `json:"held"`              // buildings whose list waits for a second signature
	Problems  int      `json:"problems"`          // records that could not be taken in
	Clock     string   `json:"clock,omitempty"`   // what is wrong with the issuer's clock and what to do; empty: nothing
	// Remarks are what restores have shown, until they are put away.
	Remarks []api.Remark `json:"remarks"`
	// Lines say what is to do, each with the command for it.
	Lines []string `json:"to_do"`
}

// NewGateway asks for a token, so that a gateway can enrol.
type NewGateway struct {
	api.Place
	Flats      []string `json:"flats,omitempty"`       // more flats of the building, that check-ins may name
	NoticeDays int      `json:"notice_days,omitempty"` // of the building; 0: as it is, 3 at first
	Hours      int      `json:"hours,omitempty"`       // the token is good for; 0: 72
	Replace    bool     `json:"replace,omitempty"`     // another machine takes the place of one that is enrolled
	OldToken   bool     `json:"old_token,omitempty"`   // without a check, for a gateway of an older program
}

// Token answers it. Whoever has it first can enrol.
type Token struct {
	Text    string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// Gateway is one that the issuer knows.
type Gateway struct {
	api.Place
	Enrolled    *time.Time `json:"enrolled,omitempty"`
	Doors       []string   `json:"doors"`
	Certificate *time.Time `json:"certificate_until,omitempty"`
	Token       *time.Time `json:"token_until,omitempty"` // a token waits to be used
	Proved      uint64     `json:"proved"`                // newest list that it has proved, as the front said last; 0: not asked since the start
}

// Tenancy is one person in one flat for a time.
type Tenancy struct {
	ID       string     `json:"tenancy"`
	Building string     `json:"building"`
	Flat     string     `json:"flat"`
	Kind     string     `json:"kind"`
	State    string     `json:"state"`             // not_begun, active, notice, suspended, disputed, ended
	Since    time.Time  `json:"since"`             // first day: of the term, or of the check-in where that is later
	Zone     string     `json:"zone,omitempty"`    // time zone of the building, as its gateways say; empty: not heard yet
	Until    *time.Time `json:"until,omitempty"`   // its end as known now, exclusive; of one that was ended before, when
	Notice   *time.Time `json:"notice,omitempty"`  // the active notice ends it then
	Decided  string     `json:"decided,omitempty"` // on the newest notice: upheld or rejected
	Cause    string     `json:"cause,omitempty"`   // of its end
	Document string     `json:"document"`          // which kind was seen; its number is sealed
	Basis    string     `json:"basis"`
	Informed bool       `json:"informed"`
	Grants   []string   `json:"grants"`
	Problems []string   `json:"problems,omitempty"`
}

// Grant is what a tenancy may open.
type Grant struct {
	ID       string     `json:"grant"`
	Tenancy  string     `json:"tenancy"`
	Building string     `json:"building"`
	State    string     `json:"state"`
	Kind     string     `json:"kind"`
	Doors    []string   `json:"doors"`
	From     *time.Time `json:"from,omitempty"`
	Zone     string     `json:"zone,omitempty"`  // as of a Tenancy
	Until    *time.Time `json:"until,omitempty"` // likewise
	Cards    []Card     `json:"cards"`
	Listed   bool       `json:"listed"` // in the newest list; an ended one until every gateway has proved it
	Problems []string   `json:"problems,omitempty"`
}

// Card is a credential of a grant.
type Card struct {
	Credential string `json:"credential"` // hex; within one building only
	Suspended  bool   `json:"suspended"`
	Unproven   bool   `json:"unproven,omitempty"` // it came on the landlord's word, and nobody has confirmed it
}

// Problem is a record that could not be taken in, or one with something odd.
type Problem struct {
	Building string    `json:"building"`
	Gateway  string    `json:"gateway,omitempty"`
	Tenancy  string    `json:"tenancy,omitempty"`
	Grant    string    `json:"grant,omitempty"`
	Record   uint64    `json:"record,omitempty"` // its number in its line
	Time     time.Time `json:"time,omitzero"`
	Text     string    `json:"problem"`
}

// Acts of the operator.
const (
	ActEnd     = "end"     // for good
	ActSuspend = "suspend" // can come back
	ActResume  = "resume"
	ActConfirm = "confirm" // a card that came on the landlord's word is the tenant's: holding it up proves it
	ActUphold  = "uphold"  // a disputed notice is right: it ends at Until
	ActReject  = "reject"  // it is not: withdrawn
	// ActReinstate makes new grants in the place of ended ones.
	ActReinstate = "reinstate"
)

// Act changes a grant, or all grants of a tenancy.
type Act struct {
	Act        string    `json:"act"`
	Grant      string    `json:"grant,omitempty"`
	Tenancy    string    `json:"tenancy,omitempty"`
	Credential string    `json:"credential,omitempty"` // suspend and resume: one card, else all; confirm: which
	Reason     string    `json:"reason"`               // of Reasons(Act)
	Until      time.Time `json:"until,omitzero"`       // of ActUphold; of ActReinstate: another end than before
	NoEnd      bool      `json:"no_end,omitempty"`     // of ActReinstate: none
}

// Done answers an Act.
type Done struct {
	Building string `json:"building"`
	Grants   int    `json:"grants"`  // changed
	Version  uint64 `json:"version"` // of the list that says so
	Held     bool   `json:"held"`    // it waits for a second signature
	Sent     bool   `json:"sent"`    // the front has it
	Hint     string `json:"hint,omitempty"`
	// New are the grants that a reinstatement has made.
	New []string `json:"new,omitempty"`
	// Refused are gateways that say that they don't take the list.
	Refused []string `json:"refused,omitempty"`
}

// NewPass asks for a pass, which lets a tenant's phone stand for a card.
type NewPass struct {
	Tenancy string `json:"tenancy"`
	Minutes int    `json:"minutes"` // 1 to 15
}

// Pass answers it. Whoever has the text can open with it, once.
type Pass struct {
	Building string    `json:"building"`
	Tenancy  string    `json:"tenancy"`
	Text     string    `json:"pass"` // for a QR code; see qrpass.Pass
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
}

// List is a building's newest list.
type List struct {
	Building string    `json:"building"`
	Version  uint64    `json:"version"`
	Hash     []byte    `json:"hash"`          // of the manifest: what a second issuer signs
	Old      []byte    `json:"old,omitempty"` // of the same list in the first format, the same
	Issued   time.Time `json:"issued"`
	Records  int       `json:"records"` // credentials under grants
	Held     bool      `json:"held"`    // it waits for a second signature
	Sent     bool      `json:"sent"`
	Flats    []string  `json:"flats,omitempty"`      // of the tenancies in Removes
	Asked    []string  `json:"asked_by,omitempty"`   // gateways that take it only so, by this issuer's own count
	Removes  []string  `json:"removes,omitempty"`    // of a held list: the tenancies it takes away
	Doubted  []string  `json:"doubted_by,omitempty"` // gateways that take it only so, where this issuer counts less
	Trust    []byte    `json:"trust,omitempty"`      // envelope of the trust document; only where one building was asked for, or the list is held
}

// Doubt says in words that gateways take a list only with a second signature where the
// issuer's own count asks for none, and when another issuer is right to sign it.
func Doubt(building string, version uint64, gateways []string) string {
	return fmt.Sprintf("%s of %s takes list %d only with another issuer's signature, and this registry counts less than that: right after a database was put back, "+
		"or if the gateway was away, sign it by registryd countersign %s --newest --key second.key; otherwise look at that gateway first",
		strings.Join(gateways, ", "), building, version, building)
}

// Countersign brings a second issuer's signature: an envelope of wire.TypeSecond.
type Countersign struct {
	Building  string `json:"building"`
	Second    []byte `json:"second"`
	OldSecond []byte `json:"old_second,omitempty"` // over the list in the first format
	Newest    bool   `json:"newest,omitempty"`     // also where the issuer's own count does not ask for it
}

// Look asks who a tenancy is; it is written down before it is answered.
type Look struct {
	Tenancy string `json:"tenancy"`
	Reason  string `json:"reason"` // of Reasons("person")
	Case    string `json:"case"`   // what the paper says that asks for it
}

// Forget asks in which building the entries of a tenancy are, to erase who they name; it is written down before it
// is answered.
type Forget struct {
	Tenancy string `json:"tenancy"`
	Reason  string `json:"reason"` // of Reasons("forget")
	Case    string `json:"case"`   // file number of the resident's request or the court's order
	Order   bool   `json:"order"`  // make an order for the building's gateways, too
}

// Brief is a run that erases at the registry, when their time is over, whom entries of tenancies name for a shorter time. Without Before it
// is asked for, and written down before it is answered; with what was answered it is done.
type Brief struct {
	Before    time.Time           `json:"before"` // what the registry stored before this is over
	Days      int                 `json:"days"`
	Tenancies map[string][]string `json:"tenancies,omitempty"` // ids, by building
}

// Home is the building of a tenancy.
type Home struct {
	Building string `json:"building"`
	Order    []byte `json:"order,omitempty"` // envelope of package erasures
}

// Erasure is an order to forget that was made for the gateways of a building. Which of them have carried it out their logs
// say, which the front has.
type Erasure struct {
	Hash     []byte    `json:"hash"` // SHA-256 of the file
	Building string    `json:"building"`
	Tenancy  string    `json:"tenancy"`
	Made     time.Time `json:"made"`
	Case     string    `json:"case"`
}

// Person says where the sealed person is, and whom it was sealed for.
type Person struct {
	Building string `json:"building"`
	Seals    []Seal `json:"seals"` // at least one; those of cards that joined later have the cards alone
}

// Seal is one sealed person, as the front has it.
type Seal struct {
	Address string `json:"address"` // building/gateway, as at sealing
	Hash    []byte `json:"hash"`
}

// Escrow is a building key, sealed to the offline escrow key.
type Escrow struct {
	Address string `json:"address"` // building/gateway, as at sealing
	Number  int    `json:"number"`
	Sealed  []byte `json:"sealed"`
}

// Audit is who did what, and when.
type Audit struct {
	Time     time.Time `json:"time"`
	Who      string    `json:"who"` // user of the machine
	What     string    `json:"what"`
	Building string    `json:"building,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

// Offer is what a gateway holds and this registry neither knows nor may believe: a list of an issuer that is trusted no
// more, or grants that are over there and not here.
type Offer struct {
	Building string    `json:"building"`
	ID       string    `json:"id"` // to name it by
	Gateway  string    `json:"gateway"`
	Time     time.Time `json:"time"`
	Key      string    `json:"key,omitempty"` // that signed the list; none: it is no list
	Epoch    uint64    `json:"epoch,omitempty"`
	Retired  bool      `json:"retired,omitempty"` // it is of an issuer that an earlier trust document named, and its signature is good
	False    bool      `json:"false,omitempty"`   // and the root has taken back what that issuer said
	Version  uint64    `json:"version,omitempty"`
	Grants   int       `json:"tenancies"` // that lose a grant if it is taken
	Flats    []string  `json:"flats"`     // of these
}

// House brings the House document that a gateway has (house.cose in its directory of
// keys), for a registry that lost everything.
type House struct {
	Envelope []byte `json:"envelope"`
}

// Decision is the operator's word on an Offer.
type Decision struct {
	Building string `json:"building"`
	ID       string `json:"id"`
	Take     bool   `json:"take"` // else it is nothing
}

// Reasons is the closed list of reasons for an act or a look; nil: there is no
// such act. Arrears of rent and residence permits stand in none of them.
func Reasons(act string) []string {
	switch act {
	case ActEnd:
		return []string{"moved_out", "lease_over", "agreed", "never_came", "died", "order", "mistake"}
	case ActSuspend:
		return []string{"lost", "stolen", "order"}
	case ActResume:
		return []string{"found", "order", "mistake"}
	case ActConfirm:
		return []string{"heard", "order"}
	case ActReinstate:
		return []string{"mistake", "order", "agreed"}
	case ActUphold, ActReject:
		return []string{"heard", "order", "agreed"}
	case "person":
		return []string{"resident", "correction", "mandate", "emergency"}
	case "forget":
		return []string{"resident", "order"}
	}
	return nil
}

// NewOfficer asks for an officer's certificate.
type NewOfficer struct {
	Public   []byte `json:"public"`            // Ed25519
	Receive  []byte `json:"receive,omitempty"` // HPKE
	Unit     string `json:"unit"`
	Badge    string `json:"badge"`
	District string `json:"district"`
	Town     string `json:"town,omitempty"` // empty: all of the district
	Days     int    `json:"days"`
}

// Officer is one who is enrolled, or was.
type Officer struct {
	ID          string    `json:"id"` // hex, start of the SHA-256 of the signing key
	Unit        string    `json:"unit"`
	Badge       string    `json:"badge"`
	District    string    `json:"district"`
	Town        string    `json:"town,omitempty"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"` // of the last certificate
	Revoked     bool      `json:"revoked"`
	Reason      string    `json:"reason,omitempty"`      // of the revocation
	Certificate []byte    `json:"certificate,omitempty"` // envelope; only where it was just made
}

// EndedOfficer revokes one.
type EndedOfficer struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Undo takes back the highest time that was signed to a gateway. The issuer answers
// with its own envelope and the trust document; another issuer signs around it.
type Undo struct {
	Building string    `json:"building"`
	Gateway  string    `json:"gateway"`
	Floor    api.Floor `json:"floor"`
	First    []byte    `json:"first,omitempty"`
	Trust    []byte    `json:"trust,omitempty"`
}
