package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

type listsCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
}

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

// listStanding describes how far a list got.
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
		fmt.Fprintf(w, "list %d of %s%s is %s\n", d.Version, d.Building, takes, command.Choose(d.Sent, "handed to the front", "signed; "+d.Hint))
	})
}

// choose returns the list that waits here, or else the one that gateways wait with, or else, if
// requested, the newest one.
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

type offersCmd struct {
	Show offersShowCmd `cmd:"" default:"1" help:"Show what gateways hold that this registry may not believe."`
	Take decideCmd     `cmd:"" help:"Believe one: the grants that it ends and the cards that it suspends are so here too."`
	Drop decideCmd     `cmd:"" help:"Believe nothing of one: it is a thief's, or a mistake."`
}

type offersShowCmd struct{}

func (offersShowCmd) Run(s *session) error {
	all, err := s.issuer.Offers(s.ctx)
	if err != nil {
		return err
	}
	gateways, frontErr := s.front.Gateways(s.ctx, "") // without it the rest is worth showing
	err = s.Print(all, nil, func(w io.Writer) {
		for _, o := range all {
			what := "grants that are over there, and active here"
			if o.Key != "" {
				what = fmt.Sprintf("list %d, signed by %s", o.Version, signerText(o))
			}
			fmt.Fprintf(w, "%s  %s/%s  %s; taken, it ends a grant of %s (%s)\n", o.ID, o.Building, o.Gateway, what,
				amount.Of(o.Grants, "tenancy"), command.Choose(len(o.Flats) == 0, "flats unknown", "flats "+strings.Join(o.Flats, ", ")))
			fmt.Fprintf(w, "    registryd offers take %s %s   or   registryd offers drop %s %s\n", o.Building, o.ID, o.Building, o.ID)
		}
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
		}
		for _, g := range gateways {
			if g.TooOld {
				fmt.Fprintf(w, "%s holds what this registry does not know, and its program is too old to be asked for it: registryd status says what to do\n", g.Address())
			}
		}
	})
	if frontErr != nil {
		fmt.Fprintf(s.Err, "gateways that are too old to be asked are not named: %v\n", frontErr)
	}
	return err
}

// signerText describes who has signed a list that no trusted issuer has signed.
func signerText(o operator.Offer) string {
	switch {
	case o.False:
		return fmt.Sprintf("the retired key of epoch %d, whose word the root has taken back: a thief had it", o.Epoch)
	case o.Retired:
		return fmt.Sprintf("the retired key of epoch %d", o.Epoch)
	}
	return fmt.Sprintf("nobody we know (it names key %s of epoch %d)", o.Key, o.Epoch)
}

type decideCmd struct {
	Building string `arg:"" help:"Id of the building."`
	ID       string `arg:"" help:"Of the offer."`
}

// Run takes or drops, by the command's name.
func (c decideCmd) Run(s *session, cmd *kong.Context) error {
	take := cmd.Selected().Name == "take"
	d, err := s.issuer.Decide(s.ctx, operator.Decision{Building: c.Building, ID: c.ID, Take: take})
	return s.Print(d, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s; list %d of building %s reckons with it\n", command.Choose(take, "taken", "dropped"), d.Version, d.Building)
		if d.Hint != "" {
			fmt.Fprintln(w, d.Hint)
		}
	})
}

type houseCmd struct {
	Import houseImportCmd `cmd:"" help:"Take a building's house document as one of its gateways has it: house.cose in its directory of keys."`
}

type houseImportCmd struct {
	File string `arg:"" help:"house.cose of one of its gateways." placeholder:"FILE"`
}

func (c houseImportCmd) Run(s *session) error {
	envelope, err := os.ReadFile(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return socket.Hinted("it is in a gateway's directory of keys: /var/lib/gatehouse/keys/house.cose", "%v", err)
	}
	if err != nil {
		return err
	}
	d, err := s.issuer.ImportHouse(s.ctx, envelope)
	return s.Print(d, err, func(w io.Writer) {
		fmt.Fprintf(w, "building %s is known again; its gateways hand over what they hold when they connect\n", d.Building)
	})
}
