package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

// tool runs the tool on some input.
func tool(t *testing.T, in string, args ...string) (out, errOut string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(in), &o, &e)
	return o.String(), e.String(), status
}

func TestEncodeWiegand(t *testing.T) {
	for _, c := range []struct {
		in, args, out, err string
	}{
		{"", "H10301 --facility 123 --card 4567", "10111101100010001110101110\n", ""},
		{"", "h10301 --facility 123 --card 4567", "10111101100010001110101110\n", ""},
		{"4567\n\n 4568", "H10301 --facility 123 --card -", "10111101100010001110101110\n10111101100010001110110000\n", ""},
		{"", "H10301 --facility 123 --card 4567 --issue 0 --oem 0", "10111101100010001110101110\n", ""},
		{"", "HCP32 --facility 0 --card 1", "00000000000000000000000010000000\n", ""},
		{"", "raw16 --card 3", "0000000000000011\n", ""},
		{"", "RAW75 --card 37778931862957161709567", strings.Repeat("1", 75) + "\n", ""},
		{"", "S12906 --facility 1 --card 2", "000000001000000000000000000000000100\n", ""}, // issue is 0
		{"", "H10301 --card 1", "", "add --facility, 0 to 255"},
		{"", "H10301 --facility 256 --card 1", "", "--facility is 0 to 255"},
		{"", "H10301 --facility 1 --card 65536", "", "it is 0 to 65535"},
		{"", "H10301 --facility 1 --card 1 --issue 1", "", "leave --issue out"},
		{"", "W34 --facility 1 --card 1", "", "leave --facility out: W34 has 34 bits, card number 0 to 4294967295"},
		{"", "S12906b --facility 1 --card 1", "", "--facility is always 217"},
		{"", "S12906b --facility 218 --card 1", "", "--facility is always 217"},
		{"", "S12906b --card 1", "", "add --facility, always 217"},
		{"", "S12906b --facility 217 --card 1 --issue 1", "", "S12906b has 36 bits, card number 0 to 16777215, --facility always 217"},
		{"", "S12906 --facility 1 --card 1 --oem 1", "", "--facility 0 to 255, --issue 0 to 3"},
		{"", "S12906 --facility 1 --card 1 --issue 4", "", "--issue is 0 to 3"},
		{"", "H10301 --facility 1 --card x9090", "", "decimal digits only"},
		{"9090x\n", "H10301 --facility 1 --card -", "", "decimal digits only"},
		{"", "H10301 --facility 1 --card +9090", "", "decimal digits only"},
		{"", "X --card 1", "", "   26  H10301    ind26     W26       T1        T2\n   27  "},
	} {
		args := append([]string{"encode", "wiegand", "--format"}, strings.Fields(c.args)...)
		out, errOut, status := tool(t, c.in, args...)
		if out != c.out || !strings.Contains(errOut, c.err) || (status == 0) != (c.err == "") {
			t.Errorf("%s: status %d\n%s%s", c.args, status, out, errOut)
		}
		if strings.Contains(errOut, "9090") {
			t.Errorf("%s: %s repeats the number", c.args, errOut)
		}
	}
}

// TestWiegandVectors: every golden card goes through both commands.
func TestWiegandVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../device/wiegand/testdata/vectors.txt")
	must(t, err)
	sent, want := map[string]string{}, map[string][]map[string]any{} // by format
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 6 || words[0] == "#" {
			continue
		}
		f, _ := wiegand.Lookup(words[0])
		var raw []byte
		_, err := fmt.Sscanf(words[5], "%x", &raw)
		must(t, err)
		card, err := device.NewCard(raw, f.Bits)
		must(t, err)
		args := []string{"encode", "wiegand", "--format", words[0], "--card", words[2]}
		is := map[string]any{"format": words[0], "facility": nil, "card": exact(words[2]), "valid": true, "error": nil}
		for i, name := range map[int]string{1: "facility", 3: "issue", 4: "oem"} {
			if words[i] != "-" {
				args = append(args, "--"+name, words[i])
				is[name] = exact(words[i])
			}
		}
		out, errOut, status := tool(t, "", args...)
		if status != 0 || out != bits(card)+"\n" {
			t.Fatalf("%v: status %d, %s%s", args, status, out, errOut)
		}
		sent[words[0]] += out
		want[words[0]] = append(want[words[0]], is)
	}
	for format, cards := range want {
		decodes(t, format, sent[format], cards)
	}
	if len(want) != len(wiegand.Names()) {
		t.Errorf("vectors of %d formats, there are %d", len(want), len(wiegand.Names()))
	}
}

// decodes wants what a reader sent to be these cards, and two bits to be none of the format.
func decodes(t *testing.T, format, sent string, want []map[string]any) {
	t.Helper()
	out, errOut, status := tool(t, sent, "decode", "wiegand", "--format", format)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || errOut != "" || len(lines) != len(want) {
		t.Fatalf("%s: status %d, %s%s", format, status, out, errOut)
	}
	for i, line := range lines {
		var got map[string]any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		must(t, d.Decode(&got))
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want[i]) {
			t.Errorf("%s: %s", format, line)
		}
	}
	out, _, _ = tool(t, "01", "decode", "wiegand", "--format", format)
	var got map[string]any
	must(t, json.Unmarshal([]byte(out), &got))
	for name, value := range map[string]any{"format": format, "facility": nil, "card": nil, "valid": false} {
		if has, ok := got[name]; !ok || has != value {
			t.Errorf("%s: two bits: %s", format, out)
		}
	}
	for _, name := range []string{"issue", "oem"} {
		_, has := got[name]
		if _, should := want[0][name]; has != should {
			t.Errorf("%s: %s there %t: %s", format, name, has, out)
		}
	}
}

// bits is a card as 0 and 1.
func bits(c device.Card) string {
	var b strings.Builder
	for i := range c.Len() {
		fmt.Fprint(&b, c.Bit(i))
	}
	return b.String()
}

// exact is a number as the tool must print it: a string above 2^53.
func exact(digits string) any {
	if len(digits) > 16 || len(digits) == 16 && digits > "9007199254740992" {
		return digits
	}
	return json.Number(digits)
}

// TestDecodeH10301Line: programs rely on the line as it is.
func TestDecodeH10301Line(t *testing.T) {
	out, _, _ := tool(t, "10111101100010001110101110", "decode", "wiegand", "--format", "H10301")
	if want := `{"format":"H10301","facility":123,"card":4567,"valid":true,"error":null}` + "\n"; out != want {
		t.Errorf("%s", out)
	}
}
