package main

import (
	"testing"

	"github.com/alecthomas/kong"

	"gatehouse/internal/refusalstest"
)

// TestSurfaces: every command with its flags stands in docs/refusals.md.
func TestSurfaces(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("gatehouse"), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		for _, c := range n.Children {
			walk(c, path+" "+c.Name)
		}
		line := path
		for _, p := range n.Positional {
			line += " " + p.Summary()
		}
		for _, f := range n.Flags {
			line += " --" + f.Name
		}
		if n.Leaf() || n.Parent == nil {
			got = append(got, line)
		}
	}
	walk(parser.Model.Node, "gatehouse")
	refusalstest.Compare(t, "../..", "gatehouse", got)
}
