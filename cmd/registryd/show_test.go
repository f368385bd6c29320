package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
)

// fakeFront answers every question with a fixed text.
func fakeFront(t *testing.T, answers map[string]any) string {
	dir, err := os.MkdirTemp("", "front")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusConflict)
			a = api.Error{Message: "it went wrong", Hint: "do this"}
		}
		_ = json.NewEncoder(w).Encode(a)
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return path
}

func call(front string, args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = run(context.Background(), append([]string{"--front", front}, args...), strings.NewReader(""), &o, &e)
	return status, o.String(), e.String()
}

func TestShow(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	place := api.Place{District: "d1", Town: "t1", Building: "lane-7", Gateway: "gw1"}
	front := fakeFront(t, map[string]any{
		"/v1/status": api.Status{Registry: "city", Linked: true, Gateways: 3, Online: 2, Entries: 12345, Problems: []string{"no issuer"},
			Retention: api.Retention{Passages: 4320 * time.Hour, Acts: 4800 * time.Hour, Erased: 7, Waits: true}},
		"/v1/gateways": []api.Gateway{{Place: place, Member: true, Online: true, Heard: &at, Total: 77, List: 5, Applied: 4, Sent: 5,
			ListAt: &at, Alarms: 2}, {Place: place}, {Place: place, Member: true, List: 1, Applied: 1}},
		"/v1/entries": api.Entry{Place: place, Epoch: "00000000000000ff", Sequence: 9, Time: at, Kind: "access", Outcome: "denied", Reason: "revoked", Door: "front"},
		"/v1/vkeys":   api.VKeys{Witnesses: []string{"gatehouse/city+00000001+BA=="}, Logs: []string{"gatehouse/b/g/00+00000002+AQ=="}},
		"/v1/alarms":  []api.Alarm{{Place: place, Time: at, Kind: "forced", Door: "front"}},
	})
	for command, want := range map[string][]string{
		"status": {"city", "2 of 3 online", "12345", "problem    no issuer",
			"erasing    who passed after 180 days, who did what else after 200 days; 7 erased; NOTHING MORE while the clock is in doubt"},
		"gateways": {"d1/t1/lane-7/gw1", "online", "77", "5 not proved since " + at.Local().Format("2006-01-02 15:04:05 -07:00") + ", sent, 4 proved", "removed", "never heard", "1 proved"},
		"entries":  {"lane-7/gw1", "00000000000000ff:9", "access denied revoked"},
		"vkeys":    {"gatehouse/city+00000001+BA==\ngatehouse/b/g/00+00000002+AQ==\n"},
		"alarms":   {"forced", "entry on its way"},
	} {
		status, out, errOut := call(front, command)
		for _, w := range want {
			if status != 0 || !strings.Contains(out, w) {
				t.Errorf("%s: %d, no %q in\n%s%s", command, status, w, out, errOut)
			}
		}
		status, out, _ = call(front, "--json", command)
		if status != 0 || !json.Valid([]byte(out)) {
			t.Errorf("%s --json: %d %s", command, status, out)
		}
	}
}

func TestShowSaysWhatToDo(t *testing.T) {
	front := fakeFront(t, nil)
	if status, _, errOut := call(front, "gateways"); status != 1 || !strings.Contains(errOut, "it went wrong\nhint: do this") {
		t.Errorf("%d %s", status, errOut)
	}
	if status, _, errOut := call(front, "--json", "gateways"); status != 1 || !strings.Contains(errOut, `"hint":"do this"`) {
		t.Errorf("%d %s", status, errOut)
	}
	if status, _, errOut := call(front+"x", "status"); status != 1 || !strings.Contains(errOut, "hint: start registryd serve") {
		t.Errorf("%d %s", status, errOut)
	}
	if status, _, errOut := call(front, "entries", "--from", "yesterday"); status != 1 || !strings.Contains(errOut, "hint: write it as") {
		t.Errorf("%d %s", status, errOut)
	}
	if status, _, errOut := call(front, "serve", "--config", front+".toml"); status != 1 || !strings.Contains(errOut, "read configuration") {
		t.Errorf("%d %s", status, errOut)
	}
}

// TestSlips: what an operator mistypes is refused with what would do, never
// taken for something else.
func TestSlips(t *testing.T) {
	dir := t.TempDir()
	initIn := func(args ...string) []string {
		return append([]string{"init", "--dir", filepath.Join(dir, "r")}, args...)
	}
	add := []string{"gateway", "add", "--district", "d", "--town", "t", "--building", "b", "--gateway", "g"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{initIn("--registry", "Bad Name", "--host", "h"), "no id of a registry"},
		{initIn("--registry", "r", "--host", ""), "no host"},
		{initIn("--registry", "r", "--host", "foo bar"), "no host"},
		{initIn("--registry", "r", "--host", "https://foo/"), "no port"},
		{initIn("--registry", "r", "--host", "fe80::1%eth0"), "no host"},
		{initIn("--registry", "r", "--host", "foo.example:0"), "no port"},
		{initIn("--registry", "r", "--host", "foo.example:"), "no port"},
		{initIn("--registry", "r", "--host", "foo.example,bar baz"), "no host"},
		{initIn("--registry", "r", "--host", "foo.example", "--broker", "99999"), "can't be the broker's port"},
		{initIn("--registry", "r", "--host", "foo.example:8883"), "can't be the broker's port"},
		{append(add, "--hours", "0"), "a token for 0 hours"},
		{append(add, "--hours", "10000"), "a token for 10000 hours"},
		{append(add, "--label", filepath.Join(dir, "label"), "--page", "gatehouse.local"), "is no address of a page"},
		{[]string{"entries", "--kind", "acess"}, "no kind of entries"},
		{[]string{"serve", "--config", filepath.Join(dir, "none")}, "registryd init writes one"},
	} {
		status, _, errOut := call(filepath.Join(dir, "none"), c.args...)
		if status != 1 || !strings.Contains(errOut, c.want) || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%q: %d %s", c.args, status, errOut)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("a refused init left %v %v", left, err)
	}
}

// TestInit: each directory is for one user alone, and all can reach theirs; hosts
// stand in the token's place as they were meant.
func TestInit(t *testing.T) {
	for host, want := range map[string]string{"::1": "[::1]:8443", "[::1]": "[::1]:8443", "[::1]:9443": "[::1]:9443", "192.0.2.1": "192.0.2.1:8443", "a-1.example": "a-1.example:8443"} {
		dir := filepath.Join(t.TempDir(), "r")
		if status, _, errOut := call("", "init", "--registry", "r", "--host", host, "--dir", dir); status != 0 {
			t.Errorf("%s: %s", host, errOut)
			continue
		}
		place, err := os.ReadFile(filepath.Join(dir, "issuer", "registry.json"))
		if err != nil || !strings.Contains(string(place), `"`+want+`"`) {
			t.Errorf("%s: %s %v", host, place, err)
		}
		for directory, mode := range map[string]os.FileMode{"": 0o755, "front": 0o700, "issuer": 0o700, "offline": 0o700} {
			if info, err := os.Stat(filepath.Join(dir, directory)); err != nil || info.Mode().Perm()&^mode != 0 || mode&1 != info.Mode().Perm()&1 {
				t.Errorf("directory %q: %v %v", directory, info.Mode(), err)
			}
		}
	}
}
