// Package frames is gatehouse decode and gatehouse encode: what readers send, made readable, and what they
// would send for a card. It needs no daemon. Errors never repeat a card's number or a document's.
package frames

// Decode is the command that reads what a reader sends.
type Decode struct {
	Wiegand  decodeWiegandCmd  `cmd:"" help:"Read frames of 0 and 1, one a line on standard input, and print one JSON object a line."`
	Pass     decodePassCmd     `cmd:"" help:"Read QR passes, one a line on standard input, and print one JSON object a line."`
	Serial   decodeSerialCmd   `cmd:"" help:"Read what a serial reader or scanner sends, bytes or a frame in hexadecimal a line, on standard input, and print one JSON object a card or code."`
	OSDP     decodeOSDPCmd     `cmd:"" help:"Read frames of an OSDP bus in hexadecimal, one a line on standard input, and print one JSON object a line."`
	IDNumber decodeIDNumberCmd `cmd:"" name:"idnumber" help:"Check numbers of identity documents, one a line on standard input, and print one JSON object a line."`
}
