package internal_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestLinks: every relative link in a page leads to a file that is there, and to a heading of it; one with a test's name
// to the file that has the test.
func TestLinks(t *testing.T) {
	pages := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "bin" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		pages++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range proof.FindAllStringSubmatch(string(b), -1) {
			if code, err := os.ReadFile(filepath.Join(filepath.Dir(path), m[2])); err == nil && !strings.Contains(string(code), "func "+m[1]+"(") {
				t.Errorf("%s: %s has no %s", path, m[2], m[1])
			}
		}
		for _, target := range linksOf(string(b)) {
			if fault := leads(path, target); fault != "" {
				t.Errorf("%s: %s: %s", path, target, fault)
			}
		}
		return nil
	})
	if err != nil || pages < 15 {
		t.Fatal(pages, "pages", err)
	}
}

var (
	fence  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	inline = regexp.MustCompile("`[^`\n]*`")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"`)
	proof  = regexp.MustCompile("\\[`(Test\\w+)`\\]\\(([^)\\s]+)\\)") // a test that holds a claim
	title  = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	named  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// linksOf are the targets of a page's links and pictures; code has none.
func linksOf(page string) (targets []string) {
	page = inline.ReplaceAllString(fence.ReplaceAllString(page, ""), "")
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		if target := m[1] + m[2]; !strings.Contains(target, ":") {
			targets = append(targets, target)
		}
	}
	return targets
}

// leads says what is wrong with a link of a page; empty: nothing.
func leads(page, target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	path := page
	if file != "" {
		path = filepath.Join(filepath.Dir(page), file)
	}
	b, err := os.ReadFile(path)
	switch info, statErr := os.Stat(path); {
	case statErr != nil:
		return "there is no such file"
	case anchor == "" || info.IsDir():
		return ""
	case err != nil:
		return err.Error()
	}
	if !anchorsOf(string(b))[anchor] {
		return "the page has no such heading"
	}
	return ""
}

// anchorsOf are the names that GitHub gives the headings of a page.
func anchorsOf(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range title.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, named.ReplaceAllString(m[1], "$1"))
		unique := name
		for n := 1; all[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		all[unique] = true
	}
	return all
}

// TestLinksSayNo knows that leads can say no, and that code is no link.
func TestLinksSayNo(t *testing.T) {
	for target, bad := range map[string]bool{"README.md": false, "docs/none.md": true, "docs/setup.md#answers": false, "docs/setup.md#none": true, "docs": false, "#the-page": false, "#none": true} {
		if (leads("../README.md", target) != "") != bad {
			t.Errorf("%s: %q", target, leads("../README.md", target))
		}
	}
	if got := linksOf("[a](b.md) `[c](d.md)` ![e](f.svg)\n```\n[g](h)\n```\n[i](https://j) <img src=\"k.png\">"); strings.Join(got, " ") != "b.md f.svg k.png" {
		t.Error(got)
	}
	if !anchorsOf("# One\n## What `a` is, [b](c)!\n# One")["what-a-is-b"] || !anchorsOf("# One\n# One")["one-1"] {
		t.Error("headings are named otherwise")
	}
}
