// Command figures keeps the results of `make bench`, puts them into the table of
// docs/benchmarks.md, between its markers, and draws the plots beside them.
//
//	figures DIR [NEW]
//
// DIR is docs. DIR/benchmarks/before.txt and now.txt are results as go test prints them; those
// of NEW take the place of the same benchmarks in now.txt.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: figures DOCS [RESULTS]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]...); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func run(docs string, fresh ...string) error {
	dir := filepath.Join(docs, "benchmarks")
	before, err := readResults(filepath.Join(dir, "before.txt"))
	if err != nil {
		return err
	}
	kept := filepath.Join(dir, "now.txt")
	now, err := readResults(kept)
	if err != nil {
		return err
	}
	for _, path := range fresh {
		r, err := readResults(path)
		if err != nil {
			return err
		}
		now = now.with(r)
	}
	if err := os.WriteFile(kept, []byte(now.String()), 0o644); err != nil {
		return err
	}
	if err := putTable(filepath.Join(docs, "benchmarks.md"), table(before, now)); err != nil {
		return err
	}
	return drawAll(dir, before, now)
}
