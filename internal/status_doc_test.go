package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/registry/agreed"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// TestStatusPage: every word of status and log stands in docs/status.md, and it
// has no kinds and reasons that there are not.
func TestStatusPage(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "status.md"))
	if err != nil {
		t.Fatal(err)
	}
	page, words := string(b), map[string]bool{}
	row := func(word string) {
		words[word] = true
		if !strings.Contains(page, "\n| `"+word+"` |") {
			t.Errorf("docs/status.md has no row for %q", word)
		}
	}
	for k := wire.Kind(1); !strings.HasPrefix(k.String(), "kind_"); k++ {
		row(k.String())
	}
	for r := wire.Reason(1); r < 1000; r++ {
		if s := r.String(); !strings.HasPrefix(s, "reason_") {
			row(s)
		}
	}
	for o := wire.OutcomeGranted; o <= wire.OutcomeRefused; o++ {
		row(o.String())
	}
	_, ofLog, _ := strings.Cut(page, "## `gatehouse log`")
	ofLog, _, _ = strings.Cut(ofLog, "## `registryd status`")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(page, -1) {
		if strings.Contains(ofLog, m[0]) && !words[m[1]] {
			t.Errorf("docs/status.md tells of %q, which there is not", m[1])
		}
	}
	said := func(word string) {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("docs/status.md does not say what %q means", word)
		}
	}
	for c := wire.ClockUnset; c <= wire.ClockRegistry; c++ {
		said(c.String())
	}
	for _, s := range []door.State{door.Held, door.Forced, door.Emergency, door.Unknown, "normal"} {
		said(string(s))
	}
	for _, s := range []uplink.State{uplink.StateDown, uplink.StateGreeting, uplink.StateUnproved, uplink.StateInStep} {
		said(string(s))
	}
	for _, s := range []string{control.LineSecured, control.LineWaiting, control.LineClear, control.LineUnguarded} {
		said(s)
	}
	for _, d := range []agreed.Doubt{agreed.Unset, agreed.Stepped, agreed.Back, agreed.Away, agreed.Outvoted} {
		said(string(d))
	}
	for c := wire.CauseMovedOut; c <= wire.CauseMistake; c++ {
		said(c.String())
	}
	for d := wire.DocumentType(1); !strings.HasPrefix(d.String(), "document_"); d++ {
		said(d.String())
	}
	for k := wire.GrantResident; k <= wire.GrantBrigade; k++ {
		said(k.String())
	}
	plain := strings.ReplaceAll(page, "`", "")
	for where, words := range printed(t) {
		for _, w := range words {
			if !strings.Contains(plain, w) {
				t.Errorf("docs/status.md does not say what %q means, which %s prints", w, where)
			}
		}
	}
}

// screens are the functions of the tools whose texts are all states.
var screens = map[string][]string{
	"gatehouse": {"DeviceState", "fireState", "clockState", "grantsState", "journalState", "uplinkState", "stateShown", "cardState", "stateNow", "busState"},
	"registryd": {"state", "listState", "decisionShown", "cardsShown", "listStanding"},
	"issuer":    nil, // its states are constants
}

// printed are the words of the tools' screens, by where they stand: heads of tables,
// words in capitals, and whatever the functions in screens say.
func printed(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for program, functions := range screens {
		files, err := filepath.Glob(filepath.Join("..", "cmd", program, "*.go"))
		if program == "issuer" {
			files, err = filepath.Glob(filepath.Join("registry", program, "fold", "fold.go"))
		}
		parts, _ := filepath.Glob(filepath.Join("..", "cmd", program, "internal", "*", "*.go")) // the pattern is right
		files = append(files, parts...)
		if err != nil || len(files) == 0 {
			t.Fatal(program, err)
		}
		found := map[string]bool{}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tree.Decls {
				where, words := declared(d, functions)
				if where != "" {
					all[program+" "+where], found[where] = append(all[program+" "+where], words...), true
				}
			}
		}
		for _, f := range functions {
			if !found[f] {
				t.Errorf("%s has no %s any more", program, f)
			}
		}
	}
	return all
}

// declared are the words of one declaration: a function's, or constants that are states.
func declared(d ast.Decl, functions []string) (where string, words []string) {
	if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
		for _, spec := range g.Specs {
			if v := spec.(*ast.ValueSpec); strings.HasPrefix(v.Names[0].Name, "state") && len(v.Values) > 0 {
				where, words = "states", append(words, literals(v.Values[0])...)
			}
		}
		return where, words
	}
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Body == nil {
		return "", nil
	}
	where = f.Name.Name
	if slices.Contains(functions, where) {
		return where, literals(f.Body)
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, _ := strconv.Unquote(lit.Value); strings.Contains(text, "\t") {
				words = append(words, columns(strings.Split(strings.Trim(text, "\n"), "\t"))...)
			}
		}
		if call, ok := n.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "table" {
				var head []string
				for _, arg := range call.Args {
					ast.Inspect(arg, func(n ast.Node) bool {
						if lit, ok := n.(*ast.BasicLit); ok {
							text, _ := strconv.Unquote(lit.Value)
							head = append(head, text)
						}
						return true
					})
				}
				words = append(words, columns(head)...)
			}
		}
		return true
	})
	return where, words
}

// columns are those of a table's head that are heads: in capitals.
func columns(head []string) (all []string) {
	for _, h := range head {
		h, _, _ = strings.Cut(h, " (")
		if regexp.MustCompile(`^[A-Z]{3,}( [A-Z]{2,})*$`).MatchString(h) {
			all = append(all, h)
		}
	}
	return all
}

// literals are the words of the string literals in a node, without what is put in and
// without commands.
func literals(n ast.Node) (all []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, _ := strconv.Unquote(lit.Value)
		for _, part := range regexp.MustCompile(`%[.0-9+]*[a-z]|: |; |, |[()]`).Split(text, -1) {
			part = strings.ReplaceAll(strings.TrimSpace(part), "_", " ")
			if len(part) > 2 && !strings.HasPrefix(part, "gatehouse ") && !strings.HasPrefix(part, "registryd ") {
				all = append(all, part)
			}
		}
		return true
	})
	return all
}
