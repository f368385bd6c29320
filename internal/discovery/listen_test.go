package discovery

import (
	"encoding/hex"
	"testing"

	"gatehouse/device/devicetest"
)

// TestRecognise: what a module sends, by another encoder, is known for what it is; noise,
// half a frame and a card's number in no form that is known are nobody's.
func TestRecognise(t *testing.T) {
	frame := func(layout, number string) string {
		raw, err := hex.DecodeString(number)
		if err != nil {
			t.Fatal(err)
		}
		b, err := devicetest.SerialFrame(layout, raw)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	em := frame("rdm6300", "62e3086ced")
	for name, c := range map[string]struct {
		burst   string
		baud    int
		want    string
		hex     int // digits, of a line
		lower   bool
		scanner bool
	}{
		"RDM6300":                    {burst: em, want: "rdm6300"},
		"repeated":                   {burst: em + em + em[:7], want: "rdm6300"},
		"from the middle":            {burst: em[9:] + em, want: "rdm6300"},
		"ID-12":                      {burst: frame("id12", "62e3086ced"), want: "id12"},
		"EM-18":                      {burst: frame("em18", "62e3086ced"), want: "em18"},
		"7941D, EM4100":              {burst: frame("7941d", "62e3086ced"), want: "7941d"},
		"7941D, MIFARE":              {burst: frame("7941d", "6b3d12d6"), want: "7941d"},
		"Codatex":                    {burst: frame("codatex", "0123456789"), want: "codatex"},
		"SP-D300":                    {burst: frame("sp-d300", "1a2b"), baud: 38400, want: "sp-d300"},
		"MF7":                        {burst: frame("mf7", "6b3d12d6"), baud: 19200, want: "mf7"},
		"ten digits":                 {burst: "0006171021\r\n", want: "line"},
		"ten digits, bare CR":        {burst: "0006171021\r", want: "line"},
		"eight hex digits":           {burst: "6B3D12D6\r\n", want: "line", hex: 8},
		"ten hex digits, lower case": {burst: "62e3086ced\r\n", want: "line", hex: 10, lower: true},
		"a code":                     {burst: "GH1:EXAMPLE-CODE\r\n", want: "code", scanner: true},
		"a web page's address":       {burst: "https://example.org/a?b=c\r", want: "code", scanner: true},
		"nine digits":                {burst: "006171021\r\n"},
		"noise":                      {burst: "\x80\xfe\x00\xf8\x80\x80"},
		"half a frame":               {burst: em[:9]},
		"wrong check digits":         {burst: em[:12] + "0" + em[13:]},
		"nothing":                    {},
	} {
		if c.baud == 0 {
			c.baud = 9600
		}
		got := recognise([]byte(c.burst), c.baud)
		if got.Layout != c.want || c.want != "" && got.Baud != c.baud || (got.Type == "code") != c.scanner || (got.Settings != nil) != (c.hex > 0) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if s := got.Settings; s != nil && (s.Digits[0] != c.hex || (s.Base == "hex_lower") != c.lower) {
			t.Errorf("%s: %+v", name, *s)
		}
	}
}
