package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/backup/recovery"
)

// TestRestoreByDaemon: the code goes to the daemon's program by its input and never by a
// command line; what that says comes out with what to do, and a mistyped code is told
// before it is called.
func TestRestoreByDaemon(t *testing.T) {
	dir := t.TempDir()
	stick := filepath.Join(dir, "stick")
	must(t, os.Mkdir(stick, 0o700))
	must(t, os.WriteFile(filepath.Join(stick, "gatehouse-lane-7-gw1.backup"), []byte("sealed"), 0o600))
	daemon := func(script string) string {
		path := filepath.Join(dir, "gatehoused")
		must(t, os.WriteFile(path, []byte("#!/bin/sh\nread code; echo \"$@\" >"+dir+"/args; echo $code >"+dir+"/code\n"+script), 0o755))
		return path
	}
	restore := func(in string, args ...string) (status int, out, said string) {
		var o, e bytes.Buffer
		status = run(t.Context(), append([]string{"restore", "--config", filepath.Join(dir, "site.toml")}, args...), strings.NewReader(in), &o, &e)
		return status, o.String(), e.String()
	}
	code := recovery.New().String()
	good := daemon(`echo '{"building":"lane-7","gateway":"gw1","made":"2026-11-30T03:00:00Z","registry":"city","list":7,"tenancies":9,"doors":["front"],"config":"` + dir + `/site.toml"}'`)
	status, out, said := restore(strings.ToLower(code)+"\n", "--from", stick, "--daemon", good)
	if status != 0 || !strings.Contains(out, "gateway gw1 of building lane-7 now") || !strings.Contains(out, "gatehouse enrol") || !strings.Contains(out, "9 tenancies") {
		t.Errorf("status %d: %s%s", status, out, said)
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	given, _ := os.ReadFile(filepath.Join(dir, "code"))
	if strings.Contains(string(args), code) || strings.TrimSpace(string(given)) != code || !strings.Contains(string(args), "gatehouse-lane-7-gw1.backup") {
		t.Errorf("called with %s, code %s", args, given)
	}
	for _, c := range []struct {
		name, in, want string
		args           []string
	}{
		{"mistyped", code[:22] + "\n", "no recovery code", []string{"--from", stick, "--daemon", good}},
		{"no stick", code + "\n", "plug the stick in", []string{"--from", filepath.Join(dir, "none"), "--daemon", good}},
		{"no backup on it", code + "\n", "there is no backup", []string{"--from", dir, "--daemon", good}},
		{"no daemon", code + "\n", "--daemon", []string{"--from", stick, "--daemon", filepath.Join(dir, "none")}},
	} {
		if status, _, said := restore(c.in, c.args...); status != 1 || !strings.Contains(said, c.want) {
			t.Errorf("%s: status %d, %s", c.name, status, said)
		}
	}
	bad := daemon("echo 'gatehoused: this machine is a gateway already\n  nothing is lost here' >&2; exit 1")
	if status, _, said := restore(code+"\n", "--from", stick, "--daemon", bad); status != 1 || !strings.Contains(said, "gatehouse: this machine is a gateway already\nhint: nothing is lost here") {
		t.Errorf("status %d: %q", status, said)
	}
}
