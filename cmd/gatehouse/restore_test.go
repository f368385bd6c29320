package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/backup/recovery"
	"gatehouse/sync/wire"
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

// TestRestoreFromRegistry: code and token go to the daemon's program by its input, in this
// order, from a pipe or from files; what came of the enrolment is told with what is left to do.
func TestRestoreFromRegistry(t *testing.T) {
	dir := t.TempDir()
	token, err := wire.Token{Registry: "city", Place: [4]string{"north", "xin", "lane-7", "gw1"}, Enrol: "registry.example:8443", Broker: "registry.example:8883", CA: wire.Hash{1}, Root: [32]byte{2}, Secret: [16]byte{3}}.Text()
	must(t, err)
	code := recovery.New().String()
	path := filepath.Join(dir, "gatehoused")
	said := `{"building":"lane-7","gateway":"gw1","made":"2026-11-30T03:00:00Z","registry":"city","list":7,"tenancies":9,"doors":["front"],"config":"` + dir + `/site.toml"`
	program := func(more string) {
		must(t, os.WriteFile(path, []byte("#!/bin/sh\necho \"$@\" >"+dir+"/args; cat >"+dir+"/in\necho '"+said+more+"}'\n"), 0o755))
	}
	restore := func(in string, args ...string) (status int, out string) {
		var o, e bytes.Buffer
		args = append([]string{"--socket", filepath.Join(dir, "none.sock"), "restore", "--config", filepath.Join(dir, "site.toml"), "--daemon", path}, args...)
		status = run(t.Context(), args, strings.NewReader(in), &o, &e)
		return status, o.String() + e.String()
	}
	program("")
	lines := token[:40] + "\n" + token[40:] + "\n\n"
	status, out := restore(strings.ToLower(code)+"\n"+lines, "--from-registry")
	if status != 0 || !strings.Contains(out, "gateway of registry city again") || strings.Contains(out, "gatehouse enrol") || strings.Contains(out, token[:20]) {
		t.Errorf("status %d: %s", status, out)
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	given, _ := os.ReadFile(filepath.Join(dir, "in"))
	if string(given) != code+"\n"+token+"\n" || !strings.Contains(string(args), "--registry") || strings.Contains(string(args), token[:20]) {
		t.Errorf("called with %s, input %s", args, given)
	}
	must(t, os.WriteFile(filepath.Join(dir, "code"), []byte(code+"\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte(token+"\n"), 0o600))
	program(`,"later":"the registry is away","older":"the newest is damaged"`)
	status, out = restore("", "--from-registry", "--code", filepath.Join(dir, "code"), "--token", filepath.Join(dir, "token"))
	if status != 0 || !strings.Contains(out, "not enrolled yet: the registry is away") || !strings.Contains(out, "gatehouse enrol") || !strings.Contains(out, "the newest is damaged") {
		t.Errorf("status %d: %s", status, out)
	}
	for want, c := range map[string]struct {
		in   string
		args []string
	}{
		"which backup?":         {"", nil},
		"--from-registry":       {code + "\n", []string{"--from-registry", "--from", dir}},
		"registryd gateway add": {code + "\nGH1-RUBBISH\n\n", []string{"--from-registry"}},
		"no answer to":          {code + "\n", []string{"--from-registry"}},
	} {
		if status, out := restore(c.in, c.args...); status != 1 || !strings.Contains(out, want) {
			t.Errorf("status %d: %s; want %q", status, out, want)
		}
	}
}
