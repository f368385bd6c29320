package gateway

import (
	"context"
	"slices"

	"gatehouse/internal/desk"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// AskAsResident carries out the request of a resident who is identified by flat and PIN. A lost
// card stops before the door opens, and also where the door does not open: whoever has found the
// card may stand at another one. The refusal says both.
func (g *Gateway) AskAsResident(ctx context.Context, r desk.ResidentRequest) (desk.ForResident, error) {
	i := slices.IndexFunc(g.Doors, func(d *Door) bool { return d.Config.ID == r.Door })
	if r.Act == desk.Enter && i < 0 {
		return desk.ForResident{}, tenancy.Refuse("scan the sticker at the door", "no door %q at this gateway", r.Door)
	}
	done, err := g.Desk.Residents.Ask(ctx, r)
	if err != nil || done.Enter == nil {
		return done, err
	}
	const found = "if it is found: gatehouse card resume FLAT --by pin"
	reason, err := g.Doors[i].Admit(ctx, "resident", *done.Enter)
	switch msg := g.Doors[i].Status().LockErr; {
	case err != nil:
		return done, tenancy.Refuse(found, "the lost card is stopped, but the door did not open: %v", err)
	case msg != "":
		return done, tenancy.Refuse("see gatehouse status; "+found, "the lost card is stopped, but the lock of door %s can't be driven: %s", r.Door, msg)
	case reason != wire.ReasonGranted && reason != wire.ReasonTermDoubtful:
		return done, tenancy.Refuse("the disk of the gateway is slow or full: another card opens all the same; "+found, "the lost card is stopped, but the door did not open: %s", reason)
	}
	return done, nil
}
