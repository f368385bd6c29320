package main

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/whos"
)

// fakeRequests is an issuer for residents' requests, which keeps what is done, and the order of what it was asked.
type fakeRequests struct {
	path  string
	asked []string
	known map[string]operator.Request
}

func newRequests(t *testing.T, dir string) *fakeRequests {
	f := &fakeRequests{path: filepath.Join(dir, "i"), known: map[string]operator.Request{}}
	l, err := net.Listen("unix", f.path)
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(f.serve)}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return f
}

func (f *fakeRequests) serve(w http.ResponseWriter, r *http.Request) {
	f.asked = append(f.asked, r.URL.Path)
	var out any
	switch r.URL.Path {
	case "/v1/requests/found":
		var in operator.FoundRequests
		_ = json.NewDecoder(r.Body).Decode(&in)
		for _, one := range in.All {
			if _, known := f.known[one.Number]; !known {
				f.known[one.Number] = one
			}
		}
		out = slices.Collect(maps.Values(f.known))
	case "/v1/requests/done":
		var in operator.DoneRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		one, at := f.known[in.Number], time.Now()
		one.Done = &at
		f.known[in.Number] = one
	case "/v1/tenancies":
		w.WriteHeader(http.StatusInternalServerError)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// TestCorrections: a clerk with the records key reads what residents ask to have put right, in their words and by
// tenancy, and nothing else that is sealed; what mandates asked stays with registryd sealed, which has no requests.
func TestCorrections(t *testing.T) {
	dir, key, public, older := recordsKey(t)
	request, who, err := sealed.Correction{Tenancy: wire.ID{0x77}, Card: wire.CredentialID{0x99}, About: sealed.AboutEntry, Epoch: 0xe12, Sequence: 7, Text: "那时我不在家"}.Record()
	must(t, err)
	reference := wire.ID{0x5f, 0x0c, 0x21, 0xaa, 1}
	request.Reference = reference[:]
	gone, _, err := sealed.Correction{Tenancy: wire.ID{0x77}, Card: wire.CredentialID{0x99}, About: sealed.AboutFlat, Text: "不该再有"}.Record()
	must(t, err)
	gone.Reference = append([]byte{0x60}, reference[1:]...)
	details := make([][]byte, 6)
	for i, r := range []sealed.Record{{What: sealed.Cover}, request, {What: sealed.Refusal, Refusal: "expired"}, {What: sealed.Correct}, request, gone} {
		to := public
		if i == 4 {
			to = older
		}
		details[i], err = sealed.Seal(to, "lane-9/gw1", reference[:], r)
		must(t, err)
	}
	front, issuer := sealedFront(t, dir, details, sealsOf(t, public, who)), newRequests(t, dir)
	ask := func(args ...string) (int, string, string) {
		return call(front, append([]string{"--issuer", issuer.path}, args...)...)
	}
	if status, out, errOut := call(front, "--issuer", filepath.Join(dir, "nobody"), "corrections", "--key", key, "--case", "7"); status != 1 || strings.Contains(out, "5f0c21aa") {
		t.Errorf("nobody wrote it down: %d %s%s", status, out, errOut)
	}
	status, out, errOut := ask("corrections", "--key", key, "--case", "7", "--zone", "Asia/Shanghai")
	if len(issuer.asked) == 0 || issuer.asked[0] != "/v1/requests/read" {
		t.Errorf("it was asked %v", issuer.asked)
	}
	for _, want := range []string{"5f0c21aa", "2026-11-29 10:01", "lane-9/gw1", (wire.ID{0x77}).String(), "entry", "0000000000000e12:7", "那时我不在家"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if status != 0 || strings.Count(out, "\n") != 2 || strings.Contains(out, "expired") || strings.Contains(out, (wire.CredentialID{0x99}).String()) ||
		!strings.Contains(errOut, "1 entry this key does not open") || !strings.Contains(errOut, "1 request can't be read") || !strings.Contains(errOut, "1 request erased") || !strings.Contains(errOut, "the issuer does not say") {
		t.Errorf("%d\n%s%s", status, out, errOut)
	}
	status, out, _ = ask("--json", "corrections", "--key", key, "--case", "7", "--zone", "UTC")
	var all []struct{ Number, Tenancy, Text string }
	if err := json.Unmarshal([]byte(out), &all); status != 0 || err != nil || len(all) != 1 || all[0].Number != "5f0c21aa" || all[0].Text != "那时我不在家" {
		t.Errorf("%d %v %s", status, err, out)
	}
	if status, out, _ := call(front, "sealed", "--key", key, "--zone", "UTC"); status != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(out, "expired") {
		t.Errorf("%d %s", status, out)
	}
	if status, out, _ := ask("corrections", "done", "5f0c21aa", "--case", "letter 3"); status != 0 || !strings.Contains(out, "5f0c21aa is done") {
		t.Errorf("%d %s", status, out)
	}
	if status, out, _ := ask("corrections", "--key", key, "--case", "7", "--zone", "UTC"); status != 0 || out != "none\n" {
		t.Errorf("what is done is shown: %d %s", status, out)
	}
	if status, out, _ := ask("corrections", "--all", "--key", key, "--case", "7", "--zone", "UTC"); status != 0 || !strings.Contains(out, "done 20") || !strings.Contains(out, "600c21aa  erased") || strings.Contains(out, "不该再有") || !strings.Contains(out, "那时我不在家") {
		t.Errorf("%d %s", status, out)
	}
	for _, args := range [][]string{{"corrections", "--key", key, "--case", "张三"}, {"corrections", "done", "5f0c21aa", "--case", "张三"}} {
		if status, _, errOut := ask(args...); status != 1 || !strings.Contains(errOut, "somebody's name") {
			t.Errorf("%v: %d %s", args, status, errOut)
		}
	}
	if status, _, errOut := call("", "corrections", "--case", "7", "--key", filepath.Join(dir, "none")); status != 1 || !strings.Contains(errOut, "hint: --key names records.key") {
		t.Errorf("without a key: %d %s", status, errOut)
	}
}

// sealsOf are the who parts of sealedFront's batch that are left: that of entry 1.
func sealsOf(t *testing.T, public []byte, who wire.Who) api.Seals {
	sealer, err := whos.Begin(public, "lane-9/gw1", 0xe12)
	must(t, err)
	part, err := who.Encode()
	must(t, err)
	out := api.Seals{Gateway: "lane-9/gw1", Epoch: 0xe12, Context: sealer.Encapsulated()}
	out.Sealed, err = sealer.Seal(0, []whos.Part{{Index: 1, Who: part}})
	must(t, err)
	return out
}
