package osdptest

import "gatehouse/device"

// event is something to report by POLL: a card, or keys.
type event struct {
	card device.Card
	keys []byte
}

// reports is what a reader tells at POLL, one thing at a time: its local status
// first, then cards and keys in their order.
type reports struct {
	unspecified   bool // cards go out in format 0
	queue         []event
	tamper, power bool
	statusDue     bool
}

// setTamper opens or closes the case.
func (r *reports) setTamper(open bool) {
	r.statusDue = r.statusDue || r.tamper != open
	r.tamper = open
}

// setPower makes the supply fail or recover.
func (r *reports) setPower(failing bool) {
	r.statusDue = r.statusDue || r.power != failing
	r.power = failing
}

func (r *reports) poll() (byte, []byte) {
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
	return 0x50, rawCard(e.card, r.unspecified)
}

func (r *reports) localStatus() (byte, []byte) {
	r.statusDue = false
	return 0x48, []byte{bit(r.tamper), bit(r.power)}
}

// rawCard is the data of RAW: format 1 is Wiegand, 0 unspecified.
func rawCard(card device.Card, unspecified bool) []byte {
	n := card.Len()
	return append([]byte{0, bit(!unspecified), byte(n), byte(n >> 8)}, card.Bytes()...)
}
