package issuer

import (
	"database/sql"
	"fmt"
	"gatehouse/internal/registry/issuer/fold"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// forBuildings calls f with one building, or with all in order of their ids.
func (i *Issuer) forBuildings(id string, f func(*building) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var ids []string
	err := each(i.db, func(rows *sql.Rows) error {
		var one string
		err := rows.Scan(&one)
		if id == "" || one == id {
			ids = append(ids, one)
		}
		return err
	}, `SELECT id FROM buildings ORDER BY id`)
	if err != nil {
		return err
	}
	if id != "" && len(ids) == 0 {
		return api.Hinted("registryd gateway list shows the buildings", "no building %q", id)
	}
	for _, one := range ids {
		b, err := i.building(i.db, one)
		if err != nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

func (i *Issuer) tenancies(id string) ([]operator.Tenancy, error) {
	out := []operator.Tenancy{}
	err := i.forBuildings(id, func(b *building) error {
		out = append(out, b.tenancies(i.now())...)
		return nil
	})
	return out, err
}

// tenancies are those of a building by flat, then by their beginning.
func (b *building) tenancies(now uint32) (out []operator.Tenancy) {
	byID := make(map[wire.ID]bool)
	for _, g := range b.grants {
		if g.Known {
			byID[g.Tenancy] = true
		}
	}
	odd := b.oddities(now)
	for id := range byID {
		out = append(out, b.tenancy(id, now, odd))
	}
	slices.SortFunc(out, func(a, o operator.Tenancy) int {
		if c := strings.Compare(a.Flat, o.Flat); c != 0 {
			return c
		}
		if c := a.Since.Compare(o.Since); c != 0 {
			return c
		}
		return strings.Compare(a.ID, o.ID)
	})
	return out
}

// weight orders states of grants: a tenancy has that of its liveliest.
var weight = map[string]int{fold.StateEnded: 0, fold.StateSuspended: 1, fold.StateNotBegun: 2, fold.StateActive: 2, fold.StateNotice: 3, fold.StateDisputed: 4}

func (b *building) tenancy(id wire.ID, now uint32, odd map[wire.ID][]string) operator.Tenancy {
	t := operator.Tenancy{ID: id.String(), Building: b.id, State: fold.StateEnded, Zone: b.zone}
	flat := fold.UnknownFlat
	for n, gid := range b.grantsOf(id) {
		g := b.grants[gid]
		c := g.CheckIn.Change
		if c.Flat != "" && c.Flat != fold.UnknownFlat {
			flat = c.Flat
		}
		state := g.State(now)
		if n == 0 || weight[state] > weight[t.State] {
			t.State, t.Flat, t.Kind, t.Document, t.Basis, t.Informed = state, c.Flat, c.Kind.String(), c.Document.String(), c.Basis.String(), c.Informed
			if g.CheckIn.ReadOff() {
				t.Document, t.Basis = "", "" // the list does not say
			}
			t.Until, t.Notice, t.Decided, t.Since = moment(g.Over()), moment(g.Notice), g.Decided, time.Unix(int64(max(c.From, c.At)), 0).UTC()
			switch {
			case g.Ended:
				t.Cause = g.End.Change.Cause.String()
			case state == fold.StateEnded:
				t.Cause = wire.CauseLeaseOver.String()
			}
		}
		if t.State == fold.StateActive && c.From > now {
			t.State = fold.StateNotBegun
		}
		t.Grants = append(t.Grants, gid.String())
		t.Problems = append(t.Problems, odd[gid]...)
	}
	if t.Flat == fold.UnknownFlat {
		t.Flat = flat // an earlier grant of it may say
	}
	return t
}

// moment is a time as JSON has it; nil for 0.
func moment(s uint32) *time.Time {
	if s == 0 {
		return nil
	}
	t := time.Unix(int64(s), 0).UTC()
	return &t
}

// oddities are what is odd about grants that are not over, by grant. The list
// names them all the same: a tenant may not stand outside because a flat was
// misspelt.
func (b *building) oddities(now uint32) map[wire.ID][]string {
	odd, user := make(map[wire.ID][]string), make(map[wire.CredentialID]wire.ID)
	ids := make([]wire.ID, 0, len(b.grants))
	for id := range b.grants {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, o wire.ID) int { return strings.Compare(a.String(), o.String()) })
	doors, listed := b.doors(), b.listed()
	for _, id := range ids {
		g := b.grants[id]
		odd[id] = append(odd[id], g.Problems...)
		if door := unknownDoor(g, doors); g.Known && !listed[id] && door != "" {
			odd[id] = append(odd[id], fmt.Sprintf("it is in no list: no gateway has said that it has door %q; "+
				"if the landlord has added it, the gateway enrols again: registryd gateway add --replace", door))
		}
		if !g.Known || g.State(now) == fold.StateEnded {
			continue
		}
		if flat := g.CheckIn.Change.Flat; len(b.flats) > 0 && flat != fold.UnknownFlat && !slices.Contains(b.flats, flat) {
			odd[id] = append(odd[id], fmt.Sprintf("flat %q is not one of the building's", flat))
		}
		if g.CheckIn.ReadOff() {
			odd[id] = append(odd[id], readOffText)
		}
		for _, card := range g.Cards {
			if other, there := user[card.ID]; there && other != g.Tenancy {
				odd[id] = append(odd[id], fmt.Sprintf("a card of it opens for tenancy %s too", other))
			}
			user[card.ID] = g.Tenancy
		}
	}
	return odd
}

// readOffText says what is missing of a grant that was learnt from a list.
const readOffText = "it is known from a list alone: flat, document and basis come with its record, if a gateway still has that; " +
	"gatehouse tenancy list at the building shows the flat"

func (i *Issuer) grants(id, tenancy string) ([]operator.Grant, error) {
	out := []operator.Grant{}
	err := i.forBuildings(id, func(b *building) error {
		now, listed := i.now(), b.listed()
		odd := b.oddities(now)
		for gid, g := range b.grants {
			if !g.Known || tenancy != "" && g.Tenancy.String() != strings.ToLower(tenancy) {
				continue
			}
			c := g.CheckIn.Change
			row := operator.Grant{ID: gid.String(), Zone: b.zone, Tenancy: g.Tenancy.String(), Building: b.id, State: g.State(now), Kind: c.Kind.String(),
				Doors: c.Doors, From: moment(c.From), Until: moment(g.Over()), Listed: listed[gid], Problems: odd[gid], Cards: []operator.Card{}}
			for _, card := range g.Cards {
				row.Cards = append(row.Cards, operator.Card{Credential: card.ID.String(), Suspended: card.Suspended, Unproven: card.Unproven})
			}
			out = append(out, row)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b operator.Grant) int {
		return strings.Compare(a.Building+a.Tenancy+a.ID, b.Building+b.Tenancy+b.ID)
	})
	return out, err
}

// problems are records that could not be taken in, those that wait for one
// before them, and what is odd about grants.
func (i *Issuer) problems(id string) ([]operator.Problem, error) {
	out := []operator.Problem{}
	err := i.forBuildings(id, func(b *building) error {
		for gid, texts := range b.oddities(i.now()) {
			g := b.grants[gid]
			for _, text := range texts {
				p := operator.Problem{Building: b.id, Grant: gid.String(), Text: text}
				if g.Known {
					p.Tenancy = g.Tenancy.String()
				}
				out = append(out, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b operator.Problem) int {
		return strings.Compare(a.Building+a.Grant+a.Text, b.Building+b.Grant+b.Text)
	})
	i.mu.Lock()
	defer i.mu.Unlock()
	err = each(i.db, func(rows *sql.Rows) error {
		var p operator.Problem
		var at, number int64
		err := rows.Scan(&at, &p.Building, &p.Gateway, &number, &p.Text)
		p.Time, p.Record = time.Unix(at, 0).UTC(), uint64(number)
		out = append(out, p)
		return err
	}, `SELECT at, building, gateway, number, text FROM problems WHERE ? IN ('', building) ORDER BY n`, id)
	if err != nil {
		return nil, err
	}
	err = each(i.db, func(rows *sql.Rows) error {
		var p operator.Problem
		var number int64
		err := rows.Scan(&p.Building, &p.Gateway, &number)
		p.Record, p.Text = uint64(number), "it waits for a record before it"
		out = append(out, p)
		return err
	}, `SELECT building, gateway, number FROM waiting WHERE ? IN ('', building)`, id)
	return out, err
}

func (i *Issuer) gateways(id string) ([]operator.Gateway, error) {
	out := []operator.Gateway{}
	err := i.forBuildings(id, func(b *building) error {
		return each(i.db, func(rows *sql.Rows) error {
			var name string
			var expires, enrolled int64
			var used bool
			var until sql.NullInt64
			if err := rows.Scan(&name, &expires, &used, &enrolled, &until); err != nil {
				return err
			}
			g := operator.Gateway{Place: api.Place(b.place(name)), Doors: []string{}, Proved: b.applied[name]}
			if member := b.house.Gateway(name); member != nil {
				g.Enrolled, g.Doors = moment(uint32(enrolled)), append(g.Doors, member.Doors...)
			}
			if until.Valid {
				g.Certificate = moment(uint32(until.Int64))
			}
			if !used && expires > int64(i.now()) {
				g.Token = moment(uint32(expires))
			}
			out = append(out, g)
			return nil
		}, `SELECT id, expires, used_by IS NOT NULL, enrolled,
			(SELECT max(until) FROM certificates c WHERE c.building = g.building AND c.gateway = g.id)
			FROM gateways g WHERE building = ? ORDER BY id`, b.id)
	})
	return out, err
}

func (i *Issuer) lists(id string) ([]operator.List, error) {
	out := []operator.List{}
	err := i.forBuildings(id, func(b *building) error {
		if b.list.manifest.Version > 0 {
			l := b.list.view(b.id, !i.unsent[b.id])
			removes, gateways := b.asked()
			l.Doubted = b.doubted()
			if id != "" { // who signs names the building; it is some kilobytes
				l.Trust = i.keys.TrustEnvelope
			}
			if l.Asked = gateways; len(gateways) > 0 && b.held == nil {
				b.showRemoved(&l, removes)
			}
			out = append(out, l)
		}
		if b.held == nil {
			return nil
		}
		l := b.held.view(b.id, false)
		l.Held, l.Trust = true, i.keys.TrustEnvelope
		b.showRemoved(&l, b.removed(*b.held))
		out = append(out, l)
		return nil
	})
	return out, err
}

// showRemoved names the tenancies that lose something, and their flats.
func (b *building) showRemoved(l *operator.List, tenancies []wire.ID) {
	for _, tenancy := range tenancies {
		l.Removes = append(l.Removes, tenancy.String())
	}
	slices.Sort(l.Removes)
	l.Flats = b.flatsOf(tenancies)
}

func (l signedList) view(id string, sent bool) operator.List {
	out := operator.List{Building: id, Version: l.manifest.Version, Hash: l.hash[:], Sent: sent, Records: len(l.grants),
		Issued: time.Unix(int64(l.manifest.Issued), 0).UTC()}
	if l.old.envelope != nil {
		out.Old = l.old.hash[:]
	}
	return out
}

func (i *Issuer) status() (operator.Status, error) {
	s := operator.Status{Registry: i.keys.Place.Registry, Clock: i.clock.Report().Advice(), Unsent: []string{}, Held: []string{}}
	i.mu.Lock()
	defer i.mu.Unlock()
	s.After, s.Linked = i.after, i.linked
	for id := range i.unsent {
		s.Unsent = append(s.Unsent, id)
	}
	slices.Sort(s.Unsent)
	var failed error
	if s.Remarks, failed = i.remarks(); failed != nil {
		return s, failed
	}
	err := each(i.db, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		s.Held = append(s.Held, id)
		return err
	}, `SELECT building FROM lists WHERE held = 1 ORDER BY building`)
	if err == nil {
		s.Lines, err = i.toDo(s)
	}
	if err == nil {
		err = i.db.QueryRow(`SELECT (SELECT count(*) FROM buildings), (SELECT count(*) FROM problems) + (SELECT count(*) FROM waiting)`).
			Scan(&s.Buildings, &s.Problems)
	}
	return s, err
}

func (i *Issuer) escrow(id string) (e operator.Escrow, err error) {
	err = i.forBuildings(id, func(b *building) error {
		e.Number, e.Address = int(b.keyNumber), b.place(b.escrowOf).Address()
		return i.db.QueryRow(`SELECT escrow FROM buildings WHERE id = ?`, b.id).Scan(&e.Sealed)
	})
	if err == nil && len(e.Sealed) == 0 {
		err = api.Hinted("its first gateway makes it when it enrols", "building %s has no key yet", id)
	}
	return e, err
}

func (i *Issuer) audits() ([]operator.Audit, error) {
	out := []operator.Audit{}
	i.mu.Lock()
	defer i.mu.Unlock()
	err := each(i.db, func(rows *sql.Rows) error {
		var a operator.Audit
		var at int64
		err := rows.Scan(&at, &a.Who, &a.What, &a.Building, &a.Subject, &a.Reason)
		a.Time = time.Unix(at, 0).UTC()
		out = append(out, a)
		return err
	}, `SELECT at, who, what, building, subject, reason FROM audit ORDER BY n DESC LIMIT 1000`)
	return out, err
}
