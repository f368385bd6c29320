package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// results are what benchmarks printed, by package and name ("internal/access Decide/1000").
type results map[string]*result

// result is one benchmark: all its lines, and where and when it ran.
type result struct {
	lines []string
	notes []string // of the run that it was in: "machine: ...", "load: ..."
	units map[string][]float64
}

// readResults reads what go test printed, and between it the lines "machine:" and "load:" of
// .ci/bench, which count for all that follows. A file that is not there has none.
func readResults(path string) (results, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return results{}, nil
	}
	if err != nil {
		return nil, err
	}
	all, pkg, notes := results{}, "", map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		what, rest, _ := strings.Cut(line, ": ")
		switch {
		case what == "pkg":
			pkg = strings.TrimPrefix(rest, "gatehouse/")
		case what == "machine" || what == "load":
			notes[what] = rest
		case what == "fleet":
			if err := all.addFleet(rest, notes); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", path, line, err)
			}
		case strings.HasPrefix(line, "Benchmark"):
			if err := all.add(pkg, line, notes); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", path, line, err)
			}
		}
	}
	return all, nil
}

// add takes one line: name, rounds, and pairs of value and unit.
func (r results) add(pkg, line string, notes map[string]string) error {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 {
		return nil // a name alone, before what it logs
	}
	name := strings.TrimPrefix(fields[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			name = name[:i] // so many processors
		}
	}
	one := r[pkg+" "+name]
	if one == nil {
		one = &result{units: map[string][]float64{}}
		r[pkg+" "+name] = one
	}
	one.lines = append(one.lines, line)
	for _, what := range slices.Sorted(maps.Keys(notes)) {
		if note := what + ": " + notes[what]; !slices.Contains(one.notes, note) {
			one.notes = append(one.notes, note)
		}
	}
	for i := 2; i < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return err
		}
		one.units[fields[i+1]] = append(one.units[fields[i+1]], value)
	}
	return nil
}

// addFleet takes what gatesim fleet --json printed, as a benchmark of so many gateways.
func (r results) addFleet(text string, notes map[string]string) error {
	var f struct {
		Gateways int
		Seconds  float64
		Entries  float64
		Lost     int
		Doubled  int
		Ack      struct {
			P99 float64 `json:"p99_ms"`
			Max float64 `json:"max_ms"`
		}
		Revocation struct {
			P50 float64 `json:"p50_ms"`
			P99 float64 `json:"p99_ms"`
		}
		Front struct {
			Resident float64 `json:"resident_mib"`
			CPUEntry float64 `json:"cpu_us_an_entry"`
		}
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return err
	}
	rate := 0.0
	if f.Seconds > 0 {
		rate = f.Entries / f.Seconds
	}
	return r.add("cmd/gatesim", fmt.Sprintf("BenchmarkFleet/%d 1 %.4g MiB %.4g revocation-p50-ms %.4g revocation-p99-ms %.6g entries/s %.4g signed-p99-ms %.4g signed-max-ms %d lost %d doubled %.4g us-CPU/entry",
		f.Gateways, f.Front.Resident, f.Revocation.P50, f.Revocation.P99, rate, f.Ack.P99, f.Ack.Max, f.Lost, f.Doubled, f.Front.CPUEntry), notes)
}

// with is r, with the benchmarks of fresh in the place of the same ones.
func (r results) with(fresh results) results {
	all := maps.Clone(r)
	maps.Copy(all, fresh)
	return all
}

// String is a file that readResults reads.
func (r results) String() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(r)) {
		pkg, _, _ := strings.Cut(key, " ")
		fmt.Fprintf(&b, "pkg: gatehouse/%s\n%s\n%s\n", pkg, strings.Join(r[key].notes, "\n"), strings.Join(r[key].lines, "\n"))
	}
	return b.String()
}

// of returns the values of a unit, in order; none where the benchmark did not run.
func (r results) of(bench, unit string) []float64 {
	one := r[bench]
	if one == nil {
		return nil
	}
	return slices.Sorted(slices.Values(one.units[unit]))
}

// middle is the median of the values of a unit.
func (r results) middle(bench, unit string) (float64, bool) {
	v := r.of(bench, unit)
	if len(v) == 0 {
		return 0, false
	}
	return v[len(v)/2], true
}

// noted returns what was noted of all of them, each once.
func (r results) noted(what string) []string {
	seen := map[string]bool{}
	for _, one := range r {
		for _, note := range one.notes {
			if rest, ok := strings.CutPrefix(note, what+": "); ok {
				seen[rest] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
