package gateway_test

import (
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
