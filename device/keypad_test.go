package device_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
)

// TestKeypad: what is typed, key by key with the second of each, and what comes out.
func TestKeypad(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		length     int
		times      []int // of the keys in seconds; nil: one a tenth of a second
		want       string
	}{
		{"sent by #", "4711#", 0, nil, "4711"},
		{"sent by its length", "4711", 4, nil, "4711"},
		{"# alone sends nothing", "##", 0, nil, ""},
		{"* clears", "99*4711#", 0, nil, "4711"},
		{"a lone old digit does not spoil", "94711#", 0, []int{0, 60, 61, 62, 63, 64}, "4711"},
		{"too slow", "4711#", 0, []int{0, 1, 2, 3, 9}, ""},
		{"two one after the other", "4711#0815#", 0, nil, "4711 0815"},
		{"too many digits", "12345678901#4711#", 0, nil, "4711"},
		{"a garbled key spoils up to #", "47?11#0815#", 0, nil, "0815"},
		{"and up to *", "47?1*0815#", 0, nil, "0815"},
		{"clock went back", "47" + "11#", 0, []int{9, 10, 1, 2, 3}, "11"},
	} {
		k := device.Keypad{Length: c.length}
		var got []string
		for i := range len(c.keys) {
			at := time.Duration(i) * 100 * time.Millisecond
			if c.times != nil {
				at = time.Duration(c.times[i]) * time.Second
			}
			if p, ok := k.Press(c.keys[i], at); ok {
				got = append(got, p.Digits())
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestKeypadLaw: whatever was pressed before, after a pause a PIN comes out as it
// is typed.
func TestKeypadLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := device.Keypad{}
		at := time.Duration(0)
		for range rapid.IntRange(0, 20).Draw(t, "before") {
			at += time.Duration(rapid.Int64Range(0, int64(8*time.Second)).Draw(t, "gap"))
			if p, ok := k.Press(rapid.SampledFrom([]byte("0123456789*#?")).Draw(t, "key"), at); ok && p.Len() == 0 {
				t.Fatal("an empty PIN")
			}
		}
		at += 6 * time.Second
		pin := rapid.StringMatching(`[0-9]{1,10}`).Draw(t, "pin")
		for i := range len(pin) {
			if _, ok := k.Press(pin[i], at); ok {
				t.Fatal("sent too early")
			}
			at += 4 * time.Second
		}
		if p, ok := k.Press('#', at); !ok || p.Digits() != pin {
			t.Fatalf("typed %q", pin)
		}
	})
}

// TestSecretsNeverPrint: no verb and no encoder shows a PIN or a code.
func TestSecretsNeverPrint(t *testing.T) {
	p, _ := device.NewPIN("4711")
	c, _ := device.NewCode("GHP1.SECRET")
	e := device.Event{PIN: p, Code: c}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, p, c, e, &e)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	for _, raw := range []string{"4711", "34373131", "SECRET", "534543524554"} {
		if strings.Contains(out.String(), raw) {
			t.Errorf("printed: %s", out.String())
		}
	}
}

func TestFeedbackNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range device.Feedbacks() {
		if name := f.String(); name == "" || seen[name] || strings.HasPrefix(name, "feedback") {
			t.Errorf("%d is called %q", f, name)
		}
		seen[f.String()] = true
	}
}
