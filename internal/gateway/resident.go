package gateway

import (
	"context"
	"slices"

	"gatehouse/internal/desk"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// AskAsResident carries out the request of a resident who is identified by flat and PIN. A lost
// card stops before the door opens.
func (g *Gateway) AskAsResident(ctx context.Context, r desk.ResidentRequest) (desk.ForResident, error) {
	i := slices.IndexFunc(g.Doors, func(d *Door) bool { return d.Config.ID == r.Door })
	if r.Act == desk.Enter && i < 0 {
		return desk.ForResident{}, tenancy.Refuse("scan the sticker at the door", "no door %q at this gateway", r.Door)
	}
	done, err := g.Desk.Residents.Ask(ctx, r)
	if err != nil || done.Enter == nil {
		return done, err
	}
	reason, err := g.Doors[i].Admit(ctx, "resident", *done.Enter)
	switch msg := g.Doors[i].Status().LockErr; {
	case err != nil:
		return done, err
	case msg != "":
		return done, tenancy.Refuse("see gatehouse status", "the lock of door %s can't be driven: %s", r.Door, msg)
	case reason != wire.ReasonGranted && reason != wire.ReasonTermDoubtful:
		return done, tenancy.Refuse("the disk of the gateway is slow or full: a card opens all the same", "the door did not open: %s", reason)
	}
	return done, nil
}
