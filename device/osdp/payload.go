package osdp

import (
	"encoding/binary"
	"fmt"

	"gatehouse/device"
)

// Identity is what a reader says it is (PDID).
type Identity struct {
	Vendor   [3]byte // IEEE OUI
	Model    byte
	Version  byte
	Serial   uint32
	Firmware [3]byte // major, minor, build
}

// String reads as "vendor 00-06-8E model 1.2 serial 12345678 firmware 3.4.5".
func (i Identity) String() string {
	return fmt.Sprintf("vendor %02X-%02X-%02X model %d.%d serial %08X firmware %d.%d.%d", i.Vendor[0], i.Vendor[1],
		i.Vendor[2], i.Model, i.Version, i.Serial, i.Firmware[0], i.Firmware[1], i.Firmware[2])
}

func parsePDID(b []byte) (i Identity, err error) {
	if len(b) != 12 {
		return i, sizeError("PDID", len(b), 12)
	}
	i.Vendor = [3]byte(b[0:3])
	i.Model, i.Version = b[3], b[4]
	i.Serial = binary.LittleEndian.Uint32(b[5:])
	i.Firmware = [3]byte(b[9:12])
	return i, nil
}

// Capability is one thing that a reader can do (PDCAP), by the numbers of SIA
// OSDP v2.2 annex B.
type Capability struct{ Function, Compliance, Count byte }

// The functions of Capability that a Bus looks at.
const (
	capInputs   = 1
	capOutputs  = 2
	capLED      = 4
	capBuzzer   = 5
	capText     = 6
	capCheck    = 8 // 0: checksums only
	capSecurity = 9
	capReaders  = 13
)

// maxCaps bounds what a PDCAP is kept of: 17 functions are defined.
const maxCaps = 32

func parsePDCap(b []byte) ([]Capability, error) {
	if len(b)%3 != 0 || len(b) > 3*maxCaps {
		return nil, fmt.Errorf("%w: PDCAP of %d bytes, want up to %d times 3", ErrLength, len(b), maxCaps)
	}
	caps := make([]Capability, 0, len(b)/3)
	for ; len(b) > 0; b = b[3:] {
		caps = append(caps, Capability{b[0], b[1], b[2]})
	}
	return caps, nil
}

func parseLStat(b []byte) (tamper, power bool, err error) {
	if len(b) != 2 {
		return false, false, sizeError("LSTATR", len(b), 2)
	}
	return b[0] != 0, b[1] != 0, nil
}

// parseRaw takes a card. Bits after the last one are dropped: not every reader
// sends them as zero.
func parseRaw(b []byte) (device.Card, error) {
	if len(b) < 4 {
		return device.Card{}, sizeError("RAW", len(b), 4)
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	bits := b[4:]
	if n == 0 || n > device.MaxCardBits || len(bits) != (n+7)/8 {
		return device.Card{}, fmt.Errorf("%w: RAW says %d bits and has %d bytes", ErrLength, n, len(bits))
	}
	var clean [device.MaxCardBits / 8]byte
	copy(clean[:], bits)
	if n%8 != 0 {
		clean[len(bits)-1] &= 0xFF << (8 - n%8)
	}
	return device.NewCard(clean[:len(bits)], n)
}

// parseFmt takes the deprecated form of a card: its characters, 8 bits each. A
// card that was drawn backwards comes backwards.
func parseFmt(b []byte) (device.Card, error) {
	if len(b) < 3 {
		return device.Card{}, sizeError("FMT", len(b), 3)
	}
	text := b[3:]
	if int(b[2]) != len(text) || len(text) == 0 || 8*len(text) > device.MaxCardBits {
		return device.Card{}, fmt.Errorf("%w: FMT says %d characters and has %d", ErrLength, b[2], len(text))
	}
	var chars [device.MaxCardBits / 8]byte
	for i, c := range text {
		if b[1] == 1 {
			i = len(text) - 1 - i
		}
		chars[i] = c
	}
	return device.NewCard(chars[:len(text)], 8*len(text))
}

// parseKeypad returns the keys as the wire has them.
func parseKeypad(b []byte) ([]byte, error) {
	if len(b) < 2 || int(b[1]) != len(b)-2 {
		return nil, fmt.Errorf("%w: KEYPAD of %d bytes", ErrLength, len(b))
	}
	return b[2:], nil
}

// keyOf translates a key of KEYPAD to device.Keypad's; 0 for none.
func keyOf(b byte) byte {
	switch {
	case b >= '0' && b <= '9':
		return b
	case b == 0x0D || b == '#':
		return '#'
	case b == 0x7F || b == '*':
		return '*'
	}
	return 0
}

func parseCom(b []byte) (address byte, baud int, err error) {
	if len(b) != 5 {
		return 0, 0, sizeError("COM", len(b), 5)
	}
	return b[0], int(min(binary.LittleEndian.Uint32(b[1:]), 1<<30)), nil
}

func comSet(address byte, baud int) []byte {
	return binary.LittleEndian.AppendUint32([]byte{address}, uint32(baud))
}

// The reasons of a NAK.
const (
	nakCheck    = 1
	nakLength   = 2
	nakUnknown  = 3
	nakSequence = 4
	nakBlock    = 5
	nakSecurity = 6
	nakRecord   = 9
)

var nakReasons = [...]string{
	nakCheck: "wrong check characters", nakLength: "wrong length", nakUnknown: "unknown command",
	nakSequence: "unexpected sequence number", nakBlock: "security block or cryptogram not accepted",
	nakSecurity: "secure channel required", 7: "biometric type not supported", 8: "biometric format not supported",
	nakRecord: "record cannot be processed",
}

// nakReason reads a NAK. Data after the reason is the maker's.
func nakReason(b []byte) (byte, error) {
	if len(b) == 0 {
		return 0, sizeError("NAK", 0, 1)
	}
	return b[0], nil
}

func nakText(reason byte) string {
	if int(reason) < len(nakReasons) && nakReasons[reason] != "" {
		return nakReasons[reason]
	}
	return fmt.Sprintf("reason %d", reason)
}

// ccrypt is a reader's answer to CHLNG. The first eight bytes are its unique
// number, which makers build in different ways: it is not looked at.
type ccrypt struct {
	random     [8]byte
	cryptogram [16]byte
}

func parseCCrypt(b []byte) (c ccrypt, err error) {
	if len(b) != 32 {
		return c, sizeError("CCRYPT", len(b), 32)
	}
	return ccrypt{[8]byte(b[8:16]), [16]byte(b[16:32])}, nil
}

func sizeError(what string, have, want int) error {
	return fmt.Errorf("%w: %s of %d bytes, want %d", ErrLength, what, have, want)
}

// Explain says in words what is in a reply whose data is not encrypted; empty
// where there is nothing to say. It tells no bits of cards and no keys.
func (f Frame) Explain() string {
	if !f.Reply || f.Block.Type == blockCryptReply {
		return ""
	}
	switch f.Code {
	case replyNak:
		return explain(nakReason, f.Data, nakText)
	case replyPDID:
		return explain(parsePDID, f.Data, Identity.String)
	case replyRaw:
		return explain(parseRaw, f.Data, device.Card.String)
	case replyFmt:
		return explain(parseFmt, f.Data, device.Card.String)
	case replyKeypad:
		return explain(parseKeypad, f.Data, func(k []byte) string { return fmt.Sprintf("%d keys", len(k)) })
	case replyLStat:
		tamper, power, err := parseLStat(f.Data)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("tamper %t, power failure %t", tamper, power)
	case replyCom:
		address, baud, err := parseCom(f.Data)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("address %d, %d baud", address, baud)
	}
	return ""
}

func explain[T any](parse func([]byte) (T, error), b []byte, text func(T) string) string {
	v, err := parse(b)
	if err != nil {
		return err.Error()
	}
	return text(v)
}
