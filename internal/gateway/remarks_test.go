package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/gateway"
)

// TestRemarks: the board's and the readers' dangers are told, and no others.
func TestRemarks(t *testing.T) {
	h := newHouse(t)
	h.yardReader("type = \"osdp\"\nport = \"/dev/bus\"\naddress = 0\n[[door.reader]]\nid = \"uid\"\nprofile = \"pn532-hsu\"\nport = \"/dev/x\"\n")
	site, err := gateway.ParseSite([]byte(strings.Replace(h.site, "gateway = \"gw1\"", "gateway = \"gw1\"\nboard = \"raspberry-pi-5\"", 1)))
	must(t, err)
	text := strings.Join(site.Remarks(), "\n")
	for _, want := range []string{"Raspberry Pi 5", "strict_gpiod", "gatehoused secure", "yard/uid", "again: front/in"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "yard/in") {
		t.Errorf("a reader with a secure channel is warned of:\n%s", text)
	}
}

// TestRemarksOfKeys: a key that the daemon could not use is told before it runs.
func TestRemarksOfKeys(t *testing.T) {
	h := newHouse(t)
	path := filepath.Join(t.TempDir(), "in.key")
	h.yardReader(fmt.Sprintf("type = \"osdp\"\nport = \"/dev/bus\"\naddress = 0\nkey_file = %q\n", path))
	site, err := gateway.ParseSite([]byte(h.site))
	must(t, err)
	for key, want := range map[string]bool{
		"":                                 true,
		"xyz":                              true,
		"303132333435363738393a3b3c3d3e3f": true,
		"9f3c1d0b7a64e85f20c9b1d7446af3e2": false,
	} {
		must(t, os.WriteFile(path, []byte(key), 0o600))
		text := strings.Join(site.Remarks(), "\n")
		if strings.Contains(text, "reader yard/in: mend its key file") != want {
			t.Errorf("key %q:\n%s", key, text)
		}
	}
	must(t, os.Remove(path))
	if text := strings.Join(site.Remarks(), "\n"); strings.Contains(text, "key file") {
		t.Errorf("a reader that is not paired yet:\n%s", text)
	}
}
