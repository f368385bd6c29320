package retention

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

const (
	// remindAfter is how long an order may be on its way to a gateway before status counts it.
	remindAfter = 7 * 24 * time.Hour
	// clocksWithin is by how much a gateway's clock may be behind the issuer's for its word to be found.
	clocksWithin = 24 * time.Hour
	page         = 1000 // entries of an answer
)

// List is the command that shows orders to forget that gateways have not confirmed.
type List struct{}

// waiting is an order that a gateway has not confirmed.
type waiting struct {
	Building string    `json:"building"`
	Gateway  string    `json:"gateway"`
	Tenancy  string    `json:"tenancy"`
	Case     string    `json:"case"`
	Made     time.Time `json:"made"`
	Days     int       `json:"days"` // since then
}

// Run shows them, the oldest first.
func (List) Run(s *Session) error {
	all, err := s.waiting()
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
			return
		}
		command.Table(w, all, []string{"GATEWAY", "WAITS", "TENANCY", "CASE"}, func(o waiting) []string {
			return []string{o.Building + "/" + o.Gateway, amount.Of(o.Days, "day"), o.Tenancy, o.Case}
		})
		fmt.Fprintln(w, "take the file of the order to each, and give there: sudo gatehouse forget FILE. Its log says so here once it is online.\n"+
			"Where the file is lost, registryd forget TENANCY --order FILE with the same --case makes another, in the place of that")
	})
}

// Overdue says how many gateways have not confirmed an order for a week, and what to do; empty: none.
func (s *Session) Overdue() (string, error) {
	all, err := s.waiting()
	all = slices.DeleteFunc(all, func(o waiting) bool { return time.Since(o.Made) < remindAfter })
	if err != nil || len(all) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s to forget a tenancy not confirmed by a gateway for more than %s: registryd forget list shows where to take the file", amount.Of(len(all), "order"),
		amount.Of(int(remindAfter.Hours()/24), "day")), nil
}

// waiting are the orders and the gateways that have not confirmed them. One that was enrolled after an order was made has
// nothing of what it means.
func (s *Session) waiting() (all []waiting, err error) {
	all = []waiting{}
	orders, err := s.Issuer.Erasures(s.Ctx)
	if err != nil || len(orders) == 0 {
		return all, err
	}
	gateways, err := s.Issuer.Gateways(s.Ctx, "")
	if err != nil {
		return nil, err
	}
	confirmed := map[string]map[string]bool{} // building, then gateway and hash
	for _, o := range orders {
		if confirmed[o.Building] == nil { // the oldest order comes first
			if confirmed[o.Building], err = s.confirmed(o); err != nil {
				return nil, err
			}
		}
		for _, g := range gateways {
			if g.Building != o.Building || g.Enrolled == nil || g.Enrolled.After(o.Made) || confirmed[o.Building][word(g.Gateway, o.Hash)] {
				continue
			}
			all = append(all, waiting{o.Building, g.Gateway, o.Tenancy, o.Case, o.Made, max(0, int(time.Since(o.Made).Hours()/24))})
		}
	}
	slices.SortStableFunc(all, func(a, b waiting) int {
		return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.Building, b.Building), cmp.Compare(a.Gateway, b.Gateway))
	})
	return all, nil
}

// word is what a gateway's log says of an order.
func word(gateway string, hash []byte) string { return gateway + " " + hex.EncodeToString(hash) }

// confirmed are the words of a building's gateways since an order was made.
func (s *Session) confirmed(oldest operator.Erasure) (words map[string]bool, err error) {
	words = map[string]bool{}
	f := api.EntryFilter{Building: oldest.Building, Kind: wire.KindSpace.String(), From: oldest.Made.Add(-clocksWithin), Limit: page}
	for more := true; more && err == nil; more = f.After != "" {
		f.After, err = s.Front.Entries(s.Ctx, f, func(e api.Entry) error {
			if e.Reason == wire.ReasonForget.String() {
				words[word(e.Gateway, e.Detail)] = true
			}
			return nil
		})
	}
	return words, err
}
