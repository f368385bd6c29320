package idcard

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"gatehouse/device/idcard/idcardtest"
)

// recordOf reads a card as a module would send it.
func recordOf(t testing.TB, c idcardtest.Card) (Record, error) {
	t.Helper()
	r, err := ParseReply(readReply(c))
	if err != nil {
		t.Fatal(err)
	}
	return r.Record()
}

// same reports what of a card a Record has wrong.
func same(r Record, c idcardtest.Card) error {
	kinds := map[byte]Kind{0: Citizen, ' ': Citizen, 'J': Residence, 'I': OldForeigner, 'Y': Foreigner}
	day, ends := r.Until()
	until := "长期"
	if ends {
		until = day.Format("20060102")
	}
	if r.Kind() != kinds[c.Kind] || r.Name() != c.Name || r.English() != c.English || r.Number() != c.Number || until != c.Until {
		return fmt.Errorf("%v: %q %q %q %s", r.Kind(), r.Name(), r.English(), r.Number(), until)
	}
	return nil
}

func TestLayouts(t *testing.T) {
	for _, c := range invented {
		r, err := recordOf(t, c)
		if err == nil {
			err = same(r, c)
		}
		if err != nil || r.Cut() {
			t.Errorf("card %q: %v", c.Kind, err)
		}
	}
}

// TestFingers: the reply to a read with fingers has the same record, whatever
// their size.
func TestFingers(t *testing.T) {
	for fingers, frame := range map[int]int{0: 1297, 512: 1809, 1024: 2321} {
		data := []byte{1, 0, 4, 0, byte(fingers >> 8), byte(fingers)}
		data = append(append(data, invented[4].Text()...), make([]byte, 1024+fingers)...)
		whole := encode(Reply{StatusOK, data})
		if len(whole) != frame {
			t.Fatalf("%d bytes", len(whole))
		}
		r, err := ParseReply(whole)
		if err != nil {
			t.Fatal(err)
		}
		if record, err := r.Record(); err != nil || same(record, invented[4]) != nil {
			t.Errorf("%d bytes of fingers: %v", fingers, err)
		}
	}
}

// TestPartsThatLie: lengths inside a reply with a good checksum.
func TestPartsThatLie(t *testing.T) {
	good := append(append([]byte{1, 0, 4, 0}, invented[0].Text()...), make([]byte, 1024)...)
	for name, change := range map[string]func([]byte) []byte{
		"text 0":             func(b []byte) []byte { b[0] = 0; return b },
		"text 65535":         func(b []byte) []byte { b[0], b[1] = 0xFF, 0xFF; return b },
		"text longer":        func(b []byte) []byte { b[1] = 2; return b },
		"text and photo":     func(b []byte) []byte { b[1], b[2], b[3] = 2, 3, 0xFE; return b },
		"photo 65535":        func(b []byte) []byte { b[2], b[3] = 0xFF, 0xFF; return b },
		"photo 0":            func(b []byte) []byte { b[2] = 0; return b },
		"photo of 1,040":     func(b []byte) []byte { b[3] = 16; return append(b, make([]byte, 16)...) },
		"fingers of 1,040":   func(b []byte) []byte { return append(append(b[:4:4], 4, 16), append(b[4:], make([]byte, 1040)...)...) },
		"one byte less":      func(b []byte) []byte { return b[:len(b)-1] },
		"one byte more":      func(b []byte) []byte { return append(b, 0) },
		"three bytes":        func(b []byte) []byte { return b[:3] },
		"nothing":            func([]byte) []byte { return nil },
		"the lengths only":   func(b []byte) []byte { return b[:4] },
		"text without photo": func(b []byte) []byte { return b[:4+256] },
	} {
		if _, err := (Reply{StatusOK, change(bytes.Clone(good))}).Record(); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Reply{0x41, good}).Record(); !errors.Is(err, Status(0x41)) {
		t.Errorf("a refusal: %v", err)
	}
}

// TestText: what may stand in the fields.
func TestText(t *testing.T) {
	citizen := func(change func(*idcardtest.Card)) idcardtest.Card {
		c := invented[0]
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		card idcardtest.Card
		want error
		cut  bool
	}{
		"one letter":          {citizen(func(c *idcardtest.Card) { c.Name = "测" }), nil, false},
		"spaces inside":       {citizen(func(c *idcardtest.Card) { c.Name = "测 试  甲" }), nil, false},
		"fills its field":     {citizen(func(c *idcardtest.Card) { c.Name = "测试一二三四五六七八九十甲乙丙" }), nil, true},
		"one place free":      {citizen(func(c *idcardtest.Card) { c.Name = "测试一二三四五六七八九十甲乙" }), nil, false},
		"rare, two units":     {citizen(func(c *idcardtest.Card) { c.Name = "测\U00020BB7试" }), nil, false},
		"private use":         {citizen(func(c *idcardtest.Card) { c.Name = "测\uE863\U000F0001" }), nil, false},
		"no name":             {citizen(func(c *idcardtest.Card) { c.Name = "" }), ErrRecord, false},
		"half a character":    {citizen(func(c *idcardtest.Card) { c.Name = "测试一二三四五六七八九十甲乙\U00020BB7" }), ErrRecord, false},
		"erased memory":       {citizen(func(c *idcardtest.Card) { c.Name = "\uFFFF\uFFFF" }), ErrRecord, false},
		"control":             {citizen(func(c *idcardtest.Card) { c.Name = "测\x1b[2J" }), ErrRecord, false},
		"a zero inside":       {citizen(func(c *idcardtest.Card) { c.Name = "测\x00试" }), ErrRecord, false},
		"padded with zeros":   {citizen(func(c *idcardtest.Card) { c.Name = "测试" + strings.Repeat("\x00", 13) }), nil, false},
		"another kind":        {citizen(func(c *idcardtest.Card) { c.Kind = 'Z' }), ErrUnknownCard, false},
		"lower-case kind":     {citizen(func(c *idcardtest.Card) { c.Kind = 'j' }), ErrUnknownCard, false},
		"number of 17":        {citizen(func(c *idcardtest.Card) { c.Number = c.Number[:17] }), ErrRecord, false},
		"number with a space": {citizen(func(c *idcardtest.Card) { c.Number = " " + c.Number[:17] }), ErrRecord, false},
		"full-width number":   {citizen(func(c *idcardtest.Card) { c.Number = "４" + c.Number[1:] }), ErrRecord, false},
		"X inside":            {citizen(func(c *idcardtest.Card) { c.Number = "X" + c.Number[1:] }), ErrRecord, false},
		"no number":           {citizen(func(c *idcardtest.Card) { c.Number = "" }), ErrRecord, false},
		"no last day":         {citizen(func(c *idcardtest.Card) { c.Until = "" }), ErrRecord, false},
		"no such day":         {citizen(func(c *idcardtest.Card) { c.Until = "20300230" }), ErrRecord, false},
		"day of zeros":        {citizen(func(c *idcardtest.Card) { c.Until = "00000000" }), ErrRecord, false},
		"leap day":            {citizen(func(c *idcardtest.Card) { c.Until = "20280229" }), nil, false},
	} {
		r, err := recordOf(t, c.card)
		c.card.Name = strings.TrimRight(c.card.Name, "\x00")
		switch {
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v", name, err)
		case c.want != nil && strings.ContainsAny(err.Error(), "测试甲123"):
			t.Errorf("%s: the error has a part of it: %v", name, err)
		case c.want == nil && (err != nil || same(r, c.card) != nil || r.Cut() != c.cut):
			t.Errorf("%s: %v %v %v", name, err, same(r, c.card), r.Cut())
		}
	}
}

// TestForeignNames: long ones, one name only, a space where the field is broken.
func TestForeignNames(t *testing.T) {
	old, fresh := invented[3], invented[4]
	for _, c := range []struct {
		card          idcardtest.Card
		name, english string
		cut           bool
		want          error
	}{
		{old, "", "TESTPERSON", false, nil},
		{old, "", strings.Repeat("A", 60), true, nil},
		{old, "测试", "", false, nil},
		{old, "", "", false, ErrRecord},
		{fresh, "", strings.Repeat("B", 34) + " " + "C", false, nil},
		{fresh, "", strings.Repeat("B", 35) + " C", false, nil},
		{fresh, "", strings.Repeat("B", 35), false, nil},
		{fresh, "测试", strings.Repeat("B", 46), true, nil},
		{fresh, "", strings.Repeat("B", 34) + "\U00020BB7", false, nil},
		{fresh, "", "", false, ErrRecord},
	} {
		c.card.Name, c.card.English = c.name, c.english
		r, err := recordOf(t, c.card)
		if !errors.Is(err, c.want) || err == nil && (same(r, c.card) != nil || r.Cut() != c.cut) {
			t.Errorf("%q: %v %v %v", c.english, err, same(r, c.card), r.Cut())
		}
	}
}

// TestRecordNeverPrints: no verb and no encoder shows a person, not as a part of
// something else either.
func TestRecordNeverPrints(t *testing.T) {
	r, err := recordOf(t, invented[3])
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Open   Record
		hidden Record
		ref    *Record
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q", "%08b"} {
		for _, v := range []any{r, &r, holder{r, r, &r}, &holder{r, r, &r}, []Record{r}, map[string]Record{"a": r}, fmt.Errorf("%v", r)} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	b, err := json.Marshal(holder{Open: r})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	text := strings.ToLower(out.String())
	for _, raw := range []string{"testperson", "戊", "zzz4400", "4400900307", "2025", fmt.Sprintf("%x", "TESTPERSON"), fmt.Sprintf("%x", "ZZZ4400")} {
		if strings.Contains(text, strings.ToLower(raw)) {
			t.Errorf("%q is printed: %s", raw, text)
		}
	}
	if !strings.Contains(text, "old kind") {
		t.Errorf("the kind is not: %s", text)
	}
	if zero := (Record{}); zero.Name()+zero.Number()+zero.English() != "" || zero.Kind() != 0 || zero.String() != "no card" {
		t.Error("the zero Record is somebody")
	}
}

// FuzzRecord: what is taken stands in the text as it was, and the error has none
// of the text.
func FuzzRecord(f *testing.F) {
	for _, c := range invented {
		f.Add(c.Text())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) != textSize {
			return
		}
		data := append(append([]byte{1, 0, 0, 0}, text...), []byte{}...)
		r, err := (Reply{StatusOK, data}).Record()
		if err != nil {
			if !errors.Is(err, ErrRecord) && !errors.Is(err, ErrUnknownCard) {
				t.Fatalf("%v", err)
			}
			if strings.ContainsAny(err.Error(), "0123456789") {
				t.Fatalf("digits in %v", err)
			}
			return
		}
		stands := func(words string, spans ...[2]int) {
			t.Helper()
			var units []uint16
			for _, s := range spans {
				for i := s[0]; i < s[0]+s[1]; i += 2 {
					units = append(units, binary.LittleEndian.Uint16(text[i:]))
				}
			}
			want := utf16.Encode([]rune(words))
			for i, u := range units {
				if i < len(want) && u != want[i] || i >= len(want) && u != ' ' && u != 0 {
					t.Fatalf("%q is not what stands at %v", words, spans)
				}
			}
		}
		day, ends := r.Until()
		until := "长期"
		if ends {
			until = day.Format("20060102")
		}
		stands(until, [2]int{204, 16})
		switch r.Kind() {
		case Citizen, Residence:
			stands(r.Name(), [2]int{0, 30})
			stands(r.Number(), [2]int{122, 36})
		case OldForeigner:
			stands(r.Name(), [2]int{158, 30})
			stands(r.English(), [2]int{0, 120})
			stands(r.Number(), [2]int{122, 30})
		case Foreigner:
			stands(r.Name(), [2]int{0, 30})
			stands(r.English(), [2]int{52, 70}, [2]int{220, 22})
			stands(r.Number(), [2]int{122, 36})
		default:
			t.Fatalf("kind %d", r.Kind())
		}
	})
}

// BenchmarkRecord decodes a whole reply. The wire's own limit stands beside it:
// 1,295 bytes of ten bits at 115,200 baud.
func BenchmarkRecord(b *testing.B) {
	frame := readReply(invented[0])
	b.ReportAllocs()
	for b.Loop() {
		r, err := ParseReply(frame)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Record(); err != nil {
			b.Fatal(err)
		}
	}
	wire := float64(len(frame)) * 10 / 115200 * 1e9
	b.ReportMetric(wire/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "wire/decode")
}
