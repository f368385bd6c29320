package site

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRemarks: the board's and the readers' dangers are told, and no others.
func TestRemarks(t *testing.T) {
	text := withReader("id = \"in\"\ntype = \"osdp\"\nport = \"/dev/bus\"\naddress = 0\n[[door.reader]]\nid = \"uid\"\nprofile = \"pn532-hsu\"\nport = \"/dev/x\"\n")
	newer := strings.NewReplacer("raspberry-pi-4", "raspberry-pi-5", "gpiochip0", "pinctrl-rp1", "17}", `17, pull = "down"}`, "27}", `27, pull = "down"}`)
	s, err := Parse([]byte(newer.Replace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Join(s.Remarks(), "\n")
	for _, want := range []string{"Raspberry Pi 5", "strict_gpiod", "gatehoused secure", "yard/uid", "again: front/in"} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in:\n%s", want, told)
		}
	}
	if strings.Contains(told, "yard/in") {
		t.Errorf("a reader with a secure channel is warned of:\n%s", told)
	}
}

// TestRemarksOfKeys: a key that the daemon could not use is told before it runs.
func TestRemarksOfKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.key")
	s, err := Parse(withReader(fmt.Sprintf("id = \"in\"\ntype = \"osdp\"\nport = \"/dev/bus\"\naddress = 0\nkey_file = %q\n", path)))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{
		"":                                 true,
		"xyz":                              true,
		"303132333435363738393a3b3c3d3e3f": true,
		"9f3c1d0b7a64e85f20c9b1d7446af3e2": false,
	} {
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(s.Remarks(), "\n")
		if strings.Contains(text, "reader yard/in: mend its key file") != want {
			t.Errorf("key %q:\n%s", key, text)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(s.Remarks(), "\n"); strings.Contains(text, "key file") {
		t.Errorf("a reader that is not paired yet:\n%s", text)
	}
}
