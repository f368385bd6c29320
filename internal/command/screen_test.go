package command

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"3 楼 301 室\n\tb": "3 楼 301 室\n\tb", "": "",
		"\x1b[2J":    `\u001b[2J`,
		"a\rb\x07":   `a\u000db\u0007`,
		"\u202e1b3":  `\u202e1b3`,
		"\u009b31m":  `\u009b31m`,
		"\U000e0041": `\udb40\udc41`,
		"half \xe6":  "half \uFFFD",
		"\xff\x1b":   "\uFFFD" + `\u001b`,
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("a\x1b[0m\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		plain := Plain(text)
		if !utf8.ValidString(plain) || Plain(plain) != plain {
			t.Fatalf("%q", plain)
		}
		for _, r := range plain {
			if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
				t.Fatalf("%q has %U", plain, r)
			}
		}
		var out strings.Builder
		if err := json.NewEncoder(Screen{&out}).Encode(text); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil || utf8.ValidString(text) && back != text {
			t.Fatalf("%q came back as %q: %v", text, back, err)
		}
	})
}
