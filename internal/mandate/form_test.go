package mandate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// TestFormSaysTheSame: whatever a mandate says, its form says, as JSON and back.
func TestFormSaysTheSame(t *testing.T) {
	base := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		m := base
		copy(m.Reference[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "reference"))
		m.Reference[0] |= 1
		m.Request.Flats = sorted(rapid.SliceOfN(rapid.StringMatching(`[0-9]{1,2}[A-Z栋]`), 0, 4).Draw(t, "flats"))
		m.Request.InHand, m.Emergency = rapid.Bool().Draw(t, "in hand"), rapid.Bool().Draw(t, "emergency")
		if rapid.Bool().Draw(t, "subjects") {
			m.Request.Cards, m.Request.Tenancies = []wire.CredentialID{{1}, {0xab}}, []wire.ID{{1}, {0xcd}}
		}
		m.Telling = rapid.SampledFrom([]*mandates.Telling{nil, {From: noon + 86400}, {Basis: "刑事诉讼法第五十四条"}}).Draw(t, "telling")
		if rapid.Bool().Draw(t, "withdrawn") {
			m.Status, m.StatusReason = mandates.Withdrawn, "案件撤销"
		}
		m.Request.From = rapid.Uint32Range(1, noon).Draw(t, "from")
		m.Request.Until = m.Request.From + rapid.Uint32Range(1, 1000).Draw(t, "span")
		m.Answers = rapid.Uint8Range(1, 255).Draw(t, "answers")
		text, err := json.Marshal(FormOf(m, "city"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseForm(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Mandate(time.Unix(noon+99, 0))
		if err != nil {
			t.Fatal(err)
		}
		was, _ := mandates.Encode(m)
		is, _ := mandates.Encode(got)
		if !reflect.DeepEqual(was, is) || len(was) == 0 {
			t.Fatalf("%+v\nis read as\n%+v", m, got)
		}
	})
}

// TestFormRefused: what a form may not say is told by its field, and never repeats a number.
func TestFormRefused(t *testing.T) {
	for want, change := range map[string]func(f *Form){
		"reference: 须为 32 位十六进制数 32 hex":                func(f *Form) { f.Reference = "440000199003078888" },
		"cards: 须为 34 位十六进制数 34 hex":                    func(f *Form) { f.Cards = []string{"440000199003078888"} },
		"tenancies: 须为 32 位十六进制数 32 hex":                func(f *Form) { f.Tenancies = []string{"x"} },
		"officers: 3 名，须为两名 a mandate names two, not 3": func(f *Form) { f.Officers = append(f.Officers, FormOfficer{}) },
		"officers.key: 须为 16 位十六进制数 16":                 func(f *Form) { f.Officers[0].Key = "440000199003078888" },
		"until: 须晚于 from":                               func(f *Form) { f.Until = f.From },
		"expires: 须晚于签发":                                func(f *Form) { f.Expires = f.Issued },
		"until: 没有时间或年代不对，写成 no time":                   func(f *Form) { f.Until = time.Time{} },
		"expires: 没有时间或年代不对，写成 no time":                 func(f *Form) { f.Expires = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) },
		"只填一项": func(f *Form) { f.TellFrom, f.NoNotice = f.Until, "法" },
		"tell_from: 年代不对，写成 no time":                        func(f *Form) { f.TellFrom = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) },
		"purpose: 最多 64 字，不能有换行等控制字符 64 characters at most": func(f *Form) { f.Purpose = strings.Repeat("查", 65) },
		"officers.unit: 最多 64 字":                            func(f *Form) { f.Officers[1].Unit = "一\n二" },
		"flats: 最多 64 字":                                    func(f *Form) { f.Flats = []string{strings.Repeat("1", 80)} },
		"building: 编号只用小写字母、数字和连字符，1 至 32 个 an id has a-z":  func(f *Form) { f.Building = "北巷 9 号" },
		"gateways: 编号只用":                                    func(f *Form) { f.Gateways["gate-1"] = []string{"前门"} },
		"malformed":                                         func(f *Form) { f.Answers = 0 },
		"“*”":                                               func(f *Form) { f.Flats = []string{"*"} },
		"“所有”":                                              func(f *Form) { f.Gateways["所有"] = []string{"front"} },
	} {
		f := FormOf(sample(t), "city")
		change(&f)
		_, err := f.Mandate(time.Unix(noon, 0))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "440000199") {
			t.Errorf("%s: %v", want, err)
		}
		var refusal *Refusal
		if wild := strings.HasPrefix(want, "“"); errors.As(err, &refusal) != wild || wild && refusal.Code != Wildcard {
			t.Errorf("%s: %v", want, refusal)
		}
	}
	for text, want := range map[string]string{"": "文件是空的 the file is empty", `{"answers":-1}`: "answers: 类型或大小不对 of the wrong kind", `{"answers":440000199003078888}`: "answers: 类型"} {
		if _, err := ParseForm([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "json") || strings.Contains(err.Error(), "440000199") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for name, text := range map[string]string{"nothing": "", "two forms": "{}{}", "an unknown field": `{"everybody":true}`, "a list": "[]"} {
		if _, err := ParseForm([]byte(text)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

// TestFormTellsAll: all that is wrong with a form is told, each with its field once.
func TestFormTellsAll(t *testing.T) {
	f := FormOf(sample(t), "city")
	f.District, f.Case, f.Cards, f.Until, f.Expires = "", strings.Repeat("1", 65), []string{"x"}, time.Time{}, f.Issued
	f.Officers[0].Key, f.TellFrom, f.NoNotice = "y", f.From, "法"
	_, err := f.Mandate(time.Unix(noon, 0))
	for _, field := range []string{"district: ", "case: ", "cards: ", "until: ", "expires: ", "tell_from, no_notice: ", "officers.key: "} {
		if err == nil || strings.Count("\n"+err.Error(), "\n"+field) != 1 {
			t.Errorf("%q is not told once: %v", field, err)
		}
	}
}

// TestFormEncoded: a form has a byte order mark or none, and either line ends; one that is not UTF-8 is refused, since its
// Chinese would be signed as something else. A name of one character is one.
func TestFormEncoded(t *testing.T) {
	f := FormOf(sample(t), "city")
	f.Officers[0].Unit = "队"
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"\ufeff" + string(text), strings.ReplaceAll(string(text), "\n", "\r\n")} {
		got, err := ParseForm([]byte(text))
		if err == nil {
			_, err = got.Mandate(time.Unix(noon, 0))
		}
		if err != nil || got.Officers[0].Unit != "队" {
			t.Errorf("%q, %v", got.Officers[0].Unit, err)
		}
	}
	gbk := strings.ReplaceAll(string(text), "队", "\xb6\xd3")
	if _, err := ParseForm([]byte(gbk)); !errors.Is(err, ErrNotUTF8) {
		t.Errorf("GBK: %v", err)
	}
	if _, err := ParseForm([]byte("\xff\xfe{\x00}\x00")); !errors.Is(err, ErrNotUTF8) {
		t.Errorf("UTF-16: %v", err)
	}
}

// TestRecipientAsText: the whole text of the public file and its base64 are the same key.
func TestRecipientAsText(t *testing.T) {
	text := pem.EncodeToMemory(&pem.Block{Type: "A KEY", Bytes: bytes.Repeat([]byte{7}, 1216)})
	bare, err := json.Marshal(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 1216)))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := json.Marshal(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, as := range [][]byte{bare, whole} {
		f, err := ParseForm([]byte(`{"recipient":` + string(as) + `}`))
		if err != nil || !bytes.Equal(f.Recipient, bytes.Repeat([]byte{7}, 1216)) {
			t.Errorf("%.40s: %x, %v", as, f.Recipient, err)
		}
	}
	if _, err := ParseForm([]byte(`{"recipient":"/home/a/inbox.key.pub"}`)); err == nil || !strings.Contains(err.Error(), "全文，不是文件名") || strings.Contains(err.Error(), "/home") {
		t.Errorf("a path: %v", err)
	}
}

// FuzzForm: no text ends it, and what a form says can be signed or is refused.
func FuzzForm(f *testing.F) {
	text, err := json.Marshal(FormOf(sample(f), "city"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		form, err := ParseForm(text)
		if err != nil {
			return
		}
		if m, err := form.Mandate(time.Unix(noon, 0)); err == nil {
			if _, err := mandates.Encode(m); err != nil {
				t.Errorf("%s can't be signed: %v", text, err)
			}
		}
	})
}
