package naming

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// titles are what stands behind a family name where a person is meant.
var titles = []string{"先生", "女士", "小姐", "太太", "师傅", "師傅", "老师", "老師", "老板", "老闆", "阿姨", "叔叔", "大哥", "大姐", "医生", "總", "总", "生", "太"}

// before are what stands before a family name, or one's whole name.
var before = []string{"老", "小", "阿", "mr", "mrs", "ms", "miss", "mr.", "mrs.", "ms."}

// Names reports whether a text names a person: it has the person's name as whole words,
// in any case, order or spacing, or the family name with a title. A name of one
// character, or of less than four letters, is in too many words to be looked for,
// unless the text is nothing else.
func Names(text, person string) bool {
	words, name := wordsIn(text), wordsIn(person)
	if len(name) == 0 {
		return false
	}
	if together(words) == together(name) || sameWords(words, name) {
		return true
	}
	whole := together(name)
	if len(name) == 1 && isHan(whole) || isHan(whole) {
		return utf8.RuneCountInString(whole) >= 2 && strings.Contains(together(words), whole) || titled(together(words), whole)
	}
	if utf8.RuneCountInString(whole) >= 4 && containsWords(words, name) {
		return true
	}
	return len(words) == 2 && slices.Contains(before, words[0]) && slices.Contains(name, words[1])
}

// titled reports whether a text is a Chinese family name with a title, as 张先生, 老张.
func titled(text, name string) bool {
	all := []rune(name)
	for n := 1; n <= min(2, len(all)); n++ {
		family := string(all[:n])
		for _, t := range titles {
			if text == family+t {
				return true
			}
		}
		for _, b := range before {
			if text == b+family {
				return true
			}
		}
	}
	return false
}

// wordsIn returns the words of a text without case, width and marks.
func wordsIn(text string) []string {
	return strings.FieldsFunc(strings.ToLower(strings.ToUpper(norm.NFKC.String(text))), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) && !unicode.Is(unicode.Co, r)
	})
}

func together(words []string) string { return strings.Join(words, "") }

// sameWords reports whether two texts have the same words in any order.
func sameWords(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// containsWords reports whether some words stand in others, in their order.
func containsWords(in, some []string) bool {
	for i := 0; i+len(some) <= len(in); i++ {
		if slices.Equal(in[i:i+len(some)], some) {
			return true
		}
	}
	return false
}

func isHan(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return !unicode.Is(unicode.Han, r) && !unicode.Is(unicode.Co, r) }) < 0
}
