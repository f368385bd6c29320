package profile

import (
	"encoding/hex"
	"fmt"
	"strings"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
)

// describeWant says in one line what a sample wants.
func describeWant(w Want) string {
	switch {
	case w.Fault != "":
		return "fault " + w.Fault
	case w.PIN != "":
		return "PIN " + w.PIN
	case w.Code != "":
		return fmt.Sprintf("code %q", w.Code)
	case w.Number != "":
		return "ID number " + w.Number
	}
	return describeCard(w.Bits, w.Hex, w)
}

// describe says in one line what came of a sample.
func describe(w Want, got []outcome) string {
	if len(got) == 0 {
		return "nothing"
	}
	parts := make([]string, len(got))
	for i, g := range got {
		switch {
		case g.fault != fault.None:
			parts[i] = "fault " + g.fault.String()
		case g.pin.Len() > 0:
			parts[i] = "PIN " + g.pin.Digits()
		case g.code.Text() != "":
			parts[i] = fmt.Sprintf("code %q", g.code.Text())
		case g.number != "":
			parts[i] = "ID number " + g.number
		default:
			parts[i] = describeCard(g.card.Len(), hex.EncodeToString(g.card.Bytes()), printed(w, g.card))
		}
	}
	return strings.Join(parts, ", then ")
}

// printed is what a card says in the format that the sample names.
func printed(w Want, c device.Card) (got Want) {
	f, ok := wiegand.Lookup(w.Format)
	if !ok {
		return got
	}
	v, err := f.Decode(c)
	if err != nil {
		return got
	}
	got.Format = w.Format
	if w.Card != nil {
		got.Card = &v.Card
	}
	if w.Facility != nil && v.HasFacility {
		got.Facility = &v.Facility
	}
	return got
}

func describeCard(bits int, hex string, numbers Want) string {
	text := fmt.Sprintf("card of %d bits %s", bits, strings.ToLower(hex))
	if numbers.Format != "" {
		text += " (" + numbers.Format
		if numbers.Facility != nil {
			text += fmt.Sprintf(" facility %d", *numbers.Facility)
		}
		if numbers.Card != nil {
			text += fmt.Sprintf(" card %d", *numbers.Card)
		}
		text += ")"
	}
	return text
}
