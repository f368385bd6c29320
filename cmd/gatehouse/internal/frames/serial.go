package frames

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/serialcard"
	"gatehouse/internal/socket"
)

type decodeSerialCmd struct {
	Layout string `required:"" help:"Name of the layout, as rdm6300; a wrong one lists all."`
	Input  string `enum:"auto,hex,raw" default:"auto" help:"auto, hex (a frame a line) or raw."`
	Base   string `help:"Of the number: hex, hex_lower or dec."`
	Order  string `help:"The byte that comes first: msb or lsb."`
	Digits []int  `help:"Of the number."`
	Prefix string `help:"What stands before the number."`
	Skip   int    `help:"Characters between prefix and number."`
	Check  string `help:"none, xor (two digits) or lrc (a byte after the end)."`
	Suffix string `help:"What stands between number and end."`
	End    string `help:"any, cr, lf, crlf, etx, eot or silence."`
	AIM    bool   `name:"aim" help:"Take the AIM prefix off a code."`
}

// decodedSerial is one frame of a serial reader. Bits, card and hex are null where there is no
// card; a card above 2^53 is a string, because JSON readers round from there on. Length and text
// belong to codes.
type decodedSerial struct {
	Layout string  `json:"layout"`
	Bits   *int    `json:"bits"`
	Card   any     `json:"card"`
	Hex    *string `json:"hex"`
	Length int     `json:"length,omitempty"`
	Text   string  `json:"text,omitempty"`
	Valid  bool    `json:"valid"`
	Error  *string `json:"error"`
}

// serialChunk is the longest text that counts as one line; longer ones are bytes.
const serialChunk = 1 << 16

func (c decodeSerialCmd) Run(s *session.Session) error {
	layout, ok := serialcard.Lookup(strings.ToLower(c.Layout))
	if !ok {
		return socket.Hinted("known: "+strings.Join(serialcard.Names(), ", "), "no serial layout %q", c.Layout)
	}
	layout, err := layout.With(serialcard.Settings{Base: c.Base, Order: c.Order, Digits: c.Digits, Prefix: c.Prefix,
		Skip: c.Skip, Check: c.Check, Suffix: c.Suffix, End: c.End, AIM: c.AIM})
	if err != nil {
		return err
	}
	d := serialInput{layout: layout, input: c.Input}
	if d.raw, err = serialcard.NewDecoder(layout); err != nil {
		return err
	}
	in := bufio.NewReaderSize(s.In, serialChunk)
	if c.Input != "raw" {
		skipMark(in)
	}
	for {
		line, err := in.ReadSlice('\n')
		more := errors.Is(err, bufio.ErrBufferFull)
		for _, e := range d.take(line, more) {
			if err := s.Encode(d.describe(e, line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !more {
			return fmt.Errorf("read standard input: %w", err)
		}
	}
}

// serialInput distinguishes lines of hexadecimal from the bytes of a reader.
type serialInput struct {
	layout serialcard.Layout
	input  string
	raw    *serialcard.Decoder // of the bytes so far; a frame may go on in the next line
}

// take returns the events of a line; more: the line goes on.
func (d *serialInput) take(line []byte, more bool) []device.Event {
	text := strings.Join(strings.Fields(string(line)), "")
	b, err := hex.DecodeString(text)
	isHex := err == nil && len(b) > 0 && !more
	switch {
	case text == "" && d.input != "raw" && !d.raw.Pending():
		return nil
	case d.input == "hex" && !isHex:
		return []device.Event{{Kind: device.FaultSeen, Fault: fault.Noise}}
	case d.input == "hex", d.input == "auto" && isHex && !d.raw.InFrame() && d.meansHex(line, b):
		return d.alone(b)
	}
	return d.bytes(line, more)
}

// meansHex decides about a line that could be both: bytes that are a frame as they stand are bytes;
// else it is hexadecimal if that gives a frame, or a damaged one.
func (d *serialInput) meansHex(line, b []byte) bool {
	noise := true
	if d.layout.EndsBySilence() {
		line = bytes.TrimRight(line, "\r\n")
	}
	for _, e := range d.alone(line) {
		if e.Kind != device.FaultSeen {
			return false
		}
		noise = noise && e.Fault == fault.Noise
	}
	for _, e := range d.alone(b) {
		checked := e.Kind != device.FaultSeen || e.Fault == fault.Checksum || e.Fault == fault.Ghost
		if checked || noise && e.Fault != fault.Noise {
			return true
		}
	}
	return false
}

// alone decodes bytes that are followed by silence.
func (d *serialInput) alone(b []byte) []device.Event {
	dec, err := serialcard.NewDecoder(d.layout)
	if err != nil {
		return nil // d.raw is one
	}
	return append(push(dec, b), eventOf(dec.Timeout())...)
}

// bytes decodes bytes as they stand. A line's end outside a frame comes from how the input was
// written; for a layout without marks it stands for the silence, and the end of the input stands
// for a missing last line's end.
func (d *serialInput) bytes(line []byte, more bool) []device.Event {
	body := bytes.TrimRight(line, "\r\n")
	ended := len(body) < len(line)
	if more {
		return push(d.raw, line)
	}
	if d.layout.EndsBySilence() {
		return append(push(d.raw, body), eventOf(d.raw.Timeout())...)
	}
	inside := d.raw.InFrame()
	out := push(d.raw, body)
	for _, b := range line[len(body):] {
		if d.raw.Pending() {
			out = append(out, eventOf(d.raw.Push(b))...)
		}
	}
	if ended || !d.raw.Pending() {
		return out
	}
	whole := d.alone(append(bytes.Clone(line), "\r\n"...))
	if n := len(out); !inside && len(whole) == n+1 && whole[n].Kind != device.FaultSeen {
		d.raw.Reset()
		return whole
	}
	return append(out, eventOf(d.raw.Timeout())...)
}

func push(d *serialcard.Decoder, b []byte) (out []device.Event) {
	for _, x := range b {
		out = append(out, eventOf(d.Push(x))...)
	}
	return out
}

func eventOf(e device.Event, ok bool) []device.Event {
	if !ok {
		return nil
	}
	return []device.Event{e}
}

// describe describes an event of a line, with a hint where a line is noise only because its digits
// are of another base.
func (d *serialInput) describe(e device.Event, line []byte) decodedSerial {
	out := describeSerial(d.layout, e)
	if e.Kind != device.FaultSeen || e.Fault != fault.Noise {
		return out
	}
	for base, digits := range map[string]string{"hex": "upper", "hex_lower": "lower"} {
		if d.fits(base, line) {
			out.Error = new(fmt.Sprintf("%v: hex digits in %s case: base = %q", e.Fault, digits, base))
		}
	}
	return out
}

// fits reports whether a line is cards, and nothing else, in another base.
func (d *serialInput) fits(base string, line []byte) bool {
	layout, err := d.layout.With(serialcard.Settings{Base: base})
	if err != nil {
		return false // the layout has no base
	}
	raw, err := serialcard.NewDecoder(layout)
	if err != nil {
		return false
	}
	other := serialInput{layout: layout, input: d.input, raw: raw}
	events := other.take(line, false)
	return len(events) > 0 && !slices.ContainsFunc(events, func(e device.Event) bool { return e.Kind != device.CardRead })
}

func describeSerial(l serialcard.Layout, e device.Event) decodedSerial {
	out := decodedSerial{Layout: l.Name, Valid: e.Kind != device.FaultSeen}
	switch e.Kind {
	case device.CardRead:
		bits, raw := e.Card.Len(), e.Card.Bytes()
		text := hex.EncodeToString(raw)
		out.Bits, out.Hex = &bits, &text
		if out.Card = any(new(big.Int).SetBytes(raw).String()); bits <= 64 {
			out.Card = number(e.Card.Uint64(0, bits))
		}
	case device.CodeRead:
		out.Text = e.Code.Text()
		out.Length = len(out.Text)
	case device.FaultSeen:
		reason := e.Fault.String() + ": " + e.Fault.Hint()
		out.Error = &reason
	}
	return out
}
