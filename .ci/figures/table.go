package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// row is one line of the table.
type row struct {
	what   string
	parts  []part // one after the other in a cell
	before string // where it was not measured with the same benchmark
	aim    string // in words; the parts say whether it is met
}

// part is one figure: a unit of a benchmark, or its share in what the limit has.
type part struct {
	bench, unit string
	per         float64 // what it is divided by; 0: 1
	as          string  // its unit in the table
	most, least float64 // the aim; 0: none
	limit       string  // the unit of the limit beside it; "": none
}

const (
	append0  = "internal/journal AppendBesideLimit/added=0ms"
	append5  = "internal/journal AppendBesideLimit/added=5ms"
	append20 = "internal/journal AppendBesideLimit/added=20ms"
	append50 = "internal/journal AppendBesideLimit/added=50ms"
	entry    = "cmd/gatesim SDCardEntry"
	passage  = "cmd/gatesim SDCardPassage/ext4=waits"
	usual    = "cmd/gatesim SDCardPassage/ext4=default"
	door     = "internal/door CardToDurableRelease"
	live     = "internal/registry/front LiveEntries"
	passages = "internal/registry/front LivePassages"
	sixteen  = "cmd/gatesim Fleet/16"
	million  = "internal/registry/front/query Entries/1000000/"
	ready    = "internal/registry/front Ready/"
	start    = "internal/gateway ProcessStart/grants=100000,entries=49000"
)

// yearly divides the KB of a passage by what makes them the GB of a year of passages, 180 a day.
const yearly = 1e6 / (365 * 180)

// rows are what the table has, in its order.
func rows() []row {
	beside := func(what, bench string, most float64) row {
		return row{what: what, parts: []part{{bench: bench, unit: "p50-us", per: 1000, as: "ms", limit: "limit-p50-us"}, {bench: bench, unit: "x-limit", as: "x", most: most}},
			aim: fmt.Sprintf("<= %gx", most)}
	}
	card := func(what, bench, name string, kb, flushes float64) row {
		r := row{what: what, parts: []part{{bench: bench, unit: "KB_" + name, as: "KB", most: kb, limit: "KB_limit"}, {bench: bench, unit: "flushes_" + name, as: "flushes", most: flushes, limit: "flushes_limit"}}}
		if kb > 0 {
			r.aim = fmt.Sprintf("<= %g KB, %g", kb, flushes)
		}
		return r
	}
	return []row{
		beside("durable append with its hand-offs, p50; the limit is pwrite + fdatasync of as many bytes into a zeroed file", append0, 1.25),
		beside("with 5 ms added to each sync, p50", append5, 1.05),
		{what: "p99 of it", parts: []part{{bench: append5, unit: "p99-us", per: 1000, as: "ms", limit: "limit-p99-us"}, {bench: append5, unit: "x-limit-p99", as: "x", most: 1.4}}, aim: "<= 1.4x"},
		beside("with 20 ms added, p50", append20, 1.2),
		beside("with 50 ms added, p50", append50, 1.2),
		{what: "right after another person's release, 20 ms added, p50", parts: []part{{bench: append20, unit: "after-p50-us", per: 1000, as: "ms", limit: "limit-p50-us"}, {bench: append20, unit: "x-after", as: "x", most: 2.1}}, aim: "one sync more at most"},
		{what: "last edge of a card -> Release, record durable, p50", parts: []part{{bench: door, unit: "us_card_p50", per: 1000, as: "ms", limit: "us_limit_p50"}, {bench: door, unit: "x_limit_p50", as: "x", most: 1.3}}, aim: "<= 1.3x"},
		card("a lone durable entry, block writes and flushes", entry, "entry", 6, 1.1),
		card("a passage off line (granted, released, opened, closed, secured); the limit is five bare syncs", passage, "offline", 24, 3),
		card("a passage on line", passage, "online", 40, 4),
		card("the same with what ext4 does for itself each 5 s, off line", usual, "offline", 0, 0),
		card("the same, on line", usual, "online", 0, 0),
		{what: "a year of 180 passages a day, on line: the passages", parts: []part{{bench: passage, unit: "KB_online", per: yearly, as: "GB", most: 2.7, limit: "KB_limit"}}, aim: "<= 2.7 GB"},
		{what: "with what ext4 does for itself", parts: []part{{bench: usual, unit: "KB_online", per: yearly, as: "GB", most: 2.7, limit: "KB_limit"}}, aim: "<= 2.7 GB"},
		{what: "with the quiet time after each, too, and the log put in order twice a day", parts: []part{{bench: usual, unit: "GB_year_online", as: "GB", limit: "GB_year_limit"}}},
		{what: "wire bytes of a passage's five entries, up and down, TLS, acks and pings included, each; the first of an hour brings 1,120 B more", parts: []part{{bench: passage, unit: "B_wire_up", per: 5, as: "B", most: 350}, {bench: passage, unit: "B_wire_down", per: 5, as: "B"}}, aim: "<= 350 B up"},
		{what: "registry, live: 16 gateways that enter 1,000/s each, by the real uplink over TLS to a front of its own process; longest until signed for; lost, doubled; CPU of the front",
			parts: []part{{bench: sixteen, unit: "entries/s", as: "/s", least: 15000}, {bench: sixteen, unit: "signed-max-ms", per: 1000, as: "s", most: 5}, {bench: sixteen, unit: "lost", as: "lost"}, {bench: sixteen, unit: "doubled", as: "doubled"},
				{bench: sixteen, unit: "us-CPU/entry", as: "us each"}}, aim: ">= 15,000/s, <= 5 s"},
		{what: "registry: passages alone, of 16 gateways, two batches each, the next one when the one before is acked, no broker; CPU of an entry, both ends", before: "1,200-3,300/s, 95-180 us",
			parts: []part{{bench: passages, unit: "entries/s", as: "/s", least: 15000}, {bench: passages, unit: "us-CPU/entry", as: "us", most: 80}, {bench: passages, unit: "x-signatures", as: "x of three signatures a batch"}}, aim: ">= 15,000/s, <= 80 us"},
		{what: "registry: live entries, one a message, of 16 gateways", parts: []part{{bench: live, unit: "entries/s", as: "/s"}, {bench: live, unit: "x-single-row", as: "x of one bare row a commit"}}},
		{what: "registry: entries of one building out of 1,000,000, CPU of the first of a day / of 2,000", before: "53 s for any", parts: []part{{bench: million + "first", unit: "cpu-ns/op", per: 1e6, as: "ms", most: 5}, {bench: million + "2000", unit: "cpu-ns/op", per: 1e6, as: "ms", most: 30}}, aim: "<= 5 / 30 ms"},
		{what: "registry: start until gateways can connect, 1,000 / 10,000 / 200,000 known", before: "0.7 s / - / 2 min by extrapolation",
			parts: []part{{bench: ready + "1000", unit: "s/start", as: "s", most: 0.2}, {bench: ready + "10000", unit: "s/start", as: "s", most: 1}, {bench: ready + "200000", unit: "s/start", as: "s", most: 10}}, aim: "<= 0.2 / 1 / 10 s"},
		{what: "registry: state of 10,000 gateways", parts: []part{{bench: "internal/registry/store Gateways/10000", unit: "ns/op", per: 1e9, as: "s", most: 0.5}}, aim: "<= 0.5 s"},
		{what: "command -> first denied swipe, p50", parts: []part{{bench: "cmd/gatesim Revocation", unit: "p50_ms", as: "ms", limit: "p50_ms_synced_write"}, {bench: "cmd/gatesim Revocation", unit: "x_synced_write", as: "x one small synced file"}}},
		{what: "check-in at the desk, p50", parts: []part{{bench: "cmd/gatesim CheckIn", unit: "p50_ms", as: "ms", limit: "p50_ms_synced_write"}, {bench: "cmd/gatesim CheckIn", unit: "x_synced_write", as: "x one small synced file"}}},
		{what: "start -> first release, 100,000 grants and 49,000 entries", parts: []part{{bench: start, unit: "ms_to_release_p50", as: "ms", limit: "ms_limit_p50"}, {bench: start, unit: "x_limit", as: "x", most: 1.3}}, aim: "<= 1.3x"},
		{what: "decide among 1,000,000 grants", parts: []part{{bench: "internal/access Decide/1000000", unit: "ns/op", as: "ns", limit: "ns/bare-map"}, {bench: "internal/access Decide/1000000", unit: "x_map", as: "x a bare map", most: 2}, {bench: "internal/access Decide/1000000", unit: "allocs/op", as: "allocations"}}, aim: "<= 2x, 0"},
	}
}

// table is the text between the markers.
func table(before, now results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Before is %s; now: %s. Load at the start of each: before %s, now %s.\n\n", strings.Join(before.noted("machine"), "; "), strings.Join(now.noted("machine"), "; "), span(before.noted("load")), span(now.noted("load")))
	b.WriteString("| what | before | now | limit beside it (same run) | aim |\n|---|---|---|---|---|\n")
	for _, r := range rows() {
		was := cell(r.parts, before, false)
		if was == "" {
			was = r.before
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, was, cell(r.parts, now, false), cell(r.parts, now, true), verdict(r, now))
	}
	b.WriteString(life("before", passage, before) + life("now", passage, now) + life("now, with what ext4 does for itself each 5 s", usual, now))
	return b.String()
}

// What an SD card is taken to stand: a small one, whose cells take few erasures, and which erases far
// more than it is told to write, since lone blocks of 4 KB lie in blocks of erasure of megabytes.
const (
	cardGB    = 16
	erasures  = 1000
	amplified = 100
)

// life is the arithmetic of an SD card's years from measured bytes; "" where they were not measured.
func life(when, bench string, r results) string {
	online, ok1 := r.middle(bench, "KB_online")
	quiet, ok2 := r.middle(bench, "KB_quiet")
	stop, ok3 := r.middle(bench, "KB_full_stop")
	if !ok1 || !ok2 || !ok3 {
		return ""
	}
	year := 365 * (180*(online+quiet) + 2*stop) / 1e6
	return fmt.Sprintf("\n**An SD card's life**, %s: 365 x (180 passages x (%s KB + %s KB in the quiet time after) + 2 x %s KB to put half a day's log in order) = %s GB a year. A card of %d GB "+
		"that stands %s erasures of each cell, and erases %d times what it is told to write, takes %s GB: %s years.\n",
		when, figure(online), figure(quiet), figure(stop), figure(year), cardGB, thousands(erasures), amplified, figure(cardGB*erasures/amplified), figure(cardGB*erasures/amplified/year))
}

// span is the least and the greatest of numbers.
func span(texts []string) string {
	least, most := math.Inf(1), 0.0
	for _, t := range texts {
		var v float64
		if _, err := fmt.Sscan(t, &v); err == nil {
			least, most = min(least, v), max(most, v)
		}
	}
	if most == 0 {
		return "not known"
	}
	return fmt.Sprintf("%.1f to %.1f", least, most)
}

// cell has the parts of a row, or their limits; "" where nothing was measured.
func cell(parts []part, r results, limit bool) string {
	var texts []string
	for _, p := range parts {
		unit := p.unit
		if limit {
			unit = p.limit
		}
		if v := r.of(p.bench, unit); unit != "" && len(v) > 0 {
			texts = append(texts, p.text(v))
		}
	}
	return strings.Join(texts, ", ")
}

// text is the median of values, with their spread where there are several.
func (p part) text(v []float64) string {
	number := func(x float64) string { return figure(x / p.divisor()) }
	text := number(v[len(v)/2])
	if least, most := number(v[0]), number(v[len(v)-1]); least != most {
		text += fmt.Sprintf(" (%s-%s)", least, most)
	}
	if strings.HasPrefix(p.as, "x") || p.as == "/s" {
		return text + p.as
	}
	return text + " " + p.as
}

func (p part) divisor() float64 {
	if p.per == 0 {
		return 1
	}
	return p.per
}

// figure is a number with as many digits as one reads.
func figure(x float64) string {
	switch {
	case x >= 100:
		return thousands(int64(math.Round(x)))
	case x >= 10:
		return fmt.Sprintf("%.3g", x)
	}
	return strconv.FormatFloat(math.Round(x*100)/100, 'f', -1, 64)
}

func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// verdict is the aim and whether it is met.
func verdict(r row, now results) string {
	if r.aim == "" {
		return "(none)"
	}
	for _, p := range r.parts {
		v, there := now.middle(p.bench, p.unit)
		if !there {
			return r.aim + ": not measured here"
		}
		v /= p.divisor()
		if p.most > 0 && v > p.most || v < p.least {
			return r.aim + ": **missed**"
		}
	}
	return r.aim + ": **met**"
}

// The markers between which the table stands.
const (
	tableBegins = "<!-- what make bench writes -->\n"
	tableEnds   = "<!-- end of what make bench writes -->\n"
)

// putTable writes the table into a document, if it is another than the one there.
func putTable(path, text string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, found := bytes.Cut(doc, []byte(tableBegins))
	_, tail, ended := bytes.Cut(rest, []byte(tableEnds))
	if !found || !ended {
		return errors.New(path + " has no markers for the table")
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%s%s%s%s%s", head, tableBegins, text, tableEnds, tail), 0o644)
}
