// Package calendar parses days as people and other programs write them: on contracts, cards, and in
// spreadsheets. Gateway and registry parse and format days with it.
//
// It accepts a day with the year first, whatever separates its parts, since that can mean only one
// thing; it refuses to guess whether 1/2/2027 is in January or in February. A day outside the range
// of a record (32 bits of Unix seconds) is an error that wraps ErrRange.
package calendar

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/naming"
	"gatehouse/internal/socket"
)

// latest is the first Unix second that no record can hold.
const latest = math.MaxUint32

const (
	form     = "write it as 2026-12-31: the year first"
	openHint = "leave it empty for no end"
)

// shape is a day with the year first, and perhaps the midnight that spreadsheets append.
var shape = regexp.MustCompile(`^(\d{4})(?:([-/.,‐‑–—−])(\d{1,2})[-/.,‐‑–—−](\d{1,2})\.?|年(\d{1,2})月(\d{1,2})[日号]?|(\d{2})(\d{2}))(?:[ T]0?0:00(?::00(?:\.0+)?)?Z?)?$`)

// spaced is a day with only spaces between its parts.
var spaced = regexp.MustCompile(`^(\d{4}) (\d{1,2}) (\d{1,2})$`)

// months are the English names of months. With a year of four digits, they too can mean only one
// thing.
const months = `(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)`

var (
	dayFirst   = regexp.MustCompile(`(?i)^(\d{1,2})[-/ ]?` + months + `\.?[-/, ]?(\d{4})$`)
	monthFirst = regexp.MustCompile(`(?i)^` + months + `\.?[-/ ]?(\d{1,2})[-/, ](\d{4})$`)
)

// noEnd are words on cards and of other systems for a term without an end;
// vague are such words of people, who are told what to write instead.
var (
	noEnd = []string{"长期", "長期", "长期有效", "長期有效", "永久"}
	vague = []string{"forever", "never", "none", "no end", "unlimited", "permanent", "indefinite", "无", "無", "无期限", "无固定期限", "不限"}
)

// First returns the midnight at the start of a first day in a zone; the zero time for an empty text.
func First(text string, zone *time.Location) (time.Time, error) { return read(text, 0, zone) }

// Last returns the midnight that ends a last day in a zone. It returns the zero time for no end: an
// empty text, 9999-12-31 in any form, 长期.
func Last(text string, zone *time.Location) (time.Time, error) {
	if slices.Contains(noEnd, tidy(text)) {
		return time.Time{}, nil
	}
	if slices.Contains(vague, strings.ToLower(tidy(text))) {
		return time.Time{}, hinted(openHint, "%q is no day", text)
	}
	if y, m, d, ok := parts(tidy(text)); ok && y == 9999 && m == 12 && d == 31 {
		return time.Time{}, nil
	}
	return read(text, 1, zone)
}

// timeOfDay is a day followed by a time.
var timeOfDay = regexp.MustCompile(`^(.*[\d日号.])(?:[ T]|\b)(\d{1,2}):(\d{2})(?::(\d{2}))?$`)

// Moment returns a time for a query: RFC 3339, a day as First parses it with a time of day in the
// zone, or a day alone, which stands for its midnight. An empty text is the zero time. Where no record
// can hold the day, the error wraps ErrRange.
func Moment(text string, zone *time.Location) (time.Time, error) {
	if t, err := time.ParseInLocation(time.RFC3339, strings.TrimSpace(text), zone); err == nil {
		return t, nil
	}
	day, clock := tidy(text), [3]int{}
	if found := timeOfDay.FindStringSubmatch(day); found != nil {
		day = found[1]
		for i := range clock {
			clock[i], _ = strconv.Atoi(found[i+2]) // digits, or no seconds
		}
	}
	t, err := First(day, zone)
	no := hinted("write it as 2026-01-31, or as \"2026-01-31 18:00\"", "no time: %q", text)
	if errors.Is(err, ErrRange) {
		return time.Time{}, outside{no}
	}
	if err != nil || clock[0] > 23 || clock[1] > 59 || clock[2] > 59 {
		return time.Time{}, no
	}
	if clock == [3]int{} {
		return t, nil
	}
	y, m, d := t.Date()
	return time.Date(y, m, d, clock[0], clock[1], clock[2], 0, zone), nil
}

// LastDay formats the last day before end, which is exclusive; "" for none. An end within a day
// makes that day the last.
func LastDay(end *time.Time, zone *time.Location) string {
	if end == nil {
		return ""
	}
	return end.Add(-time.Second).In(zone).Format(time.DateOnly)
}

// Minute formats a time for people, to the minute, with the name of its zone.
func Minute(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("2006-01-02 15:04 ") + zone.String()
}

// Stamp formats a time for people, to the second, with the zone's offset: what was done, asked and allowed, in any text but that
// for programs, which is RFC 3339. It is shown in the building's zone, where one building is known.
func Stamp(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("2006-01-02 15:04:05 -07:00")
}

// Here returns this machine's time zone, with its name if it is known.
func Here() *time.Location {
	name := os.Getenv("TZ")
	if name == "" {
		if target, err := os.Readlink("/etc/localtime"); err == nil {
			_, name, _ = strings.Cut(target, "zoneinfo/")
		}
	}
	name = strings.TrimPrefix(name, ":")
	if zone, err := time.LoadLocation(name); err == nil && name != "" && same(zone, time.Local) {
		return zone
	}
	if same(time.UTC, time.Local) {
		return time.UTC
	}
	return time.Local
}

// same reports whether two zones have the same offset in summer and winter.
func same(a, b *time.Location) bool {
	for _, t := range []time.Time{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)} {
		_, one := t.In(a).Zone()
		_, other := t.In(b).Zone()
		if one != other {
			return false
		}
	}
	return true
}

// read returns the midnight at the start of a day, plus days.
func read(text string, plus int, zone *time.Location) (time.Time, error) {
	plain := tidy(text)
	if plain == "" {
		return time.Time{}, nil
	}
	y, m, d, ok := parts(plain)
	if !ok {
		return time.Time{}, hinted(form, "%q is no day", text)
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, zone)
	if t.Day() != d || int(t.Month()) != m {
		return time.Time{}, hinted("look at it again: that month has no such day", "%q is no day", text)
	}
	t = t.AddDate(0, 0, plus)
	switch {
	case t.Unix() <= 0:
		return time.Time{}, outside{hinted("leave it empty for one that has begun", "%s is before 1970: a term can't hold it", text)}
	case t.Unix() >= latest && plus > 0:
		return time.Time{}, outside{hinted(openHint, "%s is after 2106-02-06: a term can't hold it", text)}
	case t.Unix() >= latest:
		return time.Time{}, outside{hinted("a first day before 2106", "%s is after 2106-02-06: a term can't hold it", text)}
	}
	return t, nil
}

// ErrRange means a day that is written well, and that no record can hold.
var ErrRange = errors.New("no day from 1970-01-02 to 2106-02-06")

type outside struct{ said error }

func (o outside) Error() string { return o.said.Error() }

func (o outside) Unwrap() []error { return []error{o.said, ErrRange} }

// tidy folds full-width characters to ASCII, and removes spaces, but for one between two numbers or
// words.
func tidy(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\u3000' || r == '\u00a0' || r == '\t':
			return ' '
		case r == '。':
			return '.'
		}
		return naming.ASCII(r)
	}, strings.TrimPrefix(text, "\ufeff"))
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return ""
	}
	out := fields[0]
	for _, f := range fields[1:] {
		if isWord(out[len(out)-1]) && isWord(f[0]) {
			out += " "
		}
		out += f
	}
	return out
}

// isWord reports whether a space next to the byte separates words or numbers.
func isWord(b byte) bool { return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' }

// lettered parses a day whose month is a word.
func lettered(year, month, day string) (y, m, d int, ok bool) {
	y, _ = strconv.Atoi(year) // digits, by the expression
	d, _ = strconv.Atoi(day)
	m = strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(month[:3]))/3 + 1
	return y, m, d, true
}

// parts parses a day with the year first or the month as a word. It does not check whether the
// month has that day.
func parts(plain string) (y, m, d int, ok bool) {
	if f := dayFirst.FindStringSubmatch(plain); f != nil {
		return lettered(f[3], f[2], f[1])
	}
	if f := monthFirst.FindStringSubmatch(plain); f != nil {
		return lettered(f[3], f[1], f[2])
	}
	found := spaced.FindStringSubmatch(plain)
	if found == nil {
		found = shape.FindStringSubmatch(plain)
	}
	if found == nil {
		return 0, 0, 0, false
	}
	var numbers []int
	for _, f := range found[1:] {
		if n, err := strconv.Atoi(f); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers[0], numbers[1], numbers[2], true
}

func hinted(hint, format string, args ...any) error {
	return &socket.Error{Message: fmt.Sprintf(format, args...), Hint: hint}
}
