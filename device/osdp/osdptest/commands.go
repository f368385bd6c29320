package osdptest

import "encoding/binary"

// act carries a command out and returns the reply's code and data. The data is
// good until the next call.
func (r *Reader) act(code byte, data []byte, secure bool) (byte, []byte) {
	switch code {
	case 0x60:
		return r.reports.poll()
	case 0x61:
		return 0x45, r.cfg.identity()
	case 0x62:
		return 0x46, r.cfg.capabilities()
	case 0x64, 0x65, 0x66, 0x67:
		return r.status(code)
	case 0x68:
		nak := r.front.drive(data, r.seen)
		if nak == 0 && r.cfg.OutputStatus {
			return levels(0x4A, r.front.levels(r.seen))
		}
		return done(nak)
	case 0x69:
		return done(r.front.light(data, r.seen))
	case 0x6A:
		return done(r.front.buzz(data))
	case 0x6B:
		return done(r.front.show(data, r.seen))
	case 0x6E:
		return r.configure(data)
	case 0x75:
		return done(r.own.keySet(data, secure))
	case 0x7B, 0xA2, 0xA7: // ACURXSIZE, ABORT, KEEPACTIVE
		return done(0)
	}
	return done(nakCommand)
}

// status answers LSTAT, ISTAT, OSTAT and RSTAT.
func (r *Reader) status(code byte) (byte, []byte) {
	switch code {
	case 0x64:
		return r.reports.localStatus()
	case 0x65:
		return levels(0x49, make([]byte, r.cfg.Inputs))
	case 0x66:
		return levels(0x4A, r.front.levels(r.seen))
	}
	return 0x4B, []byte{0}
}

// done is ACK, or the NAK with a code that is not 0.
func done(nak byte) (byte, []byte) {
	if nak == 0 {
		return 0x40, nil
	}
	return codeNAK, []byte{nak}
}

// levels is a reply with a byte for each input or output; a reader without any
// does not know the command.
func levels(code byte, b []byte) (byte, []byte) {
	if len(b) == 0 {
		return done(nakCommand)
	}
	return code, b
}

// configure is COMSET: the answer tells what will be.
func (r *Reader) configure(data []byte) (byte, []byte) {
	if len(data) != 5 {
		return done(nakRecord)
	}
	address, baud := data[0], int(binary.LittleEndian.Uint32(data[1:]))
	if address >= broadcast {
		address = r.own.address
	}
	switch baud {
	case 9600, 19200, 38400, 57600, 115200, 230400:
	default:
		baud = r.own.baud
	}
	r.next.address, r.next.baud = address, baud
	return 0x54, binary.LittleEndian.AppendUint32([]byte{address}, uint32(baud))
}

// keySet stores the reader's own key, which ends install mode. Never in the
// clear. It returns the code of the NAK, 0 for none.
func (s *settings) keySet(data []byte, secure bool) byte {
	if !secure {
		return nakSecurity
	}
	if len(data) != 18 || data[0] != 1 || data[1] != 16 {
		return nakRecord
	}
	key := [16]byte(data[2:])
	s.key, s.install = &key, false
	return 0
}
