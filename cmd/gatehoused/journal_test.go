package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/journal"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
)

// house is a state directory with a log of one card that was let in, and of a journal that runs until stop.
type house struct {
	*testing.T
	state string
	j     *journal.Journal
	stop  func()
}

var someone = wire.Who{Credential: &wire.CredentialID{1, 0xca, 0xfe}, Grant: &wire.ID{0xbe, 0xef, 1}, Tenancy: &wire.ID{0xde, 0xad, 2}}

func newHouse(t *testing.T) *house {
	t.Setenv("GATEHOUSED_PLAY", "none") // files are verified in a process of their own
	h := &house{T: t, state: t.TempDir()}
	var err error
	h.j, err = journal.Open(journal.Options{Dir: filepath.Join(h.state, "journal"), Ballast: -1, Clock: func() journal.Stamp {
		return journal.Stamp{Wall: 1_795_392_000_000, Quality: wire.ClockNTP}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.j.Run(ctx) }()
	stopped := false
	h.stop = func() {
		if stop(); !stopped {
			stopped = true
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(h.stop)
	in := wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "street", Direction: wire.DirectionIn}
	if _, err := h.j.Append(t.Context(), in, someone); err != nil {
		t.Fatal(err)
	}
	return h
}

// runs runs the program, which must end like that and say that.
func (h *house) runs(status int, says string, args ...string) string {
	h.Helper()
	var out bytes.Buffer
	if got := run(args, &out, &out); got != status || !strings.Contains(out.String(), says) {
		h.Errorf("%q: status %d, want %d; said %q, want %q in it", args, got, status, out.String(), says)
	}
	return out.String()
}

// TestJournalVerify: a log is whole or it is not, in words of both languages, and the command writes nothing. Its
// checkpoint is printed as it is.
func TestJournalVerify(t *testing.T) {
	h := newHouse(t)
	h.runs(75, "check a copy of the directory", "journal", "verify", h.state)
	h.runs(75, "the daemon writes to it", "journal", "dump", h.state)
	h.runs(75, "查复制的", "journal", "dump", h.state, "--lang", "zh")
	h.j.SetCosigned("a note\n")
	h.stop()
	dir := filepath.Join(h.state, "journal")
	if got := h.runs(0, "", "checkpoint", dir); got != "a note\n" {
		t.Errorf("checkpoint: %q", got)
	}
	h.runs(75, "were not verified", "journal", "verify", h.state) // no keys beside it, and no registry has signed that note
	if err := os.Remove(filepath.Join(dir, "hints")); err != nil {
		t.Fatal(err)
	}
	before := stateOf(t, h.state)
	h.runs(0, fmt.Sprintf("entries 0 to %d are whole", h.j.Status().Sequence), "journal", "verify", h.state)
	h.runs(0, "Result: whole", "journal", "verify", dir)
	h.runs(0, "结果：完整", "journal", "verify", "--lang", "zh", h.state)
	h.runs(0, "access granted", "journal", "dump", h.state)
	if after := stateOf(t, h.state); after != before {
		t.Errorf("the directory was changed:\n%s\n%s", before, after)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*-*.db"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	h.runs(1, "is missing", "journal", "verify", h.state)
	h.runs(1, "不见了", "journal", "verify", "--lang", "zh", h.state)
	h.runs(1, "is missing", "journal", "dump", h.state)
}

// TestNoJournal: where there is no log, verify and dump were called wrongly, and say nothing of what was checked. A
// log that was taken away whole is missing as long as the grants know of it.
func TestNoJournal(t *testing.T) {
	t.Setenv("GATEHOUSED_PLAY", "none")
	h := &house{T: t, state: t.TempDir()}
	for _, dir := range []string{h.state, filepath.Join(h.state, "nowhere")} {
		for lang, want := range map[string]string{"zh": "请写出网关状态目录", "en": "name the state directory of a gateway"} {
			for _, command := range []string{"verify", "dump"} {
				if got := h.runs(2, want, "journal", command, "--lang", lang, dir); strings.Contains(got, "Result") || strings.Contains(got, "结果") {
					t.Errorf("%s %s says %q", command, dir, got)
				}
			}
		}
	}
	if err := os.Mkdir(filepath.Join(h.state, "grants"), 0o700); err != nil {
		t.Fatal(err)
	}
	if want, got := filepath.Join(h.state, "journal"), checkOf(h.state, "").Dir; got != want {
		t.Errorf("beside grants it looks at %s, not at %s", got, want)
	}
}

// stateOf are the names, sizes and times of all files.
func stateOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestJournalDump: what happened is printed, to the last field of the header, and to whom is not.
func TestJournalDump(t *testing.T) {
	h := newHouse(t)
	h.stop()
	lines := h.runs(0, " ntp      ", "journal", "dump", h.state)
	objects := h.runs(0, `"who":"kept"`, "journal", "dump", "--json", h.state)
	if behind := h.runs(0, "", "journal", "dump", h.state, "--json"); behind != objects {
		t.Errorf("the flag behind the directory: %q", behind)
	}
	h.runs(2, "usage", "journal", "dump", h.state, "--json", h.state)
	for _, id := range []string{someone.Credential.String(), someone.Grant.String(), someone.Tenancy.String(), "cafe", "beef", "dead"} {
		if strings.Contains(lines+objects, id) {
			t.Errorf("it prints %s", id)
		}
	}
	if want := "access granted granted door=front source=street in who=kept\n"; !strings.Contains(lines, want) {
		t.Errorf("no line ends with %q:\n%s", want, lines)
	}
	n := 0
	for line := range strings.Lines(objects) {
		var e logLine
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Sequence != uint64(n) || e.Time.UnixMilli() != 1_795_392_000_000 {
			t.Errorf("line %d: %+v, %v", n, e, err)
		}
		n++
	}
	if n != strings.Count(lines, "\n") || n != int(h.j.Status().Sequence) {
		t.Errorf("%d objects, %d lines, %d entries", n, strings.Count(lines, "\n"), h.j.Status().Sequence)
	}
}

// TestLocale: the language is that of the terminal.
func TestLocale(t *testing.T) {
	for want, env := range map[text.Language][]map[string]string{
		text.Chinese: {{"LANG": "zh_CN.UTF-8"}, {"LANG": "C", "LC_ALL": "zh_CN"}, {"LC_MESSAGES": "zh", "LANG": "en_US"}},
		text.English: {{}, {"LANG": "C.UTF-8"}, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}},
	} {
		for _, e := range env {
			if got := localeLanguage(func(name string) string { return e[name] }); got != want {
				t.Errorf("%v: %s, want %s", e, got, want)
			}
		}
	}
}
