// Package pn532test has a PN532 without hardware, for tests and the simulator. It
// has its own encoder, by the chip's user manual, and imports none of the code
// that it tests.
package pn532test
