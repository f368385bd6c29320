// Package report is what operators see of the ledger: tenancies, grants, lists, gateways, problems, and what waits for
// them, each line with the command for it. It changes nothing, and knows no name.
package report

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/issuer/adopt"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
)

// Status is how the registry's issuer is; linked says whether the front answered last time.
func Status(l *ledger.Ledger, linked bool) (operator.Status, error) {
	s := operator.Status{Registry: l.Keys.Place.Registry, Clock: l.Clock.Report().Advice(), Linked: linked, After: l.After(), Unsent: append([]string{}, l.Unsent()...)}
	err := l.View(func(v ledger.View) (err error) {
		if s.Remarks, err = store.Remarks(v); err != nil {
			return err
		}
		if s.Held, err = store.Held(v); err != nil {
			return err
		}
		if s.Lines, err = toDo(l, v, s); err != nil {
			return err
		}
		s.Buildings, s.Problems, err = store.Count(v)
		return err
	})
	return s, err
}

// toDo says what waits for an operator, each line with the command for it.
func toDo(l *ledger.Ledger, v ledger.View, s operator.Status) (lines []string, err error) {
	lines = []string{}
	if v.Full() {
		lines = append(lines, fmt.Sprintf("the disk of %s is full: nothing that gateways send and operators order is taken in. Make room there; it goes on by itself", l.Dir()))
	}
	for _, id := range s.Held {
		b, err := v.Building(id)
		if err != nil {
			return nil, err
		}
		if b == nil || b.Lists.Held == nil {
			continue
		}
		gone := b.Removed(b.Lists.Held)
		lines = append(lines, fmt.Sprintf("list %d of %s takes something from %s (%s) and waits for another issuer: registryd lists --building %s, then "+
			"registryd countersign %s --key second.key", b.Lists.Held.Manifest.Version, id, amount.Of(len(gone), "tenancy"), b.Tenancies.FlatsText(gone), id, id))
	}
	v.Known(func(b *building.Building) { lines = append(lines, waitsFor(b)...) })
	late, err := lateRequests(l, v)
	if err != nil {
		return nil, err
	}
	lines = append(lines, late...)
	brief, err := briefDue(l, v)
	if err != nil {
		return nil, err
	}
	lines = append(lines, brief...)
	offers, err := adopt.Offers(v, &l.Keys)
	if err != nil {
		return nil, err
	}
	if len(offers) > 0 {
		lines = append(lines, fmt.Sprintf("%s of gateways, lists or endings that no issuer trusted now has signed: registryd offers shows each, to take or drop it", amount.Of(len(offers), "offer")))
	}
	for _, r := range s.Remarks {
		text := r.Text
		if r.Building != "" {
			text = r.Building + ": " + text
		}
		lines = append(lines, text+" (registryd restored --done puts this away)")
	}
	return lines, nil
}

// lateRequests says how many requests of residents wait too long for an answer, and that nobody has looked for new ones.
func lateRequests(l *ledger.Ledger, v ledger.View) (lines []string, err error) {
	now := int64(l.Clock.Unix())
	before := max(0, now-int64(operator.AnswerWithin.Seconds()))
	n, err := store.LateRequests(v, uint32(before))
	if err != nil {
		return nil, err
	}
	const look = "registryd corrections --key records.key --case FILE"
	days := amount.Of(int(operator.AnswerWithin.Hours()/24), "day")
	if n > 0 {
		lines = append(lines, fmt.Sprintf("%s of residents to have something put right, read here, not answered and older than %s: %s shows them, and registryd corrections done NUMBER --case FILE closes one",
			amount.Of(n, "request"), days, look))
	}
	read, err := store.RequestsRead(v)
	if err != nil {
		return nil, err
	}
	buildings, _, err := store.Count(v)
	if last := max(read, int64(v.Since())); err == nil && buildings > 0 && last < before {
		lines = append(lines, fmt.Sprintf("for more than %s nobody has looked whether residents ask to have something put right, which only the records key opens: %s", days, look))
	}
	return lines, err
}

// briefDue says when the registry's own log still names somebody under 14 whose time is over: only who has the records key can find it.
func briefDue(l *ledger.Ledger, v ledger.View) ([]string, error) {
	since, err := store.BriefSince(v)
	now, sure := l.Clock.Agreed()
	due := time.Unix(int64(since), 0).AddDate(0, 0, 2*l.Keys.BriefDays())
	if err != nil || since == 0 || !sure || int64(now) < due.Unix() {
		return nil, err
	}
	return []string{fmt.Sprintf("whom the stored log names of those under 14 is to be erased, due since %s: registryd forget --under-14 --key records.key", calendar.Minute(due, calendar.Here()))}, nil
}

// waitsFor says what waits in one building, besides the list that is held.
func waitsFor(b *building.Building) (lines []string) {
	removes, gateways := b.Asked()
	if len(gateways) > 0 && b.Lists.Held == nil {
		lines = append(lines, fmt.Sprintf("%s of %s takes list %d only with another issuer's signature: by its own list it takes something from %s (%s): "+
			"registryd countersign %s --key second.key", strings.Join(gateways, ", "), b.ID, b.Lists.Newest.Manifest.Version, amount.Of(len(removes), "tenancy"), b.Tenancies.FlatsText(removes), b.ID))
	}
	if b.KeyNumber != 0 && b.EscrowOf == "" {
		lines = append(lines, fmt.Sprintf("the copy of the building key of %s was lost with the database: without it a house that loses its last gateway swipes all cards again. "+
			"It comes back when one of its gateways enrols again: registryd gateway add --replace, then gatehouse enrol there", b.ID))
	}
	if doubted := b.Doubted(); len(doubted) > 0 {
		lines = append(lines, operator.Doubt(b.ID, b.Lists.Newest.Manifest.Version, doubted))
	}
	return lines
}
