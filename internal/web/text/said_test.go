package text

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// refusing are the packages whose refusals and remarks a person at the page can meet: at an import,
// at a visit at the desk, at a restore, at the registry's token.
var refusing = []string{"cardlist", "takeover", "cardnumber", "naming", "idnumber", "desk", "desk/tenancy", "backup", "backup/recovery", "backup/restore", "enrol", "control/server/setup", "control/server/mine"}

// never has the texts that nobody at the page meets, by their beginnings, and why.
var never = map[string]string{
	"no field ": byForm, "document %d": byForm, "this is no cause": byForm, "the proof is missing": byForm, "a guest code needs": byForm, "no act ": byForm, "there has to be a legal basis": byForm,
	"the person has not been told": byForm, "no such document": byForm, "no such thing to put right": byForm, "a PIN at a door's keys": byForm, "no door %q here": byForm, "no action ": byForm, "a check-out needs": byForm, "card %d is": byForm, "%q names": byForm, "nobody listens for": byForm,
	"key %s has no form": byTool, "%q is no address": byTool, "%d addresses were added": byTool, "%q was not added": byTool, "this gateway is a standalone house and has no registry": byTool,
	"record of gateway": byPrograms, "open desk": byPrograms, "load backup key": byPrograms, "load client key": byPrograms, "load certificate": byPrograms,
	"%s (refusal N3)": byOthers, "a web page": byOthers, "somebody has been at the desk for": byOthers,
}

const (
	byForm     = "no form of the page sends what is refused"
	byTool     = "the tool alone asks for it"
	byPrograms = "at a start, in the log, between programs"
	byOthers   = "it stands in another sentence, or on a screen of its own"
)

// passesOn matches a text that only says where the error inside it came from, or adds to that.
var passesOn = regexp.MustCompile(`^%w[:;] |%[wv]$`)

// makers are the functions that make a refusal, with the place of its text among their arguments.
var makers = map[string]int{"Hinted": 1, "hinted": 1, "Refused": 2, "Refuse": 1, "Errorf": 0, "New": 0}

// refusals returns what the source of a file says when it refuses or remarks; reasons also those
// that a function returns as a string.
func refusals(t *testing.T, file string, reasons bool) (texts []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	add := func(all ...ast.Expr) {
		for _, e := range all {
			if said := literal(e); strings.Count(said, " ") > 1 && !passesOn.MatchString(said) {
				texts = append(texts, said)
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name := nameOf(n.Fun)
			if at, ok := makers[name]; ok && at < len(n.Args) {
				add(n.Args[at])
			}
			if name == "append" && slices.Contains([]string{"remarks", "Remarks"}, nameOf(n.Args[0])) {
				add(n.Args[1:]...)
			}
		case *ast.KeyValueExpr:
			if slices.Contains([]string{"Message", "why", "Fault"}, nameOf(n.Key)) {
				add(n.Value)
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if i < len(n.Rhs) && slices.Contains([]string{"why", "fault", "Fault", "Message"}, nameOf(l)) {
					add(n.Rhs[i])
				}
			}
		case *ast.ReturnStmt:
			if reasons {
				add(n.Results...)
			}
		}
		return true
	})
	return texts
}

// literal returns what is written in an expression of strings, with X for what is worked out.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		said, _ := strconv.Unquote(e.Value)
		return said
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return literal(e.X) + literal(e.Y)
		}
	case *ast.CallExpr:
		if nameOf(e.Fun) == "Sprintf" {
			return literal(e.Args[0])
		}
	case *ast.CompositeLit:
		if len(e.Elts) == 1 {
			return literal(e.Elts[0])
		}
	}
	return "X"
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// TestEveryRefusalHasWords: what an import, a visit, a restore or an enrolment refuses, the page
// says in both languages. A new refusal needs a row in said.go, or a reason why nobody at the page
// meets it.
func TestEveryRefusalHasWords(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	looked, met := 0, map[string]bool{}
	for _, name := range sources(t) {
		for _, said := range refusals(t, name, strings.Contains(name, "cardlist") || strings.Contains(name, "takeover")) {
			looked++
			begin := beginning(said)
			met[begin] = true
			if key := KeyOf(said); begin == "" && !words.Has(key) {
				t.Errorf("%s says %q, and the page has no words for it (%q)", name, said, key)
			}
		}
	}
	for begin := range never {
		if !met[begin] {
			t.Errorf("nobody says %q any more", begin)
		}
	}
	if looked < 150 {
		t.Errorf("%d refusals were looked at", looked)
	}
}

// sources returns the files of the packages that refuse.
func sources(t *testing.T) (files []string) {
	t.Helper()
	for _, p := range refusing {
		names, err := filepath.Glob(filepath.FromSlash("../../" + p + "/*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", p, err)
		}
		files = append(files, slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })...)
	}
	return files
}

// beginning returns the beginning of a text that nobody at the page meets; empty: somebody may.
func beginning(said string) string {
	for begin := range never {
		if strings.HasPrefix(said, begin) {
			return begin
		}
	}
	return ""
}
