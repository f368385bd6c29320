package internal_test

import (
	"os"
	"strings"
	"testing"

	"gatehouse/device"
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
	for _, f := range []device.Fault{device.FaultClearText, device.FaultDowngrade, device.FaultWrongKey, device.FaultDefaultKey, device.FaultBadMAC,
		device.FaultStale, device.FaultNoKey, device.FaultCable, device.FaultSwapped} {
		if !strings.Contains(text, "`"+f.String()+"`") {
			t.Errorf("fault %s is not in docs/readers.md", f)
		}
	}
}
