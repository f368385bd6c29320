package transparency

import (
	"cmp"
	"slices"

	"gatehouse/cmd/registryd/internal/answer"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
)

// siteCounts is what gateways of a town did, by their logs.
type siteCounts struct {
	answers, refused, preserved int // in sealed entries
	forgotten                   int // orders, each at each gateway once
}

// onSite is what gateways did on site, as far as it has come.
type onSite struct {
	towns map[api.Town]siteCounts
	keyed bool // the sealed entries were opened
	shut  int  // those that the key does not open
}

func (o *onSite) count(p api.Place, add func(*siteCounts)) {
	town := api.Town{District: p.District, Town: p.Town}
	n := o.towns[town]
	add(&n)
	o.towns[town] = n
}

// countOnSite counts what gateways did in a quarter, and adds the mandates that they answered to those of the registry. The
// key never leaves this process; without its file no sealed entry is opened.
func (s *Session) countOnSite(file string, q quarter, counts *api.Counts) (o onSite, err error) {
	o.towns = map[api.Town]siteCounts{}
	if err := s.countForgotten(q, &o); err != nil {
		return o, err
	}
	if file != "" {
		if err := s.countSealed(file, q, &o, counts); err != nil {
			return o, err
		}
	}
	for town := range o.towns {
		if !slices.ContainsFunc(counts.Towns, func(t api.TownCounts) bool { return t.Town == town }) {
			counts.Towns = append(counts.Towns, api.TownCounts{Town: town})
		}
	}
	slices.SortFunc(counts.Towns, func(a, b api.TownCounts) int {
		return cmp.Or(cmp.Compare(a.District, b.District), cmp.Compare(a.Town.Town, b.Town.Town))
	})
	return o, nil
}

// countSealed counts what is in sealed entries.
func (s *Session) countSealed(file string, q quarter, o *onSite, counts *api.Counts) error {
	records, err := answer.Keys(s.Ctx, s.Front, file)
	if err != nil {
		return err
	}
	o.keyed = true
	o.shut, err = answer.Sealed(s.Ctx, s.Front, records[0], api.EntryFilter{From: q.From, To: q.To}, func(e api.Entry, r sealed.Record) {
		o.count(e.Place, func(n *siteCounts) {
			switch r.What {
			case sealed.Answer:
				n.answers++
			case sealed.Refusal:
				n.refused++
			case sealed.Held:
				n.preserved++
			}
		})
		if r.What != sealed.Answer || len(r.Mandate) != len(wire.Hash{}) {
			return
		}
		if sum := wire.Hash(r.Mandate); !slices.Contains(counts.Mandates, sum) {
			counts.Mandates = append(counts.Mandates, sum)
		}
	})
	return err
}

// countForgotten counts the orders to forget that gateways have carried out. Their logs say so without a key.
func (s *Session) countForgotten(q quarter, o *onSite) (err error) {
	type order struct{ building, gateway, hash string }
	seen := map[order]bool{}
	f := api.EntryFilter{Kind: wire.KindSpace.String(), From: q.From, To: q.To, Limit: 10_000}
	for more := true; more && err == nil; more = f.After != "" {
		f.After, err = s.Front.Entries(s.Ctx, f, func(e api.Entry) error {
			this := order{e.Building, e.Gateway, string(e.Detail)}
			if e.Reason == wire.ReasonForget.String() && !seen[this] {
				seen[this] = true
				o.count(e.Place, func(n *siteCounts) { n.forgotten++ })
			}
			return nil
		})
	}
	return err
}
