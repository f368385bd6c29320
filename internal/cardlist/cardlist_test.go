package cardlist

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	textencoding "golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"gatehouse/internal/socket"
)

func gbk(t testing.TB, text string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func utf16of(t testing.TB, text string, order textencoding.Endianness) string {
	t.Helper()
	out, err := textencoding.UTF16(order, textencoding.UseBOM).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const head = "label,doors,form,number\n"

// say is a row in short.
func say(r Row) string {
	if r.Fault == personal {
		return fmt.Sprintf("%d: %s%s", r.Line, r.Label, r.Fault)
	}
	if r.Fault != "" {
		return fmt.Sprintf("%d: %s", r.Line, r.Fault)
	}
	return fmt.Sprintf("%d: %s|%s|%s|%s|%s|%s|%s", r.Line, r.Label, strings.Join(r.Doors, " "), r.Form, r.Number, r.Kind, r.From, r.Until)
}

const personal = "its label is a person's name: write a word of your own for the flat, as 3B"

// person is what is said of a line whose label is a name; it has none.
func person(line int) string { return fmt.Sprintf("%d: %s", line, personal) }

// TestRead: files as spreadsheets and other systems write them.
func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		in      string
		o       Options
		rows    []string
		remarks []string
	}{
		"plain":          {in: head + "1A,front yard,10D,0001000001\n", rows: []string{"2: 1A|front yard|10D|0001000001|||"}},
		"BOM":            {in: "\ufeff" + head + "1A,front,10D,1\n", rows: []string{"2: 1A|front|10D|1|||"}},
		"semicolons, CR": {in: "label;doors;form;number\r1A;front;10D;1\r", rows: []string{"2: 1A|front|10D|1|||"}},
		"tabs":           {in: "label\tdoors\tform\tnumber\n1A\tfront\t3+5D\t094,10637\n", rows: []string{"2: 1A|front|3+5D|094,10637|||"}},
		"sep line":       {in: "sep=;\r\nlabel;doors;form;number\r\n1A;front;10D;1\r\n", rows: []string{"3: 1A|front|10D|1|||"}},
		"sep tab":        {in: "\"sep=\t\"\nlabel\tdoors\tform\tnumber\n1A\tfront\t10D\t1\n", rows: []string{"3: 1A|front|10D|1|||"}},
		"trailing":       {in: "label,doors,form,number,\n1C,front,10D,1,\n", rows: []string{"2: 1C|front|10D|1|||"}},
		"blank lines":    {in: head + "1C,front,10D,1\n,,,\n\n , ,,\n", rows: []string{"2: 1C|front|10D|1|||"}, remarks: []string{"2 lines without a cell"}},
		"short line":     {in: "label,doors,form,number,kind,until\n1C,front,10D,1\n", rows: []string{"2: 1C|front|10D|1|||"}},
		"GBK": {in: gbk(t, head+"前门,front,10D,1\n"), rows: []string{"2: 前门|front|10D|1|||"},
			remarks: []string{"GB18030", "前门"}},
		"GB18030, a character of four bytes": {in: gbk(t, head+"㐂东,front,10D,1\n"), rows: []string{"2: 㐂东|front|10D|1|||"}, remarks: []string{"GB18030"}},
		"GBK that is UTF-8 too": {in: gbk(t, head+"一,front,10D,1\n"), rows: []string{"2: һ|front|10D|1|||"},
			remarks: []string{"--encoding gb18030", `"һ"`}},
		"GBK by name":   {in: gbk(t, head+"一,front,10D,1\n"), o: Options{Encoding: "gb18030"}, rows: []string{"2: 一|front|10D|1|||"}, remarks: []string{"GB18030"}},
		"UTF-16":        {in: utf16of(t, head+"前门,front,10D,1\n", textencoding.LittleEndian), rows: []string{"2: 前门|front|10D|1|||"}, remarks: []string{"UTF-16"}},
		"UTF-16, big":   {in: utf16of(t, head+"前门,front,10D,1\n", textencoding.BigEndian), rows: []string{"2: 前门|front|10D|1|||"}, remarks: []string{"UTF-16"}},
		"text for text": {in: head + "\"=\"\"3-2\"\"\",front,10D,\"=\"\"0006171021\"\"\"\n1B,front,10D,'0006171021\n", rows: []string{"2: 3-2|front|10D|0006171021|||", "3: 1B|front|10D|0006171021|||"}},
		"Chinese headings": {in: "房号,门,格式,卡号,类型,开始日期,有效期至\n3-2-1201,前门、后门,10D,1,resident,2026/11/1,2027年11月30日\n",
			rows: []string{"2: 3-2-1201|前门 后门|10D|1|resident|2026/11/1|2027年11月30日"}},
		"title above": {in: "Cards of the old system,,,\n\nlabel,doors,form,number\n1A,front,10D,1\n", rows: []string{"4: 1A|front|10D|1|||"}, remarks: []string{"above the headings in line 3"}},
		"headings in two lines, merged": {in: "Cards,,,,\nFlat,Doors,Form,Data,\n,,,Card No.,Remark\n1A,front,10D,1,x\n", o: Options{Columns: map[string]string{"number": "card no"}},
			rows: []string{"4: 1A|front|10D|1|||"}, remarks: []string{"above the headings in line 3", `left out: "Remark"`}},
		"headings on each page": {in: head + "1A,front,10D,1\n" + head + "1B,front,10D,2\n", rows: []string{"2: 1A|front|10D|1|||", "4: 1B|front|10D|2|||"}, remarks: []string{"1 line with the headings once more"}},
		"bare text for text": {in: "=\"label\",doors,form,number\n=\"3-2\",front,10D,=\"0006171021\"\r\n\"a,=\"\"b\"\",=\"\"\",front,10D, =\"0006171022\"\n",
			rows: []string{"2: 3-2|front|10D|0006171021|||", "3: a,=\"b\",=\"|front|10D|0006171022|||"}},
		"doors in a row": {in: head + "1A,front/yard+shed & side,10D,1\n", rows: []string{"2: 1A|front shed side yard|10D|1|||"}},
		"whole file": {in: "label,number\n1A,1\n", o: Options{Form: "10D", Doors: []string{"yard", "front"}, Kind: "staff"},
			rows: []string{"2: 1A|front yard|10D|1|staff||"}},
		"a peer's layout": {in: "Card Number\tFrom\tTo\tWorkshop\tSide Door\n65537\t2020-01-02\t2027-10-31\tN\tY\n65538\t2020-02-03\t2027-11-30\tN\tN\n65539\t\t\t29\tY\n",
			o:       Options{Columns: map[string]string{"number": "Card Number", "door:side": "side door", "door:shop": "Workshop"}, Form: "10D"},
			rows:    []string{"2: line 2|side|10D|65537||2020-01-02|2027-10-31", "3: it opens no door", "4: a door's column has neither yes nor no: write y or 是, and n or 否"},
			remarks: []string{"named after their line"}},
		"mapping leaves out": {in: "Card Number,Owner\n1,somebody\n", o: Options{Columns: map[string]string{"number": "Card Number"}, Form: "10D", Doors: []string{"front"}},
			rows: []string{"2: line 2|front|10D|1|||"}, remarks: []string{`columns left out: "Owner"`, "named after"}},
		"columns of people": {in: "房号,姓名,联系电话,门,格式,卡号\n3B,测试甲,x,front,10D,1\n",
			rows: []string{"2: 3B|front|10D|1|||"}, remarks: []string{`columns left out: "姓名", "联系电话"`}},
		"labels that are names": {in: gbk(t, "label,Name,doors,form,number\n测试甲,测试甲,front,10D,1\n测先生,测试甲,front,10D,2\n测试乙,测试甲、测试乙,front,10D,3\n三楼,测试甲,front,10D,4\n3B,3B,front,10D,5\n"),
			rows: []string{person(2), person(3), person(4), "5: 三楼|front|10D|4|||", "6: 3B|front|10D|5|||"}, remarks: []string{"reads \"三楼\"", `left out: "Name"`}},
		"a column of names for labels": {in: "姓名,门,格式,卡号\n测试甲,front,10D,1\n", o: Options{Columns: map[string]string{"label": "姓名"}}, rows: []string{person(2)}},
		"faults": {in: head + "1A,front,3+5D,094,10637\n1B,,10D,1\n1C,front,10D,\n3月2日,front,10D,1\n2-Mar,front,10D,1\n1.20E+04,front,10D,1\n\"1D\nx\",front,10D,1\n1\ufffd,front,10D,1\n",
			rows: []string{"2: it has more cells than there are headings: a comma within a number stands in quotes", "3: it opens no door", "4: it has no number",
				"5: a spreadsheet made a date or a number of its label: format the column as text, type the label anew and save again",
				"6: a spreadsheet made a date or a number of its label: format the column as text, type the label anew and save again",
				"7: a spreadsheet made a date or a number of its label: format the column as text, type the label anew and save again",
				"8: a cell in quotes goes on over 2 lines: a quotation mark that nothing ends",
				"10: a character of it was lost: it is no UTF-8 and no GB18030"}},
		"GB18030 with a character that is newer than the decoder's table": {in: gbk(t, head+"东门一号") + "\xfe\x59" + gbk(t, ",front,10D,1\n前门二号,front,10D,2\n"),
			rows:    []string{"2: a character of it was lost: it is no UTF-8 and no GB18030", "3: 前门二号|front|10D|2|||"},
			remarks: []string{"GB18030"}},
	} {
		l, err := Read(strings.NewReader(c.in), c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, r := range l.Rows {
			got = append(got, say(r))
		}
		if !slices.Equal(got, c.rows) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.rows, "\n"))
		}
		all := strings.Join(l.Remarks, "; ")
		for _, want := range c.remarks {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q does not say %q", name, all, want)
			}
		}
		if reads := strings.Contains(all, " reads "); reads != (l.Reads != "") || !strings.Contains(all, l.Reads) {
			t.Errorf("%s: the label that shows it is %q, and it says %q", name, l.Reads, all)
		}
		if len(c.remarks) == 0 && all != "" {
			t.Errorf("%s: it says %q", name, all)
		}
	}
}

// TestHeadings: they are those of the file, below its title, and no number is among them.
func TestHeadings(t *testing.T) {
	for in, want := range map[string][]string{
		"Cards,,\n\nPlace,卡号,,x\n1A,1,,\n": {"Place", "卡号", "x"},
		"Place;Chip\n1A;1\n":               {"Place", "Chip"},
		"1A,0006171021\n":                  {"1A"},
		"\n,\n":                            nil,
	} {
		if got, err := Headings(strings.NewReader(in), ""); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if got, err := Headings(strings.NewReader(gbk(t, "房间,芯片\n")), "gb18030"); err != nil || !slices.Equal(got, []string{"房间", "芯片"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestShown: words of a file in a message are cut, and no number is among them.
func TestShown(t *testing.T) {
	got := Shown([]string{"3B", "", "0006171021", "a 13800 b", "x\u202ey", strings.Repeat("长", 41)})
	hidden := "(not shown: it may be a number)"
	if want := []string{`"3B"`, hidden, hidden, hidden, `"` + strings.Repeat("长", 40) + `" ...`}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestReadRefuses: a file that can't be read says why, where and what to do, and no
// card's number.
func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		o    Options
		want []string
	}{
		"empty":           {in: "\n,,\n", want: []string{"the file is empty"}},
		"no headings":     {in: "1A,front,10D,0006171021\n", want: []string{"no heading", "is known", `"1A"`, "line above the cards"}},
		"number first":    {in: "0006171021,1A\n", want: []string{"is known: (not shown: it may be a number)"}},
		"two encodings":   {in: head + "三楼,front,10D,1\n" + gbk(t, "四楼,front,10D,2\n"), want: []string{"line 3 is not UTF-8, and line 2 is", "--encoding gb18030"}},
		"a web page":      {in: "\ufeff\n<HTML><table><tr><td>label</td></tr></table>", want: []string{"a web page, and no CSV", "spreadsheet"}},
		"a workbook":      {in: "PK\x03\x04\x14\x00\x06\x00", want: []string{"a workbook, and no CSV"}},
		"an old workbook": {in: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", o: Options{Encoding: "gb18030"}, want: []string{"a workbook, and no CSV"}},
		"UTF-32":          {in: "\xff\xfe\x00\x00l\x00\x00\x00", want: []string{"is not UTF-16"}},
		"missing":         {in: "label,doors,form\n", want: []string{`column "number" is missing`}},
		"no form":         {in: "label,doors,number\n", want: []string{`column "form" is missing`, "--form"}},
		"no doors":        {in: "label,form,number\n", want: []string{`column "doors" is missing`, "--door"}},
		"unknown":         {in: "label,colour,doors,form,number\n", want: []string{`column "colour" is not known`, "--column"}},
		"two of a kind":   {in: "flat,room,doors,form,number\n", want: []string{`"flat" and "room" may both be the label`, `--column label="flat"`}},
		"no such heading": {in: head, o: Options{Columns: map[string]string{"number": "Card"}}, want: []string{`no column has the heading "Card"`, `"label"`}},
		"no such field":   {in: head, o: Options{Columns: map[string]string{"colour": "label"}}, want: []string{`no field "colour"`}},
		"quote":           {in: head + "1A,front,10D,1\n1\"B,front,10D,2\n", want: []string{"line 3", "quotation mark"}},
		"no end of quote": {in: head + "1A,front,10D,1\n\"1B,front,10D,2\n1C,front,10D,3\n", want: []string{"line 3", "quotation mark"}},
		"cut UTF-8":       {in: head + "前门,front,10D,1\n前\xe9\x97,front,10D,2\n", want: []string{"line 3 is not UTF-8"}},
		"neither":         {in: head + "1A,front,10D,1\n\xff\xff\xff,front,10D,1\n", want: []string{"line 3 is neither"}},
		"zero bytes":      {in: "l\x00a\x00b\x00e\x00l\x00", want: []string{"UTF-16"}},
		"half UTF-16":     {in: "\xff\xfel", want: []string{"cut off"}},
	} {
		_, err := Read(strings.NewReader(c.in), c.o)
		var wrong *socket.Error
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(wrong.Message+" "+wrong.Hint, w) {
				t.Errorf("%s: %s (%s) does not say %q", name, wrong.Message, wrong.Hint, w)
			}
		}
		if strings.Contains(wrong.Message+wrong.Hint, "6171021") {
			t.Errorf("%s: the error has a card's number: %v", name, err)
		}
	}
}

// TestNoCharacterLost: whatever the encoding and separator, a list comes back as it was
// written, or it is refused: no cell changes in silence.
func TestNoCharacterLost(t *testing.T) {
	encodings := map[string]func(testing.TB, string) string{
		"utf-8": func(_ testing.TB, s string) string { return s },
		"bom":   func(_ testing.TB, s string) string { return "\ufeff" + s },
		"gb":    gbk,
		"le":    func(t testing.TB, s string) string { return utf16of(t, s, textencoding.LittleEndian) },
		"be":    func(t testing.TB, s string) string { return utf16of(t, s, textencoding.BigEndian) },
	}
	names := []string{"utf-8", "bom", "gb", "le", "be"}
	rapid.Check(t, func(rt *rapid.T) {
		label := rapid.StringMatching(`[A-Za-z0-9一-龥東栋门é室㐀-㐟]([ A-Za-z0-9一-龥,;"東栋号室-]{0,8}[A-Za-z一-龥])?`)
		labels := rapid.SliceOfN(label, 1, 6).Draw(rt, "labels")
		sep := rapid.SampledFrom([]string{",", ";", "\t"}).Draw(rt, "sep")
		name := rapid.SampledFrom(names).Draw(rt, "encoding")
		var b strings.Builder
		fmt.Fprintf(&b, "label%[1]sdoors%[1]sform%[1]snumber\r\n", sep)
		for i, l := range labels {
			fmt.Fprintf(&b, "\"%s\"%sfront%s10D%s%010d\r\n", strings.ReplaceAll(l, `"`, `""`), sep, sep, sep, i)
		}
		encoded := encodings[name](t, b.String())
		l, err := Read(strings.NewReader(encoded), Options{})
		var refused *socket.Error
		if errors.As(err, &refused) && strings.Contains(refused.Hint, "--encoding") {
			l, err = Read(strings.NewReader(encoded), Options{Encoding: encodingGB18030}) // as it says
		}
		if err != nil {
			rt.Fatalf("%s: %v", name, err)
		}
		if len(l.Rows) != len(labels) {
			rt.Fatalf("%d rows of %d", len(l.Rows), len(labels))
		}
		for i, r := range l.Rows {
			guessed := strings.Contains(strings.Join(l.Remarks, " "), "--encoding") // it says so, with a label to look at
			if r.Fault == "" && r.Label != labels[i] && !guessed || r.Number != fmt.Sprintf("%010d", i) {
				rt.Fatalf("%s: label %q came as %q", name, labels[i], r.Label)
			}
		}
	})
}

// FuzzRead: nothing panics, and no line that is taken has lost a character.
func FuzzRead(f *testing.F) {
	for _, s := range []string{head + "1A,front,10D,0006171021\n", "sep=;\nlabel;doors;form;number\n", gbk(f, head+"前门,front,10D,1\n"), utf16of(f, head, textencoding.LittleEndian),
		"\ufeff卡号\t房号\n1\t2\n", head + "\"1A\n,front,10D,1\n", "\xff\xfe", "a,b\rc,d"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, mapped bool) {
		o := Options{Form: "10D", Doors: []string{"front"}}
		if mapped {
			o.Columns = map[string]string{"number": "卡号", "door:a": "doors"}
		}
		l, err := Read(strings.NewReader(in), o)
		if err != nil {
			return
		}
		for _, r := range l.Rows {
			if r.Line < 1 {
				t.Fatalf("line %d", r.Line)
			}
			if r.Fault == "" && (r.Number == "" || len(r.Doors) == 0 || strings.ContainsRune(r.Label+r.Number, utf8.RuneError)) {
				t.Fatalf("a line without number, doors or a character is taken: %+v", r)
			}
		}
	})
}
