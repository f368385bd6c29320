package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Asked asks for what a mandate allows of one gateway's log.
type Asked struct {
	Mandate []byte `json:"mandate"` // envelope
	Gateway string `json:"gateway"`
	Again   int    `json:"again,omitempty"` // number of an answer that is to be made once more; 0: a new one
	// Last asks for the newest answer that was given under this very mandate, with what has come since; a new
	// one is counted only where there is none.
	Last bool `json:"last,omitempty"`
}

// Disclosed is what an answer is made of. It is stored before it is handed out, and has nothing of
// whom an entry names. Of Refusal and the rest only one is there.
type Disclosed struct {
	Refusal   *mandate.Refusal `json:"refusal,omitempty"`
	Reference wire.ID          `json:"reference"`
	// Number is that of the answer, from 1; 0: what was asked for is stored and all of it left out, and no answer was counted.
	Number    int            `json:"number"`
	At        time.Time      `json:"at"`       // when it was stored
	Earliest  time.Time      `json:"earliest"` // by the front's clock the time was between
	Latest    time.Time      `json:"latest"`
	Uncertain bool           `json:"uncertain"` // the clock could not tell whether the mandate was valid
	Place     Place          `json:"place"`
	Registry  string         `json:"registry"`
	Root      []byte         `json:"root"`    // public key
	Key       []byte         `json:"key"`     // the gateway's public key
	Trust     []byte         `json:"trust"`   // envelope
	House     []byte         `json:"house"`   // envelope
	Witness   []byte         `json:"witness"` // public key that signs the answer
	Logs      []DisclosedLog `json:"logs"`
	Left      []LeftOut      `json:"left"`
	Epochs    []EpochHead    `json:"epochs"` // all that the registry knows of the gateway, oldest first
	// Lacks is what the registry has not got, or may not have got, of the time asked for; nil: it has all of it.
	Lacks *Lacks `json:"lacks,omitempty"`
	// Part is 0 as the answer was first given, and then counts its supplements: each has all that there is by then, and counts no use.
	Part int `json:"part,omitempty"`
	Told
}

// Told is what is said beside an answer or a refusal, as it is now. It is not stored.
type Told struct {
	Fresh     bool             `json:"fresh,omitempty"`     // this very call has stored the answer, or the supplement
	Closed    *mandate.Refusal `json:"closed,omitempty"`    // why an answer that is not complete gets no supplement any more
	OnSite    []UsedOnSite     `json:"on_site,omitempty"`   // uses at the building's gateways, as far as their entries have come
	Elsewhere int              `json:"elsewhere,omitempty"` // answers that the registry gave under this reference for gateways that the mandate does not name
}

// UsedOnSite is how often a mandate's reference was used at a gateway, by that gateway's log.
type UsedOnSite struct {
	Place Place     `json:"place"`
	Uses  int       `json:"uses"`
	Other int       `json:"other,omitempty"` // of these: by another paper that has the same reference
	Heard time.Time `json:"heard"`           // when the registry got the newest of these entries
}

// Lacks says what the registry has not got of a gateway's log.
type Lacks struct {
	Online      bool       `json:"online"`
	Heard       *time.Time `json:"heard,omitempty"`        // when the gateway was heard last; nil: never
	Behind      uint64     `json:"behind,omitempty"`       // entries that it has announced and that have not come
	NotCosigned uint64     `json:"not_cosigned,omitempty"` // entries that have come, and that the witness has not signed for yet
}

// Given is an answer that the registry gave: under which mandate and when, and nothing of what was asked for.
type Given struct {
	Reference wire.ID    `json:"reference"`
	Number    int        `json:"number"` // which use of the mandate for that gateway
	At        time.Time  `json:"at"`
	Uncertain bool       `json:"uncertain,omitempty"`
	Complete  bool       `json:"complete"`          // by the newest part
	Part      int        `json:"part,omitempty"`    // supplements so far
	PartAt    *time.Time `json:"part_at,omitempty"` // of the newest
}

// LeftOut are entries that are stored and not in the answer.
type LeftOut struct {
	Epoch uint64 `json:"epoch,string"`
	First uint64 `json:"first"`
	End   uint64 `json:"end"`
	Why   string `json:"why"`
}

// Why entries are left out.
const (
	NotCosigned = "not_cosigned" // they came a moment ago, or the front's clock is in doubt: ask again
	OtherKey    = "other_key"    // signed by an earlier key of the gateway than the house document's
)

// DisclosedLog is the part of one epoch of a gateway's log that has the entries asked for.
type DisclosedLog struct {
	Epoch uint64 `json:"epoch,string"`
	First uint64 `json:"first"` // entries from here
	End   uint64 `json:"end"`   // to before here
	Size  uint64 `json:"size"`  // of the cosigned tree; entries behind it are not in the answer
	Note  string `json:"note"`  // the checkpoint of that size, signed by gateway and witness
	// Within are the entries that may be from the time asked for, of any door, ascending.
	Within []Run `json:"within"`
}

// EpochHead is how far an epoch of a gateway's log had come when the answer was stored.
type EpochHead struct {
	Epoch uint64    `json:"epoch,string"`
	Size  uint64    `json:"size"`
	Root  wire.Hash `json:"root"`
}

// Run is the entries from First to before End.
type Run struct {
	First uint64 `json:"first"`
	End   uint64 `json:"end"`
}

// SealedBatch is a stored batch, with its who parts as they were sealed.
type SealedBatch struct {
	First        uint64 // of the entries that count; the body may begin earlier
	Next         uint64
	Body         []byte // wire.Batch without its seals
	Sealed       []byte
	Encapsulated []byte // key of the context of Sealed
}

// ToSign is what the witness signs of an answer.
type ToSign struct {
	Reference wire.ID `json:"reference"`
	Number    int     `json:"number"`
	Part      int     `json:"part,omitempty"`
	Place     Place   `json:"place"`
	Epoch     uint64  `json:"epoch,string"`
	Text      []byte  `json:"text"`
}

// Validating hands in a second authority's word on an emergency that was answered.
type Validating struct {
	Validation []byte `json:"validation"` // envelope
}

// Validated is what was taken. Of Refusal and the rest only one is there.
type Validated struct {
	Refusal   *mandate.Refusal `json:"refusal,omitempty"`
	Reference wire.ID          `json:"reference"` // of the mandate
	Authority string           `json:"authority,omitempty"`
	File      string           `json:"file,omitempty"` // number of the authority's file
}

// Emergency is one that was answered and that no second authority has validated.
type Emergency struct {
	Reference wire.ID   `json:"reference"` // of the mandate
	Seat      string    `json:"seat"`      // of the approver who signed it
	Answered  time.Time `json:"answered"`
	Due       time.Time `json:"due"`
	HoursLeft int       `json:"hours_left"` // by the agreed time, rounded down; negative: overdue
	Overdue   bool      `json:"overdue"`    // it counts against the approver; never while the clock is in doubt
}

// Mandated are the calls that answer a mandate.
type Mandated struct{ socket *socket.Client }

// Mandated returns the calls that answer a mandate.
func (c *Client) Mandated() Mandated { return Mandated{c.socket} }

// Disclose asks for an answer under a mandate.
func (c Mandated) Disclose(ctx context.Context, a Asked) (d Disclosed, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/disclosures", a, &d)
}

// Sign returns the witness's signature of an answer.
func (c Mandated) Sign(ctx context.Context, s ToSign) (signature []byte, err error) {
	return signature, c.socket.Call(ctx, http.MethodPost, "/v1/disclosures/signature", s, &signature)
}

// Validate hands in a second authority's word.
func (c Mandated) Validate(ctx context.Context, v Validating) (out Validated, err error) {
	return out, c.socket.Call(ctx, http.MethodPost, "/v1/disclosures/validation", v, &out)
}

// Emergencies returns those that no second authority has validated, oldest first.
func (c Mandated) Emergencies(ctx context.Context) (all []Emergency, err error) {
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/disclosures/emergencies", nil, &all)
}

// Given lists the answers of [from, to), oldest first.
func (c Mandated) Given(ctx context.Context, from, to time.Time) (all []Given, err error) {
	q := url.Values{"from": {from.Format(time.RFC3339Nano)}, "to": {to.Format(time.RFC3339Nano)}}
	return all, c.socket.Call(ctx, http.MethodGet, "/v1/disclosures?"+q.Encode(), nil, &all)
}

// Ledger returns the ledger of what was done under mandates, as of now, which the caller closes.
func (c Mandated) Ledger(ctx context.Context) (io.ReadCloser, error) {
	return c.socket.Open(ctx, http.MethodGet, "/v1/disclosures/ledger", nil)
}

// Batches yields the batches of a log of an answer: of all entries below its size, with the
// seals of those that are asked for.
func (c Mandated) Batches(ctx context.Context, d Disclosed, epoch uint64, each func(SealedBatch) error) error {
	q := url.Values{"reference": {d.Reference.String()}, "number": {strconv.Itoa(d.Number)}, "building": {d.Place.Building},
		"gateway": {d.Place.Gateway}, "part": {strconv.Itoa(d.Part)}, "epoch": {strconv.FormatUint(epoch, 10)}}
	body, err := c.socket.Open(ctx, http.MethodGet, "/v1/disclosures/batches?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return readBatches(body, each)
}
