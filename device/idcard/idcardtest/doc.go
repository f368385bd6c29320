// Package idcardtest has an identity-card module and made-up cards without
// hardware, for tests and the simulator. It has its own encoder, by the
// protocol's description (GA 450), and imports none of the code that it tests.
package idcardtest
