package internal_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Bounds of the house. What one person must hold in mind to change a package is limited: its
// lines, the fields of a struct, the methods of a type, and how many of its files can only be
// understood together.
const (
	maxLines    = 2500 // of a package without its tests
	maxFields   = 16   // of a struct that keeps something to itself
	maxMethods  = 30   // declared on one type
	maxTangle   = 50   // per cent, in packages over tangleFrom lines
	tangleFrom  = 1000
	maxFunction = 60 // lines
	maxPaths    = 15 // cyclomatic complexity of a function
	p95Function = 30 // lines
	p95File     = 320
	p95Exported = 60 // names a package
)

// measured is a package without its tests, parsed and type-checked.
type measured struct {
	name  string
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
	types *types.Package
}

// counted is a number of something that has a name.
type counted struct {
	n    int
	what string
}

// TestHouse holds every package of the module to the bounds above.
func TestHouse(t *testing.T) {
	var functions, files, exported []counted
	for _, p := range readHouse(t, "gatehouse/...") {
		within(t, p.name, p.lines(), maxLines, "lines")
		for _, c := range p.structs() {
			within(t, c.what, c.n, maxFields, "fields")
		}
		for _, c := range p.methods() {
			within(t, c.what, c.n, maxMethods, "methods")
		}
		if p.lines() > tangleFrom {
			within(t, p.name, p.tangle(), maxTangle, "% of the uses between its files lie in a circle")
		}
		for _, f := range p.functions() {
			within(t, p.at(f), p.span(f), maxFunction, "lines")
			within(t, p.at(f), paths(f), maxPaths, "paths")
			functions = append(functions, counted{p.span(f), p.at(f)})
		}
		for _, f := range p.files {
			files = append(files, counted{p.fset.File(f.Pos()).LineCount(), p.at(f)})
		}
		exported = append(exported, counted{p.exported(), p.name})
	}
	within95(t, functions, p95Function, "lines of a function")
	within95(t, files, p95File, "lines of a file")
	within95(t, exported, p95Exported, "exported names of a package")
}

func within(t *testing.T, what string, n, limit int, of string) {
	t.Helper()
	if n > limit {
		t.Errorf("%s: %d %s; at most %d", what, n, of, limit)
	}
}

// within95 holds the 95th percentile of all to limit and names what stands above it.
func within95(t *testing.T, all []counted, limit int, of string) {
	t.Helper()
	slices.SortFunc(all, func(a, b counted) int { return cmp.Compare(b.n, a.n) })
	if allowed := len(all) / 20; all[allowed].n > limit {
		t.Errorf("the 95th percentile of the %s is %d; at most %d", of, all[allowed].n, limit)
		for _, c := range all {
			if c.n > limit {
				t.Logf("%d %s", c.n, c.what)
			}
		}
	}
}

// readHouse type-checks the module's packages of a pattern, and those of the module that they
// import, against the export data of what they import.
func readHouse(t *testing.T, pattern string) (house []measured) {
	t.Helper()
	type listed struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
		Module                  *struct{ Main bool }
	}
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,Module", pattern)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pattern, err)
	}
	exports := map[string]string{}
	var own []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list %s: %v", pattern, err)
		}
		exports[p.ImportPath] = p.Export
		if p.Module != nil && p.Module.Main && len(p.GoFiles) > 0 {
			own = append(own, p)
		}
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	for _, p := range own {
		m := measured{name: p.ImportPath, fset: token.NewFileSet(), info: &types.Info{Uses: map[*ast.Ident]types.Object{}}}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(m.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			m.files = append(m.files, f)
		}
		conf := types.Config{Importer: importer.ForCompiler(m.fset, "gc", open)}
		if m.types, err = conf.Check(p.ImportPath, m.fset, m.files, m.info); err != nil {
			t.Fatalf("type-checking %s: %v", p.ImportPath, err)
		}
		house = append(house, m)
	}
	return house
}

func (p measured) file(at token.Pos) string { return filepath.Base(p.fset.Position(at).Filename) }

// at is where n stands, as package/file:line.
func (p measured) at(n ast.Node) string {
	return fmt.Sprintf("%s/%s:%d", p.name, p.file(n.Pos()), p.fset.Position(n.Pos()).Line)
}

func (p measured) span(n ast.Node) int {
	return p.fset.Position(n.End()).Line - p.fset.Position(n.Pos()).Line + 1
}

func (p measured) lines() (n int) {
	for _, f := range p.files {
		n += p.fset.File(f.Pos()).LineCount()
	}
	return n
}

func (p measured) exported() (n int) {
	for _, name := range p.types.Scope().Names() {
		if token.IsExported(name) {
			n++
		}
	}
	return n
}

func (p measured) functions() (all []*ast.FuncDecl) {
	for _, f := range p.files {
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				all = append(all, f)
			}
		}
	}
	return all
}

// named are the types that the package declares.
func (p measured) named() (all []*types.Named) {
	for _, name := range p.types.Scope().Names() {
		if tn, ok := p.types.Scope().Lookup(name).(*types.TypeName); ok && !tn.IsAlias() {
			if n, ok := tn.Type().(*types.Named); ok {
				all = append(all, n)
			}
		}
	}
	return all
}

func (p measured) methods() (all []counted) {
	for _, n := range p.named() {
		all = append(all, counted{n.NumMethods(), p.name + "." + n.Obj().Name()})
	}
	return all
}

// structs are those that keep something to themselves. One that shows every field, or whose
// fields are named for a file, a message or a command line, is plain data.
func (p measured) structs() (all []counted) {
	for _, n := range p.named() {
		if s, ok := n.Underlying().(*types.Struct); ok && !isData(s) {
			all = append(all, counted{p.fields(s), p.name + "." + n.Obj().Name()})
		}
	}
	return all
}

func isData(s *types.Struct) bool {
	hides, tagged := false, false
	for i := range s.NumFields() {
		hides, tagged = hides || !s.Field(i).Exported(), tagged || s.Tag(i) != ""
	}
	return tagged || !hides
}

// fields counts those of embedded structs of the package too.
func (p measured) fields(s *types.Struct) (n int) {
	for f := range s.Fields() {
		t := f.Type()
		if ptr, ok := t.(*types.Pointer); ok {
			t = ptr.Elem()
		}
		in, ok := t.Underlying().(*types.Struct)
		if named, isNamed := t.(*types.Named); ok && f.Embedded() && isNamed && named.Obj().Pkg() == p.types {
			n += p.fields(in)
			continue
		}
		n++
	}
	return n
}

// paths is the cyclomatic complexity of f: one, and one more for each place where it branches.
func paths(f *ast.FuncDecl) int {
	n := 1
	ast.Inspect(f, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if node.List != nil {
				n++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

// tangle is the share, in per cent, of the uses between files of the package that lie in a circle
// of files: 0 means that the files can be read one after the other.
func (p measured) tangle() int {
	uses := map[string]map[string]bool{}
	for id, o := range p.info.Uses {
		if !p.declares(o) {
			continue
		}
		if from, to := p.file(id.Pos()), p.file(o.Pos()); from != to {
			if uses[from] == nil {
				uses[from] = map[string]bool{}
			}
			uses[from][to] = true
		}
	}
	reach := map[string]map[string]bool{}
	for f := range uses {
		reach[f] = map[string]bool{}
		follow(f, uses, reach[f])
	}
	all, circle := 0, 0
	for f, tos := range uses {
		for to := range tos {
			all++
			if reach[to][f] {
				circle++
			}
		}
	}
	return 100 * circle / max(all, 1)
}

// declares reports a name of the package's scope or a method of one of its types; fields and
// what functions declare within do not count.
func (p measured) declares(o types.Object) bool {
	if o.Pkg() != p.types || !o.Pos().IsValid() {
		return false
	}
	if f, ok := o.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return o.Parent() == p.types.Scope()
}

func follow(f string, uses map[string]map[string]bool, seen map[string]bool) {
	for to := range uses[f] {
		if !seen[to] {
			seen[to] = true
			follow(to, uses, seen)
		}
	}
}
