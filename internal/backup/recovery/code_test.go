package recovery

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestParse: a code is read as people type it.
func TestParse(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		c := New()
		s := c.String()
		if len(s) != 23 || strings.Count(s, "-") != 3 || seen[s] {
			t.Fatalf("%s", s)
		}
		seen[s] = true
		for _, typed := range []string{s, strings.ToLower(s), strings.ReplaceAll(s, "-", ""), strings.ReplaceAll(s, "-", " "), " " + s + "\n",
			strings.NewReplacer("0", "o", "1", "l").Replace(s), strings.ReplaceAll(s, "1", "I")} {
			if got, err := Parse(typed); err != nil || got != c {
				t.Fatalf("%q of %s: %v", typed, s, err)
			}
		}
		if !c.Ends(strings.ToLower(c.End())) || c.Ends("") || c.Ends(c.End()+"0") || c.Ends(s) {
			t.Fatalf("the end of %s", s)
		}
	}
}

// TestParseRefuses: each wrong symbol, and each two that changed places within a group,
// are told with the group; and so are groups that changed places. No error has anything
// of what was typed.
func TestParseRefuses(t *testing.T) {
	s := strings.ReplaceAll(New().String(), "-", "")
	wrong := func(typed, want string) {
		t.Helper()
		_, err := Parse(typed)
		if !errors.Is(err, ErrCode) || !strings.Contains(err.Error(), want) || typed != "" && strings.Contains(err.Error(), typed) {
			t.Fatalf("%s of %s: %v, want %s", typed, s, err, want)
		}
	}
	for i := range s {
		for _, r := range alphabet {
			if byte(r) != s[i] {
				wrong(s[:i]+string(r)+s[i+1:], fmt.Sprintf("group %d", i/size+1))
			}
		}
		for j := i + 1; j < i/size*size+size; j++ {
			if s[i] != s[j] {
				b := []byte(s)
				b[i], b[j] = b[j], b[i]
				wrong(string(b), fmt.Sprintf("group %d", i/size+1))
			}
		}
	}
	for a := range groups {
		for b := a + 1; b < groups; b++ {
			p := func(g int) string { return s[g*size : g*size+size] }
			if p(a) != p(b) {
				swapped := []string{p(0), p(1), p(2), p(3)}
				swapped[a], swapped[b] = swapped[b], swapped[a]
				wrong(strings.Join(swapped, ""), "group")
			}
		}
	}
	wrong(s[1:], "four groups")
	wrong(s+"0", "four groups")
	wrong("", "four groups")
	wrong(s[:19]+"U", "without")
	wrong(s[:19]+"é", "without")
}

// TestPrintsNothing: no verb of fmt prints a code by accident.
func TestPrintsNothing(t *testing.T) {
	c := New()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		if s := fmt.Sprintf(verb, c); s != "recovery code" {
			t.Errorf("%s prints %q", verb, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(New().String())
	f.Add("o0il-")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(c.String()); err != nil || again != c {
			t.Errorf("%q: %v", text, err)
		}
	})
}
