// Package profile proves profiles: it decodes the sample frames in a reader's profile with the
// decoders of the daemon, and finds profiles by name, on disk or embedded.
//
// It refuses a profile whose samples do not decode as the file says: so a new profile is known to
// work, and an update of a decoder can't break a reader unseen. It opens no device and changes no
// file.
package profile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
)

// Result is the result of one sample.
type Result struct {
	Title string `json:"title"`
	OK    bool   `json:"ok"`
	Want  string `json:"want"`
	Got   string `json:"got"`
}

// Check decodes the samples of a reader's profile with its own settings. It returns one Result for
// each, and an error where a setting has no effect or a sample came out wrong. Samples are made-up
// cards: their numbers may be shown.
func Check(r Reader) ([]Result, error) {
	decode, err := newDecoder(r)
	if err != nil {
		return nil, err
	}
	var wrong []error
	results := make([]Result, len(r.Samples))
	for i, s := range r.Samples {
		res := Result{Title: s.Title, Want: describeWant(s.Want)}
		if events, err := decode(s); err != nil {
			res.Got = err.Error()
		} else {
			res.Got = describe(s.Want, events)
			res.OK = res.Got == res.Want // both name all that counts
		}
		if !res.OK {
			wrong = append(wrong, fmt.Errorf("sample %d (%s): want %s, got %s", i+1, s.Title, res.Want, res.Got))
		}
		results[i] = res
	}
	return results, errors.Join(wrong...)
}

// describeWant describes the expected result of a sample in one line.
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

// describe describes the result of a sample in one line.
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

// printed returns a card's numbers in the format that the sample names.
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
