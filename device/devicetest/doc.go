// Package devicetest has the fakes of a building's hardware: the lines of a
// board, a Wiegand reader's pulses on them, serial modules and scanners on a port
// in memory or a pseudo-terminal, a lock that remembers. Packages osdptest,
// pn532test and idcardtest beside their wires have the others. They are part of
// the product: the simulator is made of them, and whoever writes a reader tests
// against them.
//
// The fakes have their own encoders and import none of the code that they
// test, so that one mistake can't hide on both sides. They never decide who
// may pass and never read a card.
//
// # A board in another process
//
// A Board lives in the process that plays the building. The daemon under test
// is another process, so that kill -9 is really that, and reaches the Board by
// a Remote over one end of a Socketpair. When the connection ends, for
// whatever reason, every output falls to its pull, as on a board.
//
// The protocol is one JSON object a line. The daemon asks, the board answers
// each request once, by its id; edges come between the answers:
//
//	{"id":1,"op":"lines","chip":"sim0","offsets":[23,24],"active_low":true}
//	{"id":2,"op":"output","chip":"sim0","offsets":[17]}
//	{"id":3,"op":"levels","handle":1}
//	{"id":4,"op":"set","handle":2,"active":true}
//	{"id":5,"op":"close","handle":1}
//
//	{"id":1}
//	{"id":2,"error":"line 17 is busy","code":"busy"}
//	{"id":3,"levels":[false,false]}
//	{"handle":1,"edges":[{"line":0,"active":true,"at":81250000000,"seq":1}]}
//
// A handle is the id of the request that opened it. Times are nanoseconds of
// CLOCK_MONOTONIC, which both processes share.
package devicetest
