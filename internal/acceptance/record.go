// Package acceptance stores what was proved at the doors of a house before they count as ready:
// that each lock works, and that people get out by button, by fire and with the power off.
//
// It refuses a person's word for what the gateway can see itself, and a claim that a part is
// missing which the site file names.
package acceptance

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Part is one thing that is to be proved at a door.
type Part string

const (
	Lock    Part = "lock"    // somebody heard it release
	Exit    Part = "exit"    // the exit button was seen pressed
	Contact Part = "contact" // the door was seen opened and closed
	Fire    Part = "fire"    // the fire input was seen active, the door released, and the input idle again
	Power   Part = "power"   // the gateway lost its power, and the door opened from inside
)

// Parts returns the parts of a door in the order in which they are proved.
func Parts() []Part { return []Part{Lock, Exit, Contact, Fire, Power} }

// State is the state of a part's proof.
type State string

const (
	Unproved  State = "unproved"
	Begun     State = "begun"      // tried, or waiting to be seen
	Seen      State = "seen"       // of the plug: power came back, and nobody has said yet whether the door opened
	Passed    State = "passed"     // proved
	Failed    State = "failed"     // tried, and it did not work
	Absent    State = "absent"     // somebody says that there is none, although the site file names one
	NotFitted State = "not_fitted" // there is none
)

// Settled reports whether nothing is left to do.
func (s State) Settled() bool { return s == Passed || s == NotFitted }

// Step is an act, or a person's statement, about a part.
type Step string

const (
	Begin Step = "begin" // it is tried now
	See   Step = "see"   // the gateway saw what it waited for
	Yes   Step = "yes"   // somebody says that it worked
	No    Step = "no"    // or that it did not
	None  Step = "none"  // or that there is no such part
)

// Proof is the state of a part and its history.
type Proof struct {
	State State     `json:"state"`
	At    time.Time `json:"at,omitzero"` // of the last step, by the gateway's clock
	By    string    `json:"by,omitempty"`
	Boot  string    `json:"boot,omitempty"` // of a plug that is to be pulled: the boot in which that was said
}

// Why a step is refused.
var (
	ErrNotBegun   = errors.New("this was not tried yet")
	ErrSeesItself = errors.New("the gateway sees this itself")
	ErrNoSuch     = errors.New("the site file has no such part at this door")
	ErrAlways     = errors.New("every door has this")
	ErrStep       = errors.New("there is no such step")
)

// word reports whether the proof of a part rests on a person's word.
func (p Part) word() bool { return p == Lock || p == Power }

// seen returns the state of a part that the gateway saw: for the plug somebody still has to say
// whether the door opened.
func (p Part) seen() State {
	if p == Power {
		return Seen
	}
	return Passed
}

// next returns a proof after a step. fitted: the site file names such a part. A refused step leaves
// the proof unchanged.
func (was Proof) next(p Part, step Step, fitted bool, a Act) (Proof, error) {
	to := Proof{At: a.At, By: a.By}
	switch step {
	case Begin:
		if !fitted {
			return was, ErrNoSuch
		}
		to.State, to.Boot = Begun, a.Boot
	case See:
		if was.State != Begun || p == Lock {
			return was, ErrNotBegun
		}
		to.State, to.By = p.seen(), was.By
	case Yes, No:
		if step == Yes && !p.word() {
			return was, ErrSeesItself
		}
		if was.State != was.asks(p) {
			return was, ErrNotBegun
		}
		if to.State = Passed; step == No {
			to.State = Failed
		}
	case None:
		if p.word() {
			return was, ErrAlways
		}
		if to.State = NotFitted; fitted {
			to.State = Absent
		}
	default:
		return was, fmt.Errorf("%w: %q", ErrStep, step)
	}
	return to, nil
}

// asks returns the state in which somebody can report the result: for the plug once the gateway has
// started again.
func (Proof) asks(p Part) State {
	if p == Power {
		return Seen
	}
	return Begun
}

// restarted returns the proof of the plug after a start of the daemon. Only another boot without an
// orderly stop before it is a pulled plug.
func (was Proof) restarted(boot string) Proof {
	if was.State == Begun && was.Boot != "" && was.Boot != boot {
		return Proof{State: Seen, At: was.At, By: was.By}
	}
	return was
}

// Door is the proofs of one door, and the wiring to which they belong.
type Door struct {
	Wiring string         `json:"wiring"` // hash
	Proofs map[Part]Proof `json:"proofs"`
}

func (d Door) of(p Part) Proof {
	if proof, ok := d.Proofs[p]; ok {
		return proof
	}
	return Proof{State: Unproved}
}

// Record is the stored state of a house. It is a value: changes return another one.
type Record struct {
	// Begun is since when the house asks for proofs; zero: it does not.
	Begun time.Time `json:"begun,omitzero"`
	// Replaced: the machine took the place of another, and has other wires.
	Replaced bool            `json:"replaced,omitempty"`
	Doors    map[string]Door `json:"doors,omitempty"`
	Drill    *Drill          `json:"drill,omitempty"`
}

// Wired is a door of the site file.
type Wired struct {
	ID     string
	Wiring string // hash of all by which people get out
	Fitted map[Part]bool
}

// door returns the proofs of a door; none if its wiring has changed since.
func (r Record) door(w Wired) Door {
	if d, ok := r.Doors[w.ID]; ok && d.Wiring == w.Wiring {
		return d
	}
	return Door{Wiring: w.Wiring}
}

// with returns the record with another proof.
func (r Record) with(w Wired, p Part, proof Proof) Record {
	d := r.door(w)
	d.Proofs = maps.Clone(d.Proofs)
	if d.Proofs == nil {
		d.Proofs = map[Part]Proof{}
	}
	d.Proofs[p] = proof
	r.Doors = maps.Clone(r.Doors)
	if r.Doors == nil {
		r.Doors = map[string]Door{}
	}
	r.Doors[w.ID] = d
	return r
}

// Act is the person and time of a step.
type Act struct {
	At   time.Time
	By   string // role; empty: at the gateway itself
	Boot string // of the kernel
}

// step returns the record after a step at a door, and the resulting proof.
func (r Record) step(w Wired, p Part, step Step, a Act) (Record, Proof, error) {
	proof, err := r.door(w).of(p).next(p, step, w.Fitted[p], a)
	if err != nil {
		return r, proof, err
	}
	return r.with(w, p, proof), proof, nil
}

// each returns the record with the proof of a part of each door changed, and whether any was.
func (r Record) each(doors []Wired, p Part, change func(Proof) Proof) (_ Record, changed bool) {
	for _, w := range doors {
		if was := r.door(w).of(p); change(was) != was {
			r, changed = r.with(w, p, change(was)), true
		}
	}
	return r, changed
}
