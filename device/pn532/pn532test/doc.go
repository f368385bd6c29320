// Package pn532test has a simulated PN532 for tests and the simulator. It has its own encoder, from
// the chip's user manual, and imports none of the code that it tests.
package pn532test
