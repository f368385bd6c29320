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

// Purpose is the reason for a visit.
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

// ByPIN reports whether the PIN of a tenancy can be the proof: one that the tenant chose, and to
// object to a notice any.
func (p Purpose) ByPIN(t control.Tenancy) bool { return t.HasPIN && (t.OwnPIN || p == Dispute) }

// Known reports whether there is such a purpose.
func (p Purpose) Known() bool { return p == CheckIn || actions[p] != "" }

// Step is the next input.
type Step string

// Steps, in their order.
const (
	Details  Step = "details" // of who arrives
	Choose   Step = "choose"  // the proof of a change, and its card
	ByCard   Step = "proof"   // a card of the tenancy, presented twice
	ByPIN    Step = "pin"     // of the tenant
	TwicePIN Step = "new_pin" // that the tenant chooses
	Card     Step = "card"    // the new card
	Tenant   Step = "tenant"  // the tenant has the phone: data notice, and a PIN
	Done     Step = "done"
	Paused   Step = "paused" // the daemon's visit is over: it continues in another
	ready    Step = ""       // all input is there
)

// Visit is one visit. It is safe for concurrent use.
type Visit struct {
	Token   string // its name in its forms
	session string // the page's session in which it was opened
	daemon  *control.Client
	by      caller.Caller // who opened it, and on whose behalf it ends
	purpose Purpose
	turn    chan struct{} // one step at a time
	over    context.Context
	end     context.CancelFunc
	idle    *time.Timer

	mu    sync.Mutex
	state state
}

// state is the state of a visit, guarded by the visit's lock.
type state struct {
	desk      control.Desk // without a Session the daemon's visit is over
	tenancy   control.Tenancy
	form      Form
	arrival   control.CheckIn
	change    control.Change
	judged    bool // the daemon accepts the details
	chosen    bool
	proved    bool
	pinned    bool
	keyed     int  // how often the new PIN was typed at a reader's keys
	pinChosen bool // the new PIN is there
	shown     bool // a new card was presented
	enough    bool // doors that do not know the card yet are left out
	missing   []string
	fault     error
	done      *control.Done
}

// View is the part of a visit that a page may show.
type View struct {
	Token   string
	Purpose Purpose
	Step    Step
	Desk    control.Desk
	Tenancy control.Tenancy
	Form    Form // without name and number
	Number  bool // whether it was typed
	Name    bool // whether it was typed
	Change  control.Change
	Keyed   int
	Missing []string // doors whose readers do not know the new card
	Shown   bool     // the new card was presented
	Fault   error    // of the last step
	Done    *control.Done
}

// View returns what may be shown. If all input is there, it waits for the end of the last step.
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

// Step returns the next input.
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

// proofStep returns the missing part of a change's proof.
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

// missing returns the doors of the tenancy whose readers do not know the new card yet.
func (v *Visit) missing() (all []string) {
	doors := v.doors()
	for _, d := range v.state.missing {
		if slices.Contains(doors, d) {
			all = append(all, d)
		}
	}
	return all
}

// doors returns the doors of the tenancy.
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

// is reports whether the visit is for this purpose and tenancy.
func (v *Visit) is(p Purpose, tenancy string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.purpose == p && v.state.change.Tenancy == tenancy
}

// begun reports whether anything was typed, chosen or presented.
func (v *Visit) begun() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state.arrival.Number != "" || v.state.chosen
}

// act runs one step when its turn comes, and then the visit's request if all input is there. A step
// that is not the next one changes nothing.
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

// keep stores the result of a step. If the daemon's visit is over, typed data stay, and cards must
// be presented again.
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

// unproved forgets the tenant's proof.
func (s *state) unproved() {
	s.proved, s.pinned, s.change.PIN = false, false, ""
	s.unchosen()
}

// unchosen forgets the new PIN.
func (s *state) unchosen() {
	s.pinChosen, s.keyed, s.change.NewPIN, s.change.Typed = false, 0, "", false
}

// forget wipes the data of the visit, and ends those who wait in it.
func (v *Visit) forget() {
	v.end()
	v.with(func(s *state) { *s = state{} })
}

// leave ends the daemon's visit, which would end by itself when it is idle.
func (v *Visit) leave(ctx context.Context) {
	v.end()
	if session := v.now().desk.Session; session != "" {
		ctx, cancel := context.WithTimeout(caller.With(context.WithoutCancel(ctx), v.by), answerTimeout)
		defer cancel()
		_ = v.daemon.CloseDesk(ctx, session)
	}
}

// sure calls the daemon for something that must not be interrupted: it continues when the client
// goes away.
func sure(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTimeout)
	defer cancel()
	return call(ctx)
}
