package frames

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device"
	"gatehouse/device/wiegand"
)

type decodeWiegandCmd struct {
	Format string `required:"" help:"Name of the format, as H10301; a wrong one lists all."`
}

// decoded is one frame as it was read. Numbers are null where the frame is not
// valid; a facility also, and issue and OEM are left out, where the format has
// none. Above 2^53 they are strings, because that is where JSON readers begin to
// round.
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

// eachLine prints one JSON object for each line of standard input, as it comes: an
// empty one gets its object, too, so that the n-th line has the n-th.
func eachLine(s *session.Session, decode func(line string) any) error {
	in := bufio.NewReader(s.In)
	skipMark(in)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			if err := s.Encode(decode(strings.TrimSpace(line))); err != nil {
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

// skipMark drops the byte order mark that some editors put before a text.
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

// wideNumber is the card number, which may have more than 64 bits.
func wideNumber(v wiegand.Fields) any {
	if n := v.Number(); !n.IsUint64() {
		return n.String()
	}
	return number(v.Card)
}
