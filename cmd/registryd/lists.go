package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

type listsCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
}

// Run shows the newest lists, and those that wait for a second signature.
func (c listsCmd) Run(s *session) error {
	all, err := s.issuer.Lists(s.ctx, c.Building)
	return s.Print(all, err, func(w io.Writer) {
		writeTable(w, all, "none", []string{"BUILDING", "LIST", "ISSUED", "CARD IDS", "STATE"}, func(l operator.List) []string {
			return []string{l.Building, fmt.Sprint(l.Version), clock(&l.Issued), fmt.Sprint(l.Records), listStanding(l)}
		})
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
	secondKey
	Newest bool `help:"Also where this registry's own count asks for no second signature, but a gateway does: after a database was put back."`
}

// Run signs a list that ends many tenancies as its second issuer.
func (c countersignCmd) Run(s *session) error {
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
	second, err := operator.SignList(l, c.root(), st.Registry, c.Key)
	if err != nil {
		return err
	}
	second.Newest = c.Newest
	d, err := s.issuer.Countersign(s.ctx, second)
	return s.Print(d, err, func(w io.Writer) {
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
			return l, socket.Hinted("if you mean it: "+operator.Doubt(l.Building, l.Version, l.Doubted), "no list of %s waits for a second signature by this registry's own count", c.Building)
		}
	}
	return operator.List{}, socket.Hinted("registryd lists shows what waits", "no list of %s waits for a second signature", c.Building)
}
