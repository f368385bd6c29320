package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/desk"
	"gatehouse/internal/refusalstest"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// texts returns the string literals of a directory's Go files, tests excluded, by
// file.
func texts(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, err := strconv.Unquote(l.Value); err == nil {
					found[f] = append(found[f], s)
				}
			}
			return true
		})
	}
	return found
}

// TestSurfacesOfTheRegistry: every path that its sockets and its HTTPS answer, and
// every type of message, stands in docs/refusals.md.
func TestSurfacesOfTheRegistry(t *testing.T) {
	path := regexp.MustCompile(`^((GET|POST|PUT|PATCH|DELETE) )?/v\d`)
	for block, dirs := range map[string][]string{"front": {"registry/front", "registry/front/enrolment"}, "issuer": {"registry/issuer"}} {
		var got []string
		for _, dir := range dirs {
			for _, all := range texts(t, filepath.FromSlash(dir)) {
				for _, s := range all {
					if path.MatchString(s) {
						got = append(got, s)
					}
				}
			}
		}
		refusalstest.Compare(t, "..", block, got)
	}
	var types []string
	for _, file := range []string{filepath.Join("..", "sync", "wire", "message.go"), filepath.Join("..", "sync", "wire", "mandates", "mandates.go"), filepath.Join("..", "sync", "wire", "mandates", "officer.go"), filepath.Join("..", "sync", "wire", "mandates", "validation.go"), filepath.Join("..", "sync", "wire", "mandates", "order.go")} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(v.Names[0].Name, "Type") || len(v.Values) == 0 {
				return true
			}
			if l, ok := v.Values[0].(*ast.BasicLit); ok {
				s, _ := strconv.Unquote(l.Value)
				types = append(types, s)
			}
			return true
		})
	}
	refusalstest.Compare(t, "..", "messages", types)
}

// TestNoOtherServer: what the tests of surfaces look at is all that answers.
func TestNoOtherServer(t *testing.T) {
	known := []string{"internal/socket/server.go", "internal/registry/front/enrolment/enrolment.go", "internal/registry/issuer/socket.go", "internal/registry/front/socket.go", "internal/web/page/page.go"}
	eachFile(t, func(name, text string) {
		if regexp.MustCompile(`\bhttp\.(NewServeMux|HandleFunc|Handle)\(|\.HandleFunc\(|\bsocket\.(Handle|Stream)\(`).MatchString(text) &&
			!slices.Contains(known, name) && !strings.HasPrefix(name, "internal/control/server/") {
			t.Errorf("%s answers HTTP: its paths have to stand in docs/refusals.md", name)
		}
	})
}

// eachFile calls f with each of our Go files, tests excluded.
func eachFile(t *testing.T, f func(name, text string)) {
	t.Helper()
	for _, top := range []string{"cmd", "device", "internal", "sync", "firmware-profiles"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			name, _ := filepath.Rel("..", path)
			f(filepath.ToSlash(name), string(b))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSurfaceOfTheDaemon: the commands and flags of gatehoused.
func TestSurfaceOfTheDaemon(t *testing.T) {
	var got []string
	for file, before := range map[string]string{"main.go": "", "journal.go": "journal "} {
		b, err := os.ReadFile(filepath.Join("..", "cmd", "gatehoused", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\tcase "([a-z]+)":|flags\.\w+\("([a-z-]+)"`).FindAllStringSubmatch(string(b), -1) {
			if m[1] != "" {
				got = append(got, before+m[1])
			} else {
				got = append(got, before+"--"+m[2])
			}
		}
	}
	refusalstest.Compare(t, "..", "gatehoused", got)
}

// TestEveryRefusalHasATest: docs/refusals.md numbers N1 to N12 in order, and names
// tests that there are; what programs say names numbers that there are.
func TestEveryRefusalHasATest(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "refusals.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, top := range []string{"cmd", "device", "internal", "sync"} {
		_ = filepath.WalkDir(filepath.Join("..", top), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(b), -1) {
				tests[m[1]] = true
			}
			return err
		})
	}
	rows := regexp.MustCompile(`(?m)^\| N(\d+) \|.*\|([^|]*)\|$`).FindAllStringSubmatch(string(page), -1)
	for i, row := range rows {
		if row[1] != fmt.Sprint(i+1) {
			t.Errorf("row %d is N%s", i+1, row[1])
		}
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(row[2], -1)
		if len(named) == 0 {
			t.Errorf("N%s names no test", row[1])
		}
		for _, n := range named {
			if !tests[n[1]] {
				t.Errorf("N%s names %s, which there is not", row[1], n[1])
			}
		}
	}
	if len(rows) != 12 {
		t.Errorf("%d refusals, want 12", len(rows))
	}
	said := map[string]bool{}
	eachFile(t, func(name, text string) {
		for _, m := range regexp.MustCompile(`refusals? N(\d+)`).FindAllStringSubmatch(text, -1) {
			if n, _ := strconv.Atoi(m[1]); n < 1 || n > len(rows) {
				t.Errorf("%s names refusal N%s", name, m[1])
			}
			said[m[1]] = true
		}
	})
	for _, n := range []string{"2", "3", "7", "11", "12"} {
		if !said[n] {
			t.Errorf("no program names refusal N%s", n)
		}
	}
}

// TestNoAlarmOfAPassage (N5): that somebody was let in, or went, is nothing that
// anybody is told at once; and an alarm names nobody.
func TestNoAlarmOfAPassage(t *testing.T) {
	for _, k := range []wire.Kind{wire.KindAccess, wire.KindRepeated, wire.KindReleased, wire.KindReleasedLate, wire.KindSecured,
		wire.KindOpened, wire.KindClosed, wire.KindExit, wire.KindTold} {
		for _, o := range []wire.Outcome{0, wire.OutcomeGranted, wire.OutcomeActive, wire.OutcomeIdle, wire.OutcomeDone} {
			for r := wire.Reason(0); r < 700; r++ {
				if (wire.Header{Kind: k, Outcome: o, Reason: r, Count: 1}).Alarm() {
					t.Errorf("%s %s %s is an alarm", k, o, r)
				}
			}
		}
	}
	fieldsOf(t, reflect.TypeFor[wire.Notice](), "Epoch", "Sequence", "Header")
}

// TestNoSearchForPersons (N1, N8, N10): entries are asked for by building, door,
// kind and time, and by nothing that stands for a person.
func TestNoSearchForPersons(t *testing.T) {
	fieldsOf(t, reflect.TypeFor[api.EntryFilter](), "Building", "Gateway", "Door", "Kind", "From", "To", "Limit", "Newest", "After")
}

// TestDeskReadsNoEntries (N4): nothing infers from passages whether somebody still
// lives there: the desk can write to the log, and not read it.
func TestDeskReadsNoEntries(t *testing.T) {
	journal := reflect.TypeFor[desk.Journal]()
	for i := range journal.NumMethod() {
		if name := journal.Method(i).Name; name != "Append" && name != "Queue" {
			t.Errorf("the desk can %s entries", name)
		}
	}
	for _, p := range packages(t) {
		from, _ := ours(p.path)
		if under(from, "internal/access", "internal/keyring", "internal/issue") && slices.Contains(p.deps, "gatehouse/internal/journal") {
			t.Errorf("%s imports the journal: who opens what must not rest on who came", from)
		}
	}
}

// TestNoRemoteReset (N11): an emergency ends by the socket of the gateway alone. What the page
// asks there waits for somebody at a door (TestResetShowsUp).
func TestNoRemoteReset(t *testing.T) {
	known := []string{"cmd/gatehouse/internal/operate/status.go", "cmd/gatesim/internal/play/scenes.go", "internal/control/client.go", "internal/door/door.go", "internal/control/server/acts.go", "internal/gateway/fire.go", "internal/web/doors.go"}
	eachFile(t, func(name, text string) {
		if regexp.MustCompile(`\bResetFire\(|\b[fF]ire\.reset\(|\bFireReset\b.*command\{`).MatchString(text) && !slices.Contains(known, name) {
			t.Errorf("%s ends emergencies", name)
		}
	})
}

// fieldsOf wants a struct to have these fields and no others.
func fieldsOf(t *testing.T, s reflect.Type, names ...string) {
	t.Helper()
	var got []string
	for i := range s.NumField() {
		got = append(got, s.Field(i).Name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("%s has %q, want %q: see docs/refusals.md", s, got, names)
	}
}
