package osdptest

import (
	"encoding/binary"
	"time"
)

// act carries a command out and returns the reply's code and data. The data is
// good until the next call.
func (r *Reader) act(code byte, data []byte, secure bool) (byte, []byte) {
	switch code {
	case 0x60:
		return r.poll()
	case 0x61:
		return 0x45, r.identity()
	case 0x62:
		return 0x46, r.capabilities()
	case 0x64:
		return r.localStatus()
	case 0x65:
		return r.status(0x49, make([]byte, r.cfg.Inputs))
	case 0x66:
		return r.outputStatus()
	case 0x67:
		return 0x4B, []byte{0}
	case 0x68:
		return r.drive(data)
	case 0x69:
		return r.light(data)
	case 0x6A:
		return r.buzz(data)
	case 0x6B:
		return r.show(data)
	case 0x6E:
		return r.configure(data)
	case 0x75:
		return r.keySet(data, secure)
	case 0x7B, 0xA2, 0xA7: // ACURXSIZE, ABORT, KEEPACTIVE
		return 0x40, nil
	}
	return r.nak(nakCommand)
}

func (r *Reader) nak(code byte) (byte, []byte) {
	return 0x41, append(r.payload[:0], code)
}

// poll reports what waits, one thing at a time.
func (r *Reader) poll() (byte, []byte) {
	if r.statusDue {
		return r.localStatus()
	}
	if len(r.queue) == 0 {
		return 0x40, nil
	}
	e := r.queue[0]
	r.queue = r.queue[1:]
	if e.keys != nil {
		return 0x53, append([]byte{0, byte(len(e.keys))}, e.keys...)
	}
	return 0x50, r.raw(e)
}

func (r *Reader) raw(e event) []byte {
	format := byte(1)
	if r.cfg.Unspecified {
		format = 0
	}
	n := e.card.Len()
	return append([]byte{0, format, byte(n), byte(n >> 8)}, e.card.Bytes()...)
}

func (r *Reader) identity() []byte {
	b := append(r.cfg.Vendor[:len(r.cfg.Vendor):len(r.cfg.Vendor)], r.cfg.Model, r.cfg.Version)
	b = binary.LittleEndian.AppendUint32(b, r.cfg.Serial)
	return append(b, r.cfg.Firmware[:]...)
}

func (r *Reader) capabilities() []byte {
	var b []byte
	for _, c := range r.cfg.Capabilities {
		b = append(b, c.Function, c.Compliance, c.Count)
	}
	return b
}

func (r *Reader) localStatus() (byte, []byte) {
	r.statusDue = false
	return 0x48, []byte{bit(r.tamper), bit(r.power)}
}

func (r *Reader) outputStatus() (byte, []byte) {
	b := make([]byte, len(r.outputs))
	for i, o := range r.outputs {
		b[i] = bit(o.now(r.seen))
	}
	return r.status(0x4A, b)
}

// status is a reply with a byte for each input or output; a reader without any
// does not know the command.
func (r *Reader) status(code byte, b []byte) (byte, []byte) {
	if len(b) == 0 {
		return r.nak(nakCommand)
	}
	return code, b
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// configure is COMSET: the answer tells what will be.
func (r *Reader) configure(data []byte) (byte, []byte) {
	if len(data) != 5 {
		return r.nak(nakRecord)
	}
	address, baud := data[0], int(binary.LittleEndian.Uint32(data[1:]))
	if address >= broadcast {
		address = r.address
	}
	switch baud {
	case 9600, 19200, 38400, 57600, 115200, 230400:
	default:
		baud = r.baud
	}
	r.next.address, r.next.baud = address, baud
	return 0x54, binary.LittleEndian.AppendUint32([]byte{address}, uint32(baud))
}

// keySet stores the reader's own key, which ends install mode. Never in the
// clear.
func (r *Reader) keySet(data []byte, secure bool) (byte, []byte) {
	if !secure {
		return r.nak(nakSecurity)
	}
	if len(data) != 18 || data[0] != 1 || data[1] != 16 {
		return r.nak(nakRecord)
	}
	key := [16]byte(data[2:])
	r.key, r.install = &key, false
	return 0x40, nil
}

// tenths is a time of the protocol.
func tenths(b []byte) time.Duration {
	return time.Duration(binary.LittleEndian.Uint16(b)) * 100 * time.Millisecond
}
