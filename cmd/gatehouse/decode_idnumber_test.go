package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestDecodeIDNumber: one object a line, and no number in an error.
func TestDecodeIDNumber(t *testing.T) {
	good := tenantNumber()
	x := "11010519491231002X" // the standard's example
	slip := []byte(good)
	slip[10] = '0' + (slip[10]-'0'+1)%10
	swapped := []byte(good)
	swapped[5], swapped[6] = swapped[6], swapped[5]
	wide := strings.Map(func(r rune) rune { return r + 0xfee0 }, x)
	for _, c := range []struct {
		args []string
		in   string
		want string // empty: not valid
		says string
	}{
		{nil, good, good, ""},
		{nil, strings.ToLower(x), x, ""},
		{nil, wide, x, ""},
		{nil, strings.ToLower(wide) + "\r", x, ""},
		{nil, string(slip), "", "check digit"},
		{nil, string(swapped), "", "check digit"},
		{nil, good[:15], "", "before 1999"},
		{nil, numbered("44000019900230123"), "", "no day of the calendar"},
		{nil, numbered("44000029900101123"), "", "in the future"},
		{nil, numbered("99000019900101123"), "", "area"},
		{nil, "", "", "empty"},
		{nil, "44000019900307123?", "", "neither a digit nor a letter"},
		{[]string{"--document", "residence-permit"}, laidExpired.Number, laidExpired.Number, ""},
		{[]string{"--document", "foreigner_card"}, laidForeigner.Number, laidForeigner.Number, ""},
		{[]string{"--document", "foreigner_card"}, strings.ToLower(laidOld.Number), laidOld.Number, ""},
		{[]string{"--document", "passport"}, "e0000000", "E0000000", ""},
	} {
		var out, errOut bytes.Buffer
		if s := run(t.Context(), append([]string{"decode", "idnumber"}, c.args...), strings.NewReader(c.in+"\n"), &out, &errOut); s != 0 {
			t.Fatalf("status %d: %s", s, &errOut)
		}
		var got struct {
			Valid         bool
			Number, Error *string
		}
		must(t, json.Unmarshal(out.Bytes(), &got))
		switch {
		case c.want != "" && (!got.Valid || got.Error != nil || got.Number == nil || *got.Number != c.want):
			t.Errorf("%q: %s", c.in, &out)
		case c.want == "" && (got.Valid || got.Number != nil || got.Error == nil || !strings.Contains(*got.Error, c.says)):
			t.Errorf("%q: %s", c.in, &out)
		case c.want == "" && len(c.in) > 8 && (strings.Contains(out.String(), c.in[:8]) || strings.Contains(out.String(), c.in[6:])):
			t.Errorf("the number is repeated: %s", &out)
		}
	}
	var out, errOut bytes.Buffer
	if s := run(t.Context(), []string{"decode", "idnumber"}, strings.NewReader(good+"\n"+string(slip)+"\n"+x), &out, &errOut); s != 0 {
		t.Fatalf("status %d: %s", s, &errOut)
	}
	n := 0
	for sc := bufio.NewScanner(&out); sc.Scan(); n++ {
		if strings.Contains(sc.Text(), `"valid":true`) != (n != 1) {
			t.Errorf("line %d: %s", n, sc.Text())
		}
	}
	if n != 3 {
		t.Errorf("%d lines", n)
	}
	if s := run(t.Context(), []string{"decode", "idnumber", "--document", "library"}, strings.NewReader(""), &out, &errOut); s != 1 || !strings.Contains(errOut.String(), "resident_id") {
		t.Errorf("status %d: %s", s, &errOut)
	}
}
