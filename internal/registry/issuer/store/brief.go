package store

import (
	"slices"

	"gatehouse/sync/wire"
)

// stateBrief is what the last run has erased: what was stored before it, unix s.
const stateBrief = "brief"

// AddBrief keeps that logs name a tenancy for a shorter time, since a check-in at a time, unix s.
func AddBrief(t *Tx, building string, tenancy wire.ID, at uint32) {
	t.exec("keep whom logs name for a shorter time", `INSERT INTO brief (building, tenancy, at) VALUES (?,?,?) ON CONFLICT DO NOTHING`, building, tenancy[:], at)
}

// KeepBrief forgets those of a building that are not in living.
func KeepBrief(t *Tx, building string, living []wire.ID) {
	all, err := column[[]byte](t, "read whom logs name for a shorter time", `SELECT tenancy FROM brief WHERE building = ?`, building)
	t.Fail(err)
	for _, tenancy := range all {
		if !slices.ContainsFunc(living, func(id wire.ID) bool { return string(id[:]) == string(tenancy) }) {
			t.exec("forget a tenancy that is over", `DELETE FROM brief WHERE building = ? AND tenancy = ?`, building, tenancy)
		}
	}
}

// BriefBuildings are the buildings with such tenancies, in order.
func BriefBuildings(q Querier) ([]string, error) {
	return column[string](q, "read where logs name somebody for a shorter time", `SELECT DISTINCT building FROM brief ORDER BY building`)
}

// BriefSince returns from when on something of such tenancies may be stored that no run has erased, unix s; 0: there are none.
func BriefSince(q Querier) (since uint32, err error) {
	var first int64
	_, err = find(q, "read since when logs name somebody for a shorter time", []any{&first}, `SELECT COALESCE(MIN(at), 0) FROM brief`)
	if err != nil || first == 0 {
		return 0, err
	}
	last, err := State(q, stateBrief)
	return uint32(max(first, last)), err
}

// SetBriefRun keeps that a run has erased what was stored before a time, unix s.
func SetBriefRun(t *Tx, before uint32) { SetState(t, stateBrief, int64(before)) }
