package laws

import (
	"regexp"
	"strings"

	"gatehouse/internal/simulate/plan"
)

// fileSigns are what a gateway says of a file that it has lost, with what to do. Of one
// that is not here it has to say nothing: what the registry has confirmed and the tree
// are made again from what others know.
func fileSigns(name string) string {
	const see = ".*then remove"
	aside := func(file string) string { return `a damaged file was set aside: .*` + file + `\.bad-.* remove it` }
	switch name {
	case "journal":
		return `the journal: it had entries that it has not any more` + see
	case "journal/epochs":
		return `the journal: the file epochs,` + see
	case "journal/*.db", "journal/*-*.db", plan.OldestOfLog:
		return `the journal: (files with entries are missing|it had entries that it has not|a file was damaged)` + see + `|` + aside(`\.db`)
	case "grants/grants-a.db", "grants/grants-b.db", "grants/grants-?.db":
		file := strings.ReplaceAll(strings.TrimPrefix(name, "grants/"), "?", ".")
		return `files of the grants were not as this gateway left them: .*` + file + `.*find out who|` + aside(file)
	case "grants/tenancies.json":
		return `tenancies.json is missing: .*gatehouse tenancy pin|` + aside(`tenancies\.json`)
	case "clock":
		return `clock (is missing|can't be read).*gatehouse clock confirm`
	case "grants":
		return `grants is missing: .*gatehouse tenancy pin`
	case "keys/building.key":
		return `the building's key (is not here|has not come yet), .*(registryd building-key|from a sibling)|the keys of this gateway can't be read.*building.key.*enrol|` + aside(`building\.key`)
	case "keys":
		return `no keys of the building yet, .*gatehouse enrol`
	}
	return ""
}

// SignsOf are those of a lost file of a gateway: its own status, and the log of what
// it had sealed with others.
func SignsOf(gateway, name string) (signs []string) {
	said := fileSigns(name)
	if said == "" {
		return nil
	}
	signs = append(signs, "^"+gateway+" says: .*("+said+")")
	if name != "keys" { // of all keys nothing is left to put right, nor to seal an entry with
		signs = append(signs, "^("+gateway+" has an entry|alarm of "+gateway+":) damaged ")
	}
	return signs
}

// DatabaseSign is that of a database which was put back.
func DatabaseSign(file string) string {
	return `^the registry says: ` + regexp.QuoteMeta(file) + `: .*docs/restore\.md`
}

// SetBackSigns are those of a gateway whose log ends before what the registry has of it.
func SetBackSigns(gateway string) []string {
	return []string{`^alarm of ` + gateway + `: .*(registry_ahead|other_root|set_back)`}
}
