package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPolicy: a policy is signed, shown, changed in one period and taken away; no document is made of what it must not say.
func TestPolicy(t *testing.T) {
	r := emptyCentre(t)
	at := func(name string) string { return filepath.Join(r.dir, name) }
	rooted := []string{"--root", at("offline/root.key"), "--dir", at("issuer"), "--front-dir", at("front")}
	show := func(want ...string) {
		t.Helper()
		out := r.ok("policy", "show", "--dir", at("issuer"), "--front-dir", at("front"))
		for _, line := range want {
			if !strings.Contains(out, line) {
				t.Errorf("show lacks %q:\n%s", line, out)
			}
		}
	}
	show("no policy: gateways and front keep who passed as long as they are set to")
	out := r.ok(append([]string{"policy", "set", "--who-days", "10", "--admin-days", "100"}, rooted...)...)
	if !strings.Contains(out, "retained at gateways: 10 days at most") || !strings.Contains(out, "start the issuer again") {
		t.Errorf("set: %s", out)
	}
	r.ok(append([]string{"policy", "set", "--child-days", "1", "--registry-who-days", "90"}, rooted...)...)
	show("retained at gateways: 10 days at most", "everywhere, of who is under 14: 1 day at most", "at the registry, of passages: 90 days at most", "of all else: 100 days at most")
	for want, args := range map[string][]string{
		"a policy names a period at least":                       {"policy", "set"},
		"--who-days 0: 1 至 400 天 want 1 to 400":                  {"policy", "set", "--who-days", "0"},
		"--admin-days 401: 1 至 400 天 want 1 to 400":              {"policy", "set", "--admin-days", "401"},
		"3 things are wrong, and nothing was done:\n  1. --root": {"policy", "set", "--who-days", "0", "--child-days", "500", "--root", at("missing.key")},
		"is not the root of the registry":                        {"policy", "set", "--who-days", "5"},
	} {
		root := rooted
		switch {
		case strings.HasPrefix(want, "3 things"):
			root = rooted[2:]
		case strings.HasPrefix(want, "is not"):
			root = append([]string{"--root", at("offline/second.key")}, rooted[2:]...)
		}
		r.refused(want, append(args, root...)...)
	}
	r.ok(append([]string{"policy", "remove"}, rooted...)...)
	show("no policy")
	r.refused("none to take away", append([]string{"policy", "remove"}, rooted...)...)
}
