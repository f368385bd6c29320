package door

import (
	"maps"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// faulty shows a fault at its reader, unless what is shown says more: of one that
// is out of order, why.
func (d *Door) faulty(e device.Event) {
	last := d.devices[e.Source]
	gone := !last.Online && last.Fault != fault.None
	if d.tellsLess(e) || gone && !e.Active {
		return
	}
	d.device(e.Source, last.Online, e.Fault)
}

// tellsLess reports whether a fault is only what a worse one makes: with a
// cable that is cut or swapped every frame has a wrong length, too.
func (d *Door) tellsLess(e device.Event) bool {
	last := d.devices[e.Source]
	if last.Fault != fault.Cable && last.Fault != fault.Swapped || time.Since(last.At) > window {
		return false
	}
	return e.Fault == fault.Length || e.Fault == fault.Parity || e.Fault == fault.Trailing
}

// cleared shows that a fault that lasted is over.
func (d *Door) cleared(e device.Event) {
	if last := d.devices[e.Source]; last.Fault == e.Fault {
		d.device(e.Source, last.Online, fault.None)
	}
}

// reads shows that a reader read: what was wrong with it has passed.
func (d *Door) reads(id string) {
	if d.devices[id].Fault != fault.None {
		d.device(id, true, fault.None)
	}
}

// device publishes the status of a reader or input. A fault that is there outweighs
// one that has passed.
func (d *Door) device(id string, online bool, f fault.Code) {
	s := DeviceStatus{Online: online, Fault: f, At: time.Now()}
	if there := d.repeats.newest(id); online && there != fault.None {
		s.Fault, s.Lasts = there, true
	}
	d.devices = maps.Clone(d.devices)
	d.devices[id] = s
	d.publish()
}
