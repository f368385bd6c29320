package keyring

import "gatehouse/sync/wire"

// A notice ends a tenancy at a date, and a date is the word of a clock that the
// landlord may have set. So it counts at the doors only when its days have passed
// on the machine's own clock as well, since this gateway made or heard of it.

// NoticeDays is how long a notice of the landlord alone runs in a house, in days.
func NoticeDays(h wire.House) int {
	if h.NoticeDays == 0 {
		return 3
	}
	return int(h.NoticeDays)
}

// age looks which notices are young, and reports whether that has changed. Callers
// hold mu.
func (k *Keyring) age() (changed bool) {
	r := k.registry.Load()
	if r == nil {
		return false
	}
	now, days := k.own(), int64(NoticeDays(r.House))*dayOfTime
	for _, h := range k.records {
		if h.Change.Op != wire.OpNotice {
			continue
		}
		young := h.kept != 0 && now-h.kept < days
		changed = changed || young != h.young
		h.young = young
	}
	return changed
}

// settleNotices takes all notices as of full age, and reports whether any was not.
func (k *Keyring) settleNotices() (were bool) {
	for _, h := range k.records {
		were, h.young = were || h.young, false
	}
	return were
}
