package reception

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// Purpose is what somebody comes to the desk for.
type Purpose string

// Purposes.
const (
	CheckIn  Purpose = "checkin"
	Lost     Purpose = "lost"    // card
	Another  Purpose = "another" // card
	Found    Purpose = "found"   // card
	Confirm  Purpose = "confirm" // a card that came on the landlord's word
	NewPIN   Purpose = "pin"
	NewCodes Purpose = "codes" // one-time codes
	Guest    Purpose = "guest" // a code for one
	MoveOut  Purpose = "out"
	Dispute  Purpose = "dispute"
	Withdraw Purpose = "withdraw"
)

// actions are the purposes as the daemon's changes.
var actions = map[Purpose]string{Lost: "replace", Another: "add", Found: "resume", Confirm: "confirm", NewPIN: "pin", NewCodes: "codes", Guest: "guest", MoveOut: "checkout", Dispute: "dispute", Withdraw: "withdraw"}

// Known reports whether there is such a purpose.
func (p Purpose) Known() bool { return p == CheckIn || actions[p] != "" }

// Step is what is asked for next.
type Step string

// Steps, in their order.
const (
	Details  Step = "details" // of who arrives
	Choose   Step = "choose"  // on whose word a change is made, and which card it is about
	ByCard   Step = "proof"   // a card of the tenancy, held up twice
	ByPIN    Step = "pin"     // of the tenant
	TwicePIN Step = "new_pin" // that the tenant chooses
	Card     Step = "card"    // that is given
	Tenant   Step = "tenant"  // has the phone: what is kept, and a PIN
	Done     Step = "done"
	Paused   Step = "paused" // the daemon's visit is over: it goes on in another
	ready    Step = ""       // nothing more is asked for
)

// Visit is one visit. Safe for concurrent use.
type Visit struct {
	Token   string // names it, in the session and in its forms
	daemon  *control.Client
	by      caller.Caller // who opened it, and ends it
	purpose Purpose
	turn    chan struct{} // one step at a time
	over    context.Context
	end     context.CancelFunc
	idle    *time.Timer

	mu    sync.Mutex
	state state
}

// state is what a visit has come to. The visit's lock guards it.
type state struct {
	desk      control.Desk // without a session the daemon's visit is over
	tenancy   control.Tenancy
	form      Form
	arrival   control.CheckIn
	change    control.Change
	judged    bool // the details do
	chosen    bool
	proved    bool
	pinned    bool
	keyed     int  // new PINs that were typed at a reader's keys
	pinChosen bool // the new PIN has come
	shown     bool // a card to be given was
	enough    bool // doors that don't read it yet are left out
	missing   []string
	fault     error
	done      *control.Done
}

// View is what a page may show of a visit.
type View struct {
	Token   string
	Purpose Purpose
	Step    Step
	Desk    control.Desk
	Tenancy control.Tenancy
	Form    Form // without name and number
	Number  bool // it was typed
	Name    bool // likewise
	Change  control.Change
	Keyed   int
	Missing []string // doors that don't read the card to be given
	Shown   bool     // it was held up
	Fault   error    // of the last step
	Done    *control.Done
}

// View returns what may be shown. It waits for a step that nothing more is asked for.
func (v *Visit) View(ctx context.Context) View {
	if v.Step() == ready {
		select {
		case v.turn <- struct{}{}:
			<-v.turn
		case <-ctx.Done():
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s := &v.state
	out := View{Token: v.Token, Purpose: v.purpose, Step: v.step(), Desk: s.desk, Tenancy: s.tenancy, Form: s.form, Number: s.arrival.Number != "", Name: s.arrival.Name != "",
		Change: s.change, Keyed: s.keyed, Missing: v.missing(), Shown: s.shown, Fault: s.fault, Done: s.done}
	out.Form.Number, out.Form.Name = "", ""
	out.Change.PIN, out.Change.NewPIN = "", ""
	return out
}

// Step returns what is asked for next.
func (v *Visit) Step() Step {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.step()
}

func (v *Visit) step() Step {
	s := &v.state
	given := s.shown && (s.enough || len(v.missing()) == 0)
	switch {
	case s.done != nil:
		return Done
	case s.desk.Session == "":
		return Paused
	case v.purpose == CheckIn:
		return v.arrivalStep(given)
	case !s.chosen:
		return Choose
	case (s.change.Action == "replace" || s.change.Action == "add") && v.proofStep() == ready && !given:
		return Card
	}
	return v.proofStep()
}

// proofStep is what of the tenant's word a change still needs.
func (v *Visit) proofStep() Step {
	switch s := &v.state; {
	case s.change.Proof == "card" && !s.proved:
		return ByCard
	case s.change.Proof == "pin" && !s.pinned:
		return ByPIN
	case v.purpose == NewPIN && !s.pinChosen:
		return TwicePIN
	}
	return ready
}

func (v *Visit) arrivalStep(given bool) Step {
	switch {
	case !v.state.judged:
		return Details
	case !given:
		return Card
	}
	return Tenant
}

// missing are the doors of this key that do not read the new card yet.
func (v *Visit) missing() (all []string) {
	doors := v.doors()
	for _, d := range v.state.missing {
		if slices.Contains(doors, d) {
			all = append(all, d)
		}
	}
	return all
}

// doors are those that the key is for.
func (v *Visit) doors() []string {
	switch s := &v.state; {
	case len(s.arrival.Doors) > 0:
		return s.arrival.Doors
	case len(s.tenancy.Doors) > 0:
		return s.tenancy.Doors
	default:
		return s.desk.Doors
	}
}

// is reports whether the visit is for this.
func (v *Visit) is(p Purpose, tenancy string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.purpose == p && v.state.change.Tenancy == tenancy
}

// begun reports whether anything was typed, chosen or held up.
func (v *Visit) begun() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state.arrival.Number != "" || v.state.chosen
}

// act does one step when its turn comes, and then what is to be done when nothing more is
// asked for. A step that is not the next one changes nothing.
func (v *Visit) act(ctx context.Context, do func(context.Context) error, steps ...Step) {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return
	case <-v.over.Done():
		return
	}
	if !slices.Contains(steps, v.Step()) {
		return
	}
	v.with(func(s *state) { s.fault = nil })
	err := do(ctx)
	if err == nil && v.Step() == ready {
		err = v.carryOut(ctx)
	}
	v.keep(err)
}

// with changes the state under the visit's lock.
func (v *Visit) with(change func(*state)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.state)
}

// now returns a copy of the state.
func (v *Visit) now() state {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// keep notes what a step came to. Where the daemon's visit is over, what was typed stays,
// and what was held up has to be held up again.
func (v *Visit) keep(err error) {
	var e *socket.Error
	v.with(func(s *state) {
		s.fault = err
		if errors.As(err, &e) && e.Status == http.StatusGone {
			s.pause()
		}
	})
}

func (s *state) pause() {
	s.desk.Session = ""
	s.shown, s.enough, s.missing = false, false, nil
	s.unproved()
}

// unproved forgets what the tenant showed and typed.
func (s *state) unproved() {
	s.proved, s.pinned, s.pinChosen, s.keyed = false, false, false, 0
	s.change.PIN, s.change.NewPIN, s.change.Typed = "", "", false
}

// forget wipes what was typed, and ends who waits.
func (v *Visit) forget() {
	v.end()
	v.with(func(s *state) { *s = state{} })
}

// leave ends the daemon's visit; it ends by itself when it is idle.
func (v *Visit) leave(ctx context.Context) {
	v.end()
	if session := v.now().desk.Session; session != "" {
		ctx, cancel := context.WithTimeout(caller.With(context.WithoutCancel(ctx), v.by), answerTimeout)
		defer cancel()
		_ = v.daemon.CloseDesk(ctx, session)
	}
}

// sure calls the daemon for something that must not be given up in the middle: its answer
// is kept though the one who asked went away.
func sure(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	return call(ctx)
}
