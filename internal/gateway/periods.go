package gateway

import (
	"gatehouse/internal/brief"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/periods"
)

// Periods are for how long who parts stay now: by the site file, or by the policy in the registry's trust document where that says less.
// Safe for concurrent use.
func Periods(g *Gateway) periods.Periods {
	own := periods.Periods{Whos: uint16(g.Site.Journal.WhoDays), Children: periods.Brief}
	if r := g.Keyring.Keys.Registry(); r != nil {
		own = r.Trust.Retention.Least(own)
	}
	return own
}

// openBrief reads whom the log names for a shorter time by the registry's word.
func openBrief(g *Gateway) {
	g.start.brief = brief.Open(brief.Options{Path: g.Site.Path("grants", brief.File), Registry: g.Keyring.Keys.Registry, Log: g.o.Log, Living: func() map[wire.ID]bool {
		living := map[wire.ID]bool{}
		rows, _ := g.Keyring.Rows()
		for _, r := range rows {
			living[r.Tenancy] = true
		}
		return living
	}})
}

// keptBriefly returns whether a who part goes sooner: that of somebody under 14, as the desk knows of whom it has checked in, and the registry
// of all in the building.
func keptBriefly(g *Gateway) func(wire.Who) bool {
	return func(w wire.Who) bool {
		return w.Tenancy != nil && (g.Desk.Doors.KeptBriefly(*w.Tenancy) || g.start.brief.Has(*w.Tenancy))
	}
}
