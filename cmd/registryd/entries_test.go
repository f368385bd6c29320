package main

import (
	"bytes"
	"context"
	"encoding/csv"
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

// pagedFront has three entries and gives two at a time.
func pagedFront(t *testing.T) string {
	dir, err := os.MkdirTemp("", "front")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	must(t, err)
	at := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	all := make([]api.Entry, 3)
	for i := range all {
		all[i] = api.Entry{Place: api.Place{Building: "lane-9", Gateway: "gw1"}, Epoch: "0000000000000e12", Sequence: uint64(i),
			Time: at, Received: at.Add(time.Second), Clock: "ntp", Kind: "access", Outcome: "granted", Door: "front"}
	}
	before, after := at.Add(-time.Hour), at.Add(time.Minute)
	all[1].Unsure, all[1].Clock, all[1].Time, all[1].NotBefore, all[1].NotAfter = true, "unset", time.Unix(60, 0), &before, &after
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, enc := r.URL.Query(), json.NewEncoder(w)
		switch {
		case r.URL.Path != "/v1/entries":
			_ = enc.Encode([]api.Gateway{})
		case q.Get("after") == "":
			for _, e := range all[:2] {
				_ = enc.Encode(e)
			}
			_ = enc.Encode(api.More{More: "lane-9/gw1:0000000000000e12:1"})
		case q.Get("after") == "lane-9/gw1:0000000000000e12:1" && q.Get("building") == "lane-9" && q.Get("limit") == "2" &&
			q.Get("from") == "2026-11-28T20:00:00+08:00":
			_ = enc.Encode(all[2])
		default:
			_ = enc.Encode(api.Error{Message: "asked as nobody should: " + r.URL.RawQuery})
		}
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shell splits a line as a shell does, as far as quoted writes one.
func shell(line string) (words []string) {
	open := false
	word := ""
	for _, r := range line + " " {
		switch {
		case r == '\'':
			open = !open
		case r == ' ' && !open:
			words, word = append(words, word), ""
		default:
			word += string(r)
		}
	}
	return words
}

// TestEntriesSayHowToGoOn: a list that stops says so, and the command that it
// prints shows the rest.
func TestEntriesSayHowToGoOn(t *testing.T) {
	front := pagedFront(t)
	args := []string{"entries", "--building", "lane-9", "--from", "2026-11-28 20:00", "--limit", "2", "--zone", "Asia/Shanghai"}
	status, out, errOut := call(front, args...)
	if status != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(errOut, "2 entries shown, and there are more") {
		t.Fatalf("%d %s%s", status, out, errOut)
	}
	if !strings.Contains(out, "2026-11-29 10:00:00 +08:00  lane-9/gw1") ||
		!strings.Contains(out, "2026-11-29 10:01:00 +08:00?  lane-9/gw1") || !strings.Contains(out, "made after 2026-11-29 09:00:00 +08:00 and before 2026-11-29 10:01:00 +08:00, received 2026-11-29 10:00:01 +08:00") {
		t.Errorf("times and marks:\n%s", out)
	}
	_, hint, found := strings.Cut(strings.TrimSpace(errOut), "hint: registryd ")
	if !found {
		t.Fatal(errOut)
	}
	status, out, errOut = call(front, shell(hint)...)
	if status != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "0000000000000e12:2") || errOut != "" {
		t.Errorf("%s: %d %s%s", hint, status, out, errOut)
	}
	if status, _, errOut := call(front, "entries", "--limit", "0"); status != 1 || !strings.Contains(errOut, "hint: from 1 to") {
		t.Errorf("no entries at all: %d %s", status, errOut)
	}
}

// TestEntriesCSV: what a spreadsheet opens without being asked anything.
func TestEntriesCSV(t *testing.T) {
	front := pagedFront(t)
	var o, e bytes.Buffer
	if status := run(context.Background(), []string{"--front", front, "entries", "--csv", "--zone", "Asia/Shanghai"}, strings.NewReader(""), &o, &e); status != 0 {
		t.Fatal(e.String())
	}
	text, marked := strings.CutPrefix(o.String(), "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(rows) != 3 {
		t.Fatalf("marked %v, %v\n%s", marked, err, text)
	}
	for i, want := range []map[string]string{
		{"time (Asia/Shanghai)": "2026-11-29 10:00:00", "sure": "yes", "received (Asia/Shanghai)": "2026-11-29 10:00:01", "epoch": "e-0000000000000e12", "kind": "access"},
		{"time (Asia/Shanghai)": "1970-01-01 08:01:00", "sure": "no", "not after (Asia/Shanghai)": "2026-11-29 10:01:00", "not before (Asia/Shanghai)": "2026-11-29 09:00:00"},
	} {
		for n, name := range rows[0] {
			if w, asked := want[name]; asked && rows[i+1][n] != w {
				t.Errorf("row %d: %s is %q, want %q", i, name, rows[i+1][n], w)
			}
			delete(want, name)
		}
		if len(want) > 0 {
			t.Errorf("no column %v in %v", want, rows[0])
		}
	}
	if status, _, errOut := call(front, "--json", "entries", "--csv"); status != 1 || !strings.Contains(errOut, "hint") {
		t.Errorf("both forms: %d %s", status, errOut)
	}
}
