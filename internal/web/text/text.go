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

// Language is a language of the page.
type Language string

// The languages of the page.
const (
	Chinese Language = "zh"
	English Language = "en"
)

// Other returns the language that a page offers besides its own.
func (l Language) Other() Language {
	if l == Chinese {
		return English
	}
	return Chinese
}

//go:embed *.toml
var files embed.FS

// Words are all words of the page: a key such as people.check_in names the file and a line in it.
// It is safe for concurrent use.
type Words struct{ said map[string][2]string }

// Load loads the words of the program.
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

// Has reports whether a key has words.
func (w Words) Has(key string) bool { _, ok := w.said[key]; return ok }

// Say returns the words of a key, with args for their verbs. A key without words is returned
// itself.
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

// Error returns the key.
func (w Word) Error() string { return string(w) }

// Choose returns the first of the page's languages in an Accept-Language header; Chinese if it has
// none.
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
