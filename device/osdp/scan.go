package osdp

import (
	"cmp"
	"context"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// Found is a reader that answered a Scan.
type Found struct {
	Address  byte
	Identity *protocol.Identity // nil: it did not tell
	Secure   bool               // it says that it has a secure channel
}

// Scan looks for the readers of an open line at the port's speed, in clear text, and returns them
// by address. It changes nothing at them but ends another panel's session. It takes a second where
// nobody answers, else 8 s, and 30 s with a slow reader. The error is the port's, or ctx's. For one
// goroutine, with no Bus at the same port.
func Scan(ctx context.Context, port device.Port, baud int) (all []Found, err error) {
	l := line{port: port, baud: baud}
	got, _, err := l.ask(protocol.ConfigAddress, protocol.CmdID, true, replyTime)
	switch {
	case err != nil:
		return nil, err
	case got == silence:
		return l.scan(ctx, 8, probeTime) // readers are delivered with 0 or 1
	case got != answered:
		return l.scan(ctx, 32, probeTime) // noise, or several at once
	}
	if all, err = l.scan(ctx, protocol.ConfigAddress, probeTime); err == nil && len(all) == 0 {
		return l.scan(ctx, protocol.ConfigAddress, replyTime) // a slow reader
	}
	return all, err
}

// scan asks at the addresses below last, and at all once a reader answered.
func (l *line) scan(ctx context.Context, last byte, timeout time.Duration) (all []Found, err error) {
	for f := (Found{}); err == nil && ctx.Err() == nil && f.Address < last; f = (Found{Address: f.Address + 1}) {
		var there bool
		if there, err = l.identify(&f, timeout); there {
			all, last = append(all, f), protocol.ConfigAddress
		}
	}
	return all, cmp.Or(err, ctx.Err())
}

// identify asks one address who is there and what it can do.
func (l *line) identify(f *Found, timeout time.Duration) (there bool, err error) {
	for _, crc := range []bool{true, false} { // some know the one-byte sum alone
		got, reply, err := l.ask(f.Address, protocol.CmdID, crc, timeout)
		if err != nil || got == silence || got == garbled {
			return there, err
		}
		there = true
		if id, wrong := reply.Identity(); wrong == nil {
			f.Identity = &id
			_, reply, err = l.ask(f.Address, protocol.CmdCap, crc, timeout)
			caps, _ := reply.Capabilities() // a reader that does not tell has none
			for _, c := range caps {
				f.Secure = f.Secure || c.Function == protocol.CapSecurity && c.Compliance&1 != 0
			}
			return true, err
		}
	}
	return there, nil
}

// ask sends one command with number 0, and repeats it where no answer came.
func (l *line) ask(address, code byte, crc bool, timeout time.Duration) (got answer, f protocol.Frame, err error) {
	for range 2 {
		var one link
		_ = one.put(protocol.Frame{Address: address, CRC: crc, Code: code, Data: []byte{0}}, nil, nil) // it is short enough
		if got, f, err = l.exchange(&one.pending, timeout); device.PortFault(err) != fault.None {
			err = nil
		} else if err != nil || got == answered || got == silence {
			break
		}
	}
	return got, f, err
}
