package doctor

import (
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
)

// oldBackup is from which age on a backup, or a copy of it, is a finding.
const oldBackup = 7 * 24 * time.Hour

// backupCheck says what there is for the day on which the gateway burns: a code that was
// tried, a backup, and a copy of it that does not burn with the gateway.
func backupCheck(r control.Recovery, err error, now time.Time) check {
	k := check{Name: "backup", State: good, Why: "when this machine burns, with a copy elsewhere and the recovery code another one opens the same cards within minutes; without them every tenant comes in anew"}
	if err != nil {
		k.State, k.What, k.Do = unseen, err.Error(), asRoot
		return k
	}
	copied := r.Away != nil && !old(r.Away.Made, now) || r.Registry != nil && !old(r.Registry.Kept, now)
	var wrong, do []string
	for _, f := range append(codeFindings(r, now), copyFindings(r, copied)...) {
		wrong, do = append(wrong, f[0]), append(do, f[1])
	}
	if r.Made != nil {
		k.What = "of " + session.Local(*r.Made)
	}
	if copied {
		k.What += ", with a copy elsewhere"
	}
	if len(wrong) == 0 && !copied { // it may be on a phone or a stick that was taken away
		k.State, k.What, k.Do = unseen, k.What+"; whether a copy is elsewhere nobody sees from here", keepCopy
		return k
	}
	return outcome(k, wrong, k.What, strings.Join(do, "; "))
}

const keepCopy = "gatehouse backup /media/stick, and backup in the site file for each night"

// finding is what is wrong, and what to do.
type finding [2]string

func old(at *time.Time, now time.Time) bool { return at == nil || now.Sub(*at) > oldBackup }

func codeFindings(r control.Recovery, now time.Time) (list []finding) {
	switch {
	case r.Code == nil:
		return []finding{{"no recovery code, so no backup", "gatehouse recovery new"}}
	case r.Problem != "":
		list = append(list, finding{"the last one could not be made: " + r.Problem, "look after the disk; it is tried again each hour"})
	case old(r.Made, now):
		list = append(list, finding{"none within " + amount.Span(oldBackup), "gatehouse recovery show says why"})
	}
	if r.Proved == nil {
		list = append(list, finding{"the recovery code was never tried", "gatehouse recovery rehearse"})
	}
	return list
}

func copyFindings(r control.Recovery, copied bool) (list []finding) {
	if r.Code == nil {
		return nil
	}
	if r.Registry != nil && r.Registry.Problem != "" {
		list = append(list, finding{"the registry does not keep it: " + r.Registry.Problem, "gatehouse backup puts a copy on a stick meanwhile"})
	}
	if !copied && (r.Registry != nil || r.Away != nil) {
		list = append(list, finding{"no copy elsewhere within " + amount.Span(oldBackup), keepCopy})
	}
	return list
}
