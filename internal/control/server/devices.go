package server

import (
	"fmt"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/gateway"
	"gatehouse/internal/site"
)

func doorStatus(d *gateway.Door) control.Door {
	s := d.Door.Status()
	out := control.Door{ID: d.Config.ID, State: shownState(s.State), Lock: "ok"}
	if s.LockErr != "" {
		out.Lock = s.LockErr
	}
	if pressed := time.Since(s.ExitSince); !s.ExitSince.IsZero() && pressed > stuckExit {
		out.ExitPressed = pressed
	}
	for _, r := range d.Readers {
		out.Devices = append(out.Devices, readerStatus(r, s))
	}
	if d.Config.Exit != nil {
		out.Devices = append(out.Devices, deviceStatus(device.InputExit, "input", s))
	}
	if d.Config.Contact != nil {
		out.Devices = append(out.Devices, deviceStatus(device.InputContact, "input", s))
	}
	return out
}

// faultShown is how long a fault that has passed is still shown.
const faultShown = time.Hour

func deviceStatus(id, kind string, s door.Status) control.Device {
	dev := s.Devices[id]
	out := control.Device{ID: id, Type: kind, Online: dev.Online}
	if dev.Fault != fault.None && (!dev.Online || dev.Lasts || time.Since(dev.At) < faultShown) {
		out.Fault, out.Hint = dev.Fault.String(), dev.Fault.Hint()
	}
	return out
}

// stuckExit is how long an exit button may be pressed before somebody should
// look at it.
const stuckExit = 15 * time.Second

// beingTaught is the hint of a reader that is away from its door for format learning.
const beingTaught = "is being taught: until format learning is over it opens nothing"

// readerStatus is what people see of a reader. What is wrong with its key file says
// more than what the reader makes of that.
func readerStatus(r *gateway.Reader, s door.Status) control.Device {
	dev := deviceStatus(r.Config.ID, r.Config.Type, s)
	if !dev.Online && r.Taught() {
		dev.Hint = beingTaught
	}
	if lineOf(r) == control.LineWaiting {
		if err := r.Keys.Problem(); err != nil {
			dev.Hint = fmt.Sprintf("mend its key file, or remove it and pair the reader again: %v", err)
		}
	}
	return dev
}

// lineOf says how the reader's line is protected.
func lineOf(r *gateway.Reader) string {
	switch {
	case r.OSDP == nil:
		return control.LineUnguarded
	case r.Config.Security == site.SecurityNone:
		return control.LineClear
	case r.OSDP.Status().Secure:
		return control.LineSecured
	}
	return control.LineWaiting
}

func busStatus(r *gateway.Reader) *control.OSDP {
	s := r.OSDP.Status()
	out := &control.OSDP{Port: r.Config.Port, Address: int(s.Address), Baud: r.Config.Baud, Tamper: s.Tamper, Power: s.PowerFailure, Install: s.Installing,
		Retries: s.Retries, Bad: s.BadFrames, BadMACs: s.BadMACs}
	if i := s.Identity; i != (protocol.Identity{}) {
		out.Vendor, out.Model, out.Version = fmt.Sprintf("%x", i.Vendor), int(i.Model), int(i.Version)
		out.Serial, out.Firmware = fmt.Sprintf("%08x", i.Serial), fmt.Sprintf("%d.%d.%d", i.Firmware[0], i.Firmware[1], i.Firmware[2])
	}
	return out
}
