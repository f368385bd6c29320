package gateway

import (
	"context"
	"errors"
	"fmt"

	"gatehouse/internal/desk"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// openDesk makes the desk on what the keyring and the journal hold.
func (g *Gateway) openDesk() (err error) {
	g.desk, err = desk.New(desk.Parts{Dir: g.o.Site.path("grants"), Keyring: g.keyring, Journal: g.journal, Key: g.gatewayKey,
		Clock: g.deskClock, Log: g.o.Log})
	if err != nil {
		return fmt.Errorf("open desk: %w", err)
	}
	return nil
}

func (g *Gateway) deskClock() desk.Time {
	r := g.clock.read()
	return desk.Time{Now: r.wall.Unix(), Floor: g.keyring.Floor(), Trusted: r.trusted, Quality: r.quality}
}

// teller is the journal as the doors see it: the desk hears of every card, so
// that a tenant on notice is told.
type teller struct {
	journal *journal.Journal
	desk    *desk.Desk
}

func (t teller) Append(ctx context.Context, h wire.Header, who wire.Who) (wire.Ref, error) {
	ref, err := t.journal.Append(ctx, h, who)
	if !errors.Is(err, journal.ErrDropped) {
		t.desk.Saw(h, who, ref)
	}
	return ref, err
}

func (t teller) Queue(h wire.Header, who wire.Who) wire.Ref {
	ref := t.journal.Queue(h, who)
	t.desk.Saw(h, who, ref)
	return ref
}
