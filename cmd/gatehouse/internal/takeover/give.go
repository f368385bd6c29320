package takeover

import (
	"fmt"
	"io"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/grantlist"
)

// Added is the answer of `grant add` and `adopt bind`.
type Added struct {
	Grant   string   `json:"grant"`
	Label   string   `json:"label"`
	Doors   []string `json:"doors"`
	Cards   int      `json:"credentials"`
	Missing []string `json:"missing"`          // doors of it that do not read the card yet
	Joined  bool     `json:"joined,omitempty"` // the card had this key already, in another form
	Version uint64   `json:"version"`
}

// Give adds a grant for a card, or the card's form to the key that it has.
func Give(e *grantlist.Editor, h House, g grantlist.NewGrant, card Shown) (Added, error) {
	a := Added{Label: g.Label, Doors: g.Doors, Cards: len(g.Credentials), Missing: session.Among(card.Missing, g.Doors)}
	key, err := h.joins(g, card)
	if err != nil {
		return a, err
	}
	if key == nil {
		id, err := e.Add(g)
		a.Grant = id.String()
		return a, err
	}
	a.Cards = len(key.lines) + len(h.free(g.Credentials))
	if err := h.join(e, key, g.Credentials, card.Kin); err != nil {
		return a, err
	}
	if sameFlat(key.label, g.Label) {
		if err := key.widen(e, g.Doors); err != nil {
			return a, err
		}
	}
	a.Grant, a.Label, a.Doors, a.Missing, a.Joined = key.id.String(), key.label, key.doors, []string{}, true
	return a, nil
}

// Write says in words what was added.
func (a Added) Write(w io.Writer) {
	if a.Joined {
		fmt.Fprintf(w, "this is the card of key %s for %s in another form: it joined that key, which opens %s; kind and term stay\n", a.Grant[:8], a.Label, strings.Join(a.Doors, ", "))
		return
	}
	fmt.Fprintf(w, "key %s for %s opens %s\n", a.Grant[:8], a.Label, strings.Join(a.Doors, ", "))
	for _, d := range a.Missing {
		fmt.Fprintf(w, "but not %s yet: the reader there sees the card in another form; show it once: gatehouse grant card %s --reader %s --key ...\n", d, a.Grant[:8], d)
	}
}
