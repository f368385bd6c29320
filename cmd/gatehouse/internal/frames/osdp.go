package frames

import (
	"encoding/hex"
	"fmt"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device/osdp/protocol"
	"gatehouse/internal/command"
)

type decodeOSDPCmd struct{}

// decodedOSDP is one frame of an OSDP bus. Everything but Error is null where the frame is not
// valid.
type decodedOSDP struct {
	Address  *byte       `json:"address"`
	Reply    *bool       `json:"reply"`
	Sequence *byte       `json:"sequence"`
	Code     *string     `json:"code"`
	CodeHex  *string     `json:"code_hex"`
	Check    *string     `json:"check"`
	Secure   *osdpSecure `json:"secure"`
	Data     *string     `json:"data"`
	Detail   *string     `json:"detail,omitempty"`
	Error    *string     `json:"error"`
}

// osdpSecure is the security block. With a MAC the data is only checked
// (SCS_15, SCS_16) or encrypted too (SCS_17, SCS_18).
type osdpSecure struct {
	Type string  `json:"type"`
	Data string  `json:"data"`
	MAC  *string `json:"mac"`
}

func (decodeOSDPCmd) Run(s *session.Session) error {
	return eachLine(s, func(line string) any { return decodeOSDPLine(line) })
}

func decodeOSDPLine(line string) decodedOSDP {
	f, err := parseOSDPLine(line)
	if err != nil {
		return decodedOSDP{Error: new(err.Error())}
	}
	d := decodedOSDP{
		Address: &f.Address, Reply: &f.Reply, Sequence: &f.Sequence,
		Code: new(f.Name()), CodeHex: new(fmt.Sprintf("%02X", f.Code)), Check: new(command.Choose(f.CRC, "crc", "checksum")),
		Data: new(hex.EncodeToString(f.Data)),
	}
	if f.Block.Type != 0 {
		d.Secure = &osdpSecure{Type: f.Block.String(), Data: hex.EncodeToString(f.Block.Data)}
		if f.Block.HasMAC() {
			d.Secure.MAC = new(hex.EncodeToString(f.MAC[:]))
		}
	}
	if text := f.Explain(); text != "" {
		d.Detail = &text
	}
	return d
}

// parseOSDPLine parses hexadecimal digits with white space anywhere. No frame begins with FF: it is
// the mark that is sent before one, by some more than once.
func parseOSDPLine(line string) (protocol.Frame, error) {
	text := strings.Join(strings.Fields(line), "")
	if i := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }); i >= 0 {
		return protocol.Frame{}, fmt.Errorf("digit %d is no hexadecimal one: write bytes as 53 00 09, with nothing but spaces between", i+1)
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return protocol.Frame{}, fmt.Errorf("%d hexadecimal digits: a byte has two", len(text))
	}
	for len(b) > 0 && b[0] == 0xFF {
		b = b[1:]
	}
	return protocol.Parse(b)
}
