package tenancy

import (
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/naming"
)

// Lookup finds a tenancy by id or the start of one, flat or label. An id finds one that
// is over too. The error is a Refusal.
func (l List) Lookup(text string, over func(*Tenancy) bool) (*Tenancy, error) {
	text = strings.TrimSpace(text)
	var found []*Tenancy
	past := ""
	for _, t := range l {
		byID := len(text) >= 4 && strings.HasPrefix(t.ID.String(), strings.ToLower(text))
		byWord := text != "" && (naming.Fold(t.Lease.Flat) == naming.Fold(text) || naming.Fold(t.Lease.Label) == naming.Fold(text))
		switch {
		case byID, byWord && !over(t):
			found = append(found, t)
		case byWord:
			past = t.ID.String()[:8]
		}
	}
	switch len(found) {
	case 0:
		if past != "" {
			return nil, Refuse("by its id it can still be shown: "+past, "the tenancy of %q is over", text)
		}
		return nil, Refuse("gatehouse tenancy list shows them", "no tenancy %q here", text)
	case 1:
		return found[0], nil
	}
	var words []string
	for _, t := range found {
		words = append(words, t.Word())
	}
	return nil, Refuse("name it by its id: "+strings.Join(words, ", "), "%q names %s", text, amount.Of(len(found), "tenancy"))
}
