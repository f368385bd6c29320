package acceptance

import (
	"slices"
	"time"

	"gatehouse/sync/wire"
)

// Drill is a fire drill, from a place of the journal on.
type Drill struct {
	Epoch    uint64 `json:"epoch,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	On       bool   `json:"on,omitempty"`
	Report   Report `json:"report"`
}

// Report is the result of a fire drill.
type Report struct {
	Begun time.Time    `json:"begun"`
	Ended time.Time    `json:"ended,omitzero"`
	By    string       `json:"by,omitempty"` // who began it
	Doors []DoorReport `json:"doors,omitempty"`
}

// DoorReport is the result at a door. A zero time: it did not happen, or not yet.
type DoorReport struct {
	Door     string    `json:"door"`
	Active   time.Time `json:"active,omitzero"`   // the fire input
	Released time.Time `json:"released,omitzero"` // the lock
	Idle     time.Time `json:"idle,omitzero"`     // the fire input again
	Reset    time.Time `json:"reset,omitzero"`    // by somebody on site
	Relocked time.Time `json:"relocked,omitzero"`
	// Refused: the lock could not be driven.
	Refused bool `json:"refused,omitempty"`
}

// Take adds an entry to the report. Entries come in order; those that are not about fire are
// ignored, whoever came in.
func (r *Report) Take(h wire.Header) {
	relevant := h.Kind == wire.KindFire || h.Kind == wire.KindFireReset || h.Kind == wire.KindSecured || h.Kind == wire.KindReleased && h.Reason == wire.ReasonFire
	if h.Door == "" || !relevant {
		return
	}
	i := slices.IndexFunc(r.Doors, func(d DoorReport) bool { return d.Door == h.Door })
	if i < 0 {
		if h.Kind == wire.KindSecured {
			return
		}
		i, r.Doors = len(r.Doors), append(r.Doors, DoorReport{Door: h.Door})
	}
	r.Doors[i].take(h)
}

func (d *DoorReport) take(h wire.Header) {
	at, refused := h.Time(), h.Outcome == wire.OutcomeRefused
	switch h.Kind {
	case wire.KindReleased:
		if d.Active.IsZero() { // a first look that is not confirmed releases, too
			d.Released, d.Refused = at, refused
		}
	case wire.KindFire:
		if h.Outcome == wire.OutcomeIdle {
			d.Idle = at
			return
		}
		d.Idle = time.Time{}
		if d.Active.IsZero() {
			d.Active = at
			if d.Released.IsZero() { // it was released before
				d.Released = at
			}
		}
	case wire.KindFireReset:
		if !refused && !d.Active.IsZero() {
			d.Reset = at
		}
	case wire.KindSecured:
		if !refused && !d.Reset.IsZero() && d.Relocked.IsZero() {
			d.Relocked = at
		}
	}
	if d.Refused {
		d.Released = time.Time{}
	}
}

// Of returns the result at a door.
func (r Report) Of(door string) DoorReport {
	for _, d := range r.Doors {
		if d.Door == door {
			return d
		}
	}
	return DoorReport{Door: door}
}

// Worked reports whether the fire input released a door and was idle again.
func (r Report) Worked(door string) bool {
	d := r.Of(door)
	return !d.Active.IsZero() && !d.Released.IsZero() && !d.Idle.IsZero()
}
