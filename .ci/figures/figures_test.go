package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const old = `machine: one
load: 1.5
pkg: gatehouse/internal/journal
BenchmarkAppendBesideLimit/added=0ms-2   100  391.0 p50-us  139.0 limit-p50-us  2.8 x-limit
pkg: gatehouse/internal/access
BenchmarkDecide/1000-2   100  60 ns/op  13 ns/bare-map
BenchmarkDecide/1000-2   100  62 ns/op  13 ns/bare-map
BenchmarkDecide/1000-2   100  58 ns/op  13 ns/bare-map
BenchmarkDecide/100000-2   100  120 ns/op  24 ns/bare-map
`

const fresh = `machine: two
load: 3
goos: linux
fleet: {"gateways":100,"seconds":4,"entries":4801,"ack":{"p99_ms":2001,"max_ms":2050},"revocation":{"n":9,"p50_ms":3.5,"p99_ms":22},"lost":1,"doubled":2,"front":{"resident_mib":171.2,"cpu_us_an_entry":7}}
pkg: gatehouse/internal/journal
BenchmarkAppendBesideLimit/added=0ms-2   100  150.0 p50-us  140.0 limit-p50-us  1.1 x-limit
PASS
`

// docs is a directory as the command wants it.
func docs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"benchmarks/before.txt": old, "benchmarks/now.txt": old, "fresh.txt": fresh,
		"benchmarks.md": "above\n" + tableBegins + "old table\n" + tableEnds + "below\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRun: new results take the place of the same benchmarks alone, the table stands between its
// markers with what came before beside it, and a second time nothing changes.
func TestRun(t *testing.T) {
	dir := docs(t)
	if err := run(dir, filepath.Join(dir, "fresh.txt")); err != nil {
		t.Fatal(err)
	}
	kept, doc := read(t, dir, "benchmarks", "now.txt"), read(t, dir, "benchmarks.md")
	for _, want := range []string{"machine: two", "1.1 x-limit", "58 ns/op", "120 ns/op", "BenchmarkFleet/100 1 171.2 MiB 3.5 revocation-p50-ms 22 revocation-p99-ms 1200.25 entries/s 2001 signed-p99-ms 2050 signed-max-ms 1 lost 2 doubled 7 us-CPU/entry"} {
		if !strings.Contains(kept, want) {
			t.Errorf("now.txt has no %q:\n%s", want, kept)
		}
	}
	if strings.Contains(kept, "2.8 x-limit") {
		t.Error("an older result stays beside its newer one")
	}
	if !strings.HasPrefix(doc, "above\n"+tableBegins) || !strings.HasSuffix(doc, tableEnds+"below\n") || strings.Contains(doc, "old table") {
		t.Errorf("the table does not stand between the markers:\n%s", doc)
	}
	for _, want := range []string{"| 0.39 ms, 2.8x | 0.15 ms, 1.1x | 0.14 ms | <= 1.25x: **met** |", "not measured here"} {
		if !strings.Contains(doc, want) {
			t.Errorf("the table has no %q:\n%s", want, doc)
		}
	}
	drawn := read(t, dir, "benchmarks", "append.svg") + read(t, dir, "benchmarks", "decide.svg")
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	if read(t, dir, "benchmarks", "now.txt") != kept || read(t, dir, "benchmarks.md") != doc || read(t, dir, "benchmarks", "append.svg")+read(t, dir, "benchmarks", "decide.svg") != drawn {
		t.Error("the second time, something changed")
	}
}

// TestVerdict: an aim is missed as soon as one of its figures is beyond it, and never told of what
// was not measured.
func TestVerdict(t *testing.T) {
	r := results{"p b": {units: map[string][]float64{"kb": {20, 30, 10}, "rate": {5}}}}
	for want, parts := range map[string][]part{
		"aim: **met**":           {{bench: "p b", unit: "kb", most: 20}},
		"aim: **missed**":        {{bench: "p b", unit: "kb", most: 20}, {bench: "p b", unit: "rate", least: 6}},
		"aim: not measured here": {{bench: "p b", unit: "kb", most: 20}, {bench: "p c", unit: "kb", most: 20}},
	} {
		if got := verdict(row{parts: parts, aim: "aim"}, r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (part{as: "B"}).text([]float64{1_234, 12_345, 12_345_678}); got != "12,345 (1,234-12,345,678) B" {
		t.Error(got)
	}
}

// TestNoMarkers: a document without a place for the table is an error that says so.
func TestNoMarkers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc")
	if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := putTable(path, "x"); err == nil || !strings.Contains(err.Error(), "no markers") {
		t.Error(err)
	}
}
