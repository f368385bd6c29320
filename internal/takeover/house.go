package takeover

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// House is the grants of a list, indexed by credential.
type House struct {
	keys   map[wire.ID]*heldKey
	byCard map[wire.CredentialID][]*heldKey
}

// heldKey is one grant of the list, with all forms of its card.
type heldKey struct {
	id    wire.ID
	label string
	doors []string
	lines []wire.Grant // one row for each form
}

// HouseOf reads the list in an editor; labels are by the grants' ids in hex.
func HouseOf(e *grantlist.Editor, labels map[string]string) House {
	h := House{map[wire.ID]*heldKey{}, map[wire.CredentialID][]*heldKey{}}
	for _, g := range e.Grants() {
		k := h.keys[g.ID]
		if k == nil {
			k = &heldKey{id: g.ID, label: labels[g.ID.String()], doors: slices.Sorted(slices.Values(e.DoorsOf(g)))}
			h.keys[g.ID] = k
		}
		k.lines = append(k.lines, g)
		h.byCard[g.Credential] = append(h.byCard[g.Credential], k)
	}
	return h
}

// name returns the grant's short id and its label, for messages.
func (k *heldKey) name() string {
	if k.label == "" {
		return k.id.String()[:8]
	}
	return k.id.String()[:8] + " (" + k.label + ")"
}

// state returns the state of the grant's first form.
func (k *heldKey) state() string { return k.lines[0].State.String() }

// has returns a form of the grant that is among ids and not revoked.
func (k *heldKey) has(ids []wire.CredentialID) (wire.CredentialID, bool) {
	for _, l := range k.lines {
		if l.State != wire.GrantRevoked && slices.Contains(ids, l.Credential) {
			return l.Credential, true
		}
	}
	return wire.CredentialID{}, false
}

// holders returns the grants that have one of the forms: live ones, and those in which it is
// revoked.
func (h House) holders(ids []wire.CredentialID) (live, ended []*heldKey) {
	for _, id := range ids {
		for _, k := range h.byCard[id] {
			if _, ok := k.has([]wire.CredentialID{id}); !ok {
				if !slices.Contains(ended, k) {
					ended = append(ended, k)
				}
			} else if !slices.Contains(live, k) {
				live = append(live, k)
			}
		}
	}
	return live, ended
}

// join adds to a grant those forms of its card that no grant has yet. kin are shorter forms of the
// same card, of which the grant may have one.
func (h House) join(e *grantlist.Editor, k *heldKey, ids, kin []wire.CredentialID) error {
	own, ok := k.has(slices.Concat(ids, kin))
	if !ok {
		return socket.Hinted("gatehouse grant list shows the keys", "key %s has no form of this card", k.name())
	}
	for _, id := range h.free(ids) {
		if err := e.Join(k.id, id, own); err != nil {
			return err
		}
	}
	return nil
}

// kin returns the grant of that flat which has one of the shorter forms, which no reader here
// sends.
func (h House) kin(kin []wire.CredentialID, label string) *heldKey {
	live, _ := h.holders(kin)
	for _, k := range live {
		if k.label != "" && sameFlat(k.label, label) {
			return k
		}
	}
	return nil
}

// free returns the forms that no live grant has.
func (h House) free(ids []wire.CredentialID) (out []wire.CredentialID) {
	for _, id := range ids {
		if live, _ := h.holders([]wire.CredentialID{id}); len(live) == 0 {
			out = append(out, id)
		}
	}
	return out
}

// Others returns the names of the other active grants of the same flat.
func (h House) Others(id wire.ID) []string {
	out := []string{}
	k := h.keys[id]
	if k == nil || k.label == "" {
		return out
	}
	for _, o := range h.keys {
		open := slices.ContainsFunc(o.lines, func(l wire.Grant) bool { return l.State == wire.GrantActive })
		if o.id != id && open && o.label != "" && sameFlat(o.label, k.label) {
			out = append(out, o.id.String()[:8]+" at "+strings.Join(o.doors, ", "))
		}
	}
	slices.Sort(out)
	return out
}

// sureBits is how many bits of a number two different cards hardly share by chance.
const sureBits = 32

// joins returns the grant that has the card in another form; nil for a card of nobody. It refuses a
// card of which a grant has all forms, a card of another flat (but for one that a door saw with
// sureBits of that grant's number), and a card of two grants.
func (h House) joins(g grantlist.NewGrant, card Shown) (*heldKey, error) {
	live, _ := h.holders(g.Credentials)
	if len(live) == 0 {
		return h.kin(card.Kin, g.Label), nil
	}
	k := live[0]
	if len(live) > 1 {
		return nil, socket.Hinted("end the one that is wrong: gatehouse grant end", "forms of this card have two keys: %s and %s", k.name(), live[1].name())
	}
	same := k.label != "" && sameFlat(k.label, g.Label)
	sure := card.Kept && card.holds(g.Credentials, k) >= sureBits
	switch {
	case !same && !sure && card.Kept && k.label != "":
		return nil, socket.Hinted(fmt.Sprintf("if it is the same card, give --label %q and it joins that key; if not, a reader here can't tell the two apart: use another card", k.label),
			"a form of this card has key %s already, which is %s", k.name(), k.state())
	case !same && !sure, len(h.free(g.Credentials)) == 0:
		return nil, socket.Hinted("it opens by that key; gatehouse grant card "+k.id.String()[:8]+" adds the form in which another reader sees it; for another flat use another card",
			"this card has key %s already, which is %s", k.name(), k.state())
	}
	return k, nil
}

// Shown is a card that is to get a grant.
type Shown struct {
	control.Card
	Kin  []wire.CredentialID
	Kept bool // a door saw it
}

// holds returns the most bits of the card's number in a form that the grant has.
func (c Shown) holds(ids []wire.CredentialID, k *heldKey) (most int) {
	for i, n := range c.Holds {
		if _, ok := k.has(ids[i : i+1]); ok {
			most = max(most, n)
		}
	}
	return most
}

// addDoors adds doors to a grant.
func (k *heldKey) addDoors(e *grantlist.Editor, doors []string) error {
	all := Union(k.doors, doors)
	if slices.Equal(all, k.doors) {
		return nil
	}
	n := k.terms()
	n.Doors, k.doors = all, all
	return e.Amend(k.id, n)
}

// Added is the answer to `grant add` and `adopt bind`.
type Added struct {
	Grant   string   `json:"grant"`
	Label   string   `json:"label"`
	Doors   []string `json:"doors"`
	Cards   int      `json:"credentials"`
	Missing []string `json:"missing"`          // doors of the grant whose readers do not know the card yet
	Joined  bool     `json:"joined,omitempty"` // the card had this grant already, in another form
	Version uint64   `json:"version"`
}

// Give adds a grant for a card, or adds the card's forms to the grant that has it already.
func Give(e *grantlist.Editor, h House, g grantlist.NewGrant, card Shown) (Added, error) {
	a := Added{Label: g.Label, Doors: g.Doors, Cards: len(g.Credentials), Missing: Among(card.Missing, g.Doors)}
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
		if err := key.addDoors(e, g.Doors); err != nil {
			return a, err
		}
	}
	a.Grant, a.Label, a.Doors, a.Missing, a.Joined = key.id.String(), key.label, key.doors, []string{}, true
	return a, nil
}

// Write writes in English what was added.
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
