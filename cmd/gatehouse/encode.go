package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

type encodeCmd struct {
	Wiegand encodeWiegandCmd `cmd:"" help:"Print the bits that a Wiegand reader sends for a card, as 0 and 1."`
}

type encodeWiegandCmd struct {
	Format   string  `required:"" help:"Name of the format, as H10301; a wrong one lists all."`
	Facility *uint64 `help:"Facility code, where the format has one."`
	Card     string  `required:"" help:"Card number in decimal, or - to read card numbers from standard input, one a line." placeholder:"NUMBER"`
	Issue    *uint64 `help:"Issue level, where the format has one; else 0."`
	OEM      *uint64 `name:"oem" help:"OEM code, where the format has one; else 0."`
}

// Help is shown by --help.
func (encodeWiegandCmd) Help() string {
	return `For installers, to try a reader's settings with made-up cards. The command line
can be read by every user of the machine: give the number of a real card by
standard input (--card -).`
}

func (c encodeWiegandCmd) Run(s *session) error {
	format, err := wiegandFormat(c.Format)
	if err != nil {
		return err
	}
	fields, err := c.fields(format)
	if err != nil {
		return err
	}
	if c.Card != "-" {
		return c.encode(s, format, fields, c.Card)
	}
	in := bufio.NewReader(s.in)
	for {
		line, err := in.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			if err := c.encode(s, format, fields, line); err != nil {
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

// fields are all but the card number. A number that the format has not may be 0.
func (c encodeWiegandCmd) fields(f wiegand.Format) (wiegand.Fields, error) {
	v := f.Limits()
	for _, part := range []struct {
		flag     string
		given    *uint64
		has      bool
		required bool
		highest  uint64
		value    *uint64
	}{
		{"facility", c.Facility, v.HasFacility, true, v.Facility, &v.Facility},
		{"issue", c.Issue, v.HasIssue, false, v.Issue, &v.Issue},
		{"oem", c.OEM, v.HasOEM, false, v.OEM, &v.OEM},
	} {
		*part.value = 0
		switch {
		case part.given == nil && part.has && part.required:
			return v, hinted(fmt.Sprintf("add --%s, 0 to %d", part.flag, part.highest), "cards of format %s have a %s", f.Name, part.flag)
		case part.given == nil:
		case !part.has && *part.given != 0:
			return v, hinted("leave --"+part.flag+" out: "+describe(f), "cards of format %s have no %s", f.Name, part.flag)
		case *part.given > part.highest:
			return v, hinted(fmt.Sprintf("--%s is 0 to %d", part.flag, part.highest), "--%s is too large for format %s", part.flag, f.Name)
		default:
			*part.value = *part.given
		}
	}
	return v, nil
}

// encode prints one card; errors never repeat its number.
func (c encodeWiegandCmd) encode(s *session, f wiegand.Format, v wiegand.Fields, text string) error {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || strings.Trim(text, "0123456789") != "" {
		return hinted("decimal digits only, as 4567", "the card number is no number")
	}
	limit := f.Limits().Number()
	if n.Cmp(limit) > 0 || !v.SetNumber(n) {
		return hinted(fmt.Sprintf("it is 0 to %v", limit), "the card number is too large for format %s", f.Name)
	}
	card, err := f.Encode(v)
	if err != nil {
		return hinted(describe(f), "%v", err)
	}
	_, err = fmt.Fprintln(s.out, bitText(card))
	return err
}

// bitText is a card as 0 and 1, in the order of the wire.
func bitText(c device.Card) string {
	var b strings.Builder
	for i := range c.Len() {
		b.WriteByte('0' + c.Bit(i))
	}
	return b.String()
}

// describe tells what numbers a format has.
func describe(f wiegand.Format) string {
	v := f.Limits()
	parts := []string{fmt.Sprintf("card number 0 to %v", v.Number())}
	for _, part := range []struct {
		flag    string
		has     bool
		highest uint64
	}{{"--facility", v.HasFacility, v.Facility}, {"--issue", v.HasIssue, v.Issue}, {"--oem", v.HasOEM, v.OEM}} {
		if part.has {
			parts = append(parts, fmt.Sprintf("%s up to %d", part.flag, part.highest))
		}
	}
	return fmt.Sprintf("%s has %d bits, %s", f.Name, f.Bits, strings.Join(parts, ", "))
}

// wiegandFormat finds a format by its name, in whatever case it is typed.
func wiegandFormat(name string) (wiegand.Format, error) {
	if f, ok := wiegand.Lookup(strings.ToUpper(name)); ok { // RAW26 is in no list
		return f, nil
	}
	for _, known := range wiegand.Names() {
		if strings.EqualFold(known, name) {
			f, _ := wiegand.Lookup(known)
			return f, nil
		}
	}
	return wiegand.Format{}, hinted("formats by the number of their bits, RAWn for any n bits from 16 to 256:\n"+formatColumns(),
		"no Wiegand format %q", name)
}

// formatColumns lists all formats, a line for each number of bits.
func formatColumns() string {
	var b strings.Builder
	last := 0
	for _, name := range wiegand.Names() {
		if f, _ := wiegand.Lookup(name); f.Bits != last {
			last = f.Bits
			fmt.Fprintf(&b, "\n%5d  ", last)
		}
		fmt.Fprintf(&b, "%-10s", name)
	}
	lines := strings.Split(strings.TrimPrefix(b.String(), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
