package mandate

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var stable = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// TestWords: each code has a name of its own, and says why, by which rule and what to do in both
// languages, with a place for each blank in both.
func TestWords(t *testing.T) {
	names := map[string]bool{}
	for c := Unsigned; c <= ToldLate; c++ {
		s, ok := sentences[c]
		if !ok || !stable.MatchString(s.name) || names[s.name] {
			t.Errorf("code %d: %q", c, s.name)
		}
		names[s.name] = true
		for what, text := range map[string]Text{"reason": s.reason, "article": s.article, "what to do": s.do} {
			if !strings.ContainsFunc(text.ZH, isHan) || strings.ContainsFunc(text.EN, isHan) || text.EN == "" {
				t.Errorf("%s: %s: %q, %q", s.name, what, text.ZH, text.EN)
			}
		}
		if zh, en := strings.Count(s.reason.ZH, "%s"), strings.Count(strings.ReplaceAll(s.reason.EN, "%q", "%s"), "%s"); zh != en {
			t.Errorf("%s: %d blanks in Chinese, %d in English", s.name, zh, en)
		}
	}
	if len(sentences) != int(ToldLate) {
		t.Errorf("%d codes have words, there are %d", len(sentences), ToldLate)
	}
	if got := Code(200).String(); got != "mandate_200" {
		t.Errorf("a code of a newer program: %s", got)
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// TestBlanksAreFilled: no refusal of the table shows a blank.
func TestBlanksAreFilled(t *testing.T) {
	for _, c := range theWays() {
		m, q := sample(t), at(noon+60)
		if c.change != nil {
			c.change(&m)
		}
		if c.ask != nil {
			c.ask(&q)
		}
		_, refusal := Judge(sign(t, m, key(max(c.by, 1))), trust(), q)
		if b, err := json.Marshal(refusal); err != nil || strings.Contains(string(b), "%") || !strings.Contains(string(b), `"code":"`+c.code.String()+`"`) {
			t.Errorf("%s: %s, %v", c.name, b, err)
		}
	}
}

// TestPageHasAllRefusals: docs/mandate.md has a row of each code, with its words in both languages.
func TestPageHasAllRefusals(t *testing.T) {
	page, err := os.ReadFile("../../docs/mandate.md")
	if err != nil {
		t.Fatal(err)
	}
	blank := strings.NewReplacer("%s", "…", "%q", "…")
	for _, s := range sentences {
		row := "| `" + s.name + "` | " + blank.Replace(s.reason.ZH) + "<br>" + blank.Replace(s.reason.EN) + " | " + s.do.ZH + "<br>" + s.do.EN + " |"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/mandate.md lacks this row:\n%s", row)
		}
	}
}
