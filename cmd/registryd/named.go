package main

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

// part matches the beginning of an id, as gatehouse shows it.
var part = regexp.MustCompile(`^[0-9a-f]{4,31}$`)

// tenancyID completes the id of a tenancy from its first digits.
func (s *session) tenancyID(text string) (string, error) {
	return whole(text, "tenancy", "registryd tenancies", func() (ids []string, err error) {
		all, err := s.issuer.Tenancies(s.ctx, "")
		for _, t := range all {
			ids = append(ids, t.ID)
		}
		return ids, err
	})
}

// grantID completes the id of a grant.
func (s *session) grantID(text string) (string, error) {
	return whole(text, "grant", "registryd grants", func() (ids []string, err error) {
		all, err := s.issuer.Grants(s.ctx, "", "")
		for _, g := range all {
			ids = append(ids, g.ID)
		}
		return ids, err
	})
}

// whole returns the only id that begins with text. Text of another form is left to the issuer.
func whole(text, what, list string, ids func() ([]string, error)) (string, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if !part.MatchString(text) {
		return text, nil
	}
	all, err := ids()
	if err != nil {
		return "", err
	}
	found := slices.DeleteFunc(all, func(id string) bool { return !strings.HasPrefix(id, text) })
	switch len(found) {
	case 0:
		return "", socket.Hinted(list+" shows them", "no %s %q", what, text)
	case 1:
		return found[0], nil
	}
	return "", socket.Hinted("give more of its digits: "+list, "%q names %s", text, amount.Of(len(found), what))
}

// days are the zone of a row's building, which may be unknown yet.
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

// zonesOf names the time zone of some rows.
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

// fillZones gets the zones that the issuer does not know yet from the front, which the issuer asks
// only once a minute. Where the front does not answer they stay unknown.
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

// zoneNamed returns a building's time zone by its name; this machine's where there is none.
func zoneNamed(name string) *time.Location {
	if zone, err := time.LoadLocation(name); err == nil && name != "" {
		return zone
	}
	return calendar.Here()
}

// lastDay parses a last day in the time zone of the building of a grant or tenancy.
func (s *session) lastDay(of subject, text string) (time.Time, error) {
	zone, err := s.zoneOf(of)
	if err != nil {
		return time.Time{}, err
	}
	return calendar.Last(text, zone)
}

// zoneOf returns the time zone of that building; this machine's where there is no such grant or
// tenancy, which the issuer reports.
func (s *session) zoneOf(of subject) (*time.Location, error) {
	if of.Tenancy == "" {
		grant, err := s.grantID(of.Grant)
		if err != nil {
			return nil, err
		}
		all, err := s.issuer.Grants(s.ctx, "", "")
		if i := slices.IndexFunc(all, func(g operator.Grant) bool { return g.ID == grant }); i >= 0 {
			s.fillZones(grantDays(all[i : i+1]))
			return zoneNamed(all[i].Zone), nil
		}
		return calendar.Here(), err
	}
	tenancy, err := s.tenancyID(of.Tenancy)
	if err != nil {
		return nil, err
	}
	all, err := s.issuer.Tenancies(s.ctx, "")
	if i := slices.IndexFunc(all, func(t operator.Tenancy) bool { return t.ID == tenancy }); i >= 0 {
		s.fillZones(tenancyDays(all[i : i+1]))
		return zoneNamed(all[i].Zone), nil
	}
	return calendar.Here(), err
}

// zone returns the zone of an option, else that of the building's gateways where they agree (of
// all, for ""), else this machine's.
func (s *session) zone(name, building string) (*time.Location, error) {
	if name == "" {
		return s.zoneOfGateways(building)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, socket.Hinted("a name as Asia/Shanghai", "no time zone: %q", name)
	}
	return zone, nil
}

func (s *session) zoneOfGateways(building string) (*time.Location, error) {
	all, err := s.front.Gateways(s.ctx, building)
	if err != nil {
		return nil, err
	}
	name := ""
	for _, g := range all {
		switch {
		case name == "":
			name = g.Zone
		case g.Zone != "" && g.Zone != name:
			return calendar.Here(), nil
		}
	}
	return zoneNamed(name), nil
}
