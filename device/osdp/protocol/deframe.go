package protocol

// Deframer finds frames in a stream of bytes. After anything that is no frame it
// looks again from the byte behind the failed SOM, so that a good frame behind
// or inside rubbish is not lost. It needs no heap and holds two frames at most.
type Deframer struct {
	buf  [2 * maxFrame]byte
	head int    // first byte not yet judged
	tail int    // behind the last byte
	Bad  uint64 // frames that began and failed
}

// Room returns the memory for the next bytes; call Fed with their number. It is never empty after
// Next returned false.
func (d *Deframer) Room() []byte {
	if d.head > 0 {
		copy(d.buf[:], d.buf[d.head:d.tail])
		d.head, d.tail = 0, d.tail-d.head
	}
	return d.buf[d.tail:]
}

// Fed tells how many bytes were read into Room.
func (d *Deframer) Fed(n int) { d.tail += n }

// Next returns the next frame that is complete and right. It points into the
// buffer: it is good until Room is called.
func (d *Deframer) Next() (Frame, bool) {
	for {
		for d.head < d.tail && d.buf[d.head] != som {
			d.head++
		}
		have := d.buf[d.head:d.tail]
		if len(have) < headSize {
			return Frame{}, false
		}
		n, err := frameSize(have)
		if err == nil && len(have) < n {
			return Frame{}, false
		}
		if err == nil {
			if f, err := Parse(have[:n]); err == nil {
				d.head += n
				return f, true
			}
		}
		d.skip()
	}
}

// Pending reports whether a frame began and is not complete.
func (d *Deframer) Pending() bool { return d.head < d.tail }

// Timeout gives up the present frame after a silence: what follows its SOM may hold another.
func (d *Deframer) Timeout() {
	if d.Pending() {
		d.skip()
	}
}

func (d *Deframer) skip() {
	d.head++
	d.Bad++
}

// Reset drops what was read.
func (d *Deframer) Reset() { d.head, d.tail = 0, 0 }
