package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"gatehouse/cmd/gatesim/internal/fleet"
)

// TestFleet plays five gateways end to end: each connects with a certificate of its own, every entry
// is signed for and stored once, every revocation arrives, and nothing is left behind.
func TestFleet(t *testing.T) {
	d := newRun(t, program(t), "fleet", "--gateways", "5", "--for", "4s", "--rate", "20", "--revocations", "8", "--json")
	if err := d.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &d.out, &d.err)
	}
	var r fleet.Report
	if err := json.Unmarshal(d.out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, &d.out)
	}
	if r.Gateways != 5 || r.Connected != 5 || r.ConnectedIn <= 0 || r.Lost != 0 || r.Waiting != 0 || r.Doubled != 0 || r.Settle != 300 {
		t.Errorf("%+v", r)
	}
	if r.Seconds < 4 || r.Entries < 20 || r.Ack.N < int(r.Entries) || r.Ack.P50 <= 0 || r.Ack.P99 < r.Ack.P50 || r.Ack.Max < r.Ack.P99 {
		t.Errorf("entries: %+v", r)
	}
	if r.Revocation.N == 0 || r.Revocation.N > 8 || r.Revocation.P50 <= 0 || r.Revocation.Max > 4000 {
		t.Errorf("revocations: %+v", r.Revocation)
	}
	for _, doing := range []string{"making keys and certificates", "connecting", "people come and go", "the last entries", "reading what the registry has stored"} {
		if strings.Count(d.err.String(), doing+"\n") != 1 {
			t.Errorf("it does not say once that it is %s:\n%s", doing, &d.err)
		}
	}
	if left := d.left(t); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
	if files, err := os.ReadDir(d.tmp); err != nil || len(files) > 0 {
		t.Errorf("it leaves %v, %v", files, err)
	}
}

// TestFleetRefuses: what can't be played is refused with what to do, before anything is made.
func TestFleetRefuses(t *testing.T) {
	for args, hint := range map[string]string{
		"--gateways 0":              "--gateways is 1 or more",
		"--gateways 5 --rate=-1":    "are not below 0",
		"--gateways 2000000000":     "raise that limit (ulimit -Hn), or play at most",
		"--gateways 5 --dir .":      "name a new directory",
		"--gateways 5 --for=-1s":    "are not below 0",
		"--revocations=-2 --for 1s": "are not below 0",
		"--settle=-1s":              "are not below 0",
	} {
		var out, errOut bytes.Buffer
		t.Setenv("TMPDIR", t.TempDir())
		status := run(t.Context(), append([]string{"fleet"}, strings.Fields(args)...), &out, &errOut)
		if status != 1 || !strings.Contains(errOut.String(), hint) || out.Len() > 0 {
			t.Errorf("%s: status %d\n%s%s", args, status, &out, &errOut)
		}
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v, %v", args, left, err)
		}
	}
}

// TestFleetProgress: a terminal has one line that changes, a file one for each thing that begins.
func TestFleetProgress(t *testing.T) {
	for live, want := range map[bool]string{
		false: "connecting\nliving\n",
		true: "\r\x1b[Kconnecting: 1 of 2 gateways in step, 0 entries, 0 not signed for yet" +
			"\r\x1b[Kconnecting: 2 of 2 gateways in step, 1 entry, 1 not signed for yet\r\x1b[Kliving: 2 of 2 gateways in step, 3 entries, 0 not signed for yet\r\x1b[K",
	} {
		var out bytes.Buffer
		p := progress{out: &out, live: live, gateways: 2}
		for _, now := range []fleet.Progress{{Doing: "connecting", Connected: 1}, {Doing: "connecting", Connected: 2, Entries: 1, Unacked: 1}, {Doing: "living", Connected: 2, Entries: 3}} {
			p.tell(now)
		}
		if p.end(); out.String() != want {
			t.Errorf("live %v: %q\nwant %q", live, out.String(), want)
		}
	}
	if isTerminal(new(bytes.Buffer)) {
		t.Error("a buffer is a terminal")
	}
}
