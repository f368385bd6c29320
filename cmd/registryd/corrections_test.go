package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
)

// TestCorrections: a clerk with the records key reads what residents ask to have put right, in their words and by
// tenancy, and nothing else that is sealed; what mandates asked stays with registryd sealed, which has no requests.
func TestCorrections(t *testing.T) {
	dir, key, public, older := recordsKey(t)
	request, err := sealed.Correction{Tenancy: wire.ID{0x77}, Card: wire.CredentialID{0x99}, About: sealed.AboutEntry, Epoch: 0xe12, Sequence: 7, Text: "那时我不在家"}.Record()
	must(t, err)
	reference := wire.ID{0x5f, 0x0c, 0x21, 0xaa, 1}
	request.Reference = reference[:]
	details := make([][]byte, 5)
	for i, r := range []sealed.Record{{What: sealed.Cover}, request, {What: sealed.Refusal, Refusal: "expired"}, {What: sealed.Correct}, request} {
		to := public
		if i == 4 {
			to = older
		}
		details[i], err = sealed.Seal(to, "lane-9/gw1", reference[:], r)
		must(t, err)
	}
	front := sealedFront(t, dir, details)
	status, out, errOut := call(front, "corrections", "--key", key, "--zone", "Asia/Shanghai")
	for _, want := range []string{"5f0c21aa", "2026-11-29 10:01", "lane-9/gw1", (wire.ID{0x77}).String(), "entry", "0000000000000e12:7", "那时我不在家"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if status != 0 || strings.Count(out, "\n") != 2 || strings.Contains(out, "expired") || strings.Contains(out, (wire.CredentialID{0x99}).String()) ||
		!strings.Contains(errOut, "1 entry this key does not open") || !strings.Contains(errOut, "1 request can't be read") || !strings.Contains(errOut, "the issuer does not say") {
		t.Errorf("%d\n%s%s", status, out, errOut)
	}
	status, out, _ = call(front, "--json", "corrections", "--key", key, "--zone", "UTC")
	var all []struct{ Number, Tenancy, Text string }
	if err := json.Unmarshal([]byte(out), &all); status != 0 || err != nil || len(all) != 1 || all[0].Number != "5f0c21aa" || all[0].Text != "那时我不在家" {
		t.Errorf("%d %v %s", status, err, out)
	}
	if status, out, _ := call(front, "sealed", "--key", key, "--zone", "UTC"); status != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(out, "expired") {
		t.Errorf("%d %s", status, out)
	}
	if status, _, errOut := call("", "corrections", "--key", filepath.Join(dir, "none")); status != 1 || !strings.Contains(errOut, "hint: --key names records.key") {
		t.Errorf("without a key: %d %s", status, errOut)
	}
}
