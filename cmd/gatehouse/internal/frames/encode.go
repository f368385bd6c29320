package frames

import (
	"bufio"
	"fmt"
	"math/big"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/device"
	"gatehouse/device/wiegand"
	"gatehouse/internal/socket"
)

// Encode is the command that prints what a reader would send.
type Encode struct {
	Wiegand encodeWiegandCmd `cmd:"" help:"Print the bits that a Wiegand reader sends for a card, as 0 and 1."`
}

type encodeWiegandCmd struct {
	Format   string  `required:"" help:"Name of the format, as H10301; a wrong one lists all."`
	Facility *uint64 `help:"Facility code, where the format has one."`
	Card     string  `required:"" help:"Card number in decimal, or - to read card numbers from standard input, one a line." placeholder:"NUMBER"`
	Issue    *uint64 `help:"Issue level, where the format has one; else 0."`
	OEM      *uint64 `name:"oem" help:"OEM code, where the format has one; else 0."`
}

func (encodeWiegandCmd) Help() string {
	return `For installers, to try a reader's settings with made-up cards. The command line
can be read by every user of the machine: give the number of a real card by
standard input (--card -).`
}

func (c encodeWiegandCmd) Run(s *session.Session) error {
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
	return lines(bufio.NewReader(s.In), func(line string) error {
		if line == "" {
			return nil
		}
		return c.encode(s, format, fields, line)
	})
}

// part is a number of a card beside the card number.
type part struct {
	flag     string
	has      bool
	required bool
	fixed    bool // all cards of the format have the highest number
	highest  uint64
}

// parts returns the numbers that a card can have: facility, issue, OEM.
func parts(f wiegand.Format) [3]part {
	v := f.Limits()
	_, err := f.Encode(wiegand.Fields{HasFacility: v.HasFacility, HasIssue: v.HasIssue, HasOEM: v.HasOEM})
	return [3]part{
		{"facility", v.HasFacility, true, v.HasFacility && err != nil, v.Facility}, // 0 is no facility of a format that has but one
		{"issue", v.HasIssue, false, false, v.Issue},
		{"oem", v.HasOEM, false, false, v.OEM},
	}
}

// span describes the range of the number.
func (p part) span() string {
	if p.fixed {
		return fmt.Sprintf("always %d", p.highest)
	}
	return fmt.Sprintf("0 to %d", p.highest)
}

// fields returns all numbers except the card number. A number that the format lacks may be 0.
func (c encodeWiegandCmd) fields(f wiegand.Format) (wiegand.Fields, error) {
	v := f.Limits()
	given, values := [3]*uint64{c.Facility, c.Issue, c.OEM}, [3]*uint64{&v.Facility, &v.Issue, &v.OEM}
	for i, p := range parts(f) {
		*values[i] = 0
		n := given[i]
		switch {
		case n == nil && p.has && p.required:
			return v, socket.Hinted("add --"+p.flag+", "+p.span(), "cards of format %s have a %s", f.Name, p.flag)
		case n == nil:
		case !p.has && *n != 0:
			return v, socket.Hinted("leave --"+p.flag+" out: "+describe(f), "cards of format %s have no %s", f.Name, p.flag)
		case p.fixed && *n != p.highest:
			return v, socket.Hinted("--"+p.flag+" is "+p.span(), "cards of format %s have another %s", f.Name, p.flag)
		case *n > p.highest:
			return v, socket.Hinted("--"+p.flag+" is "+p.span(), "--%s is too large for format %s", p.flag, f.Name)
		default:
			*values[i] = *n
		}
	}
	return v, nil
}

// encode prints one card; errors never repeat its number.
func (c encodeWiegandCmd) encode(s *session.Session, f wiegand.Format, v wiegand.Fields, text string) error {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || strings.Trim(text, "0123456789") != "" {
		return socket.Hinted("decimal digits only, as 4567", "the card number is no number")
	}
	limit := f.Limits().Number()
	if n.Cmp(limit) > 0 || !v.SetNumber(n) {
		return socket.Hinted(fmt.Sprintf("it is 0 to %v", limit), "the card number is too large for format %s", f.Name)
	}
	card, err := f.Encode(v)
	if err != nil {
		return socket.Hinted(describe(f), "%v", err)
	}
	_, err = fmt.Fprintln(s.Out, bitText(card))
	return err
}

// bitText returns a card as 0 and 1, in the order of the wire.
func bitText(c device.Card) string {
	var b strings.Builder
	for i := range c.Len() {
		b.WriteByte('0' + c.Bit(i))
	}
	return b.String()
}

func describe(f wiegand.Format) string {
	text := fmt.Sprintf("%s has %d bits, card number 0 to %v", f.Name, f.Bits, f.Limits().Number())
	for _, p := range parts(f) {
		if p.has {
			text += ", --" + p.flag + " " + p.span()
		}
	}
	return text
}

// wiegandFormat finds a format by its name in any letter case.
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
	return wiegand.Format{}, socket.Hinted("formats by the number of their bits, RAWn for any n bits from 16 to 256:\n"+formatColumns(),
		"no Wiegand format %q", name)
}

// formatColumns lists all formats, a line for each number of bits.
func formatColumns() string {
	var lines []string
	last := 0
	for _, name := range wiegand.Names() {
		if f, _ := wiegand.Lookup(name); f.Bits != last {
			last = f.Bits
			lines = append(lines, fmt.Sprintf("%5d  ", last))
		}
		lines[len(lines)-1] += fmt.Sprintf("%-10s", name)
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}
