// Package osdptest has OSDP readers without hardware, for tests and the
// simulator. A Reader answers whatever a panel may send, with secure channel, and
// shows by its State what it was told; Misbehave gives it, or the cable, or an
// enemy at the cable, one of the Faults. Several of them hang on a Line: in
// memory, with the exact time of each bit where that is asked for, or behind a
// pseudo-terminal that a daemon opens by its Path.
//
// Codec and secure channel are their own, import none of the code that they test,
// and are proved against a recorded conversation between other makers' devices.
package osdptest
