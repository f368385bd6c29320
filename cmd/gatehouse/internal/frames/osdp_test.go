package frames

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDecodeOSDP(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"53 00 09 00 04 61 00 C0 66", `{"address":0,"reply":false,"sequence":0,"code":"ID","code_hex":"61","check":"crc","secure":null,"data":"00","error":null}`},
		{"ff530008000061 0044\r\n", `{"address":0,"reply":false,"sequence":0,"code":"ID","code_hex":"61","check":"checksum","secure":null,"data":"00","error":null}`},
		{"FFFF FF 53 00 08 00 00 61 00 44", `{"address":0,"reply":false,"sequence":0,"code":"ID","code_hex":"61","check":"checksum","secure":null,"data":"00","error":null}`},
		{"53 00 0E 00 0E 02 15 60 4B 32 76 77 73 B6", `{"address":0,"reply":false,"sequence":2,"code":"POLL","code_hex":"60","check":"crc","secure":{"type":"SCS_15","data":"","mac":"4b327677"},"data":"","error":null}`},
		{"53 00 09 00 04 61 00 C0 67", `{"address":null,"reply":null,"sequence":null,"code":null,"code_hex":null,"check":null,"secure":null,"data":null,"error":"wrong check characters: CRC 67C0, want 66C0"}`},
		{"53 00", `{"address":null,"reply":null,"sequence":null,"code":null,"code_hex":null,"check":null,"secure":null,"data":null,"error":"wrong length: 2 bytes, a frame has at least 7"}`},
	} {
		got, err := json.Marshal(decodeOSDPLine(c.line))
		if err != nil || string(got) != c.want {
			t.Errorf("%q: %s, %v\nwant %s", c.line, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "FF", "FFFF", "zz", "5", "53 0 x"} {
		if d := decodeOSDPLine(bad); d.Error == nil || d.Address != nil {
			t.Errorf("%q: %+v", bad, d)
		}
	}
	d := decodeOSDPLine("53 80 10 00 05 50 00 01 1A 00 80 FF C0 40 B1 2B")
	if d.Error == nil || !strings.Contains(*d.Error, "check") {
		t.Errorf("a RAW with wrong check characters: %+v", d)
	}
}

func TestDecodeOSDPSaysWhichDigit(t *testing.T) {
	for line, want := range map[string]string{
		"0x53":         "digit 2 is no hexadecimal one",
		"53:00:08":     "digit 3 is no hexadecimal one",
		"53 00 08 0":   "7 hexadecimal digits: a byte has two",
		"\uff15\uff13": "digit 1 is no hexadecimal one",
	} {
		if d := decodeOSDPLine(line); d.Error == nil || !strings.Contains(*d.Error, want) {
			t.Errorf("%q: %v, want %q", line, d.Error, want)
		}
	}
}
