package site

import (
	"strings"
	"testing"
)

const (
	wiegandKeys = "type = \"wiegand\"\nchip = \"gpiochip0\"\nd0 = 9\nd1 = 10\nformats = [\"H10301\"]\n"
	osdpKeys    = "type = \"osdp\"\nport = \"/dev/bus\"\naddress = 0\n"
	serialKeys  = "type = \"serial\"\nport = \"/dev/x\"\n"
	codeKeys    = "type = \"code\"\nport = \"/dev/x\"\n"
	pn532Keys   = "type = \"pn532\"\nport = \"/dev/x\"\n"
)

// withReader is goodSite with another reader at the yard.
func withReader(keys string) []byte {
	return []byte(strings.Replace(goodSite, "type = \"serial\"\n  port = \"/dev/ttyUSB0\"\n", keys, 1))
}

// TestReaderFaults: what a reader of this type would ignore, or could never do,
// is refused with what to do about it.
func TestReaderFaults(t *testing.T) {
	signal := ` = {chip = "gpiochip0", line = 13}`
	for name, c := range map[string]struct{ reader, want string }{
		"lamp":             {osdpKeys + "led" + signal, "led belongs to readers of type wiegand"},
		"buzzer":           {serialKeys + "buzzer" + signal, "buzzer belongs to readers of type wiegand"},
		"settings":         {pn532Keys + `settings = {base = "dec"}`, "settings belongs to readers of type serial, code"},
		"active":           {osdpKeys + `active = "low"`, "active belongs to readers of type wiegand"},
		"bias":             {codeKeys + `bias = "none"`, "bias belongs to readers of type wiegand"},
		"baud":             {wiegandKeys + "baud = 9600", "baud belongs to readers of type osdp, serial, code, pn532"},
		"OSDP rate":        {osdpKeys + "baud = 4800", "want one of 9600, 19200, 38400, 57600, 115200, 230400"},
		"odd rate":         {serialKeys + "baud = 9601", "want one of 300, 600, 1200,"},
		"odd rate of NFC":  {pn532Keys + "baud = 115201", "want one of 300, 600, 1200,"},
		"short PIN":        {osdpKeys + "pin = \"with-card\"\npin_length = 3", "pin_length = 3: want 4 to 8"},
		"long PIN":         {wiegandKeys + "keypad = {kind = \"key8\"}\npin = \"with-card\"\npin_length = 9", "pin_length = 9: want 4 to 8"},
		"endless PIN":      {osdpKeys + "pin_length = 11", "pin_length = 11: want 1 to 10"},
		"short code":       {wiegandKeys + "keypad = {kind = \"key8\"}\npin = \"only\"\npin_length = 8", "pin_length = 8: want 10 to 10"},
		"code of no keys":  {serialKeys + "pin = \"only\"", "needs a reader with keys"},
		"whole PINs":       {wiegandKeys + "keypad = {kind = \"pin30\"}\npin = \"only\"", "one-time codes have 10 digits"},
		"code on way out":  {osdpKeys + "pin = \"only\"\ndirection = \"out\"", "no rule may stand before the way out"},
		"length, no keys":  {wiegandKeys + "pin_length = 4", "pin_length and pin_pause_seconds need a reader with keys"},
		"pause, no keys":   {serialKeys + "pin_pause_seconds = 4", "pin_length and pin_pause_seconds need a reader with keys"},
		"relative key":     {osdpKeys + `key_file = "in.key"`, "want a whole path"},
		"format in small":  {strings.Replace(wiegandKeys, "H10301", "h10301", 1), `did you mean "H10301"?`},
		"raw in small":     {strings.Replace(wiegandKeys, "H10301", "raw40", 1), `did you mean "RAW40"?`},
		"format mistyped":  {strings.Replace(wiegandKeys, "H10301", "H10031", 1), `did you mean "H10301"?`},
		"no such format":   {strings.Replace(wiegandKeys, "H10301", "W35", 1), "docs/readers.md lists all"},
		"identity cards":   {"profile = \"idcard-sam-v\"\nport = \"/dev/x\"", "gatehouse checkin --id-card PORT"},
		"type of the desk": {"type = \"idcard\"\nport = \"/dev/x\"", "gatehouse checkin --id-card PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(withReader(c.reader + "\n"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\ndoes not say %q", err, c.want)
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("one fault is told as several:\n%v", err)
			}
		})
	}
}

// TestReadersAccepted: the same keys where they count.
func TestReadersAccepted(t *testing.T) {
	for name, reader := range map[string]string{
		"lamp and buzzer": wiegandKeys + "active = \"high\"\nbias = \"none\"\nled = {chip = \"gpiochip0\", line = 13}\nbuzzer = {chip = \"gpiochip0\", line = 19}",
		"keys":            wiegandKeys + "keypad = {kind = \"key8\"}\npin = \"with-card\"\npin_length = 4\npin_pause_seconds = 5",
		"settings":        serialKeys + "layout = \"line\"\nbaud = 19200\nsettings = {base = \"dec\"}",
		"code settings":   codeKeys + "settings = {end = \"cr\"}",
		"fast OSDP":       osdpKeys + "baud = 230400\nkey_file = \"/k\"\npin = \"with-card\"\npin_length = 8",
		"codes":           wiegandKeys + "keypad = {kind = \"key8\"}\npin = \"only\"",
		"codes by OSDP":   osdpKeys + "pin = \"only\"\npin_length = 10",
		"slow NFC":        pn532Keys + "baud = 9600",
	} {
		if _, err := Parse(withReader(reader + "\n")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoFormatOnce: a missing format is one fault.
func TestNoFormatOnce(t *testing.T) {
	_, err := Parse(withReader(strings.Replace(wiegandKeys, "formats = [\"H10301\"]\n", "", 1)))
	if err == nil || !strings.Contains(err.Error(), "formats is missing") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}
