package todo

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/device/fault"
	"gatehouse/internal/backup/keeper"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/keyring"
	"gatehouse/internal/refusalstest"
)

// TestToDoCodes: every code of what is to be done stands in docs/status.md, where the page's
// test finds it, and no other does.
func TestToDoCodes(t *testing.T) {
	page, err := os.ReadFile(filepath.FromSlash("../../../../docs/status.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, ok := refusalstest.Block(string(page), "to-do")
	if !ok {
		t.Fatal("docs/status.md has no block to-do")
	}
	files, _ := filepath.Glob("*.go") // the pattern is right
	var got []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\badd\((alone\(enrolled, |deviceCode\(|partCode\()?"([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
			got = append(got, m[2])
			if strings.HasPrefix(m[1], "alone") {
				got = append(got, m[2]+"_alone")
			}
		}
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("docs/status.md has of what is to be done\n%v, the daemon\n%v", want, got)
	}
}

// TestToDoSays: a code comes with what its sentence is about, and the sentences are those
// of before.
func TestToDoSays(t *testing.T) {
	list := doorProblems([]control.Door{{ID: "front", Lock: "line 4: busy"}, {ID: "yard", Lock: "ok", Devices: []control.Device{
		{ID: "in", Fault: fault.Unplugged.String(), Hint: fault.Unplugged.Hint()}, {ID: "out"}}}})
	var codes []string
	for _, item := range list {
		codes = append(codes, item.Code+" "+item.Door+" "+strings.Join(item.Args, "|"))
	}
	if want := []string{"lock front front|line 4: busy", "device_out/unplugged yard yard|in|" + fault.Unplugged.Hint(), "device_silent yard yard|out"}; !slices.Equal(codes, want) {
		t.Errorf("codes %q, want %q", codes, want)
	}
	if got := list.texts()[0]; got != "door front: the lock can't be driven: line 4: busy" {
		t.Errorf("sentence %q", got)
	}
}

// TestToDoUnwritten: what only the memory has is told.
func TestToDoUnwritten(t *testing.T) {
	var codes []string
	for _, item := range grantProblems(keyring.Status{Files: keyring.FileStatus{Labels: errors.New("disk full")}, Records: keyring.RecordStatus{Unwritten: 2}}, true) {
		codes = append(codes, item.Code+" "+strings.Join(item.Args, "|"))
	}
	if want := []string{"labels_not_on_disk disk full", "records_not_on_disk 2 changes"}; !slices.Equal(codes, want) {
		t.Errorf("codes %q, want %q", codes, want)
	}
}

// TestFailedBackup: that there is a backup from before is said only where there is one, and that it is
// tried again only where a code was made.
func TestFailedBackup(t *testing.T) {
	at := time.Now()
	for name, c := range map[string]struct {
		status keeper.Status
		want   string
	}{
		"all is well":      {keeper.Status{Code: at, Made: at}, ""},
		"one from before":  {keeper.Status{Code: at, Made: at, Problem: "x"}, "backup_failed no backup of this gateway could be made: x. The one before stays; it is tried again each hour"},
		"after a new code": {keeper.Status{Code: at, Problem: "x"}, "backup_none no backup of this gateway could be made: x. There is none that its recovery code opens; it is tried again each hour"},
		"a damaged code":   {keeper.Status{Problem: "x"}, "backup_none no backup of this gateway could be made: x. There is none that its recovery code opens"},
	} {
		got := ""
		for _, item := range failedBackup(c.status) {
			got += item.Code + " " + item.Text
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestSince: each thing has the time of its first sight for as long as it lasts, though its
// words change; two of one kind are two, and one that comes back begins anew. A time from before
// the clock was right is put right.
func TestSince(t *testing.T) {
	var s Since
	boot := time.Hour
	start := time.Date(1970, 1, 1, 1, 0, 0, 0, time.UTC)
	look := func(after time.Duration, right bool, items ...control.ToDo) []control.ToDo {
		t.Helper()
		now := clock.Reading{Boot: boot + after, Wall: start.Add(after), Trusted: right}
		if right {
			now.Wall = now.Wall.AddDate(56, 0, 0)
		}
		s.Mark(items, now)
		return items
	}
	disk := control.ToDo{Code: "disk_filling", Args: []string{"91"}}
	in, out := control.ToDo{Code: "device_out/unplugged", Door: "front", Args: []string{"front", "in"}}, control.ToDo{Code: "device_out/unplugged", Door: "front", Args: []string{"front", "out"}}
	if got := look(0, false, disk)[0]; !got.Since.Equal(start) || !got.AtStart {
		t.Errorf("at the start: %v", got)
	}
	look(time.Hour, false, disk, in)
	fuller := control.ToDo{Code: "disk_filling", Args: []string{"92"}}
	got := look(2*time.Hour, true, fuller, in, out)
	for i, want := range []time.Duration{0, time.Hour, 2 * time.Hour} {
		if at := start.AddDate(56, 0, 0).Add(want); !got[i].Since.Equal(at) || got[i].AtStart != (i == 0) {
			t.Errorf("%s %v since %v, %v, want %v", got[i].Code, got[i].Args, got[i].Since, got[i].AtStart, at)
		}
	}
	look(3*time.Hour, true, fuller)
	if got := look(4*time.Hour, true, in)[0]; !got.Since.Equal(start.AddDate(56, 0, 0).Add(4 * time.Hour)) {
		t.Errorf("it comes back: %v", got.Since)
	}
}
