package main

import (
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/socket"
)

// part is the beginning of an id, as gatehouse shows it.
var part = regexp.MustCompile(`^[0-9a-f]{4,31}$`)

// tenancyID is the whole id of the tenancy that people name by its first digits.
func (s *session) tenancyID(text string) (string, error) {
	return whole(text, "tenancy", "registryd tenancies", func() (ids []string, err error) {
		all, err := s.issuer.Tenancies(s.ctx, "")
		for _, t := range all {
			ids = append(ids, t.ID)
		}
		return ids, err
	})
}

// grantID is that of a grant.
func (s *session) grantID(text string) (string, error) {
	return whole(text, "grant", "registryd grants", func() (ids []string, err error) {
		all, err := s.issuer.Grants(s.ctx, "", "")
		for _, g := range all {
			ids = append(ids, g.ID)
		}
		return ids, err
	})
}

// whole finds the one id that begins so. What is no beginning of an id is for the
// issuer to judge.
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
