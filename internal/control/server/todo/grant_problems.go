package todo

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// grantProblems returns the problems of the grants. Everything that an issuer has signed and that
// is refused has a line here.
func grantProblems(s keyring.Status, enrolled bool) (list toDo) {
	if s.Lost {
		list.add(alone(enrolled, "list_lost"), "", "the list of grants is lost, so no card opens: %s", choose(enrolled, "it comes from the registry as soon as that can be reached",
			"hand in the copy beside the issuer's key with gatehouse grant restore"))
	}
	for _, c := range s.Files.Copies {
		if s.Version > 0 && !c.Good {
			list.add("list_copy", "", "copy %s of the grants is not good (%s); the other one is active", c.Name, or(c.Error, "it holds an older list"))
		}
	}
	if s.Active.Version != s.Version && s.Active.Version > 0 {
		list.add("list_not_on_disk", "", "list %d of the grants is active and on no disk, so until it is, a restart goes back to list %d (what list %d takes stays taken, if its small file could be written): mend the disk", s.Active.Version, s.Version, s.Active.Version)
	}
	if err := s.Files.Labels; err != nil {
		list.add("labels_not_on_disk", "", "the last labels of keys are on no disk (%v), and a restart loses them: make room, or mend the disk; they are written again by themselves, and once more before an orderly stop", err)
	}
	if n := s.Records.Unwritten; n > 0 {
		list.add("records_not_on_disk", "", "made at the desk, active and on no disk: %s, which a restart loses: make room, or mend the disk; they are written again each minute, and once more before an orderly stop", amount.Of(n, "change"))
	}
	if len(s.Files.Damage) > 0 {
		list.add("list_mended", "", "files of the grants were not as this gateway left them: %s. They were mended from the others; find out who was at the card, or replace it. This line goes with the next start", strings.Join(s.Files.Damage, ", "))
	}
	list = append(list, listProblems(s, enrolled)...)
	for _, gateway := range slices.Sorted(maps.Keys(s.Records.Overdue)) {
		list.add("desk_overdue", "", "from the desk of gateway %s, and in no list for more than a day: %s. registryd tenancies --problems may say why. If nobody made them there, take that gateway out of the building (registryd gateway remove), and they count no more",
			gateway, amount.Of(s.Records.Overdue[gateway], "change"))
	}
	return list
}

// listProblems returns what lists could not do here, and who can do what about it.
func listProblems(s keyring.Status, enrolled bool) (list toDo) {
	if u := s.Unproved; u != nil {
		list.add(alone(enrolled, "list_unproved"), "", "list %d does not descend from list %d, which is active here: what it takes is active too, what it gives waits (%s). %s", u.Version, s.Version,
			grantNames(u.Waiting, u.More), choose(enrolled, "The registry was rolled back, or somebody else signs lists: its operator runs registryd status, which says what it lacks; it asks this gateway for its list by itself",
				"Make the change again from the list of this gateway, with gatehouse grant"))
	}
	if n := len(s.Over.Masked); n > 0 {
		ids := make([]wire.ID, n)
		for i, m := range s.Over.Masked {
			ids[i] = m.Grant
		}
		shown := min(n, shownGrants)
		list.add(alone(enrolled, "list_masked"), "", "the list gives back what was ended for good here, and it stays shut: %s. %s", grantNames(ids[:shown], n-shown),
			choose(enrolled, "If these people are to come in again, the registry's operator runs registryd reinstate with the grant; if not, registryd revoke ends it there too",
				"If these people are to come in again, give them a new key with gatehouse grant add"))
	}
	for _, id := range s.House.Shut {
		list.add("gateway_shut", "", "the registry names gateway %s with a key that was taken out of this building before, so it is not heard: if it belongs here, enrol it with a new token and nothing but building.key in its directory of keys (registryd gateway add --replace); if not, its operator runs registryd gateway remove", id)
	}
	if s.House.Doubt > 0 {
		list.add("house_doubt", "", "house document %d does not follow the active one here, so it waits for a day from when it came: the registry was rolled back, or somebody else signs. Its operator runs registryd status; it asks this gateway for its document by itself", s.House.Doubt)
	}
	if r := s.Refusal; r != nil {
		switch {
		case errors.Is(r.Why, keyring.ErrSecondNeeded):
			list.add("list_second", "", "list %d would take something from many tenancies at once, so it waits for the signature of a second issuer; list %d stays active: the registry's operator looks at registryd status, and runs the registryd countersign line that it shows if that is meant", r.Version, s.Active.Version)
		case errors.Is(r.Why, signedlist.ErrNewerFormat):
			list.add("list_newer", "", "list %d is of a format that this program does not read, so it is refused, and list %d stays active: bring the program of this gateway up to date (gatehoused version shows which it is), then it comes by itself or by gatehouse grant restore",
				r.Version, s.Active.Version)
		case errors.Is(r.Why, keyring.ErrTooFar):
			list.add("list_too_far", "", "list %d was refused: its number is too far beyond list %d, which is active. Somebody has the issuer's key: let the root certify another issuer key in the role's next epoch (docs/keys.md); lists of a later epoch are above any number", r.Version, s.Active.Version)
		case errors.Is(r.Why, keyring.ErrRolledBack):
			list.add("list_rolled_back", "", "list %d was refused: list %d, active here, is newer. If it was no old message, the registry was rolled back: its operator runs registryd status, which says what it lacks", r.Version, s.Active.Version)
		}
	}
	return list
}

// shownGrants is the most grants that one line names.
const shownGrants = 8

func grantNames(ids []wire.ID, more int) string {
	if len(ids) > shownGrants {
		ids, more = ids[:shownGrants], more+len(ids)-shownGrants
	}
	if len(ids) == 0 {
		return "nothing"
	}
	var names []string
	for _, id := range ids {
		names = append(names, id.String())
	}
	text := "grant " + strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
