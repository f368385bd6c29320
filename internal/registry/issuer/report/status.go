// Package report is what operators see of the ledger: tenancies, grants, lists, gateways, problems, and what waits for
// them, each line with the command for it. It changes nothing, and knows no name.
package report

import (
	"fmt"
	"strings"

	"gatehouse/internal/amount"
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
