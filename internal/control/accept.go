package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"gatehouse/internal/socket"
)

// Acceptance is the state of the proofs at the doors of a house, which are needed before they count
// as ready.
type Acceptance struct {
	Building string         `json:"building"`
	Gateway  string         `json:"gateway"`
	Begun    *time.Time     `json:"begun,omitempty"` // since when it is asked for; nil: it is not
	Doors    []AcceptedDoor `json:"doors"`
}

// AcceptedDoor is the state of the proofs at a door.
type AcceptedDoor struct {
	Door   string  `json:"door"`
	Ready  bool    `json:"ready"`  // nothing is left to be proved
	Egress string  `json:"egress"` // as the site file has it
	Lock   string  `json:"lock"`
	Parts  []Proof `json:"parts"` // in the order in which they are proved
}

// Proof is the state of a part of a door: lock, exit, contact, fire or power.
type Proof struct {
	Part   string     `json:"part"`
	Fitted bool       `json:"fitted"` // the site file has it
	State  string     `json:"state"`  // of package acceptance
	At     *time.Time `json:"at,omitempty"`
	By     string     `json:"by,omitempty"`
}

// Unfitted is what a part is shown as that the site file does not name while nobody has said yet that
// there is none: there is nothing to prove, but somebody who stands at the door has to look.
const Unfitted = "unfitted"

// Shown is the state of a part for people: that of package acceptance, or Unfitted.
func (p Proof) Shown() string {
	if !p.Fitted && p.At == nil {
		return Unfitted
	}
	return p.State
}

// ProofStep is a step of the proof of a part: "begin" tests it, "yes" and "no" report the result,
// "none" says that there is no such part.
type ProofStep struct {
	Step string `json:"step"`
}

// ProofWait is how long the gateway waits for an exit button or a contact.
const ProofWait = time.Minute

// FireDrill is a fire drill and its results.
type FireDrill struct {
	On    bool           `json:"on"`
	Begun time.Time      `json:"begun"`
	Ended *time.Time     `json:"ended,omitempty"`
	By    string         `json:"by,omitempty"`
	Doors []FireDrilling `json:"doors"`
}

// FireDrilling is the result of a drill at a door, with times; nil: it did not happen, or not yet.
type FireDrilling struct {
	Door     string     `json:"door"`
	Active   *time.Time `json:"active,omitempty"` // the fire input
	Released *time.Time `json:"released,omitempty"`
	Idle     *time.Time `json:"idle,omitempty"`  // the fire input again
	Reset    *time.Time `json:"reset,omitempty"` // by somebody on site
	Relocked *time.Time `json:"relocked,omitempty"`
	Refused  bool       `json:"refused,omitempty"` // the lock did not obey
	Worked   bool       `json:"worked"`            // released by the input, which is idle again
}

// What a fire drill fell short of, the gravest first.
const (
	DrillUnseen = "unseen" // the fire input was not active at all, so nothing was released
	DrillKept   = "kept"   // it was, and a door was not released
	DrillCut    = "cut"    // every door was released, and the input did not stay active and go idle again
)

// Short returns what a drill that is over fell short of, and at which doors; empty: it is on, or every
// door worked.
func (d FireDrill) Short() (what string, doors []string) {
	var unseen, kept, cut []string
	for _, r := range d.Doors {
		switch {
		case r.Worked:
		case r.Released != nil:
			cut = append(cut, r.Door)
		case r.Active == nil && !r.Refused:
			unseen = append(unseen, r.Door)
		default:
			kept = append(kept, r.Door)
		}
	}
	switch {
	case d.On:
		return "", nil
	case len(unseen) == len(d.Doors):
		return DrillUnseen, unseen
	case len(unseen)+len(kept) > 0:
		return DrillKept, append(kept, unseen...)
	case len(cut) > 0:
		return DrillCut, cut
	}
	return "", nil
}

// Doors is the part of a Client that tests, proves and locks doors.
type Doors struct{ socket *socket.Client }

// Acceptance asks what was proved.
func (c Doors) Acceptance(ctx context.Context) (a Acceptance, err error) {
	return a, c.socket.Call(ctx, http.MethodGet, "/v1/acceptance", nil, &a)
}

// AskForProofs makes a house ask for proofs at its doors.
func (c Doors) AskForProofs(ctx context.Context) (a Acceptance, err error) {
	return a, c.socket.Call(ctx, http.MethodPost, "/v1/acceptance", nil, &a)
}

// Prove performs a step. The test of an exit button or a contact waits for ProofWait at most.
func (c Doors) Prove(ctx context.Context, door, part, step string) (p Proof, err error) {
	return p, c.socket.Wait(ctx, http.MethodPost, "/v1/doors/"+url.PathEscape(door)+"/proofs/"+url.PathEscape(part), ProofStep{step}, &p)
}

// FireDrill returns the present drill, or the last one.
func (c Doors) FireDrill(ctx context.Context) (d FireDrill, err error) {
	return d, c.socket.Call(ctx, http.MethodGet, "/v1/fire/drill", nil, &d)
}

// BeginFireDrill begins a drill: its report has what the fire input and the doors do from now on.
func (c Doors) BeginFireDrill(ctx context.Context) (d FireDrill, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/fire/drill", nil, &d)
}

// EndFireDrill ends a drill. It does not end an emergency.
func (c Doors) EndFireDrill(ctx context.Context) (d FireDrill, err error) {
	return d, c.socket.Call(ctx, http.MethodPost, "/v1/fire/drill/end", nil, &d)
}

// LockNow takes back a Release at a door; people who were let through otherwise keep their time.
// The answer reveals nothing about them.
func (c Doors) LockNow(ctx context.Context, door string) (r Released, err error) {
	return r, c.socket.Call(ctx, http.MethodPost, "/v1/doors/"+url.PathEscape(door)+"/lock", nil, &r)
}
