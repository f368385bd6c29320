package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said is what the program printed, and its exit status.
type said struct {
	status      int
	out, errOut string
}

func (s said) has(t *testing.T, status int, out, errOut string) {
	t.Helper()
	if s.status != status || !strings.Contains(s.out, out) || !strings.Contains(s.errOut, errOut) {
		t.Errorf("status %d, want %d; printed %q, want %q in it; complained %q, want %q in it", s.status, status, s.out, out, s.errOut, errOut)
	}
}

func call(t *testing.T, in string, args ...string) said {
	var out, errOut bytes.Buffer
	status := run(t.Context(), args, strings.NewReader(in), &out, &errOut)
	return said{status, out.String(), errOut.String()}
}

// TestAccountsByCommand: the code makes the first owner, a lost password is replaced, with the flags
// before and behind the words; whoever names nobody reads whom there is and how to go on.
func TestAccountsByCommand(t *testing.T) {
	state := t.TempDir()
	code := call(t, "", "code", "--state", state)
	code.has(t, 0, " ", "")
	if other := call(t, "", "--state", state, "code"); other != code {
		t.Errorf("the flag before the word: %+v, want %+v", other, code)
	}
	call(t, "", "password", "--state", state).has(t, 1, "", "no account")
	call(t, "", "password", "--state", state).has(t, 1, "", "hint: gatehouse-page code")
	all, err := (&session{state: state}).accounts()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Claim(strings.ReplaceAll(strings.TrimSpace(code.out), " ", ""), "lane 9", "seven brown owls"); err != nil {
		t.Fatal(err)
	}
	call(t, "", "code", "--state", state).has(t, 1, "", "who forgot the password runs gatehouse-page password as root")
	call(t, "", "password", "--state", state).has(t, 1, "owner\tlane 9\n", "no account is named\nhint: gatehouse-page password NAME")
	call(t, "x\n", "password", "lane 8", "--state", state).has(t, 1, "owner\tlane 9\n", `no account is named "lane 8"`)
	call(t, "", "password", "lane 9", "--state", state).has(t, 1, "", "no password on standard input")
	call(t, "nine grey geese\n", "password", "lane 9", "--state", state).has(t, 0, "", "")
	if _, err := all.Login("lane 9", "nine grey geese"); err != nil {
		t.Error(err)
	}
	call(t, "eight red foxes\n", "password", "--state", state, "lane 9").has(t, 0, "", "")
	if _, err := all.Login("lane 9", "eight red foxes"); err != nil {
		t.Error(err)
	}
}

// TestLabel: the label has the code, and the page, the way in for officers and the Wi-Fi as pictures; without a Wi-Fi there is no picture of one, and of a
// house with an owner there is none.
func TestLabel(t *testing.T) {
	state, file := t.TempDir(), filepath.Join(t.TempDir(), "label.html")
	code := strings.TrimSpace(call(t, "", "code", "--state", state).out)
	sheet := func() string {
		t.Helper()
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	call(t, "pass;word\n", "label", file, "--wifi", "lane <9>", "--state", state).has(t, 0, "", "as secret as the code")
	if s := sheet(); strings.Count(s, "<svg") != 3 || !strings.Contains(s, code) || !strings.Contains(s, "lane &lt;9&gt;") || strings.Contains(s, "pass;word") {
		t.Error(s)
	}
	call(t, "", "label", file, "--state", state).has(t, 0, "", "")
	if s := sheet(); strings.Count(s, "<svg") != 2 || !strings.Contains(s, "https://gatehouse.local<") || !strings.Contains(s, "https://gatehouse.local/officer<") {
		t.Error(s)
	}
	call(t, "", "label", file, "--wifi", "lane", "--state", state).has(t, 1, "", "no password of the Wi-Fi")
	call(t, "", "label", "/nowhere/label.html", "--state", state).has(t, 1, "", "hint: name a file in a directory that is there")
	for _, c := range []struct{ name, password, want string }{{"a", "", "WIFI:T:nopass;S:a;;"}, {`a;b`, `c:"\`, `WIFI:T:WPA;S:a\;b;P:c\:\"\\;;`}} {
		if got := joining(c.name, c.password); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	all, err := (&session{state: state}).accounts()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Claim(strings.ReplaceAll(code, " ", ""), "lane 9", "seven brown owls"); err != nil {
		t.Fatal(err)
	}
	call(t, "", "label", file, "--state", state).has(t, 1, "", "the house has an owner")
}

// TestUsage: the help tells what each command does, and a wrong call where the help is.
func TestUsage(t *testing.T) {
	help := call(t, "", "--help")
	for _, want := range []string{"Serve the page of the house", "Print the code of the label", "Give an account the password", "--state"} {
		help.has(t, 0, want, "")
	}
	call(t, "", "password", "--help").has(t, 0, "[<name>]", "")
	call(t, "", "serve", "--help").has(t, 0, "--plain", "")
	call(t, "", "--version").has(t, 0, "gatehouse-page dev", "")
	call(t, "", "dance").has(t, 2, "", "dance")
	call(t, "", "password", "a", "b").has(t, 2, "", "unexpected argument b")
	call(t, "", "code", "--colour", "red").has(t, 2, "", "--help")
}
