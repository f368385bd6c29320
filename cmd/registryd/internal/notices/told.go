package notices

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"gatehouse/cmd/registryd/internal/answer"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// Told is the command for a resident at the counter.
type Told struct {
	Tenancy string   `arg:"" help:"Of the resident, or its first digits; registryd tenancies shows them."`
	Key     []string `required:"" help:"records.key, on its stick; again for the one before it." placeholder:"FILE"`
	Case    string   `required:"" help:"File number of the resident's request." placeholder:"TEXT"`
}

// concerned is a mandate that concerns the tenancy.
type concerned struct {
	shown
	Purpose string `json:"purpose"`
	Issuing string `json:"issuing"`
	Notice  string `json:"notice"`
	From    string `json:"from"`
	Until   string `json:"until"`
}

// Run shows which of the mandates of which people may be told concern a tenancy: those that name it, or its flat for a time in which it
// had that, and those that asked for everybody or a card, and have an entry of it in the answer. It is written down first that somebody asked.
// The key, and what it opens, never leave this process.
func (c Told) Run(s *Session) error {
	if err := operator.CheckFile(c.Case); err != nil {
		return err
	}
	records, err := answer.Keys(s.Ctx, s.Front, c.Key...)
	if err != nil {
		return err
	}
	if c.Tenancy, err = s.Tenancy(c.Tenancy); err != nil {
		return err
	}
	home, err := s.Issuer.Look(s.Ctx, operator.Look{Tenancy: c.Tenancy, Reason: "resident", Case: c.Case})
	if err != nil {
		return err
	}
	list, err := s.concerning(c.Tenancy, home.Building, records)
	return s.Print(list, err, func(w io.Writer) {
		for _, v := range list {
			fmt.Fprintf(w, "%s\n  %s，文书号 notice %s，用途 purpose: %s\n  %s – %s\n", v.Reference, v.Issuing, v.Notice, v.Purpose, v.From, v.Until)
		}
		if len(list) == 0 {
			fmt.Fprintln(w, "没有现在可以告知的调取 no inquiry that may be told of now")
		}
	})
}

func (s *Session) concerning(tenancy, building string, records [][]byte) (list []concerned, err error) {
	list = []concerned{}
	all, err := s.notices()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(n notice) bool { return !n.Due || n.m.Request.Building != building })
	zone, err := s.Zone(building)
	if err != nil || len(all) == 0 {
		return list, err
	}
	lives, err := s.Issuer.Tenancies(s.Ctx, building)
	if err != nil {
		return nil, err
	}
	seen, err := s.passages(tenancy, building, records)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		named := slices.ContainsFunc(n.whom(lives), func(t operator.Tenancy) bool { return t.ID == tenancy })
		if !named && !n.met(seen) {
			continue
		}
		v := concerned{shown: n.shown(zone), Purpose: n.m.Approval.Purpose, Issuing: n.m.Approval.Issuing.Name, Notice: n.m.Approval.Notice}
		v.Flats, v.Tenancies = nil, nil // of others
		v.From, v.Until = span(n.m.Request.From, n.m.Request.Until, zone)
		list = append(list, v)
	}
	return list, nil
}

// entry is where an entry stands.
type entry struct {
	gateway  string // address
	epoch    uint64
	sequence uint64
}

// passage is an entry that names the tenancy.
type passage struct {
	door string
	card *wire.CredentialID
}

// met reports whether a mandate that names no flat and no tenancy asked for one of the passages.
func (n notice) met(seen map[entry]passage) bool {
	r := n.m.Request
	for at, p := range seen {
		if r.Named() && (p.card == nil || !slices.Contains(r.Cards, *p.card)) {
			continue
		}
		for _, given := range n.Answers {
			if given.Place.Address() == at.gateway && slices.Contains(r.Doors(given.Place.Gateway), p.door) && has(given.Logs, at) {
				return true
			}
		}
	}
	return false
}

// has reports whether an entry may be from the time that an answer is about.
func has(logs []api.DisclosedLog, at entry) bool {
	return slices.ContainsFunc(logs, func(l api.DisclosedLog) bool {
		return l.Epoch == at.epoch && slices.ContainsFunc(l.Within, func(r api.Run) bool { return at.sequence >= r.First && at.sequence < r.End })
	})
}

// errShut means that a key opens nothing of what was read.
var errShut = errors.New("sealed to another records key")

// passages returns the entries of a building that name a tenancy, and are not erased.
func (s *Session) passages(tenancy, building string, records [][]byte) (map[entry]passage, error) {
	found, openers := map[entry]passage{}, make([]whos.Opener, len(records))
	for i, key := range records {
		openers[i].Records = key
	}
	err := s.Front.Seals(s.Ctx, building, func(b api.Seals) error {
		parts, err := opened(openers, b)
		for _, p := range parts {
			who, wrong := wire.DecodeWho(p.Who)
			if wrong == nil && who.Tenancy != nil && who.Tenancy.String() == tenancy {
				found[entry{b.Gateway, b.Epoch, b.First + uint64(p.Index)}] = passage{card: who.Credential}
			}
		}
		return err
	})
	if errors.Is(err, errShut) {
		return nil, fmt.Errorf("%w: give the one of before, too: --key FILE --key OLD", err)
	}
	if err == nil && len(found) > 0 {
		err = s.doors(building, found)
	}
	return found, err
}

func opened(openers []whos.Opener, b api.Seals) ([]whos.Part, error) {
	for i := range openers {
		if parts, err := openers[i].Parts(b.Gateway, b.Epoch, b.First, b.Sealed, b.Context); err == nil {
			return parts, nil
		}
	}
	return nil, errShut
}

// doors fills in at which doors the entries were made.
func (s *Session) doors(building string, found map[entry]passage) error {
	f := api.EntryFilter{Building: building, Limit: 10_000}
	for more := true; more; more = f.After != "" {
		after, err := s.Front.Entries(s.Ctx, f, func(e api.Entry) error {
			epoch, err := strconv.ParseUint(e.Epoch, 16, 64)
			at := entry{e.Address(), epoch, e.Sequence}
			if p, is := found[at]; is && err == nil {
				p.door = e.Door
				found[at] = p
			}
			return nil
		})
		if err != nil {
			return err
		}
		f.After = after
	}
	return nil
}
