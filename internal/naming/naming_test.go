package naming

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"
)

func TestPerson(t *testing.T) {
	for text, want := range map[string]string{
		"  Zhang   Wei ":          "Zhang Wei",
		"Jose\u0301":              "José",
		"\u1112\u1161\u11ab":      "한",
		"王":                       "王",
		"买买提·艾力":                  "买买提·艾力",
		"买买提•艾力":                  "买买提·艾力",
		"买买提・艾力":                  "买买提·艾力",
		"买买提.艾力":                  "买买提·艾力",
		"买买提．艾力":                  "买买提·艾力",
		"买买提。艾力":                  "买买提·艾力",
		"买买提‧艾力":                  "买买提·艾力",
		"买买提 · 艾力":                "买买提·艾力",
		"阿·卜·杜":                   "阿·卜·杜",
		"J. R. Doe":               "J. R. Doe",
		"张\u00a0伟":                "张 伟",
		strings.Repeat("长", 80):   strings.Repeat("长", 80),
		strings.Repeat("𠮷", 100):  strings.Repeat("𠮷", 100),
		"O'Neil-Ó Súilleabháin 3": "O'Neil-Ó Súilleabháin 3",
	} {
		if got, remarks, err := Person(text); err != nil || got != want || len(remarks) > 0 {
			t.Errorf("%+q: %+q %v %v, want %+q", text, got, remarks, err, want)
		}
	}
}

func TestPersonRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "empty",
		" \t\u3000":              "empty",
		"\u200b":                 "empty",
		"\u200d":                 "empty",
		"\u0301":                 "empty",
		"\ufe0f":                 "empty",
		"\u3164":                 "empty",
		"\xd5\xc5\xce\xb0":       "not UTF-8",
		"王\ufffd":                "U+FFFD",
		"\u202egpj.exe":          "can't be seen (U+202E)",
		"Eve\U000e0041":          "can't be seen (U+E0041)",
		"A\ufffe":                "can't be seen (U+FFFE)",
		"A\u200bB":               "can't be seen (U+200B)",
		"A\u2028B":               "can't be seen (U+2028)",
		"A\nB":                   "can't be seen (U+000A)",
		"葛\U000e0100":            "can't be seen (U+E0100)",
		strings.Repeat("长", 101): "101 characters, and may have 100",
	} {
		if got, _, err := Person(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+q: %+q %v, want %q", text, got, err, want)
		}
	}
}

func TestPrivateUse(t *testing.T) {
	name, remarks, err := Person("王\ue863")
	if err != nil || name != "王\ue863" || len(remarks) != 1 || !strings.Contains(remarks[0], "U+4DAE") {
		t.Error(name, remarks, err)
	}
	if _, remarks, err = Person("\U000f0000王"); err != nil || len(remarks) != 1 || !strings.Contains(remarks[0], "U+F0000") {
		t.Error(remarks, err)
	}
}

// TestOldCodes: the characters stand in GBK at FE50 to FEA0, in the order of their old
// codes.
func TestOldCodes(t *testing.T) {
	old := rune(0xE815)
	for low := 0x50; low <= 0xA0; low++ {
		if low == 0x7F {
			continue
		}
		text, err := simplifiedchinese.GB18030.NewDecoder().Bytes([]byte{0xFE, byte(low)})
		today, _ := utf8.DecodeRune(text)
		if err == nil && today != utf8.RuneError && today != old && oldCodes[old] != today {
			t.Errorf("FE%02X: %U is %U, not %U", low, old, today, oldCodes[old])
		}
		old++
	}
	if old != 0xE865 || len(oldCodes) != 80 {
		t.Errorf("%U, %d", old, len(oldCodes))
	}
}

func TestFlat(t *testing.T) {
	for _, text := range []string{"3-2-1201", "12-3-1201", "3.2.1201", "3 2 1201", "３－２－１２０１", "12-1201-02床", "幸福花园小区南区三期十五栋二单元十二层一号房", "3B",
		strings.Repeat("房", 64), "20261129", "3栋2单元1201号"} {
		if got, err := Flat(text); err != nil || got != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"": "empty", strings.Repeat("房", 65): "65 characters", "3C\u009b31m": "can't be seen", "3C\u202eB4": "can't be seen",
		"3C\u2028x": "can't be seen", "\u200b": "empty", "3\ufffd": "U+FFFD"} {
		if got, err := Flat(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+q: %q, %v", text, got, err)
		}
	}
}

func TestSame(t *testing.T) {
	all := []string{"3B", "3-2-1201", "32-1201", "A 12", "幸福楼 3 栋"}
	for text, want := range map[string]string{"３Ｂ": "3B", "3b": "3B", "3\u00a0B": "3B", " 3B ": "3B", "３－２－１２０１": "3-2-1201", "3.2.1201": "3-2-1201", "3 2 1201": "3-2-1201",
		"3/2/1201": "3-2-1201", "32 1201": "32-1201", "a12": "A 12", "幸福楼3栋": "幸福楼 3 栋"} {
		if got, ok := Same(text, all); !ok || got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "321201", "3C", "3-21201", "A1 2", "B"} {
		if got, ok := Same(text, all); ok {
			t.Errorf("%q is %q", text, got)
		}
	}
}

// TestFoldKeepsNumbers: spellings that fold alike have the same numbers in the same
// order, so that no card comes to a wrong flat.
func TestFoldKeepsNumbers(t *testing.T) {
	numbers := func(s string) string {
		return fmt.Sprint(strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }))
	}
	text := rapid.StringOfN(rapid.SampledFrom([]rune("01239 -./－　_ABb栋")), 1, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if Fold(a) == Fold(b) && numbers(a) != numbers(b) {
			t.Fatalf("%q and %q are one flat %q", a, b, Fold(a))
		}
		if Fold(Fold(a)) != Fold(a) {
			t.Fatalf("%q folds to %q, and that to %q", a, Fold(a), Fold(Fold(a)))
		}
	})
}

func TestLabel(t *testing.T) {
	for _, text := range []string{"", "3-2-1201", "12-1201-02床", "back room, 2nd floor", "南区三期十五栋", "12345"} {
		if got, err := Label(text); err != nil || got != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"138/0000/0000": "N12", "13800000000": "N12", "138 0000 0000": "N12", "+86 (138) 0000-0000": "N12", "440000": "N12", "王\ue863楼": "today's code is U+4DAE", "\U000f0000": "write it in another way",
		"٤٤٠٠٠٠": "N12", "１３８００": "", "４４００００": "N12", "ok\u202eXX": "can't be seen", "ok\u009b2J": "can't be seen", "a\u2028b": "can't be seen"} {
		if _, err := Label(text); want != "" && (err == nil || !strings.Contains(err.Error(), want)) || want == "" && err != nil {
			t.Errorf("%+q: %v", text, err)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		text, name string
		want       bool
	}{
		{"3B", "B", false}, {"王府园3栋", "王", false}, {"Lilac House 4", "Li", false}, {"B", "B", true}, {"王", "王", true},
		{"zhang wei", "Zhang Wei", true}, {"Wei Zhang", "Zhang Wei", true}, {"ZHANG WEI", "Zhang Wei", true}, {"zhangwei", "Zhang Wei", true},
		{"Ｚｈａｎｇ　Ｗｅｉ", "Zhang Wei", true}, {"Zhang Wei's room", "Zhang Wei", true},
		{"张伟", "张 伟", true}, {"张伟的房", "张伟", true}, {"张先生", "张伟", true}, {"老张", "张伟", true}, {"欧阳女士", "欧阳娜", true}, {"Mr Zhang", "Zhang Wei", true},
		{"3C", "张伟", false}, {"伟大的楼", "张伟", false}, {"张家村3栋", "张伟", false}, {"Weihai Road", "Zhang Wei", false}, {"", "张伟", false}, {"x", "", false},
	} {
		if got := Names(c.text, c.name); got != c.want {
			t.Errorf("%q names %q: %v", c.text, c.name, got)
		}
	}
}

func FuzzPerson(f *testing.F) {
	f.Add("买买提 . 艾力")
	f.Fuzz(func(t *testing.T, text string) {
		name, _, err := Person(text)
		if err != nil {
			return
		}
		if again, _, err := Person(name); err != nil || again != name {
			t.Errorf("%+q becomes %+q, and that %+q, %v", text, name, again, err)
		}
		if strings.ContainsRune(name, utf8.RuneError) || !utf8.ValidString(name) {
			t.Errorf("%+q", name)
		}
	})
}
