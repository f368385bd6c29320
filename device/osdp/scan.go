package osdp

import (
	"context"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

const (
	// usualAddresses are tried on a line on which nobody answers the address of all:
	// readers are delivered with 0 or 1, and an installer counts on from there.
	usualAddresses = 8
	scanTime       = 60 * time.Millisecond // a reader's answer: typical are 3 ms, and 20 more behind USB
)

// Found is a reader that answered a Scan.
type Found struct {
	Address  byte
	Identity protocol.Identity
	Known    bool // Identity is what it told
	Secure   bool // it says that it has a secure channel
}

// Scan asks for the readers of an open line at the port's speed, in clear text and out of
// any session, and returns those that answered by their addresses. It changes nothing at
// them; a session that another panel has with one ends. A line on which nobody speaks
// takes a second, one with readers 8 s. The error is the port's, or ctx's. For one
// goroutine, with no Bus at the same port.
func Scan(ctx context.Context, port device.Port, baud int) ([]Found, error) {
	s := scan{line: line{port: port, baud: baud}}
	got, _, err := s.ask(protocol.ConfigAddress, protocol.CmdID, true, replyTime)
	last := byte(usualAddresses)
	if got != silence {
		last = protocol.ConfigAddress
	}
	var all []Found
	for address := byte(0); err == nil && address < last; address++ {
		if err = ctx.Err(); err != nil {
			break
		}
		var f Found
		var there bool
		if f, there, err = s.identify(address); there {
			all, last = append(all, f), protocol.ConfigAddress
		}
	}
	return all, err
}

// scan is the panel of a Scan.
type scan struct{ line line }

// identify asks one address who is there and what it can do.
func (s *scan) identify(address byte) (f Found, there bool, err error) {
	f.Address = address
	crc := true
	got, reply, err := s.ask(address, protocol.CmdID, crc, scanTime)
	if got == answered && reply.Code == protocol.ReplyNak {
		crc = false // some know the one-byte sum alone
		got, reply, err = s.ask(address, protocol.CmdID, crc, scanTime)
	}
	if err != nil || got == silence || got == garbled {
		return f, false, err
	}
	if id, wrong := reply.Identity(); got == answered && wrong == nil {
		f.Identity, f.Known = id, true
	}
	got, reply, err = s.ask(address, protocol.CmdCap, crc, scanTime)
	if err != nil || got != answered {
		return f, true, err
	}
	caps, _ := reply.Capabilities() // who does not tell has none
	for _, c := range caps {
		f.Secure = f.Secure || c.Function == protocol.CapSecurity && c.Compliance&1 != 0
	}
	return f, true, nil
}

// ask sends one command with number 0. Who has a command before it to answer is asked
// once more.
func (s *scan) ask(address, code byte, crc bool, timeout time.Duration) (got answer, f protocol.Frame, err error) {
	for range 2 {
		var l link
		if err := l.put(protocol.Frame{Address: address, CRC: crc, Code: code, Data: []byte{0}}, nil, nil); err != nil {
			return silence, f, err
		}
		got, f, err = s.line.exchange(&l.pending, timeout)
		if device.PortFault(err) != fault.None {
			err = nil
			continue
		}
		if err != nil || got != garbled && got != busy {
			return got, f, err
		}
	}
	return got, f, err
}
