package todo

import (
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/backup/keeper"
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
	if s.Problem != "" {
		list.add("backup_failed", "", "no backup of this gateway could be made: %s. The one before stays; it is tried again each hour", s.Problem)
	}
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
	return append(list, awayProblems(s, now.Wall)...)
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
