package serialcard_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/serialcard"
)

// TestCodes: what a scanner sends and which codes come of it.
func TestCodes(t *testing.T) {
	long := strings.Repeat("A", device.MaxCode)
	for _, c := range []struct {
		name     string
		settings serialcard.Settings
		in       string
		codes    []string
		fault    fault.Code
	}{
		{name: "CR LF", in: "GHP1.AbC-_9\r\n", codes: []string{"GHP1.AbC-_9"}},
		{name: "CR", in: "one\rtwo\r", codes: []string{"one", "two"}},
		{name: "LF", in: "one\n\ntwo\n", codes: []string{"one", "two"}},
		{name: "spaces and all that prints", in: " a~!\"\r", codes: []string{" a~!\""}},
		{name: "no end", in: "one", fault: fault.Unterminated},
		{name: "ended by silence", settings: serialcard.Settings{End: "silence"}, in: "one", codes: []string{"one"}},
		{name: "only CR LF", settings: serialcard.Settings{End: "crlf"}, in: "one\r\n", codes: []string{"one"}},
		{name: "only CR LF, and CR comes", settings: serialcard.Settings{End: "crlf"}, in: "one\rtwo\r\n", fault: fault.Noise},
		{name: "AIM", settings: serialcard.Settings{AIM: true}, in: "]Q1one\r]d2two\rthree\r", codes: []string{"one", "two", "three"}},
		{name: "AIM not asked for", in: "]Q1one\r", codes: []string{"]Q1one"}},
		{name: "AIM and nothing", settings: serialcard.Settings{AIM: true}, in: "]Q1\r", fault: fault.Length},
		{name: "marks", settings: serialcard.Settings{Prefix: "\x02", End: "etx"}, in: "\x02one\x03", codes: []string{"one"}},
		{name: "the longest", in: long + "\r", codes: []string{long}},
		{name: "the longest with AIM", settings: serialcard.Settings{AIM: true}, in: "]Q1" + long + "\r", codes: []string{long}},
		{name: "too long", in: long + "A\rone\r", codes: []string{"one"}, fault: fault.Length},
		{name: "not ASCII", in: "caf\xc3\xa9\rone\r", codes: []string{"one"}, fault: fault.Noise},
		{name: "control character", in: "a\tb\rone\r", codes: []string{"one"}, fault: fault.Noise},
	} {
		l, err := layout(t, "code").With(c.settings)
		if err != nil {
			t.Fatal(c.name, err)
		}
		d, err := serialcard.NewDecoder(l)
		if err != nil {
			t.Fatal(c.name, err)
		}
		var codes []string
		found := fault.None
		take := func(e device.Event, ok bool) {
			switch {
			case ok && e.Kind == device.CodeRead:
				codes = append(codes, e.Code.Text())
			case ok:
				found = e.Fault
			}
		}
		for i := range len(c.in) {
			take(d.Push(c.in[i]))
		}
		take(d.Timeout())
		if !slices.Equal(codes, c.codes) || found != c.fault {
			t.Errorf("%s: got %d codes and %v, want %d and %v", c.name, len(codes), found, len(c.codes), c.fault)
		}
	}
}
