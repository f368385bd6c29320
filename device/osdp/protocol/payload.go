package protocol

import (
	"encoding/binary"
	"fmt"

	"gatehouse/device"
)

// Identity is what a reader claims to be (PDID).
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

// Identity reads PDID, the answer to ID.
func (f Frame) Identity() (Identity, error) {
	if f.Code != replyPDID {
		return Identity{}, f.unexpected("PDID")
	}
	b := f.Data
	if len(b) != 12 {
		return Identity{}, sizeError("PDID", len(b), 12)
	}
	return Identity{[3]byte(b), b[3], b[4], binary.LittleEndian.Uint32(b[5:]), [3]byte(b[9:])}, nil
}

// Capability is one thing that a reader can do (PDCAP), by the numbers of SIA
// OSDP v2.2 annex B.
type Capability struct{ Function, Compliance, Count byte }

// The functions of Capability that a panel looks at.
const (
	CapInputs   = 1
	CapOutputs  = 2
	CapLED      = 4
	CapBuzzer   = 5
	CapText     = 6
	CapCheck    = 8 // 0: checksums only
	CapSecurity = 9 // bit 0 of Compliance: AES
	CapReaders  = 13
)

// maxCaps bounds how much of a PDCAP is kept: 17 functions are defined.
const maxCaps = 32

// Capabilities reads PDCAP, the answer to CAP.
func (f Frame) Capabilities() ([]Capability, error) {
	if f.Code != replyPDCap {
		return nil, f.unexpected("PDCAP")
	}
	b := f.Data
	if len(b)%3 != 0 || len(b) > 3*maxCaps {
		return nil, fmt.Errorf("%w: PDCAP of %d bytes, want up to %d times 3", ErrLength, len(b), maxCaps)
	}
	caps := make([]Capability, len(b)/3)
	for i := range caps {
		caps[i] = Capability{b[3*i], b[3*i+1], b[3*i+2]}
	}
	return caps, nil
}

// LocalStatus reads LSTATR: tamper, and failure of the reader's power.
func (f Frame) LocalStatus() (tamper, power bool, err error) {
	if len(f.Data) != 2 {
		return false, false, sizeError("LSTATR", len(f.Data), 2)
	}
	return f.Data[0] != 0, f.Data[1] != 0, nil
}

// Com reads COM, the address and speed that a reader took from COMSET.
func (f Frame) Com() (address byte, baud int, err error) {
	if len(f.Data) != 5 {
		return 0, 0, sizeError("COM", len(f.Data), 5)
	}
	return f.Data[0], int(min(binary.LittleEndian.Uint32(f.Data[1:]), 1<<30)), nil
}

// AppendComSet writes the data of COMSET.
func AppendComSet(dst []byte, address byte, baud int) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, address), uint32(baud))
}

// AppendKeySet writes the data of KEYSET.
func AppendKeySet(dst []byte, k *Key) []byte {
	return append(append(dst, 1, byte(len(k))), k[:]...)
}

// Reason is why a reader refuses a command (NAK).
type Reason byte

// The reasons that a panel looks at.
const (
	ReasonCheck    Reason = 1
	ReasonUnknown  Reason = 3
	ReasonSequence Reason = 4
	ReasonBlock    Reason = 5
	ReasonSecurity Reason = 6
)

var reasons = [...]string{
	ReasonCheck: "wrong check characters", 2: "wrong length", ReasonUnknown: "unknown command",
	ReasonSequence: "unexpected sequence number", ReasonBlock: "security block or cryptogram not accepted",
	ReasonSecurity: "secure channel required", 7: "biometric type not supported", 8: "biometric format not supported",
	9: "record cannot be processed",
}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", byte(r))
}

// Reason reads a NAK. Data after the reason is the maker's.
func (f Frame) Reason() (Reason, error) {
	if f.Code != ReplyNak {
		return 0, f.unexpected("NAK")
	}
	if len(f.Data) == 0 {
		return 0, sizeError("NAK", 0, 1)
	}
	return Reason(f.Data[0]), nil
}

func (f Frame) unexpected(want string) error { return fmt.Errorf("%s instead of %s", f.Name(), want) }

func sizeError(what string, have, want int) error {
	return fmt.Errorf("%w: %s of %d bytes, want %d", ErrLength, what, have, want)
}

// Explain describes a reply whose data is not encrypted; empty where there is nothing to say. It
// shows no bits of cards and no keys.
func (f Frame) Explain() string {
	if !f.Reply || f.Block.Type == blockCryptReply {
		return ""
	}
	switch f.Code {
	case ReplyNak:
		reason, err := f.Reason()
		return explain(err, "%v", reason)
	case replyPDID:
		id, err := f.Identity()
		return explain(err, "%v", id)
	case ReplyRaw, ReplyFmt:
		card, err := f.Card()
		return explain(err, "%v", card)
	case ReplyKeypad:
		keys, err := f.Keys(nil)
		return explain(err, "%d keys", len(keys))
	case ReplyLStat:
		tamper, power, err := f.LocalStatus()
		return explain(err, "tamper %t, power failure %t", tamper, power)
	case ReplyCom:
		address, baud, err := f.Com()
		return explain(err, "address %d, %d baud", address, baud)
	}
	return ""
}

func explain(err error, format string, values ...any) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf(format, values...)
}

// Card returns the card in a RAW or FMT reply that is not encrypted, as the
// reader sent its bits: a Bus checks them as well.
func (f Frame) Card() (device.Card, error) {
	switch {
	case !f.Reply || f.Block.Type == blockCryptReply:
	case f.Code == ReplyRaw:
		return parseRaw(f.Data)
	case f.Code == ReplyFmt:
		return parseFmt(f.Data)
	}
	return device.Card{}, fmt.Errorf("%s has no card in clear text", f.Name())
}

// Keys writes the keys of a KEYPAD reply that is not encrypted behind dst, as
// device.Keypad takes them: digits, * and #, and 0 for what is no key.
func (f Frame) Keys(dst []byte) ([]byte, error) {
	if !f.Reply || f.Block.Type == blockCryptReply || f.Code != ReplyKeypad {
		return dst, f.unexpected("KEYPAD in clear text")
	}
	b := f.Data
	if len(b) < 2 || int(b[1]) != len(b)-2 {
		return dst, fmt.Errorf("%w: KEYPAD of %d bytes", ErrLength, len(b))
	}
	for _, key := range b[2:] {
		dst = append(dst, keyOf(key))
	}
	return dst, nil
}

// parseRaw parses a card. Bits after the last one are dropped: not every reader sends them as zero.
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

// parseFmt parses the deprecated form of a card: its characters, 8 bits each. A card that was drawn
// backwards comes backwards.
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
