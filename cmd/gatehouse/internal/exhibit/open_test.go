package exhibit

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/socket"
	"gatehouse/sync/wire/sealing"
)

// answer is a sealed answer on a disk, and the recipient's key beside it.
func answer(t *testing.T, plain []byte) (sealed, key string) {
	t.Helper()
	private, public, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := sealing.Seal(public, sealing.Answer, "", plain)
	sealed, key = filepath.Join(t.TempDir(), "answer.sealed"), filepath.Join(t.TempDir(), "inbox.key")
	err = errors.Join(err, os.WriteFile(sealed, b, 0o600), os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: sealKey, Bytes: private}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return sealed, key
}

// hintOf is what a refusal says to do.
func hintOf(err error) string {
	var fail *socket.Error
	if !errors.As(err, &fail) {
		return ""
	}
	return fail.Hint
}

// TestSealedAnswer: verify of an answer that is still sealed says how it is opened, and that works. A registry's list
// of names is told from evidence when it is opened, and when somebody wants it verified.
func TestSealedAnswer(t *testing.T) {
	whole, err := os.ReadFile(sampleFile("whole.zip"))
	if err != nil {
		t.Fatal(err)
	}
	names := []byte(`[{"tenancy": "030f0000000000000000000000000000", "name": "Test Tenant", "cards": []}]`)
	for lang, c := range map[string]struct{ sealed, evidence, names, only, verify string }{
		"zh": {"还没有用接收人的私钥打开", "内容是否可信，用 gatehouse verify 核验", "各租住登记的人员名单，没有签名", "不是证据文件：没有签名", ".evidence"},
		"en": {"still sealed", "Whether it is to be believed gatehouse verify says", "who the tenancies in the evidence file are. Nobody signed it", "nobody signed it", ".evidence"},
	} {
		for _, plain := range [][]byte{whole, names} {
			sealed, key := answer(t, plain)
			_, err := called(t, false, Verify{Source: Source{File: sealed, Lang: lang}}.Run)
			if want := "gatehouse evidence open " + sealed + " --key "; err == nil || !strings.Contains(err.Error(), c.sealed) || !strings.Contains(hintOf(err), want) {
				t.Errorf("%s: %v, hint %q", lang, err, hintOf(err))
			}
			out := filepath.Join(t.TempDir(), "opened")
			says, err := called(t, false, openCmd{Sealed: sealed, Key: key, Out: out, Lang: lang}.Run)
			if isList := len(plain) == len(names); err != nil || strings.Contains(says, c.names) != isList || strings.Contains(says, c.evidence) == isList {
				t.Errorf("%s: %v\n%s", lang, err, says)
			}
			if _, err = called(t, false, Verify{Source: Source{File: out, Root: rootDigits, Lang: lang}}.Run); len(plain) == len(whole) {
				if err != nil {
					t.Errorf("%s: %v", lang, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.only) || !strings.Contains(hintOf(err), c.verify) {
				t.Errorf("%s: %v, hint %q", lang, err, hintOf(err))
			}
		}
	}
}

// TestAnotherKey: whom an answer was not sealed for is told how either kind is had again.
func TestAnotherKey(t *testing.T) {
	sealed, _ := answer(t, []byte("any"))
	_, key := answer(t, []byte("any"))
	for _, lang := range []string{"zh", "en"} {
		_, err := called(t, false, openCmd{Sealed: sealed, Key: key, Out: filepath.Join(t.TempDir(), "out"), Lang: lang}.Run)
		if hint := hintOf(err); !strings.Contains(hint, "gatehouse query --use") || !strings.Contains(hint, "registryd query --again") {
			t.Errorf("%s: %v, hint %q", lang, err, hint)
		}
	}
}

// TestNoSealedAnswer: what is open already, and a page that was saved instead of the answer, ask for no other key; and
// where the opened file can't be written, that is said with what to do.
func TestNoSealedAnswer(t *testing.T) {
	page, list := filepath.Join(t.TempDir(), "officer.sealed"), filepath.Join(t.TempDir(), "list.names")
	err := errors.Join(os.WriteFile(page, []byte("<!DOCTYPE html><title>凭调取令查询</title>"), 0o600), os.WriteFile(list, []byte(`[{"tenancy": "030f0000000000000000000000000000"}]`), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	sealed, key := answer(t, []byte("any"))
	for name, c := range map[string]struct{ file, out, zh, en, hint string }{
		"evidence":     {sampleFile("whole.zip"), "", "已经打开了", "is open already", "gatehouse verify " + sampleFile("whole.zip")},
		"names":        {list, "", "已经打开了", "is open already", ".evidence"},
		"a page":       {page, "", "不是网关或登记中心的加密答复", "is no sealed answer of a gateway or a registry", ".sealed"},
		"not writable": {sealed, "none/out", "写不进去", "can't be written: no such file", "--out"},
	} {
		for lang, want := range map[string]string{"zh": c.zh, "en": c.en} {
			out := filepath.Join(t.TempDir(), c.out, "out")
			_, err := called(t, false, openCmd{Sealed: c.file, Key: key, Out: out, Lang: lang}.Run)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(hintOf(err), c.hint) {
				t.Errorf("%s, %s: %v, hint %q", name, lang, err, hintOf(err))
			}
		}
	}
}
