package access

import "gatehouse/sync/wire"

// DecideTenancy answers for a tenancy what Decide answers for a credential: it
// weighs every record of the tenancy, by the same checks and the same order of
// nearness, and one that opens is enough. A tenancy in no record is unknown. The
// query's Credential does not count. It allocates nothing, and reads every record
// of the snapshot until one opens, 64 bytes each: a QR pass costs a signature as
// well, so an index would save nothing that anybody notices.
func DecideTenancy(g *Grants, tenancy wire.ID, q Query) Decision {
	if g == nil {
		return Decision{Reason: wire.ReasonNotReady}
	}
	best := Decision{Reason: g.unknown}
	door, known := g.doors[q.Door]
	if !known {
		door = -1
	}
	for _, b := range g.buckets {
		records := b.Records()
		for i := range records {
			r := &records[i]
			if r.Tenancy != tenancy {
				continue
			}
			reason := g.judge(r, door, q)
			if nearness(reason) > nearness(best.Reason) {
				best = decided(r, reason, q.Time)
			}
			if reason == wire.ReasonGranted {
				return best
			}
		}
	}
	return best
}
