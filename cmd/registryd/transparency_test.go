package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/sealing"
)

// countingFront answers with the counts and the sealed entries of a quarter.
func countingFront(t *testing.T, dir string, trust []byte, counts api.Counts, entries []api.Entry) string {
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, enc := r.URL.Query(), json.NewEncoder(w)
		switch from, _ := time.Parse(time.RFC3339, q.Get("from")); {
		case r.URL.Path == "/v1/trusts":
			_ = enc.Encode([][]byte{trust})
		case r.URL.Path == "/v1/gateways":
			_ = enc.Encode([]api.Gateway{{Place: entries[0].Place, Zone: "Asia/Shanghai"}})
		case !from.Equal(time.Date(2026, 6, 30, 16, 0, 0, 0, time.UTC)):
			w.WriteHeader(http.StatusBadRequest)
			_ = enc.Encode(api.Error{Message: "asked for another quarter: " + q.Get("from")})
		case r.URL.Path == "/v1/counts":
			_ = enc.Encode(counts)
		default:
			for _, e := range entries {
				if e.Kind == q.Get("kind") {
					_ = enc.Encode(e)
				}
			}
		}
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return path
}

// trustOf is a trust document with that records key. Who signed it is for the front to judge.
func trustOf(t *testing.T, records []byte) []byte {
	_, root, err := ed25519.GenerateKey(nil)
	must(t, err)
	envelope, err := wire.SignBody(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "city"}, wire.Trust{Version: 1, Issued: 1_790_000_000, Registry: "city",
		Records: records, Desk: records, Escrow: records, CAs: [][]byte{{1}}, Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 1, Public: [32]byte(root.Public().(ed25519.PublicKey))}}}, root)
	must(t, err)
	return envelope
}

// quarter names the one that a time is in.
func quarter(at time.Time) string { return fmt.Sprintf("%dQ%d", at.Year(), (at.Month()+2)/3) }

// TestTransparency: a quarter is published once, when it is over, with no number from 1 to 4; a page that needs nothing
// beside it, and a list in which an answered mandate is found.
func TestTransparency(t *testing.T) {
	dir, err := os.MkdirTemp("", "front")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	private, public, err := sealing.GenerateKey()
	must(t, err)
	key := filepath.Join(dir, "records.key")
	must(t, keys.SaveSealKey(key, private))
	central, local := sha256.Sum256([]byte("at the registry")), sha256.Sum256([]byte("on site"))
	var entries []api.Entry
	for i, what := range []sealed.What{sealed.Cover, sealed.Answer, sealed.Refusal, sealed.Refusal, sealed.Held} {
		detail, err := sealed.Seal(public, "lane-9/gw1", local[:16], sealed.Record{What: what, Mandate: local[:], Use: 1})
		must(t, err)
		entries = append(entries, api.Entry{Place: api.Place{District: "d1", Town: "t2", Building: "lane-9", Gateway: "gw1"}, Sequence: uint64(i), Kind: "sealed", Detail: detail})
	}
	for i := range 6 { // the last comes again
		entries = append(entries, api.Entry{Place: entries[0].Place, Sequence: uint64(9 + i), Kind: "space", Reason: "forget", Detail: []byte{byte(min(i, 4))}})
	}
	trust := trustOf(t, public)
	strange, _, err := sealing.GenerateKey()
	must(t, err)
	foreign := filepath.Join(dir, "foreign.key")
	must(t, keys.SaveSealKey(foreign, strange))
	front := countingFront(t, dir, trust, api.Counts{Mandates: []wire.Hash{central}, Towns: []api.TownCounts{
		{Town: api.Town{District: "d1", Town: "t1"}, Answers: 3, Emergencies: 1, Refused: 8, Preserved: 17}, {Town: api.Town{District: "d1", Town: "t0"}, Answers: 30, Emergencies: 27, Validated: 20}, {Refused: 2},
		{Town: api.Town{District: "d1", Town: "<t3>"}, Answers: 6, Forgotten: 5}}}, entries)
	out, padding := filepath.Join(dir, "public"), filepath.Join(dir, "padding")
	args := []string{"transparency", "--quarter", "2026Q3"}
	status, text, errOut := call(front, args...)
	if status != 0 || !strings.Contains(text, "37-40") || !strings.Contains(text, "网关在现场作出的答复不在内") || strings.Contains(text, "not for publication") {
		t.Errorf("%d\n%s%s", status, text, errOut)
	}
	for want, more := range map[string][]string{"no quarter": {"--quarter", "2026Q7"}, "go together": {"--out", out}, "lies in --out": {"--out", out, "--oversight", filepath.Join(out, "p")},
		"can't be written": {"--out", out, "--oversight", filepath.Join(dir, "none", "padding")}, "not a directory": {"--out", filepath.Join(key, "public"), "--oversight", padding},
		"has not begun": {"--quarter", "2099Q4"},
		"is not over":   {"--quarter", quarter(time.Now().UTC()), "--zone", "UTC", "--out", out, "--oversight", padding}, "no time zone": {"--zone", "Moon"}, "records.key": {"--key", filepath.Join(dir, "none")},
		"is no records key that a trust document of this registry names": {"--key", foreign}} {
		if status, _, errOut := call(front, append(slices.Clone(args), more...)...); status != 1 || !strings.Contains(errOut, want) || !strings.Contains(errOut, "hint: ") {
			t.Errorf("%s: %d %s", want, status, errOut)
		}
	}
	args = append(args, "--key", key, "--out", out, "--oversight", padding)
	if status, text, errOut = call(front, args...); status != 0 {
		t.Fatalf("%d\n%s%s", status, text, errOut)
	}
	read := func(ext string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(out, "transparency-2026Q3"+ext))
		must(t, err)
		return string(b)
	}
	if read(".txt") != text || !strings.Contains(text, "d1/t2") || !strings.Contains(text, "无审批人签名 No approver signed") {
		t.Errorf("%s\n%s", read(".txt"), text)
	}
	list := strings.Fields(read(".mandates"))
	if len(list) != 44 || !slices.Contains(list, fmt.Sprintf("%x", central)) || !slices.Contains(list, fmt.Sprintf("%x", local)) {
		t.Errorf("%d lines: %v", len(list), list)
	}
	if b, err := os.ReadFile(padding); err != nil || strings.Count(string(b), "\n") != 42 {
		t.Errorf("%s %v", b, err)
	}
	var object struct {
		Quarter string
		Towns   []map[string]string
		Total   map[string]string
	}
	must(t, json.Unmarshal([]byte(read(".json")), &object))
	byTown := map[string]map[string]string{}
	for _, town := range object.Towns {
		byTown[town["town"]] = town
	}
	for town, want := range map[string]map[string]string{"t1": {"answers": "<5", "preserved": "17", "on_site": "0"}, "t0": {"answers": "30", "emergencies": "26-29", "validated": "1-29"},
		"t2": {"on_site": "<5", "refused_on_site": "<5", "preserved_on_site": "<5", "forgotten_on_site": "5", "refused": "0"}} {
		for name, n := range want {
			if byTown[town][name] != n {
				t.Errorf("%s: %s is shown as %q, want %q", town, name, byTown[town][name], n)
			}
		}
	}
	if object.Quarter != "2026Q3" || len(object.Towns) != 5 || object.Total["on_site"] != "1-4" || object.Total["emergencies"] != "27-33" || object.Total["preserved"] != "17" ||
		object.Total["refused"] != "9-12" || object.Total["refused_on_site"] != "1-4" || object.Total["forgotten_on_site"] != "5" {
		t.Errorf("%+v", object)
	}
	page := read(".html")
	if strings.Contains(page, "<t3>") || !strings.Contains(page, "&lt;t3&gt;") || !strings.Contains(page, "<td>&lt;5") ||
		!strings.Contains(page, "合计<span lang=\"en\">All</span>") || strings.Contains(page, "http") || strings.Contains(page, "src=") {
		t.Error(page)
	}
	if status, _, errOut := call(front, args...); status != 1 || !strings.Contains(errOut, "published once") {
		t.Errorf("published again: %d %s", status, errOut)
	}
}
