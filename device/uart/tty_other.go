//go:build !linux

package uart

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.bug.st/serial"

	"gatehouse/device"
)

// openSystem opens a port with the library. On systems other than Linux only a desk's ID card
// reader uses one, for which other programs are not searched.
func openSystem(path string, baud int) (system, error) {
	p, err := serial.Open(path, &serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	if err != nil {
		return nil, plain(err)
	}
	return library{p}, nil
}

// library is a port of the library, with the errors of device.Port.
type library struct{ serial.Port }

func (l library) Read(b []byte) (int, error) {
	n, err := l.Port.Read(b)
	return n, plain(err)
}

// Write drops what the device does not accept in time. The goroutine that is blocked in the system
// call ends when the port is closed.
func (l library) Write(b []byte) (int, error) {
	ended := make(chan error, 1)
	go func(rest []byte) {
		for len(rest) > 0 {
			n, err := l.Port.Write(rest)
			if err != nil && !errors.Is(err, syscall.EINTR) {
				ended <- err
				return
			}
			rest = rest[max(n, 0):]
		}
		ended <- nil
	}(bytes.Clone(b))
	select {
	case err := <-ended:
		if err != nil {
			return 0, plain(err)
		}
		return len(b), nil
	case <-time.After(writeTime):
		_ = l.ResetOutputBuffer()
		return 0, os.ErrDeadlineExceeded
	}
}

// plain maps the library's errors to those of device.Port and the kernel.
func plain(err error) error {
	pe := (*serial.PortError)(nil)
	if !errors.As(err, &pe) {
		return err
	}
	switch pe.Code() {
	case serial.PortClosed:
		return device.ErrUnplugged
	case serial.PermissionDenied:
		return fmt.Errorf("%w (%w)", os.ErrPermission, err)
	}
	return err
}

// Holders returns nobody: the system does not tell.
func Holders(string) (who []Holder, whole bool, err error) { return nil, true, nil }
