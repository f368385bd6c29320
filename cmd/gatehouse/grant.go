package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/keys"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

type grantCmd struct {
	Add     grantAddCmd     `cmd:"" help:"Give a key: then swipe the card, or name --printed and type its number."`
	End     grantEndCmd     `cmd:"" help:"End a key for good; its card is denied as revoked from now on."`
	Suspend grantSuspendCmd `cmd:"" help:"Stop a key for a while: a lost card."`
	Resume  grantResumeCmd  `cmd:"" help:"Bring a suspended key back."`
	Forget  grantForgetCmd  `cmd:"" help:"Take an ended key off the list; its card is denied as unknown from now on."`
	Card    grantCardCmd    `cmd:"" help:"Add a card to a key, or the form in which another reader sees the same card."`
	Pass    grantPassCmd    `cmd:"" help:"Print a pass for a key: a QR code's text that opens once, within minutes."`
	List    grantListCmd    `cmd:"" help:"List the keys."`
	Restore grantRestoreCmd `cmd:"" help:"Hand the keys to a gateway that lost them, from the copy beside the issuer's key."`
}

// signing is what every command needs that changes the list.
type signing struct {
	Key string `required:"" help:"The issuer's key file of gatehouse init." placeholder:"FILE"`
}

func (k signing) issuer(s *session) (issue.Issuer, error) {
	key, err := keys.LoadPrivateKey(k.Key)
	if err != nil {
		return issue.Issuer{}, hinted("--key names the file that gatehouse init wrote for this building, best on a stick", "%v", err)
	}
	return issue.Issuer{Client: s.client, Key: key}, nil
}

// edit changes the list and leaves a copy of it beside the key.
func (k signing) edit(s *session, issuer issue.Issuer, change func(*grantlist.Editor) error) (control.Grants, error) {
	g, err := issuer.Edit(s.ctx, change)
	if err == nil {
		k.keep(s, issuer)
	}
	return g, err
}

// copyPath is where the copy of the list lies.
func (k signing) copyPath() string { return k.Key + ".list" }

// keep leaves a copy. That it can't is a remark: the list is in force.
func (k signing) keep(s *session, issuer issue.Issuer) {
	if err := issuer.Keep(s.ctx, k.copyPath()); err != nil {
		fmt.Fprintf(s.err, "done, but no copy of the list could be kept beside the key: %v\n", err)
	}
}

type grantRestoreCmd struct{ signing }

func (c grantRestoreCmd) Run(s *session) error {
	issuer, err := c.issuer(s)
	if err != nil {
		return err
	}
	g, err := issuer.Restore(s.ctx, c.copyPath())
	if err != nil {
		return err
	}
	c.keep(s, issuer)
	return s.print(g, func(w io.Writer) {
		fmt.Fprintf(w, "in force again, since list %d: %s\n", g.Version, amount.Of(g.Count, "card form"))
	})
}

// terms are what a key is for.
type terms struct {
	Label string   `required:"" help:"Your own word for the flat; no names and no numbers of six digits." placeholder:"TEXT"`
	Door  []string `required:"" help:"A door that it opens; may be given again." placeholder:"ID"`
	Kind  string   `help:"resident, staff, visitor or brigade." enum:"resident,staff,visitor,brigade" default:"resident"`
	From  string   `help:"First day, as 2026-12-01, in the building's zone." placeholder:"DATE"`
	Until string   `help:"Last day, as 2027-11-30; without it, or as 9999-12-31, there is no end." placeholder:"DATE"`
}

var kinds = map[string]wire.GrantKind{"resident": wire.GrantResident, "staff": wire.GrantStaff,
	"visitor": wire.GrantVisitor, "brigade": wire.GrantBrigade}

func (t terms) grant(l control.List) (g grantlist.NewGrant, err error) {
	zone, err := time.LoadLocation(l.TimeZone)
	if err != nil {
		return g, fmt.Errorf("time zone of the building: %w", err)
	}
	label, err := naming.Label(t.Label) // before the card is held up
	if err != nil {
		return g, hinted("a word of your own for the flat, as 3B", "%v", err)
	}
	g = grantlist.NewGrant{Kind: kinds[t.Kind], Doors: slices.Clone(t.Door), Label: label}
	if g.Label == "" {
		return g, hinted("a word of your own for the flat, as 3B", "the label is empty")
	}
	slices.Sort(g.Doors)
	g.Doors = slices.Compact(g.Doors)
	for _, d := range t.Door {
		if !slices.Contains(l.Doors, d) {
			return g, hinted("doors of this gateway: "+strings.Join(l.Doors, ", "), "no door %q here", d)
		}
	}
	if g.From, err = calendar.First(t.From, zone); err != nil {
		return g, err
	}
	if g.Until, err = calendar.Last(t.Until, zone); err != nil {
		return g, err
	}
	if !g.Until.IsZero() && !g.From.Before(g.Until) {
		return g, hinted("--until is the last day on which the card opens", "the key would end before it begins")
	}
	if !g.Until.IsZero() && g.Until.Before(time.Now()) {
		return g, hinted("--until is the last day on which the card opens", "%s is in the past", t.Until)
	}
	if t.Kind == "visitor" && g.Until.IsZero() {
		return g, hinted("give --until", "a visitor's key needs an end")
	}
	return g, nil
}

type grantAddCmd struct {
	signing
	terms
	cardSource
}

// added is the answer of `grant add` and `adopt bind`.
type added struct {
	Grant   string   `json:"grant"`
	Label   string   `json:"label"`
	Doors   []string `json:"doors"`
	Cards   int      `json:"credentials"`
	Missing []string `json:"missing"`          // doors of it that do not read the card yet
	Joined  bool     `json:"joined,omitempty"` // the card had this key already, in another form
	Version uint64   `json:"version"`
}

func (c grantAddCmd) Run(s *session) error {
	return c.newKey(s, c.terms, false, func(g grantlist.NewGrant) (control.Card, error) { return c.card(s, g.Doors) })
}

// newKey gives a key for the card that show comes back with; kept: one that a door saw.
func (k signing) newKey(s *session, t terms, kept bool, show func(grantlist.NewGrant) (control.Card, error)) error {
	issuer, err := k.issuer(s)
	if err != nil {
		return err
	}
	l, err := s.client.List(s.ctx)
	if err != nil {
		return err
	}
	g, err := t.grant(l)
	if err != nil {
		return err
	}
	card, err := show(g)
	if err != nil {
		return err
	}
	if g.Credentials, err = credentials(card); err != nil {
		return err
	}
	shown := shownCard{Card: card, kept: kept}
	if shown.kin, err = parseAll(card.Kin); err != nil {
		return err
	}
	var a added
	done, err := k.edit(s, issuer, func(e *grantlist.Editor) error {
		a, err = give(e, houseOf(e, l.Labels), g, shown)
		return err
	})
	if err != nil {
		return err
	}
	a.Version = done.Version
	return s.print(a, func(w io.Writer) { a.write(w) })
}

// give adds a grant for a card, or the card's form to the key that it has.
func give(e *grantlist.Editor, h house, g grantlist.NewGrant, card shownCard) (added, error) {
	a := added{Label: g.Label, Doors: g.Doors, Cards: len(g.Credentials), Missing: among(card.Missing, g.Doors)}
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
	if err := h.join(e, key, g.Credentials, card.kin); err != nil {
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

func (a added) write(w io.Writer) {
	if a.Joined {
		fmt.Fprintf(w, "this is the card of key %s for %s in another form: it joined that key, which opens %s; kind and term stay\n", a.Grant[:8], a.Label, strings.Join(a.Doors, ", "))
		return
	}
	fmt.Fprintf(w, "key %s for %s opens %s\n", a.Grant[:8], a.Label, strings.Join(a.Doors, ", "))
	for _, d := range a.Missing {
		fmt.Fprintf(w, "but not %s yet: the reader there sees the card in another form; show it once: gatehouse grant card %s --reader %s --key ...\n", d, a.Grant[:8], d)
	}
}

// chosen names one grant.
type chosen struct {
	signing
	Grant string `arg:"" help:"Its id, or the first digits of it, or its label."`
}

// change finds the grant and lets act change it.
func (c chosen) change(s *session, done string, act func(*grantlist.Editor, wire.ID) error) error {
	issuer, err := c.issuer(s)
	if err != nil {
		return err
	}
	l, err := s.client.List(s.ctx)
	if err != nil {
		return err
	}
	var id wire.ID
	var others []string
	g, err := c.edit(s, issuer, func(e *grantlist.Editor) error {
		if id, err = find(e, l.Labels, c.Grant); err != nil {
			return err
		}
		others = houseOf(e, l.Labels).others(id)
		return act(e, id)
	})
	if err != nil {
		return err
	}
	out := struct {
		Grant   string   `json:"grant"`
		State   string   `json:"state"`
		Version uint64   `json:"version"`
		Others  []string `json:"others"` // keys of the same label that open
	}{id.String(), done, g.Version, others}
	return s.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "key %s is %s, in force since list %d\n", out.Grant[:8], done, g.Version)
		for _, o := range others {
			if stops := done == stateEnded || done == stateSuspended; stops {
				fmt.Fprintf(w, "but %s still opens by key %s: if that is the same card, gatehouse grant %s %s too\n", l.Labels[out.Grant], o, map[string]string{stateEnded: "end", stateSuspended: "suspend"}[done], o[:8])
			}
		}
	})
}

// What grant end and suspend make of a key.
const (
	stateEnded     = "ended"
	stateSuspended = "suspended"
)

// find returns the one grant that text names.
func find(e *grantlist.Editor, labels map[string]string, text string) (wire.ID, error) {
	found := map[wire.ID]bool{}
	for _, g := range e.Grants() {
		id := g.ID.String()
		if labels[id] == text || (len(text) >= 4 && strings.HasPrefix(id, strings.ToLower(text))) {
			found[g.ID] = true
		}
	}
	if len(found) > 1 {
		return wire.ID{}, hinted("name it by its id: gatehouse grant list", "%q names %s", text, amount.Of(len(found), "key"))
	}
	for id := range found {
		return id, nil
	}
	return wire.ID{}, hinted("gatehouse grant list shows them", "no key %q", text)
}

func (c grantCardCmd) Run(s *session) error {
	l, err := s.client.List(s.ctx)
	if err != nil {
		return err
	}
	card, err := c.card(s, nil)
	if err != nil {
		return err
	}
	ids, err := credentials(card)
	if err != nil {
		return err
	}
	return c.change(s, "active with this card too", func(e *grantlist.Editor, id wire.ID) error {
		have, err := free(e, ids, id, l.Labels)
		if err != nil {
			return err
		}
		for _, card := range ids {
			if slices.Contains(have, card) {
				continue
			}
			if err := e.Bind(id, card); err != nil {
				return err
			}
		}
		return nil
	})
}

type grantEndCmd struct{ chosen }

func (c grantEndCmd) Run(s *session) error {
	return c.change(s, stateEnded, func(e *grantlist.Editor, id wire.ID) error { return e.SetState(id, wire.GrantRevoked) })
}

type grantSuspendCmd struct{ chosen }

func (c grantSuspendCmd) Run(s *session) error {
	return c.change(s, stateSuspended, func(e *grantlist.Editor, id wire.ID) error { return e.SetState(id, wire.GrantSuspended) })
}

type grantResumeCmd struct{ chosen }

func (c grantResumeCmd) Run(s *session) error {
	return c.change(s, "active", func(e *grantlist.Editor, id wire.ID) error { return e.SetState(id, wire.GrantActive) })
}

type grantForgetCmd struct{ chosen }

func (c grantForgetCmd) Run(s *session) error {
	return c.change(s, "forgotten", func(e *grantlist.Editor, id wire.ID) error {
		for _, g := range e.Grants() {
			if g.ID == id && g.State != wire.GrantRevoked {
				return hinted("end it first: gatehouse grant end", "the key is %s", g.State)
			}
		}
		return e.End(id)
	})
}

type grantListCmd struct{}

func (grantListCmd) Run(s *session) error {
	keys, err := s.client.Keys(s.ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(keys, func(a, b control.Key) int { return strings.Compare(a.Label+a.Grant, b.Label+b.Grant) })
	return s.print(keys, func(w io.Writer) { writeRows(w, keys) })
}

func writeRows(w io.Writer, rows []control.Key) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no keys yet")
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tLABEL\tKIND\tSTATE\tDOORS\tFROM\tUNTIL\tFORMS")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", r.Grant[:8], r.Label, r.Kind, stateNow(r, time.Now()),
			strings.Join(r.Doors, " "), date(r.From, 0), date(r.Until, -1), r.Credentials)
	}
	_ = t.Flush()
}

// stateNow is the state in a landlord's words, with what the day makes of it.
func stateNow(k control.Key, now time.Time) string {
	switch {
	case k.State == "revoked":
		return "ended"
	case k.State == "active" && k.Until != nil && !now.Before(*k.Until):
		return "over"
	case k.State == "active" && k.From != nil && now.Before(*k.From):
		return "not yet"
	}
	return k.State
}

// date shows a day in the building's zone, in which the daemon sends it; an end is exclusive, and shown as the last day before it.
func date(t *time.Time, days int) string {
	if t == nil {
		return "-"
	}
	return t.AddDate(0, 0, days).Format(time.DateOnly)
}
