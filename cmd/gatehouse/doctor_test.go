package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/control"
)

// TestDoctor: without the daemon it says so and what to do; with it every check that it does
// is listed; with --json the same for programs.
func TestDoctor(t *testing.T) {
	b := newBench(t)
	config := b.path("site.toml")
	status, out, errOut := b.tool("", "doctor", "--config", config)
	if status != 1 || !strings.Contains(out, "PROBLEM   daemon: no daemon answers") || !strings.Contains(out, "do:  start gatehoused") || !strings.Contains(errOut, "need somebody") {
		t.Errorf("without the daemon: status %d\n%s%s", status, out, errOut)
	}
	if _, out, _ := b.tool("", "doctor", "--config", b.path("none.toml")); !strings.Contains(out, "PROBLEM   site file") || !strings.Contains(out, "--config") {
		t.Errorf("without a site file:\n%s", out)
	}
	b.ok("", "init", "--config", config, "--key", b.path("issuer.key"))
	b.serve()
	states := map[string]string{}
	b.eventually("each check of what runs comes out well", func() bool { // the disk of a busy machine is slow for a moment
		_, out, _ := b.tool("", "--json", "doctor", "--config", config)
		var all []struct{ Name, State, What, Why, Do string }
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		clear(states)
		for _, k := range all {
			states[k.Name] = k.State
			if k.What == "" || k.Why == "" || k.State == "problem" && k.Do == "" {
				t.Errorf("a check without words: %+v", k)
			}
		}
		return !slices.ContainsFunc([]string{"site file", "daemon", "doors and locks", "readers and inputs", "log", "key files", "certificate", "ports"},
			func(name string) bool { return states[name] != "ok" && states[name] != "not seen" })
	})
	if states["list of grants"] != "problem" { // a new house has none
		t.Errorf("states %v", states)
	}
	if row := b.ok("", "doctor", "--config", config, "--report"); !strings.Contains(row, "wiegand") || !strings.Contains(row, "2 x relay driven") {
		t.Errorf("report %q", row)
	}
	b.fails("", []string{"nothing to send in yet", "the site file was not read", "--config"}, "doctor", "--config", b.path("none.toml"), "--report")
	away := []string{"--socket", b.path("nobody"), "doctor", "--config", config}
	b.fails("", []string{"nothing to send in yet", "the daemon gave no answer to this user"}, append(away, "--report")...)
	b.fails("", []string{config + " is there already", "name another file"}, "doctor", "--config", config, "--bundle", config)
	if text, err := os.ReadFile(config); err != nil || !strings.Contains(string(text), "building") {
		t.Errorf("the site file is now %q, %v", text, err)
	}
	if _, _, said := b.tool("", append(away, "--bundle", b.path("less.tar.gz"))...); !strings.Contains(said, "its state and log are not in it") {
		t.Error(said)
	}
}

// TestBundleNamesNobody: a bundle of a house in which everything has a name has none of them,
// and has what a helper needs.
func TestBundleNamesNobody(t *testing.T) {
	b := newBench(t)
	config := b.path("site.toml")
	text, err := os.ReadFile(config)
	must(t, err)
	names := strings.NewReplacer("lane-7", "wanglaowu-house", "gw1", "ayi-box", "front", "flat-9xy", "yard", "flat-8xy", `id = "in"`, `id = "lisi-side"`)
	must(t, os.WriteFile(config, []byte("# Zhang San, 13800001111\n"+names.Replace(string(text))), 0o600))
	key := b.path("issuer.key")
	b.ok("", "init", "--config", config, "--key", key)
	b.serve()
	b.ok("123,04567\n", "grant", "add", "--key", key, "--label", "9XY", "--door", "flat-9xy", "--printed", "3+5D")
	b.ok("", "release", "flat-8xy")
	list := b.ok("", "--json", "grant", "list")
	var grants []control.Key
	must(t, json.Unmarshal([]byte(list), &grants))
	path := b.path("bundle.tar.gz")
	b.tool("", "doctor", "--config", config, "--bundle", path)
	files := unpack(t, path)
	whole := ""
	for name, text := range files {
		whole += name + "\n" + text + "\n"
	}
	st, err := b.client.Status(t.Context())
	must(t, err)
	personal := []string{"wanglaowu", "ayi", "9xy", "8xy", "lisi", "Zhang", "13800001111", b.dir, "04567", "4567", grants[0].Grant, st.Grants.Hash, "tenancy", "access"}
	for _, word := range personal {
		if strings.Contains(strings.ToLower(whole), strings.ToLower(word)) {
			t.Errorf("the bundle has %q:\n%s", word, whole)
		}
	}
	if long := regexp.MustCompile(`[0-9a-f]{16,}`).FindString(whole); long != "" {
		t.Errorf("the bundle has an id, %s", long)
	}
	for name, word := range map[string]string{"checks.json": `"daemon"`, "gateway.json": `"wiegand"`, "log.json": `"list_applied"`, "hardware.json": `"board"`} {
		if !strings.Contains(files[name], word) {
			t.Errorf("%s lacks %s: %s", name, word, files[name])
		}
	}
}

// unpack returns the files of a bundle, which only its writer may read.
func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	about, err := os.Stat(path)
	must(t, err)
	if about.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", about.Mode())
	}
	raw, err := os.ReadFile(path)
	must(t, err)
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	must(t, err)
	files := map[string]string{}
	for all := tar.NewReader(zip); ; {
		h, err := all.Next()
		if err == io.EOF {
			return files
		}
		must(t, err)
		text, err := io.ReadAll(all)
		must(t, err)
		files[h.Name] = string(text)
	}
}
