package site

import (
	"strings"
	"testing"
)

// TestAgainstPorts: what holds a port is named with what ends it, and the daemon
// itself is no other program.
func TestAgainstPorts(t *testing.T) {
	s, err := Parse([]byte(goodSite))
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
	if got := s.Against(Found{Ports: []FoundPort{{Path: "/dev/ttyUSB0", NoPort: true}, {Path: "/etc", NoPort: true}}}); len(got) != 2 || !strings.Contains(got[0], "port /dev/ttyUSB0 is no serial port") {
		t.Errorf("%q", got)
	}
	if got := s.Against(Found{Ports: []FoundPort{{Hidden: true}}}); len(got) != 1 || !strings.Contains(got[0], "sudo gatehoused check") {
		t.Errorf("%q", got)
	}
}

// TestAgainstTwoNames: one port under two names.
func TestAgainstTwoNames(t *testing.T) {
	s, err := Parse([]byte(goodSite))
	if err != nil {
		t.Fatal(err)
	}
	got := s.Against(Found{Ports: []FoundPort{{Path: "/dev/ttyUSB0", TTY: "ttyUSB0"}, {Path: "/dev/serial/by-id/x", TTY: "ttyUSB0"}, {Path: "/dev/ttyUSB1", TTY: "ttyUSB1"}}})
	if len(got) != 1 || !strings.Contains(got[0], "/dev/ttyUSB0 and /dev/serial/by-id/x are the same") {
		t.Errorf("%q", got)
	}
}

// TestAgainstConsole: a console on a reader's port is told, one elsewhere is not.
func TestAgainstConsole(t *testing.T) {
	s, err := Parse([]byte(goodSite))
	if err != nil {
		t.Fatal(err)
	}
	found := Found{Ports: []FoundPort{{Path: "/dev/ttyUSB0", TTY: "ttyUSB0"}}, Consoles: []string{"tty1", "ttyS0"}}
	if got := s.Against(found); len(got) > 0 {
		t.Errorf("%q", got)
	}
	found.Consoles = append(found.Consoles, "ttyUSB0")
	if got := s.Against(found); len(got) != 1 || !strings.Contains(got[0], "console=ttyUSB0") {
		t.Errorf("%q", got)
	}
}

// TestAgainstChips: what the machine has under the names of the site file.
func TestAgainstChips(t *testing.T) {
	s, err := Parse([]byte(goodSite))
	if err != nil {
		t.Fatal(err)
	}
	own := FoundChip{Names: []string{"gpiochip0", "gpiochip4"}, Label: "pinctrl-bcm2711", Lines: 58}
	for name, c := range map[string]struct {
		change func(*FoundChip)
		want   string // empty: nothing is told
	}{
		"as it should be": {func(*FoundChip) {}, ""},
		"our own daemon":  {func(c *FoundChip) { c.Users = map[int]string{17: "gatehouse-front-relay"} }, ""},
		"another name":    {func(c *FoundChip) { c.Names = []string{"gpiochip1"} }, `chip "gpiochip0" is not on this machine, which has gpiochip1 [pinctrl-bcm2711]`},
		"another chip":    {func(c *FoundChip) { c.Label = "pinctrl-rp1" }, `write chip = "pinctrl-bcm2711"`},
		"fewer lines":     {func(c *FoundChip) { c.Lines = 20 }, "front exit: line 23: gpiochip0 [pinctrl-bcm2711] has lines 0 to 19"},
		"used":            {func(c *FoundChip) { c.Users = map[int]string{17: "spi0 CS1"} }, `front relay: gpiochip0 [pinctrl-bcm2711] line 17 is used by "spi0 CS1"`},
	} {
		chip := own
		c.change(&chip)
		got := strings.Join(s.Against(Found{Chips: []FoundChip{chip}}), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := s.Against(Found{}); len(got) > 0 {
		t.Errorf("a machine that is no gateway: %q", got)
	}
}

// TestAbsentChips: each chip of the site file that the machine lacks is named once, by whatever
// name it has there; one that goes by its label is not.
func TestAbsentChips(t *testing.T) {
	s, err := Parse([]byte(goodSite))
	if err != nil {
		t.Fatal(err)
	}
	for want, chips := range map[string][]FoundChip{
		"gpiochip0": {{Names: []string{"gpiochip1"}, Label: "pinctrl-bcm2711", Lines: 58}},
		"":          {{Names: []string{"gpiochip3"}, Label: "gpiochip0", Lines: 58}},
	} {
		if got := strings.Join(Found{Chips: chips}.AbsentChips(s), ", "); got != want {
			t.Errorf("of %v absent %q, want %q", chips, got, want)
		}
	}
	if got := (Found{}).AbsentChips(s); len(got) > 0 {
		t.Errorf("a machine that is no gateway: %q", got)
	}
}

// TestBoards: what the board's profile knows is told with what to write, and a file
// that has that written is taken.
func TestBoards(t *testing.T) {
	site := func(board, relay, rest string) string {
		return "building = \"lane-7\"\ngateway = \"gw1\"\nboard = \"" + board + "\"\n[[door]]\nid = \"front\"\negress = \"mechanical\"\n" +
			"lock = \"fail-secure\"\nrelay = {" + relay + "}\n" + rest
	}
	const wiegand = "[[door.reader]]\nid = \"in\"\ntype = \"wiegand\"\nchip = \"pinctrl-bcm2711\"\nd0 = 17\nd1 = 6\nformats = [\"H10301\"]\n"
	const serial = "[[door.reader]]\nid = \"in\"\ntype = \"serial\"\nport = \"/dev/serial0\"\n"
	for name, c := range map[string]struct{ bad, want, good string }{
		"a chip of the SoC": {site("raspberry-pi-5", `chip = "gpiochip0", line = 17, pull = "down"`, ""), `chip = "pinctrl-rp1"`,
			site("raspberry-pi-5", `chip = "pinctrl-rp1", line = 17, pull = "down"`, "")},
		"a chip by path": {site("raspberry-pi-5", `chip = "/dev/gpiochip0", line = 17, pull = "down"`, ""), `chip = "pinctrl-rp1"`,
			site("raspberry-pi-5", `chip = "mcp23017", line = 3, pull = "down"`, "")},
		"a number of sysfs": {site("raspberry-pi-4", `chip = "gpiochip0", line = 529, pull = "down"`, ""), "write line = 17",
			site("raspberry-pi-4", `chip = "gpiochip0", line = 17, pull = "down"`, "")},
		"no such line": {site("raspberry-pi-4", `chip = "gpiochip0", line = 58, pull = "down"`, ""), "lines 0 to 57",
			site("raspberry-pi-4", `chip = "gpiochip0", line = 57, pull = "down"`, "")},
		"two names": {site("raspberry-pi-4", `chip = "gpiochip0", line = 17`, wiegand), "front relay and for front in d0",
			site("raspberry-pi-4", `chip = "gpiochip0", line = 27`, wiegand)},
		"a pin of the port": {site("raspberry-pi-4", `chip = "gpiochip0", line = 14`, serial), "for a relay this board has 17, 27",
			site("raspberry-pi-4", `chip = "gpiochip0", line = 17`, serial)},
	} {
		if _, err := Parse([]byte(c.bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, err := Parse([]byte(c.good)); err != nil {
			t.Errorf("%s, mended: %v", name, err)
		}
	}
}

// TestUnusedParts: a relay on the pins of a UART that nothing here uses, and keys that
// nothing uses, are told, and not once they are mended.
func TestUnusedParts(t *testing.T) {
	keys := strings.Replace(goodSite, `formats = ["H10301", "H10306"]`, "formats = [\"H10301\"]\nkeypad = {kind = \"key4\"}", 1)
	for _, c := range []struct{ text, old, new, want string }{
		{goodSite, "line = 17", "line = 14", "front relay is on the TX pin of /dev/ttyAMA0"},
		{keys, "type = \"wiegand\"", "type = \"wiegand\"\npin = \"with-card\"", `write pin = "with-card"`},
	} {
		other := strings.Replace(c.text, c.old, c.new, 1)
		if c.text == goodSite {
			c.text, other = other, c.text
		}
		for text, told := range map[string]bool{c.text: true, other: false} {
			s, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.Remarks(), "\n"); strings.Contains(got, c.want) != told {
				t.Errorf("%q: %v in\n%s", c.want, !told, got)
			}
		}
	}
}
