package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

type decodeCmd struct {
	Wiegand decodeWiegandCmd `cmd:"" help:"Read frames of 0 and 1, one a line on standard input, and print one JSON object a line."`
	Pass    decodePassCmd    `cmd:"" help:"Read QR passes, one a line on standard input, and print one JSON object a line."`
	Serial  decodeSerialCmd  `cmd:"" help:"Read what a serial reader or scanner sends, bytes or a frame in hexadecimal a line, on standard input, and print one JSON object a card or code."`
	OSDP    decodeOSDPCmd    `cmd:"" help:"Read frames of an OSDP bus in hexadecimal, one a line on standard input, and print one JSON object a line."`
}

type decodeWiegandCmd struct {
	Format string `required:"" help:"Name of the format, as H10301."`
}

// decoded is one frame as it was read. Numbers are null where the frame is not
// valid or the format has no such field; above 2^53 they are strings, because
// that is where JSON readers begin to round.
type decoded struct {
	Format   string  `json:"format"`
	Facility any     `json:"facility"`
	Card     any     `json:"card"`
	Valid    bool    `json:"valid"`
	Error    *string `json:"error"`
}

func (c decodeWiegandCmd) Run(s *session) error {
	name := c.Format
	for _, known := range wiegand.Names() {
		if strings.EqualFold(known, name) {
			name = known
		}
	}
	format, ok := wiegand.Lookup(name)
	if !ok {
		return hinted("known: "+strings.Join(wiegand.Names(), ", "), "no Wiegand format %q", c.Format)
	}
	in := bufio.NewReader(s.in)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			if err := s.encode(decodeLine(format, strings.TrimSpace(line))); err != nil {
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

func decodeLine(f wiegand.Format, line string) decoded {
	d := decoded{Format: f.Name}
	card, err := parseBits(line)
	if err == nil {
		var v wiegand.Fields
		if v, err = f.Decode(card); err == nil {
			d.Valid, d.Card = true, number(v.Card)
			if v.HasFacility {
				d.Facility = number(v.Facility)
			}
			return d
		}
	}
	reason := err.Error()
	d.Error = &reason
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
