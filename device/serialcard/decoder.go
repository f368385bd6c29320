package serialcard

import (
	"slices"

	"gatehouse/device"
)

// Decoder cuts a stream of bytes into cards. It keeps no bytes, only where it
// stands in the frame, and needs no heap. For one goroutine.
type Decoder struct {
	layout Layout
	pos    int    // bytes of the frame seen; 0: waiting for a start
	number uint64 // the digits so far
	check  byte   // the check digits so far
	noisy  bool   // the run of noise since the last frame has been told
}

// NewDecoder returns a Decoder for the layout, or an error for a layout that
// can't be told apart from noise.
func NewDecoder(l Layout) (*Decoder, error) {
	if err := l.valid(); err != nil {
		return nil, err
	}
	return &Decoder{layout: l}, nil
}

// Push takes the next byte. It returns a card (Len not 0) when the byte
// completed a good frame, or a fault: FaultChecksum for a whole frame with
// wrong check digits, FaultUnterminated when a new frame began inside one,
// FaultGhost for a number known to be made up, FaultNoise for bytes that are
// no frame, once for each run of them.
func (d *Decoder) Push(b byte) (device.Card, device.Fault) {
	if b == d.layout.Start[0] { // stands nowhere else in a frame: always a new one
		cut := d.inFrame()
		d.Reset()
		d.pos = 1
		if cut {
			return device.Card{}, device.FaultUnterminated
		}
		return device.Card{}, device.FaultNone
	}
	if !d.inFrame() || !d.fits(b) {
		told := d.noisy
		d.Reset()
		d.noisy = true
		if told {
			return device.Card{}, device.FaultNone
		}
		return device.Card{}, device.FaultNoise
	}
	d.pos++
	if d.pos < d.layout.size() {
		return device.Card{}, device.FaultNone
	}
	return d.finish()
}

// Pending reports whether the decoder is inside a frame or a run of noise. The
// caller then waits no longer than 50 ms for the next byte and calls Timeout.
func (d *Decoder) Pending() bool { return d.inFrame() || d.noisy }

func (d *Decoder) inFrame() bool { return d.pos > 0 }

// Timeout tells the decoder that the line fell silent, which ends a run of
// noise. It returns FaultUnterminated, and drops the frame, inside one.
func (d *Decoder) Timeout() device.Fault {
	cut := d.inFrame()
	d.Reset()
	if cut {
		return device.FaultUnterminated
	}
	return device.FaultNone
}

// Reset drops what was received so far.
func (d *Decoder) Reset() { *d = Decoder{layout: d.layout} }

// fits takes b as the next byte of the frame, or reports that it is none.
func (d *Decoder) fits(b byte) bool {
	l := &d.layout
	i := d.pos
	if i < len(l.Start) {
		return b == l.Start[i]
	}
	if i -= len(l.Start); i < l.Digits {
		digit, ok := hexValue(b)
		d.number = d.number<<4 | uint64(digit)
		return ok
	}
	if i -= l.Digits; i < l.checkDigits() {
		digit, ok := hexValue(b)
		d.check = d.check<<4 | digit
		return ok
	}
	return b == l.End[i-l.checkDigits()]
}

// finish judges a frame whose every byte was in place.
func (d *Decoder) finish() (device.Card, device.Fault) {
	number, check := d.number, d.check
	d.Reset()
	if d.layout.Check == CheckXOR && xorBytes(number) != check {
		return device.Card{}, device.FaultChecksum
	}
	if madeUp(number, d.layout.Bits()) {
		return device.Card{}, device.FaultGhost
	}
	return device.CardOf(number, d.layout.Bits()), device.FaultNone
}

// ghosts are numbers that RDM6300 modules and clones sent with right checksums
// and no card near (arendst/Tasmota issue 9522, esprfid/esp-rfid issue 411).
// Others of the kind are kept out by Layout.Confirm.
var ghosts = []uint64{
	0x000000078F, 0x00F00000F0, 0xF000060007, 0xB59A99E5A9,
	0x4FFB388FFF, 0xDA9386B5EA, 0xDAEF6FEE2B,
}

// ghostTails are such numbers of which the reports have the low 32 bits only.
var ghostTails = []uint32{0x00000000, 0x0C000000, 0x7DDFFDDF}

// madeUp reports whether no card has the number. Ghosts are known of 40-bit
// modules only; a number of zeros is nobody's in any layout.
func madeUp(number uint64, bits int) bool {
	if bits != 40 {
		return number == 0
	}
	return slices.Contains(ghosts, number) || slices.Contains(ghostTails, uint32(number))
}

func xorBytes(v uint64) (sum byte) {
	for ; v != 0; v >>= 8 {
		sum ^= byte(v)
	}
	return sum
}

func hexValue(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
