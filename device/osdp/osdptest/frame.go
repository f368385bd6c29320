package osdptest

// The OSDP frame as a reader sees it (SIA OSDP 2.2, IEC 60839-11-5): [FF] 53,
// address, length16, control, [security block], code, data, [4 bytes of MAC],
// CRC16 or checksum. The length counts from 53 to the end. Written apart from
// the codec under test.
const (
	startOfMessage = 0x53
	markByte       = 0xFF
	maxMessage     = 1440
	replyBit       = 0x80
	broadcast      = 0x7F
	controlCRC     = 0x04 // control: CRC16, else checksum
	controlBlock   = 0x08 // control: a security block follows
	macSize        = 4
	headerSize     = 5
)

// Codes of a NAK, and that of the NAK itself.
const (
	codeNAK = 0x41

	nakCheck    = 1
	nakLength   = 2
	nakCommand  = 3
	nakSequence = 4
	nakBlock    = 5
	nakSecurity = 6
	nakRecord   = 9
)

// Security blocks: odd ones of commands, even ones of replies.
const (
	blockChallenge = 0x11 // the lowest four have a byte that names the key
	blockCCrypt    = 0x12
	blockSCrypt    = 0x13
	blockRMAC      = 0x14
	blockCmdMAC    = 0x15 // from here on there is a MAC
	blockReplyMAC  = 0x16
	blockCmdEnc    = 0x17 // and from here on the data is encrypted
	blockReplyEnc  = 0x18
)

// packet is a frame taken apart. Its slices point into the bytes that it
// was parsed from.
type packet struct {
	address  byte // without the bit that marks a reply
	reply    bool
	sequence byte
	crc      bool
	block    byte // 0: none
	key      byte // of the blocks 11 to 14: 0 names the default key, 1 the reader's own
	code     byte
	data     []byte
	signed   int // the bytes that the MAC covers: those before it
	mac      []byte
}

// parse takes a frame apart that starts with 53 and has the length that it
// says. The second result is 0, or the reason as a NAK has it: 1 for the check
// characters, 2 for the length, 5 for the security block. With 1 the header's
// fields are there all the same.
func parse(b []byte) (packet, byte) {
	if len(b) < headerSize+2 || b[0] != startOfMessage || int(b[2])|int(b[3])<<8 != len(b) {
		return packet{}, nakLength
	}
	f := packet{
		address: b[1] &^ replyBit, reply: b[1]&replyBit != 0,
		sequence: b[4] & 3, crc: b[4]&controlCRC != 0,
	}
	end := len(b) - checkSize(f.crc)
	if !checkRight(b, f.crc) {
		return f, nakCheck
	}
	at := headerSize
	if b[4]&controlBlock != 0 {
		size := int(b[at])
		if size < 2 || at+size >= end {
			return f, nakBlock
		}
		f.block = b[at+1]
		if size > 2 {
			f.key = b[at+2]
		}
		at += size
	}
	if f.block >= blockCmdMAC {
		end -= macSize
		if end > 0 {
			f.mac = b[end : end+macSize]
		}
	}
	if at >= end {
		return f, nakLength
	}
	f.signed, f.code, f.data = end, b[at], b[at+1:end]
	return f, 0
}

// begin appends everything before the MAC, or before the check characters if
// there is none.
func (p *packet) begin(dst []byte) []byte {
	address, control, size := p.address, p.sequence, headerSize+1+len(p.data)+checkSize(p.crc)
	if p.reply {
		address |= replyBit
	}
	if p.crc {
		control |= controlCRC
	}
	blockSize := 0
	switch {
	case p.block >= blockCmdMAC:
		blockSize = 2
		size += macSize
	case p.block != 0:
		blockSize = 3
	}
	if blockSize > 0 {
		control |= controlBlock
		size += blockSize
	}
	dst = append(dst, startOfMessage, address, byte(size), byte(size>>8), control)
	if blockSize > 0 {
		dst = append(dst, byte(blockSize), p.block)
		if blockSize == 3 {
			dst = append(dst, p.key)
		}
	}
	return append(append(dst, p.code), p.data...)
}

// appendTo appends all of a packet without a MAC.
func (p *packet) appendTo(dst []byte) []byte { return appendCheck(p.begin(dst), p.crc) }

// answer makes the reply to a command: to its address, with its number and check
// characters, in the clear.
func (p *packet) answer(code byte, data []byte) packet {
	return packet{address: p.address, reply: true, sequence: p.sequence, crc: p.crc, code: code, data: data}
}

func checkSize(crc bool) int {
	if crc {
		return 2
	}
	return 1
}

// appendCheck appends the check characters of all of b.
func appendCheck(b []byte, crc bool) []byte {
	if !crc {
		return append(b, checksum(b))
	}
	sum := crc16(b)
	return append(b, byte(sum), byte(sum>>8))
}

// recheck makes the check characters right again after a change.
func recheck(b []byte) {
	crc := b[4]&controlCRC != 0
	if n := len(b) - checkSize(crc); n > 0 {
		appendCheck(b[:n], crc)
	}
}

func checkRight(b []byte, crc bool) bool {
	n := len(b) - checkSize(crc)
	if !crc {
		return b[n] == checksum(b[:n])
	}
	sum := crc16(b[:n])
	return b[n] == byte(sum) && b[n+1] == byte(sum>>8)
}

// crc16 has the polynomial 1021 and the preset 1D0F, high bit first.
func crc16(b []byte) uint16 {
	crc := uint16(0x1D0F)
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// checksum is what makes the sum of all bytes 0.
func checksum(b []byte) byte {
	var sum byte
	for _, c := range b {
		sum += c
	}
	return -sum
}

// scanner finds frames in the bytes of a line.
type scanner struct {
	buf   []byte // what is left of store
	store []byte
}

func (s *scanner) feed(b []byte) {
	n := copy(s.store, s.buf)
	s.store = append(s.store[:n], b...)
	s.buf = s.store
}

// silence is the line having been idle for so long that half a frame is none:
// the bytes after its start may still hold one.
func (s *scanner) silence() {
	if len(s.buf) > 0 {
		s.drop(1)
	}
}

// next returns the next bytes that look like a frame, whether their check
// characters are right or not, or nil when more has to come first. They are
// good until the next feed.
func (s *scanner) next() []byte {
	for len(s.buf) > 0 {
		if s.buf[0] != startOfMessage {
			s.drop(1)
			continue
		}
		if len(s.buf) < headerSize {
			return nil
		}
		n := int(s.buf[2]) | int(s.buf[3])<<8
		crc := s.buf[4]&controlCRC != 0
		if n < headerSize+1+checkSize(crc) || n > maxMessage {
			s.drop(1)
			continue
		}
		if len(s.buf) < n {
			return nil
		}
		frame := s.buf[:n]
		if checkRight(frame, crc) {
			s.drop(n)
		} else {
			s.drop(1)
		}
		return frame
	}
	return nil
}

// drop forgets bytes without moving the others: a frame that next returned is
// still in use.
func (s *scanner) drop(n int) { s.buf = s.buf[n:] }

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}
