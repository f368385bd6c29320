package todo

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/device/fault"
	"gatehouse/internal/control"
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
		for _, m := range regexp.MustCompile(`\badd\((alone\(enrolled, |deviceCode\()?"([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
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
