package main

import (
	"fmt"
	"io"
	"strings"

	"gatehouse/internal/control"
)

type logCmd struct {
	Last   int  `help:"How many of the newest entries." default:"50"`
	All    bool `help:"All that are kept."`
	Follow bool `short:"f" help:"Go on with new ones."`
}

func (c logCmd) Run(s *session) error {
	if c.All {
		c.Last = -1
	}
	return s.client.Log(s.ctx, c.Last, c.Follow, func(e control.LogEntry) error {
		return s.print(e, func(w io.Writer) { writeEntry(w, e) })
	})
}

// writeEntry prints one entry on one line.
func writeEntry(w io.Writer, e control.LogEntry) {
	words := []string{fmt.Sprintf("%7d  %s", e.Sequence, e.Time.Local().Format("2006-01-02 15:04:05.000"))}
	if e.Clock != "ntp" && e.Clock != "registry" {
		words = append(words, "("+e.Clock+" clock)")
	}
	place := e.Door
	if e.Source != "" {
		place = strings.TrimPrefix(place+"/"+e.Source, "/")
	}
	words = append(words, fmt.Sprintf("%-14s %s", place, e.Kind))
	if e.Outcome != "" && e.Outcome != e.Reason {
		words = append(words, e.Outcome)
	}
	if e.Reason != "" {
		words = append(words, e.Reason)
	}
	if e.Direction != "" {
		words = append(words, e.Direction)
	}
	if e.Count > 0 {
		words = append(words, fmt.Sprintf("x%d", e.Count))
	}
	if e.Ref != nil {
		words = append(words, fmt.Sprintf("of %d.%d", e.Ref.Boot, e.Ref.Counter))
	}
	fmt.Fprintln(w, strings.Join(words, "  "))
}
