// Package text has the words of the page in Chinese and in English.
//
// It refuses a word that one of the languages lacks: a test reads the files.
package text

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Language is one that the page speaks.
type Language string

// The languages of the page.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// Other is the language that a page offers beside its own.
func (l Language) Other() Language {
	if l == Chinese {
		return English
	}
	return Chinese
}

//go:embed *.toml
var files embed.FS

// Words are all words of the page: a key like people.check_in names the file and a line
// in it. Safe for concurrent use.
type Words struct{ said map[string][2]string }

// Load reads the words that come with the program.
func Load() (Words, error) {
	w := Words{map[string][2]string{}}
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return w, err
	}
	for _, name := range names {
		if err := w.read(name); err != nil {
			return w, fmt.Errorf("words of %s: %w", name, err)
		}
	}
	return w, nil
}

func (w Words) read(name string) error {
	raw, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	var lines map[string][]string
	if err := toml.Unmarshal(raw, &lines); err != nil {
		return err
	}
	for key, pair := range lines {
		if len(pair) != 2 || strings.TrimSpace(pair[0]) == "" || strings.TrimSpace(pair[1]) == "" {
			return fmt.Errorf("%s: want it in Chinese and in English", key)
		}
		w.said[strings.TrimSuffix(name, ".toml")+"."+key] = [2]string{pair[0], pair[1]}
	}
	return nil
}

// Has reports whether there are words of a key.
func (w Words) Has(key string) bool { _, ok := w.said[key]; return ok }

// Say returns the words of a key, with what stands in their %s and %d. The key itself
// comes where it has none.
func (w Words) Say(l Language, key string, args ...any) string {
	pair, ok := w.said[key]
	if !ok {
		return key
	}
	words := pair[0]
	if l == English {
		words = pair[1]
	}
	if len(args) == 0 {
		return words
	}
	return fmt.Sprintf(words, args...)
}

// Word is an error by the key of its words.
type Word string

// Error is the key.
func (w Word) Error() string { return string(w) }

// Choose returns the language of an Accept-Language header: the first of ours in it,
// Chinese where there is none.
func Choose(header string) Language {
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
		switch {
		case tag == "zh" || strings.HasPrefix(tag, "zh-"):
			return Chinese
		case tag == "en" || strings.HasPrefix(tag, "en-"):
			return English
		}
	}
	return Chinese
}
