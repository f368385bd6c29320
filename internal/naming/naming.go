// Package naming normalises names of persons, flats and labels, as people type them at a desk or as
// another system lists them: spellings that can only mean the same become one.
//
// It is pure: it stores nothing and reads no file. It refuses invisible characters, characters lost
// to a wrong encoding, and labels that would bring a name or a number onto a gateway. A person's
// name is never in an error.
package naming

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits, in characters.
const (
	MaxName  = 100 // of a person: longer than on any document
	MaxLabel = 64  // of a flat, or a label for it
)

// Person normalises a person's name: composed (NFC), one space between its parts, and one middle
// dot between parts in Chinese characters. Remarks are for people: what to compare with the
// document.
func Person(text string) (name string, remarks []string, err error) {
	if name, err = seen("name", text, MaxName); err != nil {
		return "", nil, err
	}
	name = dots(name)
	for _, r := range name {
		if !unicode.Is(unicode.Co, r) {
			continue
		}
		remark := fmt.Sprintf("the name has a character of private use (%U), which other systems show as a box or as another one: compare it with the document", r)
		if today, ok := oldCodes[r]; ok {
			remark += fmt.Sprintf("; today's code is %U %c", today, today)
		}
		remarks = append(remarks, remark)
	}
	return name, remarks, nil
}

// Flat normalises the name of a flat. It allows any digits: house, unit and room are written in
// many ways.
func Flat(text string) (string, error) {
	return public("flat", text)
}

// public is seen, and refuses characters of private use.
func public(what, text string) (string, error) {
	text, err := seen(what, text, MaxLabel)
	for _, r := range text {
		if err != nil || !unicode.Is(unicode.Co, r) {
			continue
		}
		otherwise := "write it in another way"
		if today, ok := oldCodes[r]; ok {
			otherwise = fmt.Sprintf("today's code is %U %c", today, today)
		}
		return "", fmt.Errorf("the %s has a character of private use (%U), which other systems show as another one: %s", what, r, otherwise)
	}
	return text, err
}

// Label normalises somebody's own word for a flat. It refuses a text that may be a telephone, card
// or identity number.
func Label(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	text, err := public("label", text)
	if err == nil && hasNumber(text) {
		err = errors.New("the label has so many digits that it may be a card's, telephone or identity number (refusal N12)")
	}
	return text, err
}

// MaxRequest is the most characters of Request.
const MaxRequest = 140

// Request normalises what a resident asks to have put right, also over several lines. It refuses a text with so many digits
// in a row that it may be a telephone, card or identity number.
func Request(text string) (string, error) {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return "", errors.New("the request is empty")
	}
	text, err := seen("request", text, MaxRequest)
	if err != nil {
		return "", err
	}
	row := 0
	for _, r := range norm.NFKC.String(text) {
		if row++; !unicode.IsDigit(r) {
			row = 0
		}
		if row >= digitsInARow {
			return "", errors.New("the request has so many digits in a row that it may be a card's, telephone or identity number (refusal N12): write no numbers, the registry's people ask for them")
		}
	}
	return text, nil
}

// seen composes a text (NFC) and normalises its spaces. It refuses invisible characters and more
// than most characters.
func seen(what, text string, most int) (string, error) {
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("the %s is not UTF-8: set the terminal, or the program that wrote it, to UTF-8", what)
	}
	text = strings.TrimSpace(text)
	if strings.TrimFunc(text, func(r rune) bool { return hidden(r) || unicode.In(r, unicode.M, unicode.Zs) }) == "" {
		return "", fmt.Errorf("the %s is empty", what)
	}
	for _, r := range text {
		switch {
		case r == utf8.RuneError:
			return "", fmt.Errorf("the %s has the sign U+FFFD in place of a character that was lost: type it anew", what)
		case hidden(r):
			return "", fmt.Errorf("the %s has a character that can't be seen (%U): type it anew", what, r)
		}
	}
	text = strings.Join(strings.Fields(norm.NFC.String(text)), " ")
	if n := utf8.RuneCountInString(text); n > most {
		return "", fmt.Errorf("the %s has %d characters, and may have %d", what, n, most)
	}
	return text, nil
}

// hidden reports whether a character is invisible. Those of private use are visible on a system
// that has them.
func hidden(r rune) bool {
	switch {
	case r == ' ', r == '\t', unicode.Is(unicode.Co, r):
		return false
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector), r == '\u2800':
		return true
	}
	return !unicode.IsGraphic(r)
}

// dots replaces any dot between parts of a name in Chinese characters by the register's, U+00B7.
func dots(name string) string {
	all := []rune(name)
	out := make([]rune, 0, len(all))
	for i := 0; i < len(all); i++ {
		from, to := i, i
		if all[from] == ' ' && from+1 < len(all) {
			from++
		}
		if strings.ContainsRune("·•・.．。‧∙⋅･●˙", all[from]) && i > 0 && unicode.Is(unicode.Han, all[i-1]) {
			if to = from + 1; to+1 < len(all) && all[to] == ' ' {
				to++
			}
			if to < len(all) && unicode.Is(unicode.Han, all[to]) {
				out, i = append(out, '·'), to-1
				continue
			}
		}
		out = append(out, all[i])
	}
	return string(out)
}

// ASCII returns the ASCII character of a full-width one (U+FF01 to U+FF5E), and others unchanged.
func ASCII(r rune) rune {
	if r >= '\uff01' && r <= '\uff5e' {
		return r - 0xfee0
	}
	return r
}

// Fold returns a key that is equal for all spellings of one flat: it ignores width, case and
// spaces, and which mark separates two numbers. It is for comparison, never for storage.
func Fold(text string) string {
	all := []rune(norm.NFKC.String(text))
	out := make([]rune, 0, len(all))
	gap := false // since the last character that counts
	for _, r := range all {
		if isGap(r) {
			gap = true
			continue
		}
		if gap && len(out) > 0 && (unicode.IsDigit(r) && unicode.IsDigit(out[len(out)-1])) {
			out = append(out, '-')
		}
		out, gap = append(out, unicode.ToUpper(r)), false
	}
	if len(out) == 0 {
		return text
	}
	return string(out)
}

// isGap reports whether a character is only a separator.
func isGap(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf) || strings.ContainsRune("./_·−", r)
}

// Same returns the element of all that means the same flat.
func Same(flat string, all []string) (string, bool) {
	want := Fold(flat)
	for _, f := range all {
		if Fold(f) == want {
			return f, true
		}
	}
	return "", false
}

// Digits of a label that may be a number that must not be on a gateway: that many in a
// row, or that many with a mark or two between them, as in telephone numbers.
const (
	digitsInARow = 6
	digitsInAll  = 10
	marksBetween = 2
)

// hasNumber reports whether a text has that many digits, of any script.
func hasNumber(text string) bool {
	row, all, marks := 0, 0, 0
	for _, r := range norm.NFKC.String(text) {
		switch {
		case unicode.IsDigit(r):
			if row++; marks > 0 {
				row = 1
			}
			all, marks = all+1, 0
		case marks == marksBetween || !isGap(r) && !strings.ContainsRune("()+,:", r):
			row, all, marks = 0, 0, 0
		default:
			marks++
		}
		if row >= digitsInARow || all >= digitsInAll {
			return true
		}
	}
	return false
}

// titles follow a family name.
var titles = []string{"先生", "女士", "小姐", "太太", "师傅", "師傅", "老师", "老師", "老板", "老闆", "阿姨", "叔叔", "大哥", "大姐", "医生", "總", "总", "生", "太"}

// before precede a family name, or a whole name.
var before = []string{"老", "小", "阿", "mr", "mrs", "ms", "miss", "mr.", "mrs.", "ms."}

// Names reports whether a text names a person: whether it has the person's name as whole words, in
// any case, order or spacing, or the family name with a title. A name of one Chinese character, or
// of less than four letters, occurs in too many words, so it counts only as the whole text.
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

// titled reports whether a text is a Chinese family name with a title, such as 张先生 or 老张.
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

// wordsIn returns the words of a text in lower case and normal width, without marks.
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

// containsWords reports whether in has the words some, in their order.
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
