package issuer

import (
	"fmt"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/issuer/operator"
)

// toDo says what waits for an operator, each line with the command for it. The caller
// holds mu.
func (i *Issuer) toDo(s operator.Status) (lines []string, err error) {
	lines = []string{}
	if i.full {
		lines = append(lines, fmt.Sprintf("the disk of %s is full: nothing that gateways send and operators order is taken in. Make room there; it goes on by itself", i.opts.Dir))
	}
	for _, id := range s.Held {
		b, err := i.building(i.db, id)
		if err != nil {
			return nil, err
		}
		if b == nil || b.held == nil {
			continue
		}
		gone := b.removed(*b.held)
		lines = append(lines, fmt.Sprintf("list %d of %s takes something from %s (%s) and waits for another issuer: registryd lists --building %s, then "+
			"registryd countersign %s --key second.key", b.held.manifest.Version, id, amount.Of(len(gone), "tenancy"), flatsText(b.flatsOf(gone)), id, id))
	}
	for _, b := range i.buildings {
		lines = append(lines, b.toDo()...)
	}
	offers, err := i.offers()
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

// toDo says what waits in one building, besides the list that is held.
func (b *building) toDo() (lines []string) {
	removes, gateways := b.asked()
	if len(gateways) > 0 && b.held == nil {
		lines = append(lines, fmt.Sprintf("%s of %s takes list %d only with another issuer's signature: by its own list it takes something from %s (%s): "+
			"registryd countersign %s --key second.key", strings.Join(gateways, ", "), b.id, b.list.manifest.Version, amount.Of(len(removes), "tenancy"), flatsText(b.flatsOf(removes)), b.id))
	}
	if b.keyNumber != 0 && b.escrowOf == "" {
		lines = append(lines, fmt.Sprintf("the copy of the building key of %s was lost with the database: without it a house that loses its last gateway swipes all cards again. "+
			"It comes back when one of its gateways enrols again: registryd gateway add --replace, then gatehouse enrol there", b.id))
	}
	if doubted := b.doubted(); len(doubted) > 0 {
		lines = append(lines, operator.Doubt(b.id, b.list.manifest.Version, doubted))
	}
	return lines
}

// flatsText names flats, the first ones.
func flatsText(flats []string) string {
	switch n := len(flats); {
	case n == 0:
		return "flats unknown"
	case n > 8:
		return "flats " + strings.Join(flats[:8], ", ") + fmt.Sprintf(" and %d more", n-8)
	}
	return "flats " + strings.Join(flats, ", ")
}
