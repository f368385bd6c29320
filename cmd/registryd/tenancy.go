package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/operator"
)

type tenanciesCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Problems bool   `help:"Show records that could not be taken in, and what is odd."`
}

// Run lists tenancies; nobody's name.
func (c tenanciesCmd) Run(s *session) error {
	if c.Problems {
		return c.problems(s)
	}
	all, err := s.issuer.Tenancies(s.ctx, c.Building)
	if err != nil {
		return err
	}
	s.fillZones(tenancyDays(all))
	return s.print(all, func(w io.Writer) { writeTenancies(w, all) })
}

func writeTenancies(w io.Writer, all []operator.Tenancy) {
	rows := table(w, "TENANCY", "BUILDING", "FLAT", "STATE", "FIRST DAY", "LAST DAY"+zonesOf(tenancyDays(all)), "CAUSE", "DOCUMENT", "")
	for _, t := range all {
		zone := zoneNamed(t.Zone)
		rows.row(t.ID, t.Building, t.Flat, stateShown(t.State)+decisionShown(t), t.Since.In(zone).Format(time.DateOnly), calendar.LastDay(t.Until, zone), t.Cause, t.Document,
			choose(len(t.Problems) > 0, "see --problems", ""))
	}
	rows.end("none")
}

// stateShown is a state as people read it.
func stateShown(state string) string { return strings.ReplaceAll(state, "_", " ") }

// decisionShown is what was decided on the newest notice, as the desk says it too.
func decisionShown(t operator.Tenancy) string {
	switch t.Decided {
	case "upheld":
		return " (upheld)"
	case "rejected":
		return " (notice rejected)"
	}
	return ""
}

func (c tenanciesCmd) problems(s *session) error {
	all, err := s.issuer.Problems(s.ctx, c.Building)
	if err != nil {
		return err
	}
	return s.print(all, func(w io.Writer) {
		rows := table(w, "BUILDING", "GATEWAY", "RECORD", "TENANCY", "PROBLEM")
		for _, p := range all {
			record := ""
			if p.Record > 0 {
				record = fmt.Sprint(p.Record)
			}
			rows.row(p.Building, p.Gateway, record, p.Tenancy, p.Text)
		}
		rows.end("none")
	})
}

// days are those of a row: of a building, in its time zone, which may not be known yet.
type days struct {
	building string
	zone     *string
}

func tenancyDays(all []operator.Tenancy) (of []days) {
	for i := range all {
		of = append(of, days{all[i].Building, &all[i].Zone})
	}
	return of
}

func grantDays(all []operator.Grant) (of []days) {
	for i := range all {
		of = append(of, days{all[i].Building, &all[i].Zone})
	}
	return of
}

// zonesOf names the time zone of some days.
func zonesOf(all []days) string {
	for _, d := range all {
		if *d.zone != *all[0].zone {
			return " (of each building)"
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + zoneNamed(*all[0].zone).String() + ")"
}

// fillZones asks the front for the zones that the issuer has not heard of yet: it
// asks only once a minute. Where the front does not answer they stay unknown.
func (s *session) fillZones(all []days) {
	zones := map[string]string{}
	for _, d := range all {
		if *d.zone != "" {
			continue
		}
		if _, asked := zones[d.building]; !asked {
			gateways, _ := s.front.Gateways(s.ctx, d.building)
			zone := ""
			for _, g := range gateways {
				zone = max(zone, g.Zone)
			}
			zones[d.building] = zone
		}
		*d.zone = zones[d.building]
	}
}

// zoneNamed is a building's time zone, as its gateways say; this machine's where
// they have not said.
func zoneNamed(name string) *time.Location {
	if zone, err := time.LoadLocation(name); err == nil && name != "" {
		return zone
	}
	return calendar.Here()
}

// zoneOf is the time zone of a tenancy's building.
func (s *session) zoneOf(tenancy string) (*time.Location, error) {
	tenancy, err := s.tenancyID(tenancy)
	if err != nil {
		return nil, err
	}
	all, err := s.issuer.Tenancies(s.ctx, "")
	s.fillZones(tenancyDays(all))
	for _, t := range all {
		if t.ID == tenancy {
			return zoneNamed(t.Zone), err
		}
	}
	return calendar.Here(), err
}

type grantsCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Tenancy  string `help:"Only of this tenancy." placeholder:"ID"`
}

// Run lists grants.
func (c grantsCmd) Run(s *session) error {
	tenancy, err := s.tenancyID(c.Tenancy)
	if err != nil {
		return err
	}
	all, err := s.issuer.Grants(s.ctx, c.Building, tenancy)
	if err != nil {
		return err
	}
	s.fillZones(grantDays(all))
	return s.print(all, func(w io.Writer) {
		rows := table(w, "GRANT", "TENANCY", "BUILDING", "STATE", "LAST DAY"+zonesOf(grantDays(all)), "CARD IDS", "DOORS", "")
		for _, g := range all {
			rows.row(g.ID, g.Tenancy, g.Building, stateShown(g.State), calendar.LastDay(g.Until, zoneNamed(g.Zone)), cardsShown(g.Cards), strings.Join(g.Doors, " "), choose(g.Listed, "", "off the list"))
		}
		rows.end("none")
	})
}

// cardsShown counts the ids of a grant's cards, one for each form in which readers see
// a card, and of those the ones that do not open or prove nothing.
func cardsShown(cards []operator.Card) string {
	suspended, unproven := 0, 0
	for _, card := range cards {
		if card.Suspended {
			suspended++
		}
		if card.Unproven {
			unproven++
		}
	}
	text := fmt.Sprint(len(cards))
	if suspended > 0 {
		text += fmt.Sprintf(", %d suspended", suspended)
	}
	if unproven > 0 {
		text += fmt.Sprintf(", %d to be confirmed", unproven)
	}
	return text
}

// subject is what an act is on.
type subject struct {
	Grant   string `arg:"" optional:"" help:"Id of a grant, or the first digits of it."`
	Tenancy string `help:"All grants of this tenancy instead." placeholder:"ID"`
}

// act carries an act out and tells what came of it.
func act(s *session, a operator.Act) (err error) {
	if a.Grant, err = s.grantID(a.Grant); err != nil {
		return err
	}
	if a.Tenancy, err = s.tenancyID(a.Tenancy); err != nil {
		return err
	}
	d, err := s.issuer.Do(s.ctx, a)
	if err != nil {
		return err
	}
	return s.print(d, func(w io.Writer) {
		fmt.Fprintf(w, "%s of building %s; list %d\n", amount.Of(d.Grants, "grant"), d.Building, d.Version)
		for _, id := range d.New {
			fmt.Fprintf(w, "new grant %s\n", id)
		}
		if !d.Sent {
			fmt.Fprintln(w, d.Hint)
			return
		}
		fmt.Fprintln(w, "handed to the front, which sends it to the gateways now")
		tellTaken(s, w, d)
	})
}

// tellWait is how long a command waits for what the gateways say of a list.
const tellWait = 4 * time.Second

// tellTaken says what the building's gateways have said of the list, as far as they do
// so at once.
func tellTaken(s *session, w io.Writer, d operator.Done) {
	var all []api.Gateway
	for end := time.Now().Add(tellWait); time.Now().Before(end) && s.ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		var err error
		if all, err = s.front.Gateways(s.ctx, d.Building); err != nil {
			return // the list is on its way all the same
		}
		if !slices.ContainsFunc(all, func(g api.Gateway) bool { return g.Online && g.Applied < d.Version && g.Refuses == "" }) {
			break
		}
	}
	for _, g := range all {
		switch {
		case !g.Member:
		case g.Applied >= d.Version:
			fmt.Fprintf(w, "%s has it in force\n", g.Gateway)
		case g.Refuses != "":
			fmt.Fprintf(w, "%s DOES NOT TAKE IT WHOLE (%s): registryd status says what to do\n", g.Gateway, g.Refuses)
		case g.Online:
			fmt.Fprintf(w, "%s has not proved it yet; registryd gateways shows when\n", g.Gateway)
		default:
			fmt.Fprintf(w, "%s is offline, and gets it when it is back\n", g.Gateway)
		}
	}
}

type revokeCmd struct {
	subject
	Reason string `help:"moved_out, lease_over, agreed, never_came, died, order or mistake." default:"order"`
}

// Run ends a grant for good.
func (c revokeCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActEnd, Grant: c.Grant, Tenancy: c.Tenancy, Reason: c.Reason})
}

type endCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Reason  string `required:"" help:"moved_out, lease_over, agreed, never_came, died, order or mistake."`
}

// Run ends a tenancy for good.
func (c endCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActEnd, Tenancy: c.Tenancy, Reason: c.Reason})
}

type suspendCmd struct {
	subject
	Card   string `help:"Only this card: one of its ids, as registryd grants --json shows them." placeholder:"ID"`
	Reason string `required:"" help:"lost, stolen or order."`
}

// Run suspends cards.
func (c suspendCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActSuspend, Grant: c.Grant, Tenancy: c.Tenancy, Credential: c.Card, Reason: c.Reason})
}

type resumeCmd struct {
	subject
	Card   string `help:"Only this card: one of its ids." placeholder:"ID"`
	Reason string `required:"" help:"found, order or mistake."`
}

// Run brings cards back.
func (c resumeCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActResume, Grant: c.Grant, Tenancy: c.Tenancy, Credential: c.Card, Reason: c.Reason})
}

type confirmCardCmd struct {
	subject
	Card   string `required:"" help:"The card: one of its ids, as registryd grants --json shows them." placeholder:"ID"`
	Reason string `required:"" help:"heard (the tenant was), or order."`
}

// Run confirms a card that the landlord gave.
func (c confirmCardCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActConfirm, Grant: c.Grant, Tenancy: c.Tenancy, Credential: c.Card, Reason: c.Reason})
}

type disputeCmd struct {
	Settle settleCmd `cmd:"" help:"Decide on a disputed notice."`
}

type settleCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Uphold  string `help:"The notice is right: the last day, as 2026-12-31, in the building's time zone." placeholder:"DATE" xor:"way" required:""`
	Reject  bool   `help:"The notice is not: the tenancy goes on." xor:"way" required:""`
	Reason  string `help:"heard, order or agreed." default:"heard"`
}

// Run settles a dispute.
func (c settleCmd) Run(s *session) error {
	a := operator.Act{Act: operator.ActReject, Tenancy: c.Tenancy, Reason: c.Reason}
	if c.Uphold != "" {
		zone, err := s.zoneOf(c.Tenancy)
		if err != nil {
			return err
		}
		end, err := calendar.Last(c.Uphold, zone)
		if err != nil {
			return err
		}
		if end.IsZero() {
			return hinted("--reject lets it go on", "a notice that is upheld needs a last day")
		}
		a.Act, a.Until = operator.ActUphold, end
	}
	return act(s, a)
}

type listsCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
}

// Run shows the newest lists, and those that wait for a second signature.
func (c listsCmd) Run(s *session) error {
	all, err := s.issuer.Lists(s.ctx, c.Building)
	if err != nil {
		return err
	}
	return s.print(all, func(w io.Writer) {
		rows := table(w, "BUILDING", "LIST", "ISSUED", "CARD IDS", "STATE")
		for _, l := range all {
			rows.row(l.Building, fmt.Sprint(l.Version), clock(&l.Issued), fmt.Sprint(l.Records), listStanding(l))
		}
		rows.end("none")
		for _, l := range all {
			if len(l.Removes) > 0 {
				fmt.Fprintf(w, "list %d of %s takes from flats %s; tenancies %s: registryd countersign %s --key second.key\n", l.Version, l.Building,
					strings.Join(l.Flats, ", "), strings.Join(l.Removes, ", "), l.Building)
			}
			if len(l.Doubted) > 0 {
				fmt.Fprintln(w, operator.Doubt(l.Building, l.Version, l.Doubted))
			}
		}
	})
}

// listStanding says how far a list got.
func listStanding(l operator.List) string {
	switch {
	case len(l.Doubted) > 0:
		return strings.Join(l.Doubted, ", ") + " takes it only with a second signature; this registry counts less"
	case len(l.Asked) > 0:
		return strings.Join(l.Asked, ", ") + " takes it only with a second signature: it takes something from " + amount.Of(len(l.Removes), "tenancy")
	case l.Held:
		return "waits for a second signature: it takes something from " + amount.Of(len(l.Removes), "tenancy")
	case l.Sent:
		return "handed to the front"
	}
	return "not handed to the front yet"
}

type countersignCmd struct {
	Building string `arg:"" help:"Id of the building."`
	Key      string `required:"" help:"Another issuer's key: second.key, on its stick." placeholder:"FILE"`
	Root     string `help:"The root's public key; if not given, root.pub beside --key." placeholder:"FILE"`
	Newest   bool   `help:"Also where this registry's own count asks for no second signature, but a gateway does: after a database was put back."`
}

// Run signs a list that ends many tenancies as its second issuer.
func (c countersignCmd) Run(s *session) error {
	if c.Root == "" {
		c.Root = filepath.Join(filepath.Dir(c.Key), api.FileRoot)
	}
	st, err := s.issuer.Status(s.ctx)
	if err != nil {
		return err
	}
	all, err := s.issuer.Lists(s.ctx, c.Building)
	if err != nil {
		return err
	}
	l, err := c.choose(all)
	if err != nil {
		return err
	}
	second, err := issuer.Countersign(l, c.Root, st.Registry, c.Key)
	if err != nil {
		return err
	}
	second.Newest = c.Newest
	d, err := s.issuer.Countersign(s.ctx, second)
	if err != nil {
		return err
	}
	return s.print(d, func(w io.Writer) {
		takes := ""
		if len(l.Removes) > 0 {
			takes = ", which takes something from " + amount.Of(len(l.Removes), "tenancy") + ","
		}
		fmt.Fprintf(w, "list %d of %s%s is %s\n", d.Version, d.Building, takes, choose(d.Sent, "handed to the front", "signed; "+d.Hint))
	})
}

// choose is the list that waits here, or else the one that gateways wait with, or else,
// if that was asked for, the newest one.
func (c countersignCmd) choose(all []operator.List) (operator.List, error) {
	if n := slices.IndexFunc(all, func(l operator.List) bool { return l.Held }); n >= 0 {
		return all[n], nil
	}
	if n := slices.IndexFunc(all, func(l operator.List) bool { return len(l.Asked) > 0 }); n >= 0 {
		return all[n], nil
	}
	for _, l := range all {
		switch {
		case c.Newest:
			return l, nil
		case len(l.Doubted) > 0:
			return l, hinted("if you mean it: "+operator.Doubt(l.Building, l.Version, l.Doubted), "no list of %s waits for a second signature by this registry's own count", c.Building)
		}
	}
	return operator.List{}, hinted("registryd lists shows what waits", "no list of %s waits for a second signature", c.Building)
}
