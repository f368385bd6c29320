package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/backoff"
	"gatehouse/internal/registry/api"
)

// Times of the loop.
const (
	workWait  = 25 * time.Second // how long the front may hold a question for work
	tendEvery = time.Minute      // how often proofs of lists are asked for
	backFirst = 200 * time.Millisecond
	backMost  = 15 * time.Second
	batch     = 256 // deliveries of one transaction
)

// Run takes work from the front until ctx ends: records are taken in, lists
// follow from them, enrolments are answered. A front that is away is tried
// again. Nothing is lost by a stop or crash at any point: a delivery and the
// number that says it was taken in are one transaction.
func (i *Issuer) Run(ctx context.Context) error {
	retry := backoff.New(backFirst, backMost)
	var tended time.Time
	for ctx.Err() == nil {
		err := i.round(ctx, &tended)
		if err == nil {
			retry.Reset()
			continue
		}
		i.setLinked(false)
		if ctx.Err() != nil {
			break
		}
		i.opts.Log.Warn().Err(err).Msg("no work from the front; tried again")
		retry.Wait(ctx)
	}
	return nil
}

func (i *Issuer) setLinked(linked bool) {
	i.mu.Lock()
	i.linked = linked
	i.mu.Unlock()
}

// round is one question for work and what comes of it.
func (i *Issuer) round(ctx context.Context, tended *time.Time) error {
	i.mu.Lock()
	linked := i.linked
	i.mu.Unlock()
	if !linked {
		if err := i.meet(ctx); err != nil {
			return err
		}
		i.setLinked(true)
	}
	if now := time.Now(); now.Sub(*tended) >= i.opts.Tend {
		if err := i.tend(ctx); err != nil {
			return err
		}
		*tended = now
	}
	if err := i.clock.Save(); err != nil {
		i.opts.Log.Error().Err(err).Msg("after a start the clock may be doubted for longer than it must")
	}
	if err := i.catchUpAll(ctx); err != nil {
		return err
	}
	if err := i.signIfReplaced(); err != nil {
		return err
	}
	if err := i.publishAll(ctx); err != nil {
		return err
	}
	i.mu.Lock()
	after := i.after
	i.mu.Unlock()
	ask, cancel := context.WithTimeout(ctx, 2*i.opts.Ask) // a front that hangs is one that is away
	defer cancel()
	w, err := i.opts.Front.Work(ask, after, min(i.opts.Ask, i.opts.Tend))
	if err != nil {
		return err
	}
	for part := range slices.Chunk(w.Deliveries, batch) {
		if err := i.takeIn(part); err != nil {
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
// set back, counts its deliveries anew: what comes twice is known by its record.
func (i *Issuer) meet(ctx context.Context) error {
	for _, envelope := range [][]byte{i.keys.TrustEnvelope, i.keys.TrustPlain} {
		if envelope == nil {
			continue
		}
		if _, err := i.opts.Front.PutTrust(ctx, envelope); err != nil {
			return fmt.Errorf("hand trust document to the front: %w", err)
		}
	}
	s, err := i.opts.Front.Status(ctx)
	if err != nil {
		return err
	}
	before, err := i.opts.Front.Trusts(ctx)
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		err = nil // it is an older program: what is kept here has to do
	}
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, envelope := range before {
		if err := i.keepTrust(envelope); err != nil {
			return err
		}
	}
	if s.LastWork < i.after {
		said := i.remark("", fmt.Sprintf("%s: it knows %s, and %d were taken in from it: it was put back to an earlier day, or is new. It gets all lists again, "+
			"and gateways bring what they still keep; docs/restore.md says what is lost", api.FileDatabase, amount.Of(s.LastWork, "tenancy record"), i.after))
		i.after = s.LastWork
		return errors.Join(said, i.markUnsent())
	}
	return nil
}

// markUnsent makes everything be handed over again. The caller holds mu.
func (i *Issuer) markUnsent() error {
	err := i.update(func(c *change) error {
		for _, q := range []string{`UPDATE lists SET sent = 0`, `UPDATE buildings SET house_sent = 0`} {
			if _, err := c.Exec(q); err != nil {
				return err
			}
		}
		return nil
	})
	for _, b := range i.buildings {
		clear(b.known)
		b.logSent = 0
	}
	return errors.Join(err, i.loadUnsent(i.db))
}

// takeIn takes deliveries in, all or none.
func (i *Issuer) takeIn(all []api.Delivery) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	after := i.after
	err := i.update(func(c *change) error {
		for _, d := range all {
			if d.Number <= after {
				continue
			}
			if err := c.deliver(d); err != nil {
				return err
			}
			after = d.Number
		}
		_, err := c.Exec(`INSERT INTO state (key, value) VALUES ('after', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, int64(after))
		return err
	})
	if err != nil {
		return fmt.Errorf("take records in: %w", err)
	}
	i.after = after
	return nil
}

// tend asks which lists are proved, and makes new ones where that lets a
// revoked grant go.
func (i *Issuer) tend(ctx context.Context) error {
	if err := i.beginAnew(); err != nil {
		return err
	}
	all, err := i.opts.Front.Gateways(ctx, "")
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.update(func(c *change) error {
		for _, g := range all {
			b, err := i.building(c, g.Building)
			if err != nil {
				return err
			}
			if b == nil || b.house.Gateway(g.Gateway) == nil {
				continue
			}
			c.touch(b)
			if err := c.prove(b, g); err != nil {
				return err
			}
			i.hear(b, g)
		}
		for id := range c.touched {
			b := i.buildings[id]
			c.touched[id] = c.touched[id] || b.held == nil && (b.healed || len(b.droppable()) > 0 || b.turned(i.agreed()))
		}
		return nil
	})
}

// enrolment answers one request. A refusal is an answer; an error means that
// the front is to be asked again.
func (i *Issuer) enrolment(ctx context.Context, e api.Enrolment) error {
	body, err := i.enrol(e)
	answer := api.Answer{ID: e.ID, Body: body}
	var refused *api.Error
	switch {
	case errors.As(err, &refused):
		answer.Error, answer.Hint = refused.Message, refused.Hint
	case err != nil:
		i.opts.Log.Error().Err(err).Str("gateway", e.Place.Address()).Msg("enrolment")
		answer.Error, answer.Hint = "the registry could not do it", "try again in a minute; its log says why"
	default:
		if err := i.publishLogged(ctx, e.Place.Building); err != nil { // so that the front knows the gateway before it comes
			return err
		}
	}
	err = i.opts.Front.Answer(ctx, answer)
	if errors.As(err, &refused) && refused.Status == 404 {
		return nil // whoever asked is gone, and asks again
	}
	return err
}
