package cardlist

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/naming"
	"gatehouse/internal/socket"
)

// The fields of a row, as named by Options.Columns and headings.
const (
	fieldLabel  = "label"
	fieldDoors  = "doors"
	fieldForm   = "form"
	fieldNumber = "number"
	fieldKind   = "kind"
	fieldFrom   = "from"
	fieldUntil  = "until"

	doorPrefix = "door:" // before a door's id: the column has a yes or no for it
)

// Fields returns the names of the columns in their usual order.
func Fields() []string {
	return []string{fieldLabel, fieldDoors, fieldForm, fieldNumber, fieldKind, fieldFrom, fieldUntil}
}

// otherNames are headings that systems in the field write, folded.
var otherNames = map[string][]string{
	fieldLabel: {"flat", "flatno", "flatnumber", "room", "roomno", "roomnumber", "unit", "unitno", "unitnumber", "apartment", "apartmentno", "apt", "aptno",
		"房间", "房间号", "房间编号", "房号", "室号", "户号", "门牌", "门牌号", "单元房号", "楼栋房号", "宿舍号", "标签"},
	fieldDoors:  {"door", "access", "accessdoors", "门", "门点", "门禁点", "门禁", "可开门", "开门权限", "门禁权限"},
	fieldForm:   {"format", "cardformat", "格式", "卡号格式"},
	fieldNumber: {"card", "cardno", "cardnumber", "cardid", "cardnum", "卡号", "卡片号", "卡片编号", "卡面号", "印刷号", "ic卡号", "id卡号", "门禁卡号"},
	fieldKind:   {"类型", "人员类型"},
	fieldFrom:   {"start", "startdate", "validfrom", "开始日期", "起始日期", "生效日期", "有效期起", "开始时间", "起始时间", "生效时间"},
	fieldUntil:  {"to", "end", "enddate", "validto", "validuntil", "expires", "expiry", "expirydate", "expirationdate", "结束日期", "截止日期", "到期日", "到期日期", "失效日期", "有效期至", "有效期止", "结束时间", "截止时间", "到期时间", "失效时间"},
}

// Headings of what is of people, folded: the names by which a label is judged, and what else no key
// has. Columns with them are left out without being asked for.
var (
	personNames = []string{"name", "fullname", "personname", "tenant", "tenantname", "owner", "ownername", "holder", "holdername", "cardholder", "residentname",
		"姓名", "名字", "人员姓名", "持卡人", "持卡人姓名", "住户", "住户姓名", "租客", "租客姓名", "业主", "业主姓名"}
	ofPeople = []string{"phone", "phoneno", "phonenumber", "telephone", "tel", "mobile", "mobileno", "mobilephone", "email", "sex", "gender",
		"电话", "电话号码", "联系电话", "联系方式", "手机", "手机号", "手机号码", "身份证", "身份证号", "身份证号码", "证件类型", "证件号", "证件号码", "性别"}
)

// heads are the columns of a list.
type heads struct {
	at      map[string]int // by field
	doors   map[string]int // by door
	columns int            // up to the last that has a heading
	remarks []string
	cells   []string // the headings
}

// foldHead folds headings that differ in case, width and marks.
func foldHead(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKC.String(text))
}

func fieldOf(heading string) string {
	folded := foldHead(heading)
	for _, f := range Fields() {
		if folded == f || slices.Contains(otherNames[f], folded) {
			return f
		}
	}
	return ""
}

// head finds the headings, which may have a title above them, and returns the lines below.
func (o Options) head(lines []line) (heads, []line, error) {
	first, at := o.headAt(lines)
	if first < 0 {
		return heads{}, nil, socket.Hinted("its first line names the columns: "+strings.Join(Fields(), ","), "the file is empty")
	}
	h := heads{at: map[string]int{}, doors: map[string]int{}}
	if at > first {
		h.remarks = append(h.remarks, fmt.Sprintf("what stands above the headings in line %d left out", lines[at].at))
	}
	o.lower(lines[first:at], lines[at].cells)
	h.cells = lines[at].cells
	err := h.assign(h.cells, o)
	return h, lines[at+1:], err
}

// headAt returns the first line that has a cell and the line of the headings, from 0; -1: the file
// is empty.
func (o Options) headAt(lines []line) (first, at int) {
	first = slices.IndexFunc(lines, func(l line) bool { return !l.blank() })
	for i, l := range lines[:min(len(lines), maxBefore)] {
		if i >= first && slices.ContainsFunc(l.cells, func(c string) bool { return c != "" && (fieldOf(c) == fieldNumber || o.names(c)) }) {
			return first, i
		}
	}
	return first, first
}

// lower moves a heading in a cell that is merged over two lines into the lower line.
func (o Options) lower(above []line, cells []string) {
	for i, c := range cells {
		for _, l := range above {
			if c == "" && i < len(l.cells) && (fieldOf(l.cells[i]) != "" || o.names(l.cells[i])) {
				cells[i] = l.cells[i]
			}
		}
	}
}

func (o Options) names(heading string) bool {
	for _, name := range o.Columns {
		if foldHead(name) == foldHead(heading) {
			return true
		}
	}
	return false
}

// named assigns columns to the fields of Options.Columns, and returns these columns.
func (h *heads) named(cells []string, o Options) (map[int]bool, error) {
	taken := map[int]bool{}
	for field, name := range o.Columns {
		id, isDoor := strings.CutPrefix(field, doorPrefix)
		if isDoor && id == "" || !isDoor && !slices.Contains(Fields(), field) {
			return nil, socket.Hinted("name one of "+strings.Join(Fields(), ", ")+`, or door:ID, as --column number="Card Number"`, "no field %q", field)
		}
		i := slices.IndexFunc(cells, func(c string) bool { return foldHead(c) == foldHead(name) })
		if i < 0 || foldHead(name) == "" {
			return nil, socket.Hinted("headings: "+strings.Join(Shown(cells), ", "), "no column has the heading %q", name)
		}
		if taken[i] = true; isDoor {
			h.doors[id] = i
		} else {
			h.at[field] = i
		}
	}
	return taken, nil
}

func (h *heads) assign(cells []string, o Options) error {
	taken, err := h.named(cells, o)
	if err != nil {
		return err
	}
	var unknown []string
	for i, c := range cells {
		if c == "" {
			continue
		}
		h.columns = i + 1
		field := fieldOf(c)
		_, mapped := o.Columns[field]
		other, twice := h.at[field]
		switch {
		case taken[i]:
		case field == "" || mapped:
			unknown = append(unknown, c)
		case twice:
			return socket.Hinted(fmt.Sprintf("--column %s=%q takes that one", field, cells[other]), "columns %s may both be the %s", strings.Join(Shown([]string{cells[other], c}), " and "), field)
		default:
			h.at[field] = i
		}
	}
	if len(h.at) == 0 && len(o.Columns) == 0 {
		return socket.Hinted("put a line above the cards that says what each column is: "+strings.Join(Fields(), ",")+`; or name the headings that there are, as --column number="HEADING"`,
			"no heading of the first line is known: %s", strings.Join(Shown(cells), ", "))
	}
	asked := slices.DeleteFunc(slices.Clone(unknown), func(c string) bool { return isName(c) || slices.Contains(ofPeople, foldHead(c)) })
	if len(asked) > 0 && len(o.Columns) == 0 {
		return socket.Hinted("columns: "+strings.Join(Fields(), ", ")+`; --column number="HEADING" names one by its own heading, and columns that nobody names are left out then`,
			"column %s is not known: nobody says what it is", Shown(asked)[0])
	}
	if len(unknown) > 0 {
		h.remarks = append(h.remarks, "columns left out: "+strings.Join(Shown(unknown), ", "))
	}
	return h.complete(o)
}

// complete refuses a list without a column that a key needs.
func (h *heads) complete(o Options) error {
	_, number := h.at[fieldNumber]
	_, form := h.at[fieldForm]
	_, doors := h.at[fieldDoors]
	switch {
	case !number:
		return socket.Hinted("the first line names the columns: "+strings.Join(Fields(), ",")+`; or --column number="HEADING"`, `column "number" is missing`)
	case !form && o.Form == "":
		return socket.Hinted("give --form for the whole file, as --form 10D, or a column for it", `column "form" is missing`)
	case !doors && len(h.doors) == 0 && len(o.Doors) == 0:
		return socket.Hinted(`give --door for the whole file, a column for it, or --column door:ID="HEADING" for a column with yes and no`, `column "doors" is missing`)
	}
	return nil
}

func isName(heading string) bool { return slices.Contains(personNames, foldHead(heading)) }

// isPerson reports whether a label is the name of the person in its line. What has a digit is no
// name: old systems have flats in such columns, too.
func (h *heads) isPerson(l line, label string) bool {
	for i, head := range h.cells[:min(len(h.cells), len(l.cells))] {
		if !isName(head) {
			continue
		}
		for _, name := range strings.FieldsFunc(l.cells[i], func(r rune) bool { return strings.ContainsRune(",;、，；/&+", r) }) {
			if !strings.ContainsFunc(name, unicode.IsDigit) && naming.Names(label, name) {
				return true
			}
		}
	}
	return false
}

func (h *heads) cell(l line, field string) string {
	if i, ok := h.at[field]; ok && i < len(l.cells) {
		return l.cells[i]
	}
	return ""
}

// isDoorsMark reports what stands between doors.
func isDoorsMark(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(",;、，；|/+&", r)
}

var yes, no = []string{"y", "yes", "1", "x", "true", "t", "是", "有", "可", "允许", "√", "✓", "✔"}, []string{"", "n", "no", "0", "false", "f", "否", "无", "不可", "禁止", "-", "×", "✗", "✘"}

// doorsOf returns the doors of a line, sorted.
func (h *heads) doorsOf(l line, o Options) (doors []string, fault string) {
	doors = strings.FieldsFunc(h.cell(l, fieldDoors), isDoorsMark)
	for id, i := range h.doors {
		cell := ""
		if i < len(l.cells) {
			cell = strings.ToLower(norm.NFKC.String(l.cells[i]))
		}
		switch {
		case slices.Contains(yes, cell):
			doors = append(doors, id)
		case !slices.Contains(no, cell):
			fault = "a door's column has neither yes nor no: write y or 是, and n or 否"
		}
	}
	if len(doors) == 0 && h.cell(l, fieldDoors) == "" && len(h.doors) == 0 {
		doors = slices.Clone(o.Doors)
	}
	slices.Sort(doors)
	if doors = slices.Compact(doors); len(doors) == 0 && fault == "" {
		fault = "it opens no door"
	}
	return doors, fault
}

// dateOfLabel matches the date or number that a spreadsheet makes of a flat such as 3-2 or 12E3.
var dateOfLabel = regexp.MustCompile(`(?i)^(\d{1,2}月\d{1,2}日|\d{1,2}-(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)-\d{2}|\d(\.\d+)?E\+\d+)$`)

// fault returns why a line can't have its original content.
func (h *heads) fault(l line, row Row) string {
	taken := slices.AppendSeq(slices.Collect(maps.Values(h.at)), maps.Values(h.doors))
	for i, c := range l.cells {
		switch {
		case i < h.columns && !slices.Contains(taken, i):
		case i >= h.columns && c != "":
			return "it has more cells than there are headings: a comma within a number stands in quotes"
		case strings.ContainsAny(c, "\r\n"):
			return fmt.Sprintf("a cell in quotes goes on over %d lines: a quotation mark that nothing ends", l.to-l.at+1)
		case strings.ContainsRune(c, utf8.RuneError):
			return "a character of it was lost: it is no UTF-8 and no GB18030"
		}
	}
	switch {
	case row.Number == "":
		return "it has no number"
	case dateOfLabel.MatchString(row.Label):
		return "a spreadsheet made a date or a number of its label: format the column as text, type the label anew and save again"
	}
	return ""
}

// shownMost is the most characters of a cell in a message.
const shownMost = 40

// digits matches enough digits to be part of a card's number.
var digits = regexp.MustCompile(`\p{Nd}{4}`)

// Shown quotes words of a file for a message, except for those that could be a card's number.
func Shown(words []string) []string {
	var out []string
	for _, w := range words {
		switch {
		case w == "":
		case digits.MatchString(w) || strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsGraphic(r) }):
			out = append(out, "(not shown: it may be a number)")
		case utf8.RuneCountInString(w) > shownMost:
			out = append(out, fmt.Sprintf("%q ...", string([]rune(w)[:shownMost])))
		default:
			out = append(out, fmt.Sprintf("%q", w))
		}
	}
	return out
}
