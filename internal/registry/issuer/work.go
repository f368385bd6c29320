package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gatehouse/internal/backoff"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/adopt"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/enrol"
	"gatehouse/internal/registry/issuer/intake"
	"gatehouse/internal/registry/issuer/ledger"
)

// Times of the loop.
const (
	workWait  = 25 * time.Second // how long the front may hold a question for work
	tendEvery = time.Minute      // how often proofs of lists are asked for
	backFirst = 200 * time.Millisecond
	backMost  = 15 * time.Second
	batch     = 256 // deliveries of one transaction
)

// Run takes work from the front until ctx ends: records are taken in, lists follow from them, enrolments are answered. A
// front that is away is tried again. Nothing is lost by a stop or crash at any point: a delivery and the number that says
// that it was taken in are one transaction.
func (i *Issuer) Run(ctx context.Context) error {
	retry := backoff.New(backFirst, backMost)
	var tended time.Time
	for ctx.Err() == nil {
		err := i.round(ctx, &tended)
		if err == nil {
			retry.Reset()
			continue
		}
		i.linked.Store(false)
		if ctx.Err() != nil {
			break
		}
		why := err.Error()
		i.trouble.Store(&why)
		i.opts.Log.Warn().Err(err).Msg("no work from the front; tried again")
		retry.Wait(ctx)
	}
	return nil
}

// round is one question for work and what comes of it.
func (i *Issuer) round(ctx context.Context, tended *time.Time) error {
	if !i.linked.Load() {
		if err := i.meet(ctx); err != nil {
			return err
		}
		i.linked.Store(true)
		i.trouble.Store(nil)
	}
	if now := time.Now(); now.Sub(*tended) >= i.opts.Tend {
		if err := i.tend(ctx); err != nil {
			return err
		}
		*tended = now
	}
	if err := i.ledger.Clock.Save(); err != nil {
		i.opts.Log.Error().Err(err).Msg("after a start the clock may be doubted for longer than it must")
	}
	if err := i.catchUp(ctx); err != nil {
		return err
	}
	if err := i.ledger.SignIfReplaced(); err != nil {
		return err
	}
	if err := i.sender.sendAll(ctx); err != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, 2*i.opts.Ask) // a front that hangs is one that is away
	defer cancel()
	w, err := i.opts.Front.Work(ask, i.ledger.After(), min(i.opts.Ask, i.opts.Tend))
	if err != nil {
		return err
	}
	return i.do(ctx, w)
}

// do does the work that the front has handed over.
func (i *Issuer) do(ctx context.Context, w api.Work) error {
	for part := range slices.Chunk(w.Deliveries, batch) {
		if err := i.ledger.TakeIn(part, intake.Deliver); err != nil {
			return err
		}
	}
	for _, e := range w.Enrolments {
		if err := i.enrolment(ctx, e); err != nil {
			return err
		}
	}
	for _, h := range w.Holdings {
		if err := i.judge(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// meet is what a front gets that answers again. One that lost its store, or was
// rolled back, counts its deliveries anew: what comes twice is known by its record.
func (i *Issuer) meet(ctx context.Context) error {
	for _, envelope := range i.ledger.Keys.Trusts() {
		if _, err := i.opts.Front.PutTrust(ctx, envelope); err != nil {
			return fmt.Errorf("hand trust document to the front: %w", err)
		}
	}
	s, err := i.opts.Front.Status(ctx)
	if err != nil {
		return err
	}
	before, err := i.opts.Front.Trusts(ctx)
	if err != nil && status(err) != http.StatusNotFound { // it is an older program: what is kept here has to do
		return err
	}
	if err := i.ledger.KeepTrusts(before); err != nil {
		return err
	}
	return i.ledger.Restart(s.LastWork)
}

// tend asks which lists are proved, and makes new ones where that lets a revoked grant go.
func (i *Issuer) tend(ctx context.Context) error {
	if err := i.ledger.Begin(); err != nil {
		return err
	}
	all, err := i.opts.Front.Gateways(ctx, "")
	if err != nil {
		return err
	}
	return i.ledger.Update(func(c *ledger.Change) {
		heard := make(map[*building.Building]bool)
		for _, g := range all {
			b := c.Building(g.Building)
			if b == nil || b.House.Gateway(g.Gateway) == nil {
				continue
			}
			heard[b] = true
			c.Prove(b, g)
			if b.Gateways.Hear(g) {
				c.Clock.Hear(b.ID, *g.Wall, g.Said)
			}
		}
		for b := range heard {
			if b.Lists.Held == nil && (b.Lists.Healed || len(b.Droppable()) > 0 || b.Turned(c.Clock.Agreed())) {
				c.Relist(b)
			}
		}
	})
}

// enrolment answers one request. A refusal is an answer; an error means that the front is to be asked again.
func (i *Issuer) enrolment(ctx context.Context, e api.Enrolment) error {
	body, err := answer(i, func(c *ledger.Change) ([]byte, error) { return enrol.Answer(c, e) })
	out := api.Answer{ID: e.ID, Body: body}
	if refused, ok := errors.AsType[*api.Error](err); ok {
		out.Error, out.Hint = refused.Message, refused.Hint
	} else if err != nil {
		i.opts.Log.Error().Err(err).Str("gateway", e.Place.Address()).Msg("enrolment")
		out.Error, out.Hint = "the registry could not do it", "try again in a minute; its log says why"
	} else if err := i.sender.sendLogged(ctx, e.Place.Building); err != nil { // so that the front knows the gateway before it comes
		return err
	}
	err = i.opts.Front.Answer(ctx, out)
	if status(err) == http.StatusNotFound {
		return nil // whoever asked is gone, and asks again
	}
	return err
}

// judge takes in what a gateway holds, and tells the front that it was judged.
func (i *Issuer) judge(ctx context.Context, h api.Holding) error {
	if err := i.ledger.Update(func(c *ledger.Change) { adopt.Holding(c, h) }); err != nil {
		return fmt.Errorf("take in what %s holds: %w", h.Place.Address(), err)
	}
	if err := i.sender.sendLogged(ctx, h.Place.Building); err != nil {
		return err
	}
	err := i.opts.Front.Taken(ctx, h)
	if status(err) == http.StatusNotFound {
		return nil // it has said another hello since
	}
	return err
}

// catchUp looks at the front's lists where they may be newer: the database was put back, and the front's was not.
func (i *Issuer) catchUp(ctx context.Context) error {
	for _, id := range i.ledger.Behind() {
		heads, err := i.opts.Front.Heads(ctx, id)
		if err != nil {
			return err
		}
		for _, head := range heads {
			if err := i.takeOver(ctx, head); err != nil {
				return err
			}
		}
		i.ledger.SetBehind(id, false)
	}
	return nil
}

// takeOver takes over what the front has of a building that this database does not know.
func (i *Issuer) takeOver(ctx context.Context, head api.Head) error {
	lacks, err := ledger.Read(i.ledger, func(v ledger.View) (bool, error) { return v.Lacks(head.Building, head.House, head.Hash) })
	if err != nil || !lacks {
		return err
	}
	stored, err := i.opts.Front.Stored(ctx, head.Building)
	if err != nil {
		return err
	}
	if err := i.ledger.Update(func(c *ledger.Change) { adopt.Front(c, stored) }); err != nil {
		return fmt.Errorf("take over what the front has of %s: %w", head.Building, err)
	}
	return nil
}
