package server

import (
	"context"
	"errors"
	"gatehouse/internal/control/server/takeover"
	"net/http"
	"slices"
	"time"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/journal"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// proofs handles what is proved at the doors before they count as ready. Seeing a button pressed is
// a test of the door, with its limits (refusal N7).
type proofs struct {
	doorTest
	book *acceptance.Book
}

func openBook(l logs) *acceptance.Book {
	book, err := acceptance.Open(l.Site, l.Clock.BootName(), func() time.Time { return l.Clock.Read().Wall })
	if err != nil {
		l.log.Error().Err(err).Msg("the record of what was proved at the doors: those of it that are not on disk are to be proved again")
	}
	return book
}

func (g proofs) getAcceptance(*http.Request, socket.None) (any, error) {
	zone := g.Site.Zone()
	out := control.Acceptance{Building: g.Site.Building, Gateway: g.Site.Gateway, Doors: []control.AcceptedDoor{}}
	since, all := g.book.Doors()
	out.Begun = shownTime(since, zone)
	for i, d := range all { // in the order of the site file
		shown := control.AcceptedDoor{Door: d.Door, Ready: d.Ready, Egress: g.Site.Doors[i].Egress, Lock: g.Site.Doors[i].Lock}
		for _, p := range d.Parts {
			shown.Parts = append(shown.Parts, shownProof(p, zone))
		}
		out.Doors = append(out.Doors, shown)
	}
	return out, nil
}

func shownProof(p acceptance.PartShown, zone *time.Location) control.Proof {
	return control.Proof{Part: string(p.Part), Fitted: p.Fitted, State: string(p.State), At: shownTime(p.At, zone), By: p.By}
}

// shownTime is a time in a zone, nil for none.
func shownTime(t time.Time, zone *time.Location) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.In(zone))
}

func (g proofs) postAcceptance(r *http.Request, _ socket.None) (any, error) {
	if !g.book.Asks() {
		if err := g.enterNow(r, "", wire.ReasonProofs, wire.OutcomeDone); err != nil {
			return nil, err
		}
		if err := g.book.Create(g.act(r)); err != nil {
			return nil, notKept(err)
		}
	}
	return g.getAcceptance(r, socket.None{})
}

var partReasons = map[acceptance.Part]wire.Reason{acceptance.Lock: wire.ReasonProofLock, acceptance.Exit: wire.ReasonProofExit,
	acceptance.Contact: wire.ReasonProofContact, acceptance.Fire: wire.ReasonProofFire, acceptance.Power: wire.ReasonProofPower}

// stepOutcomes are the outcomes of entries about a step.
var stepOutcomes = map[acceptance.Step]wire.Outcome{acceptance.Begin: wire.OutcomeActive, acceptance.See: wire.OutcomeDone,
	acceptance.Yes: wire.OutcomeDone, acceptance.No: wire.OutcomeIdle, acceptance.None: wire.OutcomeIdle}

// postProof performs a step at a door.
func (g proofs) postProof(r *http.Request, in control.ProofStep) (any, error) {
	d, err := doorOf(g.Gateway, r.PathValue("door"))
	if err != nil {
		return nil, err
	}
	if err := takeover.Refuse(g.Gateway); err != nil {
		return nil, err
	}
	part, step := acceptance.Part(r.PathValue("part")), acceptance.Step(in.Step)
	switch {
	case partReasons[part] == 0:
		return nil, socket.Refused(http.StatusNotFound, "lock, exit, contact, fire or power", "no part %q of a door", part)
	case !g.book.Asks():
		return nil, socket.Refused(http.StatusConflict, "gatehouse prove begin makes it ask", "this house does not ask for what is proved at its doors")
	case part == acceptance.Fire && step == acceptance.Begin && g.Fire != nil:
		return nil, socket.Refused(http.StatusConflict, "gatehouse fire drill begin, for all doors", "fire is proved by a drill")
	case step == acceptance.See:
		return nil, refusedStep(acceptance.ErrSeesItself, d.Config.ID, part)
	}
	waits := step == acceptance.Begin && (part == acceptance.Exit || part == acceptance.Contact)
	if waits {
		err = g.watch(r, d, part)
	} else {
		err = g.step(r, d, part, step)
	}
	if err != nil {
		return nil, err
	}
	return g.proof(d, part), nil
}

// proof returns the present state of a part.
func (g proofs) proof(d *gateway.Door, part acceptance.Part) (out control.Proof) {
	_, all := g.book.Doors()
	for _, shown := range all {
		for _, p := range shown.Parts {
			if shown.Door == d.Config.ID && p.Part == part {
				out = shownProof(p, g.Site.Zone())
			}
		}
	}
	return out
}

// step records a step, and performs it. A lock that is tested is released.
func (g proofs) step(r *http.Request, d *gateway.Door, part acceptance.Part, step acceptance.Step) error {
	if err := g.book.Check(d.Config.ID, part, step); err != nil {
		return refusedStep(err, d.Config.ID, part)
	}
	if err := g.enterNow(r, d.Config.ID, partReasons[part], stepOutcomes[step]); err != nil {
		return err
	}
	if part == acceptance.Lock && step == acceptance.Begin {
		if _, err := release(r.Context(), d); err != nil {
			return err
		}
	}
	if _, err := g.book.Step(d.Config.ID, part, step, g.act(r)); err != nil {
		return notKept(err)
	}
	return nil
}

// watch waits until the exit button is pressed, or the door was opened and closed.
func (g proofs) watch(r *http.Request, d *gateway.Door, part acceptance.Part) error {
	if err := g.book.Check(d.Config.ID, part, acceptance.Begin); err != nil {
		return refusedStep(err, d.Config.ID, part)
	}
	var done error
	err := g.run(r.Context(), d, control.ProofWait, func(ctx context.Context, from journal.Position) {
		if done = g.step(r, d, part, acceptance.Begin); done != nil {
			return
		}
		step := acceptance.No
		if g.sees(ctx, from, d.Config.ID, part) {
			step = acceptance.See
		}
		if r.Context().Err() == nil { // the caller is still there
			done = g.step(r, d, part, step)
		}
	})
	return errors.Join(err, done)
}

// sees follows the journal from a place on until it has the entry that a part needs, or ctx ends.
func (g proofs) sees(ctx context.Context, at journal.Position, door string, part acceptance.Part) bool {
	opened := false
	return follow(ctx, g.Gateway, at, func(h wire.Header) bool {
		if h.Door != door {
			return false
		}
		opened = opened || h.Kind == wire.KindOpened || h.Kind == wire.KindForced && h.Outcome == wire.OutcomeActive
		return shows(h, part, opened)
	})
}

// follow reads the journal from a place on until an entry matches, or ctx ends (false).
func follow(ctx context.Context, g *gateway.Gateway, at journal.Position, is func(wire.Header) bool) bool {
	for {
		changed := g.Journal.Changed()
		entries, next, err := g.Journal.Entries(ctx, at, logBatch)
		if err != nil {
			return false
		}
		for _, e := range entries {
			if h, err := wire.DecodeHeader(e.Header); err == nil && is(h) {
				return true
			}
		}
		if at = next; len(entries) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// shows reports whether an entry is the one that a part needs.
func shows(h wire.Header, part acceptance.Part, opened bool) bool {
	if part == acceptance.Exit {
		return h.Kind == wire.KindExit && h.Outcome == wire.OutcomeActive
	}
	return h.Kind == wire.KindClosed && opened
}

// act is who did something, and when.
func (g proofs) act(r *http.Request) acceptance.Act {
	return acceptance.Act{At: g.Clock.Read().Wall, By: string(caller.Of(r.Context()).Role)}
}

// enterNow records an act durably. What is not in the journal was not done.
func (g proofs) enterNow(r *http.Request, door string, why wire.Reason, o wire.Outcome) error {
	_, err := g.Journal.Append(r.Context(), wire.Header{Kind: wire.KindCommand, Outcome: o, Reason: why, Door: door, Source: caller.Of(r.Context()).String()}, wire.Who{})
	if err != nil {
		return socket.Refused(http.StatusServiceUnavailable, "gatehouse status tells whether the disk is well", "what is not journaled is not proved: %v", err)
	}
	return nil
}

func notKept(err error) error {
	return socket.Refused(http.StatusServiceUnavailable, "gatehouse status tells whether the disk is well; then do this step again", "what was proved can't be kept: %v", err)
}

// refusedStep says why a step is refused, and what to do.
func refusedStep(err error, door string, part acceptance.Part) error {
	hints := []struct {
		why  error
		hint string
	}{
		{acceptance.ErrNotBegun, "begin with a try: gatehouse prove door " + door},
		{acceptance.ErrSeesItself, "press it, or open it, while the gateway looks: gatehouse prove door " + door},
		{acceptance.ErrNoSuch, "if there is one, it belongs into the site file; if there is none, say none"},
		{acceptance.ErrAlways, "a lock is there, and so is a plug"},
	}
	i := slices.IndexFunc(hints, func(h struct {
		why  error
		hint string
	}) bool {
		return errors.Is(err, h.why)
	})
	if i < 0 {
		return socket.Refused(http.StatusUnprocessableEntity, "begin, yes, no or none", "door %s, %s: %v", door, part, err)
	}
	return socket.Refused(http.StatusConflict, hints[i].hint, "door %s, %s: %v", door, part, err)
}
