package todo

import (
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/backup/offsite"
	"gatehouse/internal/gateway"
)

// backupOld is the time without a good backup after which somebody is told.
const backupOld = 7 * 24 * time.Hour

// backupProblems returns the problems of the backups of a house that has a recovery code.
func backupProblems(g *gateway.Gateway) (list toDo) {
	if g.Backup == nil {
		return nil
	}
	s := g.Backup.Status()
	list = failedBackup(s)
	if s.Code.IsZero() {
		return list
	}
	now := g.Clock.Read()
	if age := now.Wall.Sub(s.Made); now.Trusted && !s.Made.IsZero() && age > backupOld {
		list.add("backup_old", "", "the newest backup of this gateway is %s old: see what gatehouse recovery show says", amount.Span(age))
	}
	if s.Proved.IsZero() {
		list.add("recovery_untried", "", "the recovery code was never tried: gatehouse recovery rehearse shows that what stands on paper opens the backup")
	}
	list = append(list, awayProblems(s, now.Wall)...)
	if g.Central != nil && g.Central.Offsite != nil {
		list = append(list, offsiteProblems(s, g.Central.Offsite.Status(), now.Wall)...)
	}
	return list
}

// failedBackup says that no backup could be made, and whether there is one nonetheless. It is tried
// again by itself only where there is a code.
func failedBackup(s keeper.Status) (list toDo) {
	again := choose(s.Code.IsZero(), "", "; it is tried again each hour")
	problem := strings.ReplaceAll(s.Problem, "\n", "; ")
	switch {
	case problem == "":
	case s.Made.IsZero():
		list.add("backup_none", "", "no backup of this gateway could be made: %s. There is none that its recovery code opens"+again, problem)
	default:
		list.add("backup_failed", "", "no backup of this gateway could be made: %s. The one before stays"+again, problem)
	}
	return list
}

// offsiteWithin is how long after a code was made the registry has a backup, if nothing is
// wrong.
const offsiteWithin = 2 * 24 * time.Hour

// offsiteProblems say that the registry has no backup, or has not said for long that it has
// one. One that is too old to keep any is its operator's business: recovery show tells it.
func offsiteProblems(s keeper.Status, at offsite.Status, now time.Time) (list toDo) {
	why := choose(at.Problem == "", "", ": "+at.Problem)
	switch age := now.Sub(at.Kept); {
	case at.Old || s.Made.IsZero():
	case at.Kept.IsZero() && now.Sub(s.Code) > offsiteWithin:
		list.add("backup_registry_none", "", "the registry has no backup of this gateway%s. Keep a copy on a stick (gatehouse backup), and see to the way to the registry", why)
	case !at.Kept.IsZero() && age > backupOld:
		list.add("backup_registry_old", "", "the registry has not said for %s that it has this gateway's backup%s. Keep a copy on a stick (gatehouse backup), and see to the way to the registry", amount.Span(age), why)
	}
	return list
}

// awayProblems returns problems of the copy in another directory: it is old, or was never made.
func awayProblems(s keeper.Status, now time.Time) (list toDo) {
	switch age := now.Sub(s.Away.Made); {
	case s.Away.Dir == "" || s.Made.IsZero():
	case s.Away.Made.IsZero() && s.Away.Problem != "":
		list.add("backup_away_none", "", "no copy of the backup is in %s: %s. Plug the stick in, or let the daemon write there (docs/restore.md)", s.Away.Dir, s.Away.Problem)
	case !s.Away.Made.IsZero() && age > backupOld:
		list.add("backup_away_old", "", "the copy of the backup in %s is %s old: plug the stick in%s", s.Away.Dir, amount.Span(age), choose(s.Away.Problem == "", "", " ("+s.Away.Problem+")"))
	}
	return list
}
