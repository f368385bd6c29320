package text

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"unicode"
)

// TestBothLanguages: a word in one language has what is filled in in the same order as in
// the other, and the Chinese is Chinese.
func TestBothLanguages(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile(`%[sdvq%]`)
	for key, pair := range words.said {
		if zh, en := verb.FindAllString(pair[0], -1), verb.FindAllString(pair[1], -1); !slices.Equal(zh, en) {
			t.Errorf("%s: %v in Chinese, %v in English", key, zh, en)
		}
		other := key == "page.other_language" // each names the other
		if han := regexp.MustCompile(`\p{Han}`); !other && han.MatchString(pair[1]) {
			t.Errorf("%s: Chinese in the English: %s", key, pair[1])
		}
		for _, r := range pair[0] + pair[1] {
			if !unicode.IsPrint(r) {
				t.Errorf("%s has %U, which can't be seen", key, r)
			}
		}
	}
	if len(words.said) < 50 {
		t.Errorf("%d words", len(words.said))
	}
}

// TestFullWidth: Chinese has marks of its own, as wide as its characters; between Latin letters
// and digits there are Latin ones.
func TestFullWidth(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	half := regexp.MustCompile(`\p{Han}[,;:!?()"'.]|[,;:!?()"']\p{Han}|\.\.\.`)
	for key, pair := range words.said {
		if m := half.FindString(pair[0]); m != "" {
			t.Errorf("%s: %q in %s", key, m, pair[0])
		}
	}
}

// TestTemplatesSayNothing: a mark of punctuation in a template would stand in both languages, half
// width or full: it comes from the words, as all else that people read.
func TestTemplatesSayNothing(t *testing.T) {
	names, err := filepath.Glob(filepath.FromSlash("../page/templates/*.html"))
	if err != nil || len(names) < 20 {
		t.Fatalf("%d templates: %v", len(names), err)
	}
	silent := regexp.MustCompile(`(?s)\{\{.*?\}\}|<[^>]*>`)
	marks := regexp.MustCompile(`.?[,;:!?()"'.—，；：！？（）。、].?|\p{Han}+`)
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if m := marks.FindAllString(html.UnescapeString(silent.ReplaceAllString(string(raw), "_")), -1); len(m) > 0 {
			t.Errorf("%s says %q by itself, in both languages", filepath.Base(name), m)
		}
	}
}

// TestSay: words of a language, with what stands in them; a key without words is shown.
func TestSay(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		l    Language
		key  string
		args []any
		want string
	}{
		{Chinese, "page.to_do", []any{2}, "要处理 2"},
		{English, "page.to_do", []any{2}, "To do 2"},
		{English, "page.doors", nil, "Doors"},
		{Chinese, "page.no_such", nil, "page.no_such"},
	} {
		if got := words.Say(c.l, c.key, c.args...); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.l, c.key, got, c.want)
		}
	}
	if !words.Has("page.doors") || words.Has("page.no_such") {
		t.Error("which keys there are")
	}
}

// TestChoose: the first language of a browser that the page speaks.
func TestChoose(t *testing.T) {
	for header, want := range map[string]Language{
		"": Chinese, "zh-CN,zh;q=0.9,en;q=0.8": Chinese, "en-US,en;q=0.5": English, "de, en;q=0.7, zh;q=0.3": English,
		"fr": Chinese, " EN ": English, "english": Chinese, "zhx": Chinese, "zh-Hant-TW": Chinese, "*": Chinese,
	} {
		if got := Choose(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	if Chinese.Other() != English || English.Other() != Chinese {
		t.Error("the other language")
	}
}
