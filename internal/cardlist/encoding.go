package cardlist

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/socket"

	"golang.org/x/text/encoding/simplifiedchinese"
	textencoding "golang.org/x/text/encoding/unicode"
)

// Encodings by the names of Options.
const (
	encodingUTF8    = "utf-8"
	encodingGB18030 = "gb18030"
	encodingUTF16   = "utf-16"
)

// decode returns the text of a file and the name of its encoding; a byte order mark decides, then
// valid UTF-8 is UTF-8.
func decode(b []byte, want string) (text, took string, err error) {
	marked8, marked16 := bytes.HasPrefix(b, []byte("\ufeff")), bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff})
	good, bad := telling(b)
	switch kind := otherFile(b); {
	case kind != "":
		return "", "", socket.Hinted("open it in a spreadsheet, and save it from there as CSV UTF-8", "the file is %s, and no CSV", kind)
	case want == encodingUTF16 || want == "" && marked16:
		text, err = utf16(b)
		return text, encodingUTF16, err
	case bytes.IndexByte(b, 0) >= 0:
		return "", "", socket.Hinted("save it as CSV UTF-8, or give --encoding utf-16", "the file has bytes that are no text: it may be UTF-16, or a workbook and no CSV")
	case want == encodingGB18030:
		text, err = gb18030(b)
		return text, encodingGB18030, err
	case utf8.Valid(b):
		return strings.TrimPrefix(string(b), "\ufeff"), encodingUTF8, nil
	case want == encodingUTF8 || marked8 || mostlyUTF8(b):
		return "", "", socket.Hinted("look at that line in the program that wrote the file, and save it as CSV UTF-8 again; if the file is GB18030, give --encoding gb18030", "line %d is not UTF-8, as the rest of the file is", bad)
	case good > 0 && want == "":
		return "", "", socket.Hinted("look at both lines in the program that wrote the file, and save it as CSV UTF-8 again; --encoding gb18030 reads the whole file as that", "line %d is not UTF-8, and line %d is", bad, good)
	}
	text, err = gb18030(b)
	return text, encodingGB18030, err
}

// otherFile says what a file is that is often taken for a list and is none.
func otherFile(b []byte) string {
	start := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(b[:min(len(b), 64)], []byte("\ufeff"))))
	switch {
	case bytes.HasPrefix(start, []byte("pk\x03\x04")), bytes.HasPrefix(b, []byte{0xd0, 0xcf, 0x11, 0xe0}):
		return "a workbook"
	case bytes.HasPrefix(start, []byte("<")):
		return "a web page"
	}
	return ""
}

// telling returns the first line with a character of three bytes in UTF-8 and nothing invalid, and
// the first line that is not UTF-8; zero: none. A list with both was pasted together from two
// files, and has labels that read wrong in either encoding.
func telling(b []byte) (good, bad int) {
	n := 0
	for l := range bytes.Lines(b) {
		n++
		switch valid := utf8.Valid(l); {
		case !valid && bad == 0:
			bad = n
		case valid && good == 0 && bytes.ContainsFunc(l, func(r rune) bool { return r >= 0x800 }):
			good = n
		}
	}
	return good, bad
}

func utf16(b []byte) (string, error) {
	out, err := textencoding.UTF16(textencoding.LittleEndian, textencoding.UseBOM).NewDecoder().Bytes(b)
	if err != nil || len(b)%2 != 0 || bytes.IndexByte(out, 0) >= 0 {
		return "", socket.Hinted("save it as CSV UTF-8", "the file is cut off, or is not UTF-16")
	}
	return string(out), nil
}

// gb18030 decodes GB18030, with U+FFFD for unknown characters, and fails if there are so many that
// the file must be something else.
func gb18030(b []byte) (string, error) {
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	lost := bytes.Count(out, []byte("\ufffd"))
	others := 0
	for _, r := range string(out) {
		if r >= utf8.RuneSelf {
			others++
		}
	}
	if err != nil || lost*4 > others {
		at := bytes.Count(out[:max(0, bytes.Index(out, []byte("\ufffd")))], []byte("\n")) + 1
		return "", socket.Hinted("save it as CSV UTF-8", "line %d is neither UTF-8 nor GB18030", at)
	}
	return string(out), nil
}

// mostlyUTF8 reports whether half of the non-ASCII bytes are whole characters of three bytes or
// more in UTF-8, and most would be rare ones in GB18030: not of GB 2312, whose bytes are both above
// A0.
func mostlyUTF8(b []byte) bool {
	long, all, common, pairs := 0, 0, 0, 0
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if n > 2 && r != utf8.RuneError {
			long += n
		}
		if rest[0] >= utf8.RuneSelf {
			all += n
		}
		rest = rest[n:]
	}
	for i := 0; i+1 < len(b); i++ {
		if b[i] < utf8.RuneSelf {
			continue
		}
		if pairs++; b[i] > 0xa0 && b[i+1] > 0xa0 {
			common++
		}
		i++
	}
	return long*2 >= all && common*2 <= pairs
}

// encoded returns a remark about a guessed encoding, with a label to look at.
func (l *List) encoded(took, text string) []string {
	reads, label := "", ""
	notASCII := func(c rune) bool { return c >= utf8.RuneSelf }
	if i := slices.IndexFunc(l.Rows, func(r Row) bool { return r.Fault == "" && strings.ContainsFunc(r.Label, notASCII) }); i >= 0 {
		label = Shown([]string{l.Rows[i].Label})[0]
		reads = "; the first label that shows it reads " + label
	}
	switch {
	case took == encodingUTF16:
		return []string{"the file is UTF-16, and was read as that"}
	case took == encodingGB18030:
		l.Reads = label
		return []string{"the file is not UTF-8: it was read as GB18030, as Chinese spreadsheets write it" + reads}
	case both(text):
		l.Reads = label
		return []string{fmt.Sprintf("the file was read as UTF-8%s; if that is wrong, give --encoding %s", reads, encodingGB18030)}
	}
	return nil
}

// both reports whether a text in UTF-8 would also be Chinese characters if its bytes were GB18030.
func both(text string) bool {
	if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x800 }) {
		return false // three bytes: it is UTF-8
	}
	other, err := simplifiedchinese.GB18030.NewDecoder().String(text)
	han := false
	for _, r := range other {
		if r >= utf8.RuneSelf && !unicode.Is(unicode.Han, r) {
			return false
		}
		han = han || r >= utf8.RuneSelf
	}
	return err == nil && han
}
