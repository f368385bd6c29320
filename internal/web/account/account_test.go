package account

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/argon2id"
	"pgregory.net/rapid"
)

const secret = "zwei Birnen 7"

// cheap is a store whose hashes cost nothing.
func cheap(t interface {
	Helper()
	Fatal(...any)
}, directory string) *Store {
	t.Helper()
	s, err := OpenAtCost(directory, argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// owned is a store with an owner.
func owned(t *testing.T, directory string) (*Store, Account) {
	t.Helper()
	s := cheap(t, directory)
	code, err := s.Code()
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Claim(code, "owner", secret)
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

func fullWidth(code string) string {
	return strings.Map(func(r rune) rune { return r - '0' + '０' }, code)
}

// TestClaim: the code as people type it makes the owner, once; nothing else does.
func TestClaim(t *testing.T) {
	for name, c := range map[string]struct {
		typed, password string
		want            error
	}{
		"as printed":        {"%", secret, nil},
		"full width":        {"full", secret, nil},
		"in groups":         {"groups", secret, nil},
		"another":           {"other", secret, ErrCode},
		"a digit short":     {"short", secret, ErrCode},
		"empty":             {"", secret, ErrCode},
		"code as password":  {"%", "%", ErrPassword},
		"its wide form too": {"%", "full", ErrPassword},
		"short password":    {"%", "1234567", ErrPassword},
		"a run":             {"%", "23456789", ErrPassword},
		"one letter":        {"%", "aaaaaaaaaaaa", ErrPassword},
		"the usual":         {"%", "Password1", ErrPassword},
		"long":              {"%", strings.Repeat("ab1", 50), ErrPassword},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := cheap(t, dir)
			code, err := s.Code()
			if err != nil || len(code) != codeDigits {
				t.Fatalf("code %q: %v", code, err)
			}
			if again, err := cheap(t, dir).Code(); err != nil || again != code {
				t.Errorf("read again it is %q, not %q: %v", again, code, err)
			}
			typed := map[string]string{"%": code, "full": fullWidth(code), "groups": " " + code[:4] + "　-" + code[4:] + "\r\n",
				"other": string('0'+(code[0]-'0'+1)%10) + code[1:], "short": code[:7]}
			word := func(w string) string {
				if v, ok := typed[w]; ok {
					return v
				}
				return w
			}
			_, err = s.Claim(word(c.typed), "owner", word(c.password))
			if !errors.Is(err, c.want) || s.Claimed() != (c.want == nil) {
				t.Fatalf("%v, claimed %v; want %v", err, s.Claimed(), c.want)
			}
			if c.want != nil {
				return
			}
			if _, err := s.Claim(code, "second", secret); !errors.Is(err, ErrClaimed) {
				t.Errorf("the code a second time: %v", err)
			}
			if _, err := s.add("second", Owner, secret, true); !errors.Is(err, ErrClaimed) {
				t.Errorf("whoever typed the code in the same moment: %v", err)
			}
			if _, err := os.Stat(s.codePath); !os.IsNotExist(err) {
				t.Errorf("the code is still there: %v", err)
			}
		})
	}
}

// TestTwoOwnersAtOnce: of many who type the right code in one moment, one is the owner.
func TestTwoOwnersAtOnce(t *testing.T) {
	s := cheap(t, t.TempDir())
	code, err := s.Code()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() { _, errs[i] = s.Claim(code, "owner "+string(rune('a'+i)), secret) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrClaimed):
			t.Errorf("who came second was told %v", err)
		}
	}
	if owners := s.All(); won != 1 || len(owners) != 1 {
		t.Errorf("%d won, accounts %v", won, owners)
	}
}

// TestLogin: name and password together, and no word on which of them was wrong.
func TestLogin(t *testing.T) {
	s, a := owned(t, t.TempDir())
	if got, err := s.Login(" OWNER ", secret); err != nil || got.ID != a.ID {
		t.Errorf("sign in: %v, %v", got, err)
	}
	for _, wrong := range [][2]string{{"owner", secret + "x"}, {"nobody", secret}, {"", secret}, {"owner", ""}, {"owner", strings.Repeat("x", mostPassword+1)}} {
		if _, err := s.Login(wrong[0], wrong[1]); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for _, each := range s.All() {
		if each.Hash != "" {
			t.Error("the list of accounts has hashes")
		}
	}
}

// TestReplacedFile: what another program writes beside a page that runs counts at once.
func TestReplacedFile(t *testing.T) {
	dir := t.TempDir()
	waiting := cheap(t, dir) // a page that nobody has claimed yet, when a backup is put back
	page, a := owned(t, dir)
	if !waiting.Claimed() {
		t.Error("accounts that were put back leave the first run open")
	}
	if _, err := cheap(t, dir).SetPassword(a.ID, "drei Aepfel 8"); err != nil { // gatehouse-page password
		t.Fatal(err)
	}
	if now, ok := page.Find(a.ID); !ok || now.Since == a.Since {
		t.Error("sessions of before the change are still good")
	}
	if _, err := page.Login("owner", secret); !errors.Is(err, ErrUnknown) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := page.Login("owner", "drei Aepfel 8"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

// TestDamagedFile: a file that can't be read makes nobody an owner, and is not written over.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	page, a := owned(t, dir)
	path := filepath.Join(dir, "accounts.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, whole[:len(whole)/2], []byte("[]"), []byte("{}"), []byte("\x00\x00")} {
		if err := os.WriteFile(path+".new", bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), path) {
			t.Errorf("%q opens: %v", bad, err)
		}
		_, e1 := page.Login("owner", secret)
		_, e2 := page.Add("helper", Helper, secret)
		_, e3 := page.SetPassword(a.ID, secret+"!")
		e4, e5 := page.EndSessions(a.ID), page.Remove(a.ID)
		for _, err := range []error{e1, e2, e3, e4, e5} {
			if err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("%q beside a page that runs: %v", bad, err)
			}
		}
		if _, ok := page.Find(a.ID); !ok || !page.Claimed() {
			t.Errorf("%q ends the sessions of a page that runs", bad)
		}
		if now, _ := os.ReadFile(path); string(now) != string(bad) {
			t.Errorf("%q was written over", bad)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := page.Login("owner", secret); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("without a file: %v", err)
	}
	if _, err := page.Code(); !errors.Is(err, ErrClaimed) {
		t.Errorf("without its file a page that runs gives the code out: %v", err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := page.Login("owner", secret); err != nil {
		t.Errorf("put back: %v", err)
	}
}

// TestModel: accounts by any order of acts, with the file read anew at any time.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "accounts-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := cheap(t, dir)
		code, err := s.Code()
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.Claim(code, "a", secret)
		if err != nil {
			t.Fatal(err)
		}
		want := []Account{first}
		passwords := map[string]string{first.ID: secret}
		pick := func() int { return rapid.IntRange(0, len(want)-1).Draw(t, "account") }
		password := rapid.SampledFrom([]string{secret, "drei Aepfel 8", "四个柿子和五个梨", "short"})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"a", "A", "b", " c", "c\nd", "c  d", "c\x1bd", "王", "", strings.Repeat("长", mostName+1)}).Draw(t, "name")
				p := password.Draw(t, "password")
				role := rapid.SampledFrom([]Role{Owner, Helper, Installer}).Draw(t, "role")
				a, err := s.Add(name, role, p)
				name = oneLine(name)
				taken := slices.ContainsFunc(want, func(a Account) bool { return strings.EqualFold(a.Name, name) })
				bad := name == "" || strings.Contains(name, "\x1b") || len([]rune(name)) > mostName || taken || p == "short"
				if bad != (err != nil) {
					t.Fatalf("add %q: %v", name, err)
				}
				if err == nil {
					want, passwords[a.ID] = append(want, a), p
				}
			},
			"password": func(t *rapid.T) {
				i, p := pick(), password.Draw(t, "password")
				a, err := s.SetPassword(want[i].ID, p)
				if (p == "short") != (err != nil) {
					t.Fatal(err)
				}
				if err == nil {
					if a.Since == want[i].Since {
						t.Fatal("sessions of before the change are still good")
					}
					want[i], passwords[a.ID] = a, p
				}
			},
			"end sessions": func(t *rapid.T) {
				i := pick()
				if err := s.EndSessions(want[i].ID); err != nil {
					t.Fatal(err)
				}
				want[i].Since++
			},
			"remove": func(t *rapid.T) {
				i := pick()
				owners := 0
				for _, a := range want {
					if a.Role == Owner {
						owners++
					}
				}
				last := want[i].Role == Owner && owners == 1
				if err := s.Remove(want[i].ID); last != (err != nil) {
					t.Fatalf("remove %v: %v", want[i].Role, err)
				}
				if !last {
					want = slices.Delete(slices.Clone(want), i, i+1)
				}
			},
			"a stranger": func(t *rapid.T) {
				if err := s.EndSessions("nobody"); !errors.Is(err, ErrUnknown) {
					t.Fatal(err)
				}
				if err := s.Remove("nobody"); !errors.Is(err, ErrUnknown) {
					t.Fatal(err)
				}
				if _, err := s.SetPassword("nobody", secret); !errors.Is(err, ErrUnknown) {
					t.Fatal(err)
				}
			},
			"start again": func(t *rapid.T) { s = cheap(t, dir) },
			"": func(t *rapid.T) {
				all := s.All()
				if len(all) != len(want) {
					t.Fatalf("%d accounts, want %d", len(all), len(want))
				}
				for _, w := range want {
					got, ok := s.Find(w.ID)
					if !ok || got != w {
						t.Fatalf("%+v, want %+v", got, w)
					}
				}
				w := want[pick()]
				if got, err := s.Login(w.Name, passwords[w.ID]); err != nil || got.ID != w.ID {
					t.Fatalf("sign in as %q: %v", w.Name, err)
				}
			},
		})
	})
}
