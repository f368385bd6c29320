package pn532

import "time"

// Patient lets the module take far longer than any does, for tests in real time:
// a machine that is busy is not a module that is silent.
func (r *Reader) Patient() *Reader {
	r.limits = limits{ack: 5 * time.Second, reply: 5 * time.Second}
	return r
}
