// Package protocol is OSDP as the standard writes it (SIA OSDP v2.2, IEC
// 60839-11-5), the control panel's side: frames and their check characters, the
// payloads of commands and replies, and the secure channel of annex D. It is pure:
// bytes in, values out, no clock, no port, and the random numbers of a handshake
// come from the caller.
package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	som       = 0x53 // start of message
	replyFlag = 0x80 // in the address byte
	headSize  = 5    // SOM, address, length, control
	minFrame  = headSize + 2
	macSize   = 4

	ctrlSequence = 0x03
	ctrlCRC      = 0x04
	ctrlBlock    = 0x08
	ctrlReserved = 0xF0
)

// Mark is the idle level of the line as a byte; one is sent before each frame.
const Mark = 0xFF

// maxFrame is the longest frame in bytes, without the mark (SIA OSDP v2.2).
const maxFrame = 1440

// ConfigAddress is the address that every reader answers to: only for a bus with
// one reader.
const ConfigAddress = 0x7F

// The errors of Parse.
var (
	ErrLength = errors.New("wrong length")
	ErrCheck  = errors.New("wrong check characters")
)

// Frame is one message on the bus. Its slices point into what was parsed.
type Frame struct {
	Address  byte // 0 to 0x7E, ConfigAddress
	Reply    bool // by a reader; else a command by the panel
	Sequence byte // 0 to 3
	CRC      bool // checked by CRC-16; else by the one-byte sum
	Block    Block
	Code     byte
	Data     []byte // as on the wire: encrypted where Block says so
	MAC      [4]byte

	signed []byte // what a MAC is computed over, as it was parsed
}

// Block is the security block of a frame; Type 0 is none. Data is one byte that
// names the key in the four frames of the handshake, else empty.
type Block struct {
	Type byte
	Data []byte
}

// The types of security blocks. Odd ones are the panel's, even ones the reader's.
const (
	blockChallenge  = 0x11
	blockCCrypt     = 0x12
	blockSCrypt     = 0x13
	blockRMAC       = 0x14
	blockMAC        = 0x15
	blockMACReply   = 0x16
	blockCrypt      = 0x17
	blockCryptReply = 0x18
)

// HasMAC reports whether four bytes of a message authentication code follow the data.
func (b Block) HasMAC() bool { return b.Type >= blockMAC && b.Type <= blockCryptReply }

// String returns the name of the block's type; empty for none.
func (b Block) String() string {
	switch {
	case b.Type == 0:
		return ""
	case b.Type >= blockChallenge && b.Type <= blockCryptReply:
		return fmt.Sprintf("SCS_%02X", b.Type)
	}
	return fmt.Sprintf("0x%02X", b.Type)
}

// Parse takes one whole frame, from SOM to the check characters, without the
// mark. It checks everything but the MAC. What it accepts, Append writes again
// byte by byte.
func Parse(b []byte) (Frame, error) {
	if len(b) < minFrame {
		return Frame{}, fmt.Errorf("%w: %d bytes, a frame has at least %d", ErrLength, len(b), minFrame)
	}
	if b[0] != som {
		return Frame{}, fmt.Errorf("frame starts with %02X, want %02X", b[0], som)
	}
	n, err := frameSize(b)
	if err != nil {
		return Frame{}, err
	}
	if n != len(b) {
		return Frame{}, fmt.Errorf("%w: frame says %d bytes, there are %d", ErrLength, n, len(b))
	}
	body, err := checked(b)
	if err != nil {
		return Frame{}, err
	}
	f := Frame{
		Address:  b[1] &^ replyFlag,
		Reply:    b[1]&replyFlag != 0,
		Sequence: b[4] & ctrlSequence,
		CRC:      b[4]&ctrlCRC != 0,
	}
	if err := f.parseBody(body, b[4]&ctrlBlock != 0); err != nil {
		return Frame{}, err
	}
	return f, nil
}

// frameSize reads the length from a frame's first five bytes, and refuses what can't begin a frame.
func frameSize(head []byte) (int, error) {
	n, ctrl := int(binary.LittleEndian.Uint16(head[2:])), head[4]
	if ctrl&ctrlReserved != 0 {
		return 0, fmt.Errorf("control byte %02X has reserved bits set", ctrl)
	}
	if n < minSize(ctrl) || n > maxFrame {
		return 0, fmt.Errorf("%w: frame says %d bytes, want %d to %d", ErrLength, n, minSize(ctrl), maxFrame)
	}
	return n, nil
}

func minSize(ctrl byte) int {
	n := minFrame
	if ctrl&ctrlCRC != 0 {
		n++
	}
	if ctrl&ctrlBlock != 0 {
		n += 2
	}
	return n
}

// checked returns the frame without its check characters if they are right.
func checked(b []byte) ([]byte, error) {
	if b[4]&ctrlCRC == 0 {
		body := b[:len(b)-1]
		if want := checksum(body); b[len(b)-1] != want {
			return nil, fmt.Errorf("%w: checksum %02X, want %02X", ErrCheck, b[len(b)-1], want)
		}
		return body, nil
	}
	body := b[:len(b)-2]
	if got, want := binary.LittleEndian.Uint16(b[len(b)-2:]), crc16(body); got != want {
		return nil, fmt.Errorf("%w: CRC %04X, want %04X", ErrCheck, got, want)
	}
	return body, nil
}

// parseBody parses the bytes between the control byte and the check characters.
func (f *Frame) parseBody(whole []byte, block bool) error {
	b := whole[headSize:]
	if block {
		n := int(b[0])
		if n < 2 || n >= len(b) {
			return fmt.Errorf("%w: security block of %d bytes before %d others", ErrLength, n, len(b)-1)
		}
		if b[1] == 0 {
			return errors.New("security block of type 0")
		}
		f.Block = Block{Type: b[1], Data: b[2:n]}
		b = b[n:]
	}
	if f.Block.HasMAC() {
		if len(b) < 1+macSize {
			return fmt.Errorf("%w: no room for the MAC of %v", ErrLength, f.Block)
		}
		copy(f.MAC[:], b[len(b)-macSize:])
		b = b[:len(b)-macSize]
		f.signed = whole[:len(whole)-macSize]
	}
	f.Code, f.Data = b[0], b[1:]
	return nil
}

// Append writes the frame, without the mark, behind dst. It refuses an address,
// a sequence number or a length that no frame has.
func (f Frame) Append(dst []byte) ([]byte, error) {
	start := len(dst)
	dst, err := f.appendBody(dst)
	if err != nil {
		return nil, err
	}
	if f.Block.HasMAC() {
		dst = append(dst, f.MAC[:]...)
	}
	return f.appendCheck(dst, start), nil
}

// appendBody writes the frame up to its data: what a MAC is computed over. The
// length counts all that follows too.
func (f Frame) appendBody(dst []byte) ([]byte, error) {
	n := headSize + 1 + len(f.Data) + 1
	address, ctrl := f.Address, f.Sequence
	if f.CRC {
		n, ctrl = n+1, ctrl|ctrlCRC
	}
	if f.Block.Type != 0 {
		n, ctrl = n+2+len(f.Block.Data), ctrl|ctrlBlock
	}
	if f.Block.HasMAC() {
		n += macSize
	}
	if n > maxFrame {
		return nil, fmt.Errorf("%w: frame of %d bytes, at most %d", ErrLength, n, maxFrame)
	}
	if f.Address > ConfigAddress || f.Sequence > ctrlSequence || len(f.Block.Data) > 253 {
		return nil, fmt.Errorf("no frame has address %d, sequence %d and a security block of %d bytes",
			f.Address, f.Sequence, len(f.Block.Data)+2)
	}
	if f.Reply {
		address |= replyFlag
	}
	dst = append(dst, som, address, byte(n), byte(n>>8), ctrl)
	if f.Block.Type != 0 {
		dst = append(dst, byte(2+len(f.Block.Data)), f.Block.Type)
		dst = append(dst, f.Block.Data...)
	}
	dst = append(dst, f.Code)
	return append(dst, f.Data...), nil
}

func (f Frame) appendCheck(dst []byte, start int) []byte {
	if f.CRC {
		return binary.LittleEndian.AppendUint16(dst, crc16(dst[start:]))
	}
	return append(dst, checksum(dst[start:]))
}

// crcTable is the table of the CRC-16 with polynomial 0x1021, most significant
// bit first.
var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i) << 8
		for range 8 {
			carry := c&0x8000 != 0
			c <<= 1
			if carry {
				c ^= 0x1021
			}
		}
		t[i] = c
	}
	return t
}()

// crc16 is the check of OSDP: preset 0x1D0F, no final exclusive or. It is sent
// low byte first.
func crc16(b []byte) uint16 {
	c := uint16(0x1D0F)
	for _, v := range b {
		c = c<<8 ^ crcTable[byte(c>>8)^v]
	}
	return c
}

// checksum is the two's complement of the sum of all bytes.
func checksum(b []byte) byte {
	var sum byte
	for _, v := range b {
		sum += v
	}
	return -sum
}
