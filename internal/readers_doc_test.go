package internal_test

import (
	"os"
	"strings"
	"testing"

	"gatehouse/device/fault"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
)

// TestReadersDoc: docs/readers.md names every format, keypad and layout.
func TestReadersDoc(t *testing.T) {
	raw, err := os.ReadFile("../docs/readers.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, name := range wiegand.Names() {
		if !strings.Contains(text, "| "+name+" |") {
			t.Errorf("format %s is not in docs/readers.md", name)
		}
	}
	for _, name := range append(wiegand.KeypadKinds(), serialcard.Names()...) {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("%s is not in docs/readers.md", name)
		}
	}
	for _, f := range []fault.Code{fault.ClearText, fault.Downgrade, fault.WrongKey, fault.DefaultKey, fault.BadMAC,
		fault.Stale, fault.NoKey, fault.Cable, fault.Swapped} {
		if !strings.Contains(text, "`"+f.String()+"`") {
			t.Errorf("fault %s is not in docs/readers.md", f)
		}
	}
}
