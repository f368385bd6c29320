package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// layout is a call that formats a time by a layout.
var layout = regexp.MustCompile(`\.Format\((time\.\w+|"[^"]*2006[^"]*")`)

// ownLayouts are layouts of times that are not calendar.Stamp's, by file: each says where its zone stands, or is a day's.
var ownLayouts = map[string]string{
	"cmd/gatehouse/internal/exhibit/print.go":        `"2006-01-02 15:04:05.000 -07:00"`, // of entries, to the millisecond
	"cmd/gatehouse/internal/operate/status.go":       `"2006-01-02 15:04:05.000 -07:00"`,
	"cmd/gatehouse/internal/reception/words.go":      `"2006-01-02 15:04 "`,       // and the zone's name
	"cmd/registryd/backup.go":                        `"20060102T150405Z"`,        // a directory's name
	"cmd/registryd/internal/transparency/quarter.go": `"2006-01-02 15:04 -07:00"`, // its midnights
	"cmd/registryd/entries.go":                       `time.DateTime`,             // cells that a spreadsheet takes for times; the first line names the zone
}

// TestTimesAreStamped: the tools show a time as calendar.Stamp does, with its offset, or for programs as RFC 3339.
func TestTimesAreStamped(t *testing.T) {
	seen := 0
	for _, root := range []string{"../cmd/gatehouse", "../cmd/registryd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			own := ownLayouts[filepath.ToSlash(strings.TrimPrefix(path, "../"))]
			for _, m := range layout.FindAllStringSubmatch(string(code), -1) {
				seen++
				if l := m[1]; l != own && l != "time.DateOnly" && l != "time.RFC3339" && l != "time.RFC3339Nano" {
					t.Errorf("%s formats a time by %s: calendar.Stamp(t, zone) has the offset", path, l)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < len(ownLayouts) {
		t.Errorf("%d layouts found", seen)
	}
}
