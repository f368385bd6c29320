package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/sealing"
)

// sealedFront answers with sealed entries of a gateway, two at a time.
func sealedFront(t *testing.T, dir string, details [][]byte, seals ...api.Seals) string {
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, enc := r.URL.Query(), json.NewEncoder(w)
		if r.URL.Path == "/v1/seals" {
			for _, one := range seals {
				_ = enc.Encode(one)
			}
			return
		}
		if r.URL.Path != "/v1/entries" {
			_ = enc.Encode([]api.Gateway{})
			return
		}
		if q.Get("kind") != "sealed" {
			_ = enc.Encode(api.Error{Message: "asked for more than sealed entries"})
			return
		}
		first := 0
		if after := q.Get("after"); after != "" {
			first = int(after[0] - '0')
		}
		for i := first; i < len(details) && i < first+2; i++ {
			_ = enc.Encode(api.Entry{Place: api.Place{Building: "lane-9", Gateway: "gw1"}, Epoch: "0000000000000e12", Sequence: uint64(i),
				Time: time.Date(2026, 11, 29, 2, i, 0, 0, time.UTC), Kind: "sealed", Detail: details[i], WhoHash: make([]byte, 32)})
		}
		if first+2 < len(details) {
			_ = enc.Encode(api.More{More: string(rune('0' + first + 2))})
		}
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-ended })
	return path
}

// recordsKey makes a records key in a directory of its own, and another one of which nobody has the private half.
func recordsKey(t *testing.T) (dir, key string, public, older []byte) {
	dir, err := os.MkdirTemp("", "front")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	private, public, err := sealing.GenerateKey()
	must(t, err)
	_, older, err = sealing.GenerateKey()
	must(t, err)
	key = filepath.Join(dir, "records.key")
	must(t, keys.SaveSealKey(key, private))
	return dir, key, public, older
}

// TestSealed: whoever has the records key sees which of the sealed entries say something, from all pages
// of the front's answer; covers are not shown, and what the key does not open is counted.
func TestSealed(t *testing.T) {
	dir, key, public, older := recordsKey(t)
	reference := wire.ID{0x40, 1, 2}
	details := make([][]byte, 6)
	for i, r := range []sealed.Record{{What: sealed.Cover}, {What: sealed.Answer, Reference: reference[:], Use: 2}, {What: sealed.Cover}, {What: sealed.Refusal, Refusal: "expired"}, {What: sealed.Answer},
		{What: sealed.Held, Reference: reference[:], Span: &sealed.Span{Door: "front", From: 1_796_000_000, Until: 1_796_003_600, Case: "A440000-2026-1"}}} {
		to := public
		if i == 4 {
			to = older
		}
		detail, err := sealed.Seal(to, "lane-9/gw1", reference[:], r)
		must(t, err)
		details[i] = detail
	}
	status, out, errOut := call(sealedFront(t, dir, details), "sealed", "--key", key, "--zone", "Asia/Shanghai")
	if status != 0 || strings.Count(out, "\n") != 4 || !strings.Contains(out, "0000000000000e12:1  answer") || !strings.Contains(out, reference.String()) ||
		!strings.Contains(out, "refusal expired") || !strings.Contains(out, "front, 2026-11-30 08:53:20 +08:00 to 2026-11-30 09:53:20 +08:00, A440000-2026-1") || !strings.Contains(errOut, "1 entry this key does not open") {
		t.Errorf("%d\n%s%s", status, out, errOut)
	}
	if status, _, errOut := call("", "sealed", "--key", filepath.Join(dir, "none")); status != 1 || !strings.Contains(errOut, "hint: --key names records.key") {
		t.Errorf("without a key: %d %s", status, errOut)
	}
}
