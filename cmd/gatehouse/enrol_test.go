package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// TestEnrolRefuses: what can't go well is said before anything is sent or made.
func TestEnrolRefuses(t *testing.T) {
	dir := t.TempDir()
	site := filepath.Join(dir, "site.toml")
	must(t, os.WriteFile(site, fmt.Appendf(nil, siteText, dir), 0o600))
	token := func(building string) string {
		text, err := wire.Token{Registry: "city", Place: [4]string{"north", "xin", building, "gw1"}, Enrol: "127.0.0.1:1", Broker: "127.0.0.1:2"}.Text()
		must(t, err)
		return text
	}
	file := filepath.Join(dir, "token")
	must(t, os.WriteFile(file, []byte(token("lane-8")), 0o600))
	mistyped := filepath.Join(dir, "mistyped")
	must(t, os.WriteFile(mistyped, []byte(token("lane-7")[:60]+"\n"+token("lane-7")[61:62]+token("lane-7")[60:61]+token("lane-7")[62:]), 0o600))
	halves := token("lane-7")[:40] + "\n" + token("lane-7")[40:] + "\n"
	for _, c := range []struct {
		name, in string
		args     []string
		want     string
	}{
		{"no site file", "", []string{"--site", filepath.Join(dir, "none")}, "--config"},
		{"no token", "", []string{"--config", site}, "no token was given"},
		{"half a token", token("lane-7")[:30] + "\n\n", []string{"--config", site}, "is missing"},
		{"no such file", "", []string{"--config", site, "--token", filepath.Join(dir, "none")}, "read token"},
		{"two letters changed places", "", []string{"--config", site, "--token", mistyped}, "mistyped at character 61 or the next"},
		{"another building", "", []string{"--config", site, "--token", file}, "lane-8"},
		{"in two lines, nobody there", halves, []string{"--config", site}, "is the network up"},
	} {
		var out, errOut bytes.Buffer
		status := run(t.Context(), append([]string{"enrol"}, c.args...), strings.NewReader(c.in), &out, &errOut)
		if status != 1 || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: status %d, %s", c.name, status, errOut.String())
		}
		if strings.Contains(errOut.String(), token("lane-7")[4:20]) {
			t.Errorf("%s: the token is repeated", c.name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "state", "keys", "registry.json")); err == nil {
		t.Error("enrolled")
	}
}
