package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hung is a writer that takes nothing until it is let go.
type hung struct {
	free chan struct{}
	got  bytes.Buffer
}

func (h *hung) Write(b []byte) (int, error) {
	<-h.free
	return h.got.Write(b)
}

// TestLogNeverWaits: lines beyond the queue are dropped, the rest arrive whole
// and in order.
func TestLogNeverWaits(t *testing.T) {
	h := &hung{free: make(chan struct{})}
	w := newLogWriter(h)
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		for i := range 3 * logQueued {
			fmt.Fprintf(w, "line %d\n", i)
		}
	}()
	select {
	case <-wrote:
	case <-time.After(time.Minute):
		t.Fatal("the log waits for whoever reads it")
	}
	close(h.free)
	w.close()
	lines := strings.Split(strings.TrimSpace(h.got.String()), "\n")
	if len(lines) < logQueued || lines[0] != "line 0" || lines[logQueued-1] != fmt.Sprintf("line %d", logQueued-1) {
		t.Errorf("%d lines, the first %q", len(lines), lines[0])
	}
}

const oneDoor = `
building = "lane-7"
gateway = "gw1"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "gpiochip0", line = 17, pull = "down"}
`

// TestCommands: what the program says to a wrong call, and with which status.
func TestCommands(t *testing.T) {
	site := filepath.Join(t.TempDir(), "site.toml")
	if err := os.WriteFile(site, []byte("building = 'x'\ncolour = 'red'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(t.TempDir(), "good.toml")
	if err := os.WriteFile(good, []byte(oneDoor), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"one door":              {[]string{"check", "--config", good}, 0, "gateway gw1, 1 door\n"},
		"check FILE":            {[]string{"check", good}, 0, good + ": building lane-7, gateway gw1, 1 door\n"},
		"check two":             {[]string{"check", good, site}, 2, "want one site file"},
		"check both ways":       {[]string{"check", "--config", good, good}, 2, "want one site file"},
		"check wrong":           {[]string{"check", site}, 1, site},
		"wrong site file":       {[]string{"check", "--config", site}, 1, "colour"},
		"missing file":          {[]string{"check", site + "x"}, 1, "no such file"},
		"nothing to drop":       {[]string{"secure", "--config", site + "x"}, 0, ""},
		"no command":            {[]string{"dance"}, 2, "usage"},
		"checkpoint of nothing": {[]string{"checkpoint"}, 2, "directory of a journal"},
		"no checkpoint":         {[]string{"checkpoint", t.TempDir()}, 1, "gateway that is enrolled"},
		"verify nothing":        {[]string{"verify"}, 2, "one file"},
		"journal of nothing":    {[]string{"journal"}, 2, "want verify or dump"},
		"journal dance":         {[]string{"journal", "dance", t.TempDir()}, 2, "want verify or dump"},
		"journal in Latin":      {[]string{"journal", "verify", "--lang", "la", t.TempDir()}, 2, "want verify or dump"},
		"no journal":            {[]string{"journal", "verify", t.TempDir()}, 2, "name the state directory"},
		"没有记录":                  {[]string{"journal", "verify", "--lang", "zh", t.TempDir()}, 2, "请写出网关状态目录"},
		"version":               {[]string{"--version"}, 0, "gatehoused dev"},
		"help":                  {[]string{"-h"}, 0, "usage"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if status := run(c.args, &out, &out); status != c.status || !strings.Contains(out.String(), c.says) {
				t.Errorf("status %d, want %d; said %q, want %q in it", status, c.status, out.String(), c.says)
			}
		})
	}
}
