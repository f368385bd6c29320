package osdp

// deframer finds frames in a stream of bytes. After anything that is no frame it
// looks again from the byte behind the failed SOM, so that a good frame behind
// or inside rubbish is not lost. It needs no heap and holds two frames at most.
type deframer struct {
	buf  [2 * MaxFrame]byte
	head int    // first byte not yet judged
	tail int    // behind the last byte
	bad  uint64 // frames that began and failed
}

// room returns where to read the next bytes to; call fed with their number. It
// is never empty after next returned false.
func (d *deframer) room() []byte {
	if d.head > 0 {
		copy(d.buf[:], d.buf[d.head:d.tail])
		d.head, d.tail = 0, d.tail-d.head
	}
	return d.buf[d.tail:]
}

func (d *deframer) fed(n int) { d.tail += n }

// next returns the next frame that is complete and right. It points into the
// buffer: it is good until room is called.
func (d *deframer) next() (Frame, bool) {
	for {
		for d.head < d.tail && d.buf[d.head] != som {
			d.head++
		}
		have := d.buf[d.head:d.tail]
		if len(have) < headSize {
			return Frame{}, false
		}
		n, err := frameSize(have)
		if err != nil {
			d.skip()
			continue
		}
		if len(have) < n {
			return Frame{}, false
		}
		f, err := Parse(have[:n])
		if err != nil {
			d.skip()
			continue
		}
		d.head += n
		return f, true
	}
}

// pending says that a frame began and is not complete.
func (d *deframer) pending() bool { return d.head < d.tail }

// timeout gives up the frame at hand after a silence: what stands behind its SOM
// may hold another.
func (d *deframer) timeout() {
	if d.pending() {
		d.skip()
	}
}

func (d *deframer) skip() {
	d.head++
	d.bad++
}

func (d *deframer) reset() { d.head, d.tail = 0, 0 }
