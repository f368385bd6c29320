package gateway

import (
	"strings"
	"testing"
)

// TestAgainstPorts: what holds a port is named with what ends it, and the daemon
// itself is no other program.
func TestAgainstPorts(t *testing.T) {
	s, err := ParseSite([]byte(goodSite))
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Ports(); len(p) != 1 || p[0] != "/dev/ttyUSB0" {
		t.Errorf("ports %v", p)
	}
	for command, want := range map[string]string{
		"agetty":       "sudo systemctl disable --now serial-getty@ttyUSB0.service",
		"ModemManager": "77-gatehouse.rules",
		"cat":          "sudo kill 4711",
		"gatehoused":   "",
	} {
		got := strings.Join(s.Against(Found{Ports: []FoundPort{{Path: "/dev/ttyUSB0", TTY: "ttyUSB0", Holders: []PortHolder{{command, 4711}}}}}), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) || want != "" && !strings.Contains(got, "port /dev/ttyUSB0: "+command+" (process 4711)") {
			t.Errorf("%s: %q", command, got)
		}
	}
	if got := s.Against(Found{Ports: []FoundPort{{Hidden: true}}}); len(got) != 1 || !strings.Contains(got[0], "sudo gatehoused check") {
		t.Errorf("%q", got)
	}
}
