package store

import (
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// AddErasure keeps that an order was made for the gateways of a building at a time, unix s, in the place of those for the
// same tenancy, which it covers; and forgets those of before another time.
func AddErasure(t *Tx, hash wire.Hash, building string, tenancy wire.ID, made uint32, file string, before uint32) {
	t.exec("forget old orders", `DELETE FROM erasures WHERE tenancy = ? OR made < ?`, tenancy[:], before)
	t.exec("keep order", `INSERT INTO erasures (hash, building, tenancy, made, file) VALUES (?,?,?,?,?)`, hash[:], building, tenancy[:], made, file)
}

// Erasures are the orders that are kept, the oldest first.
func Erasures(q Querier) ([]operator.Erasure, error) {
	return all(q, "read orders", func(e *operator.Erasure) []any {
		return []any{&e.Hash, &e.Building, &e.Tenancy, (*unix)(&e.Made), &e.Case}
	}, `SELECT hash, building, lower(hex(tenancy)), made, file FROM erasures ORDER BY made, building, hash`)
}
