package osdp

// reach is how a reader is spoken to: at which address, and with which check
// characters. For one goroutine.
type reach struct {
	address byte
	other   byte // where the reader may be too, after a COMSET without answer
	crc     bool // false: the reader is taken to know checksums only
	guessed bool // because it said nothing to a CRC; with crc: PDCAP claims them, and none was answered yet
	refused int  // NAK 1 in a row
}

func newReach(address byte) reach { return reach{address: address, other: address, crc: true} }

// answered says that a reply came from this address; true if the reader might have
// been at another.
func (r *reach) answered() (found bool) {
	found = r.other != r.address
	r.other = r.address
	return found
}

// understood says that the check characters were right for the reader: a CRC that
// was answered is no guess any more.
func (r *reach) understood() { r.refused, r.guessed = 0, r.guessed && !r.crc }

// misheard counts NAK 1; true when the reader may know the other check only, which
// is used from now on.
func (r *reach) misheard() bool {
	if r.refused++; r.refused < 3 {
		return false
	}
	r.refused, r.crc, r.guessed = 0, !r.crc, false
	return true
}

// claims takes what PDCAP says of CRCs. Perhaps the reader was silent for another
// reason: see rotate.
func (r *reach) claims(crc bool) { r.crc = r.crc || r.guessed && crc }

// claimed says that a CRC is used on the word of PDCAP alone.
func (r *reach) claimed() bool { return r.crc && r.guessed }

// rotate goes on to the next way that a silent reader may understand: its other
// address, and a checksum, since some ignore what has a CRC, and some of those
// claim the contrary in PDCAP. Somebody on the line can bring that about: it takes
// nothing from a secured reader, whose messages have their MAC either way.
func (r *reach) rotate(known bool, missed int) {
	r.address, r.other = r.other, r.address
	switch {
	case r.claimed():
		r.crc, r.guessed = false, false // for as long as it is there: what it claims was tried
	case !known && (r.address == r.other || missed%6 == 0):
		r.crc, r.guessed = !r.crc, r.crc
	}
}

// forget is for a reader that is gone: another may come in its place.
func (r *reach) forget() { r.crc, r.guessed = true, false }

// moved is for a reader that took another address.
func (r *reach) moved(address byte) { r.address, r.other = address, address }
