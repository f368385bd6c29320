package issuer

import "gatehouse/sync/wire"

// ask is a gateway's that refuses the newest list without a second signature, and
// that is right by its own signed list.
type ask struct {
	list    wire.Hash // the one that it refuses
	removes []wire.ID // tenancies
}
