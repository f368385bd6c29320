package gateway

import "gatehouse/sync/wire/periods"

// childDays is for how long the log names somebody under 14.
const childDays = 7

// Periods are for how long who parts stay now: by the site file, or by the policy in the registry's trust document where that says less.
// Safe for concurrent use.
func Periods(g *Gateway) periods.Periods {
	own := periods.Periods{Whos: uint16(g.Site.Journal.WhoDays), Children: childDays}
	if r := g.Keyring.Keys.Registry(); r != nil {
		own = r.Trust.Retention.Least(own)
	}
	return own
}
