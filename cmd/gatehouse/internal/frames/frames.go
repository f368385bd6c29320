// Package frames has the commands gatehouse decode and gatehouse encode: they make readable what
// readers send, and show what readers would send for a card. They need no daemon. Errors never
// repeat a card's number or a document's.
package frames

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device"
	"gatehouse/device/wiegand"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Decode is the command that reads what a reader sends.
type Decode struct {
	Wiegand  decodeWiegandCmd  `cmd:"" help:"Read frames of 0 and 1, one a line on standard input, and print one JSON object a line."`
	Pass     decodePassCmd     `cmd:"" help:"Read QR passes, one a line on standard input, and print one JSON object a line."`
	Serial   decodeSerialCmd   `cmd:"" help:"Read what a serial reader or scanner sends, bytes or a frame in hexadecimal a line, on standard input, and print one JSON object a card or code."`
	OSDP     decodeOSDPCmd     `cmd:"" help:"Read frames of an OSDP bus in hexadecimal, one a line on standard input, and print one JSON object a line."`
	IDNumber decodeIDNumberCmd `cmd:"" name:"idnumber" help:"Check numbers of identity documents, one a line on standard input, and print one JSON object a line."`
}

type decodeWiegandCmd struct {
	Format string `required:"" help:"Name of the format, as H10301; a wrong one lists all."`
}

// decoded is one decoded frame. Numbers are null where the frame is not valid; so is a facility
// (and issue and OEM are left out) where the format has none. Numbers above 2^53 are strings,
// because JSON readers round from there on.
type decoded struct {
	Format   string  `json:"format"`
	Facility any     `json:"facility"`
	Card     any     `json:"card"`
	Issue    *any    `json:"issue,omitempty"`
	OEM      *any    `json:"oem,omitempty"`
	Valid    bool    `json:"valid"`
	Error    *string `json:"error"`
}

func (c decodeWiegandCmd) Run(s *session.Session) error {
	format, err := wiegandFormat(c.Format)
	if err != nil {
		return err
	}
	return eachLine(s, func(line string) any { return decodeLine(format, line) })
}

// eachLine prints one JSON object for each line of standard input at once, also for an empty line,
// so that the n-th object belongs to the n-th line.
func eachLine(s *session.Session, decode func(line string) any) error {
	in := bufio.NewReader(s.In)
	skipMark(in)
	return lines(in, func(line string) error { return s.Encode(decode(line)) })
}

// lines calls use with each line of standard input, without the spaces around it.
func lines(in *bufio.Reader, use func(line string) error) error {
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			if err := use(strings.TrimSpace(line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
	}
}

// skipMark skips the byte order mark that some editors put before a text.
func skipMark(in *bufio.Reader) {
	const mark = "\ufeff"
	if b, err := in.Peek(len(mark)); err == nil && string(b) == mark {
		_, _ = in.Discard(len(mark))
	}
}

func decodeLine(f wiegand.Format, line string) decoded {
	d := decoded{Format: f.Name}
	has := f.Limits()
	if has.HasIssue {
		d.Issue = new(any)
	}
	if has.HasOEM {
		d.OEM = new(any)
	}
	card, err := parseBits(line)
	var v wiegand.Fields
	if err == nil {
		v, err = f.Decode(card)
	}
	if err != nil {
		d.Error = new(err.Error())
		return d
	}
	d.Valid, d.Card = true, wideNumber(v)
	if v.HasFacility {
		d.Facility = number(v.Facility)
	}
	if v.HasIssue {
		*d.Issue = number(v.Issue)
	}
	if v.HasOEM {
		*d.OEM = number(v.OEM)
	}
	return d
}

func parseBits(line string) (card device.Card, err error) {
	for i := range len(line) {
		if line[i] != '0' && line[i] != '1' {
			return card, fmt.Errorf("character %d is neither 0 nor 1", i+1)
		}
		ok := false
		if card, ok = card.Append(line[i] - '0'); !ok {
			return card, fmt.Errorf("%w: %d bits, more than any card has", wiegand.ErrLength, len(line))
		}
	}
	return card, nil
}

func number(v uint64) any {
	if v > 1<<53 {
		return strconv.FormatUint(v, 10)
	}
	return v
}

// wideNumber returns the card number, which may have more than 64 bits.
func wideNumber(v wiegand.Fields) any {
	if n := v.Number(); !n.IsUint64() {
		return n.String()
	}
	return number(v.Card)
}

type decodeIDNumberCmd struct {
	Document string `help:"Whose numbers they are: resident_id, residence_permit, foreigner_card, passport, hk_macao_permit, taiwan_permit, other." default:"resident_id"`
}

// decodedIDNumber is one checked number. Number has the stored form, and is null if it is not
// valid; an error never contains a part of it.
type decodedIDNumber struct {
	Document string  `json:"document"`
	Valid    bool    `json:"valid"`
	Number   *string `json:"number"`
	Form     *string `json:"form"` // which of the document's forms it has, and since when there is such a one
	Error    *string `json:"error"`
}

func (c decodeIDNumberCmd) Run(s *session.Session) error {
	document, ok := idnumber.Named(c.Document)
	if !ok {
		return socket.Hinted("one of "+strings.Join(idnumber.Documents(), ", "), "no such document")
	}
	return eachLine(s, func(line string) any { return decodeIDNumber(document, line) })
}

func decodeIDNumber(document wire.DocumentType, line string) decodedIDNumber {
	d := decodedIDNumber{Document: document.String()}
	number, err := idnumber.Check(document, line, time.Now())
	if err != nil {
		d.Error = new(err.Error())
		return d
	}
	d.Valid, d.Number = true, &number
	if form, ok := idnumber.FormOf(document, number); ok {
		d.Form = new(form.String())
	}
	return d
}
