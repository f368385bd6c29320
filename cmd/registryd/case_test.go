package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"gatehouse/internal/evidence"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// sends has a gateway say a hello and a batch until the registry has stored the batch.
func (r *centre) sends(link *connection, reg *keys.Registry, own *keys.Keys, batch wire.Batch) {
	r.t.Helper()
	hello := sign(r.t, reg, own, wire.TypeHello, wire.Hello{Nonce: wire.Nonce{1}, Boot: 1, Epoch: 1, Next: 1, Root: batch.Root, Software: "test"})
	entry := sign(r.t, reg, own, wire.TypeBatch, batch)
	r.until("the passage is stored", func() bool {
		for kind, message := range map[string][]byte{wire.TypeHello: hello, wire.TypeBatch: entry} {
			ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
			_ = link.link.Publish(ctx, reg.Place.Up(kind), message)
			cancel()
		}
		return strings.Contains(r.ok("entries", "--gateway", reg.Place.Gateway), "front")
	})
}

// standing is a line of a case's summary.
type standing struct {
	State, Why, Do string
	Gateway        string
	Number, Part   int
	Files          []struct {
		Path    string
		Entries int
	}
	Lacks *api.Lacks
}

func (r *centre) summary(out string) (all []standing) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "summary.json"))
	must(r.t, err)
	must(r.t, json.Unmarshal(text, &all))
	return all
}

// TestCase: the mandates of a case are answered side by side, whatever one of them is like; another run counts nothing
// again, and what was not here is added once it has come.
func TestCase(t *testing.T) {
	t.Parallel()
	r := newCentre(t)
	first, second := r.gateway("gw-1"), r.gateway("gw-2")
	now := time.Now()
	reg, err := keys.LoadRegistry(first)
	must(t, err)
	own, err := keys.LoadKeys(first)
	must(t, err)
	r.sends(connect(t, first), reg, &own, passage(t, reg, &own, nil, now.Add(-time.Hour)))
	by, _ := r.appoint(reg)
	private, public, err := sealing.GenerateKey()
	must(t, err)
	papers, out := t.TempDir(), filepath.Join(t.TempDir(), "answers")
	paper := func(name string, reference byte, change func(*mandates.Mandate)) {
		m := requisition(now, public)
		m.Reference, m.Request.Flats = wire.ID{reference}, nil
		change(&m)
		envelope, err := mandates.Sign(m, reg.Trust.Registry, by)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(papers, name), envelope, 0o600))
	}
	paper("1.mandate", 1, func(*mandates.Mandate) {})
	paper("2.copy", 1, func(*mandates.Mandate) {})
	paper("3.away", 3, func(m *mandates.Mandate) { m.Request.Gateways[0].ID = "gw-2" })
	paper("4.house", 4, func(m *mandates.Mandate) { m.Request.Building = "house-9" })
	paper("5.late", 5, func(m *mandates.Mandate) {
		m.Issued -= 86400
		m.Request.Until -= 86400
		m.Request.From -= 86400
		m.Expires = m.Issued + 60
	})
	paper("6.flat", 6, func(m *mandates.Mandate) { m.Request.Flats = []string{"9z"} })
	paper("8.house", 8, func(m *mandates.Mandate) { m.Request.Building, m.Request.Flats = "house-9", []string{"9z"} })
	must(t, os.WriteFile(filepath.Join(papers, "7.form"), []byte("{}"), 0o600))
	records := filepath.Join(r.dir, "offline", "records.key")
	args := []string{"query", "--case", papers, "--out", out, "--key", records}
	given := func() int { return strings.Count(r.ok("answers"), "\n") - 1 }

	// Nothing is asked before directory and key are tried.
	blocked := slices.Clone(args)
	blocked[4] = filepath.Join(papers, "7.form", "answers")
	r.refused("nothing is counted", blocked...)
	r.refused("nothing is counted", "query", filepath.Join(papers, "1.mandate"), "--out", blocked[4], "--key", records)
	wrong := slices.Clone(args)
	wrong[6] = filepath.Join(r.dir, "offline", "escrow.key")
	r.refused("is no records key", wrong...)
	r.refused("without --case one mandate", "query", filepath.Join(papers, "1.mandate"), filepath.Join(papers, "3.away"), "--out", out, "--key", records)
	if text := r.ok("answers"); text != "none\n" {
		t.Fatalf("before the case:\n%s", text)
	}

	want := []string{"answered", "twice", "waiting", "unknown", "expired", "failed", "failed", "unknown"}
	look := func(said string) {
		t.Helper()
		all := r.summary(out)
		var states []string
		for _, l := range all {
			states = append(states, l.State)
			if l.State != "answered" && l.State != "waiting" && l.State != "partial" && (l.Why == "" || l.Do == "" && l.State != "twice") {
				t.Errorf("%+v does not say why, or what to do", l)
			}
			if l.Why != "" && !bilingual(l.Why) || l.Do != "" && !bilingual(l.Do) {
				t.Errorf("%+v is not in both languages", l)
			}
		}
		if !slices.Equal(states, want) || len(all[0].Files) != 1 || all[0].Files[0].Entries != 0 || all[0].Number != 1 || all[0].Part != 0 {
			t.Fatalf("%v %+v\n%s", states, all[0], said)
		}
	}
	var said string
	r.until("the entry is cosigned, and answered", func() bool {
		status, text, errOut := r.call(args...)
		if said = text + errOut; status != 1 {
			t.Fatalf("status %d\n%s", status, said)
		}
		return strings.Contains(text, "1 已答复 answered")
	})
	look(said)
	for _, words := range []string{"不予提供", "已过期 expired", "重复的文件 the same file again", "house-9/gw-1", "从未联系 the gateway was never heard", "no tenancy of flat", "is no signed mandate"} {
		if words != "不予提供" && !strings.Contains(said, words) {
			t.Errorf("it does not say %q:\n%s", words, said)
		}
	}
	if given() != 1 {
		t.Errorf("the front lists\n%s", r.ok("answers"))
	}

	// Again: nothing is counted, and the file is not touched; one that is gone is made again.
	file := r.summary(out)[0].Files[0].Path
	before, err := os.ReadFile(file)
	must(t, err)
	r.call(args...)
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the answer was written anew, %v", err)
	}
	must(t, os.WriteFile(file, []byte("tamper"), 0o600))
	_, said, _ = r.call(args...)
	look(said)
	sealed, err := os.ReadFile(file)
	must(t, err)
	plain, err := sealing.Unseal(private, sealing.Answer, "", sealed)
	must(t, err)
	root, err := keys.LoadRoot(filepath.Join(r.dir, "front", api.FileRoot))
	must(t, err)
	if report, err := evidence.Verify(plain, evidence.Trust{Root: root}); err != nil || !report.Whole() {
		t.Errorf("%v", err)
	}
	if given() != 1 {
		t.Errorf("the front lists\n%s", r.ok("answers"))
	}

	// With --wait what comes is answered, and the command ends by itself.
	reg2, err := keys.LoadRegistry(second)
	must(t, err)
	var own2 keys.Keys // it shares no building key yet
	own2.Gateway, err = keys.LoadPrivateKey(filepath.Join(second, keys.GatewayKeyFile))
	must(t, err)
	ended := make(chan string)
	go func() {
		_, text, errOut := r.call(append(args, "--wait", "2m")...)
		ended <- text + errOut
	}()
	r.sends(connect(t, second), reg2, &own2, passage(t, reg2, &own2, nil, now.Add(-time.Hour)))
	select {
	case said = <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it still waits")
	}
	want[2] = "answered"
	look(said)
	if given() != 2 {
		t.Errorf("the front lists\n%s", r.ok("answers"))
	}
	if text := r.ok("answers"); strings.Contains(text, "house-1") || !strings.Contains(text, "完整 complete") {
		t.Errorf("the list says\n%s", text)
	}

	// A run with one of them, whose directory is the same, leaves the others' lines.
	one := slices.Clone(args)
	one[2] = filepath.Join(papers, "1.mandate")
	if said = r.ok(one...); !strings.Contains(said, "7 项是以前的结果，本次未查询 7 of them as an earlier run has left them") || !strings.Contains(said, "no tenancy of flat") {
		t.Errorf("it says\n%s", said)
	}
	slices.Sort(want)
	var states []string
	for _, l := range r.summary(out) {
		states = append(states, l.State)
	}
	if slices.Sort(states); !slices.Equal(states, want) {
		t.Errorf("the summary has %v, want %v", states, want)
	}

	// What was answered before it was withdrawn stands in the summary with its files.
	paper("back", 1, func(m *mandates.Mandate) { m.Status, m.StatusReason = mandates.Withdrawn, "案件撤销" })
	r.refused("withdrawn", "query", filepath.Join(papers, "back"), "--key", records, "--out", t.TempDir())
	r.call(one...)
	line := r.summary(out)[0]
	text, err := os.ReadFile(filepath.Join(out, "summary.txt"))
	must(t, err)
	if line.State != "refused" || line.Number != 1 || len(line.Files) != 1 || line.Files[0].Path != file ||
		!strings.Contains(string(text), "早先的第 1 次答复已写入文件 answered before, as 1, into:\n    "+file+"\n") {
		t.Errorf("%+v\n%s", line, text)
	}
}

// bilingual reports whether a text has Chinese and English.
func bilingual(text string) bool {
	return strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) }) && strings.ContainsFunc(text, unicode.IsLower)
}
