package exhibit

import (
	"archive/zip"
	"bytes"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/command"
	"gatehouse/internal/evidence"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
)

// rootDigits is the root's key of the sample files, as a form shows it.
const rootDigits = "8a88e3dd 7409f195 fd52db2d 3cba5d72 ca6709bf 1d94121b f3748801 b40f6f5c"

func sampleFile(name string) string {
	return filepath.Join("../../../../internal/evidence/testdata", name)
}

// called is what a command says and how it ends.
func called(t *testing.T, asJSON bool, run func(*Caller) error) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(&Caller{Console: command.Console{Name: "gatehouse", JSON: asJSON, Out: command.Screen{To: &out}}, Ctx: t.Context()})
	return out.String(), err
}

// TestVerify: what is proved is said in the language that is asked for, and the exit status says
// how much it is.
func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		file, root, lang string
		status           int
		says, not        []string
	}{
		"all": {"whole.zip", rootDigits, "en", 0, []string{"are certified by the root that you gave", "Unchanged since 2026-11-23 08:01:40 +08:00: the witness gatehouse/panyu", "A card or code was accepted: 8 in all, at all doors of the file; at 3 of these the file says whose.", "\n  - The contact saw the door open: 2", "No opening was seen: 2",
			"against gateway and registry in league this file proves nothing", "not that somebody went in"}, []string{"no witness", "own word. Compare"}},
		"no root": {"whole.zip", "", "en", partly, []string{"The root's key is the file's own word", rootDigits}, []string{"certified"}},
		"not all cosigned": {"sample.zip", rootDigits, "zh", partly, []string{"已证明", "第 31 号以前的记录，从 2026-11-23 08:01:40 +08:00 起没有改过", "第 31 号起的 4 条还没有见证方签名", "卡或码被接受：文件中所有的门共 8 次，其中 3 次文件写明了是谁的", "期限已到，或者依申请、命令删除", "门磁看到门打开：2 次", "没有看到门打开：2 次",
			"网关和登记中心串通", "不在调取范围内，或者人员信息已删除"}, []string{"Proved", "evidence."}},
	} {
		says, err := called(t, false, Verify{Source: Source{File: sampleFile(c.file), Root: c.root, Lang: c.lang}}.Run)
		var ended command.Ended
		if errors.As(err, &ended); ended.Status != c.status || c.status == 0 && err != nil {
			t.Errorf("%s: ends with %v", name, err)
		}
		for _, want := range c.says {
			if !strings.Contains(says, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, says)
			}
		}
		for _, never := range c.not {
			if strings.Contains(says, never) {
				t.Errorf("%s: it says %q:\n%s", name, never, says)
			}
		}
	}
}

// TestVerifyJSON: programs get the same as one object.
func TestVerifyJSON(t *testing.T) {
	says, err := called(t, true, Verify{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits}}.Run)
	var s summary
	if err != nil || json.Unmarshal([]byte(says), &s) != nil || !s.Whole || !s.Anchored || s.Accepted != 8 || s.Named != 3 || s.Openings["seen"] != 2 || s.Openings["not_seen"] != 2 || s.Manifest.Counts.Entries != 30 {
		t.Errorf("%v\n%s", err, says)
	}
}

// TestRefusals: what is wrong with a file, and what to do, is said in both languages.
func TestRefusals(t *testing.T) {
	good, err := os.ReadFile(sampleFile("whole.zip"))
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(good)
	changed[200] ^= 1
	other := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		file   []byte
		root   string
		zh, en string
	}{
		"a byte changed": {changed, rootDigits, "内容被改过", "its content was changed"}, "cut": {good[:len(good)-1], rootDigits, "后面缺了一段", "cut short"},
		"another root": {good, other, "不是您给的那一把", "of another root"}, "a text": {[]byte("hello"), rootDigits, "不是门禁证据文件", "no evidence file"},
		"no key": {good, "nothing", "没有根公钥", "has no root's key"},
	} {
		path := filepath.Join(t.TempDir(), "file.zip")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		for lang, want := range map[string]string{"zh": c.zh, "en": c.en} {
			says, err := called(t, false, printCmd{Source: Source{File: path, Root: c.root, Lang: lang}}.Run)
			var fail *socket.Error
			if !errors.As(err, &fail) || !strings.Contains(err.Error(), want) || fail.Hint == "" || says != "" {
				t.Errorf("%s, %s: %v, hint %+v, printed %q", name, lang, err, fail, says)
			}
			if han := regexp.MustCompile(`\p{Han}`); err != nil && fail != nil && han.MatchString(fail.Hint) != (lang == "zh") {
				t.Errorf("%s, %s: the hint is %q", name, lang, fail.Hint)
			}
		}
	}
}

// TestWords: whatever the package evidence can find has its words.
func TestWords(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../../../internal/evidence/refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code = "(\w+)"`).FindAllSubmatch(source, -1)
	if len(codes) < 14 {
		t.Fatalf("%d codes", len(codes))
	}
	var keys []string
	for _, m := range codes {
		key := string(m[1])
		if other, ok := wordsOf[evidence.Code(key)]; ok {
			key = other
		}
		keys = append(keys, key)
	}
	for o := evidence.Seen; o <= evidence.NoContact; o++ {
		keys = append(keys, fmt.Sprintf("opening_%d", o), fmt.Sprintf("seen_%d", o))
	}
	for n := range 5 {
		keys = append(keys, fmt.Sprintf("clock_%d", n), fmt.Sprintf("state_%d", min(n, 2)), fmt.Sprintf("method_%d", n+2))
	}
	keys = append(append(keys, columns[:]...), "said_by_gateway", "said_by_witness", "form_how_gateway", "form_how_witness")
	for _, key := range keys {
		if !words.Has("evidence." + key) {
			t.Errorf("%s has no words", key)
		}
	}
	o := opened{words: words, lang: text.Chinese}
	for _, of := range []struct {
		what string
		last int
		name func(int) string
	}{{"kind_", 36, func(n int) string { return wire.Kind(n).String() }}, {"outcome_", int(wire.OutcomeRefused), func(n int) string { return wire.Outcome(n).String() }},
		{"reason_", int(wire.ReasonTermDoubtful), func(n int) string { return wire.Reason(n).String() }}} {
		for n := 1; n <= of.last; n++ {
			if name := of.name(n); name != fmt.Sprintf("%s%d", of.what, n) && o.named(of.what, name) == name {
				t.Errorf("%s%s has no words", of.what, name)
			}
		}
	}
	if int(evidence.NoContact) != len(openingNames)-1 {
		t.Error("openings without a name for programs")
	}
}

// TestPrint: the table has the entries of the doors that the mandate asked for, and no others.
func TestPrint(t *testing.T) {
	says, err := called(t, false, printCmd{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: "en"}}.Run)
	if err != nil || !strings.Contains(says, "030f0000000000000000000000000000  not seen") || strings.Contains(says, "  back  ") || !strings.Contains(says, "\n8    2026-11-23 08:00:14.000 +08:00  Card           accepted  front  ") {
		t.Errorf("%v\n%s", err, says)
	}
	says, err = called(t, true, printCmd{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: "en"}}.Run)
	var rows []row
	if err != nil || json.Unmarshal([]byte(says), &rows) != nil || len(rows) != 14 || rows[0].Sequence != 8 || rows[4].Opening != "not seen" || rows[4].Method != "card" {
		t.Errorf("%v\n%s", err, says)
	}
}

// TestNotDone: a card that was held up for the desk was not refused a door, in neither language.
func TestNotDone(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[text.Language]string{text.Chinese: "没有做", text.English: "not done"} {
		if got := (opened{words: words, lang: lang}).named("outcome_", wire.OutcomeRefused.String()); got != want {
			t.Errorf("%s: %q", lang, got)
		}
	}
}

// TestListed: a card outside the mandate's scope stands in the lists before what it opened, and they say how many
// entries of the file they have.
func TestListed(t *testing.T) {
	for lang, want := range map[string]string{"zh": "下面列出 14 条，文件共有 30 条；其余 16 条", "en": "Entries listed: 14, of 30 in the file; the others (16)"} {
		for _, html := range []bool{false, true} {
			if says, err := called(t, false, printCmd{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: lang}, HTML: html}.Run); err != nil || !strings.Contains(says, want) {
				t.Errorf("%s, page %t: %v, no %q", lang, html, err, want)
			}
		}
		o, err := Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: lang}.open(&Caller{Ctx: t.Context()})
		if err != nil {
			t.Fatal(err)
		}
		card := slices.IndexFunc(o.Entries, func(e evidence.Entry) bool { return e.Sequence == 16 })
		o.Entries[card].State, o.Entries[card].Who = evidence.Withheld, wire.Who{}
		rows, _ := o.list()
		if len(rows) != 14 || rows[4].Sequence != 16 || rows[4].Person != o.say("state_2") || rows[5].Sequence != 17 {
			t.Errorf("%s: %+v", lang, rows)
		}
		o.Manifest.Scope.Doors = nil
		if rows, said := o.list(); len(rows) != 30 || said != o.say("listed_all", 30) {
			t.Errorf("%s: %d rows, %q", lang, len(rows), said)
		}
	}
}

// TestCSV: a table with a byte order mark, all entries, and the time zone in each row.
func TestCSV(t *testing.T) {
	says, err := called(t, false, printCmd{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: "zh"}, CSV: true}.Run)
	body, ok := strings.CutPrefix(says, "\ufeff")
	if err != nil || !ok || strings.Count(body, "\r\n") != 31 {
		t.Fatalf("%v\n%q", err, says)
	}
	all, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(all) != 31 || all[0][0] != "序号" || all[1][len(columns)] != "Asia/Shanghai" || all[1][1] != "2026-11-23T08:00:09.800+08:00" || all[12][len(columns)-2] != "没看到打开" {
		t.Errorf("%v\n%v", err, all)
	}
}

// TestHTML: one page that needs nothing else, with the forms' names, the sums, the root's key, and
// room for those who sign; what a file says can't become markup.
func TestHTML(t *testing.T) {
	path := filepath.Join(t.TempDir(), "<script>.zip")
	good, err := os.ReadFile(sampleFile("whole.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for lang, c := range map[string]struct{ officers, also string }{"zh": {"侦查人员（签名）", "电子数据清单 完整性校验值 电子数据持有人（提供人）（签名） 见证人（签名） 网关按文书从门禁日志导出并签名"}, "en": {"Officer (signature)", "Provider Witness"}} {
		says, err := called(t, false, printCmd{Source: Source{File: path, Root: rootDigits, Lang: lang}, HTML: true}.Run)
		if err != nil {
			t.Fatal(err)
		}
		whole, _ := called(t, true, Verify{Source: Source{File: path, Root: rootDigits}}.Run)
		var s summary
		_ = json.Unmarshal([]byte(whole), &s)
		for _, want := range append(strings.Fields(c.also), rootDigits, "440000-2026-7", fmt.Sprintf("%x", s.SHA256), fmt.Sprintf("%x", s.SM3), "&lt;script&gt;.zip", "lang=\""+lang+"\"") {
			if !strings.Contains(says, want) {
				t.Errorf("%s: no %s", lang, want)
			}
		}
		if strings.Count(says, c.officers) != 2 || strings.Contains(says, "<script") || regexp.MustCompile(`(?i)(src|href|url|@import)\s*[=(]|https?:`).MatchString(says) || strings.Contains(says, "evidence.") || strings.Contains(says, `\u`) {
			t.Errorf("%s: two lines for officers, nothing from elsewhere, no markup of the file:\n%.3000s", lang, says)
		}
	}
}

// TestProof: one entry's proof is a text of its own; a number that is not there is told with those
// that are.
func TestProof(t *testing.T) {
	says, err := called(t, false, proofCmd{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits}, Number: 16}.Run)
	if err != nil || !strings.HasPrefix(says, "c2sp.org/tlog-proof@v1\nextra ") || !strings.Contains(says, "\nindex 16\n") || !strings.Contains(says, "\u2014 gatehouse/panyu ") {
		t.Errorf("%v\n%s", err, says)
	}
	for lang, want := range map[string]string{"zh": "它有第 5 至 34 号", "en": "it has 5 to 34"} {
		if _, err := called(t, false, proofCmd{Source: Source{File: sampleFile("whole.zip"), Root: rootDigits, Lang: lang}, Number: 35}.Run); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
}

// TestKeys: the root's key is taken as a file, as the form's digits, and as a trust document.
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	digits := filepath.Join(dir, "digits")
	pemFile := filepath.Join(dir, "root.pub")
	der, err := x509.MarshalPKIXPublicKey(typedKey(rootDigits))
	if err != nil {
		t.Fatal(err)
	}
	pemText := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	for path, said := range map[string]string{digits: rootDigits + "\n", pemFile: pemText} {
		if err := os.WriteFile(path, []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, root := range []string{rootDigits, strings.ReplaceAll(rootDigits, " ", ""), strings.ToUpper(rootDigits), digits, pemFile} {
		if _, err := called(t, false, Verify{Source: Source{File: sampleFile("whole.zip"), Root: root}}.Run); err != nil {
			t.Errorf("--root %s: %v", root, err)
		}
	}
	z, err := zip.OpenReader(sampleFile("whole.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	document, err := fs.ReadFile(z, "trust.cose")
	trust := filepath.Join(dir, "trust.cose")
	if err := errors.Join(err, os.WriteFile(trust, document, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := called(t, false, Verify{Source: Source{File: sampleFile("whole.zip"), Trust: trust}}.Run); err != nil {
		t.Errorf("--trust: %v", err)
	}
}
