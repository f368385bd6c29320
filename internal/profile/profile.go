// Package profile proves profiles: it decodes the sample frames in a reader's
// profile by the decoders that the daemon uses, and finds the profile of a name,
// on disk or embedded.
//
// It refuses a profile whose samples do not come out as the file says: whoever
// writes a reader down shows that it works, and an update of a decoder can't
// break a reader unseen. It opens no device and changes no file.
package profile

import (
	"encoding/hex"
	"errors"
	"fmt"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
)

// Result is what came of one sample.
type Result struct {
	Title string `json:"title"`
	OK    bool   `json:"ok"`
	Want  string `json:"want"`
	Got   string `json:"got"`
}

// Check decodes the samples of a reader's profile with its own settings. It
// returns one Result for each, and an error where a setting is of no use or a
// sample came out wrong. Samples are made-up cards: their numbers may be shown.
func Check(r Reader) ([]Result, error) {
	decode, err := newDecoder(r)
	if err != nil {
		return nil, err
	}
	var wrong []error
	results := make([]Result, len(r.Samples))
	for i, s := range r.Samples {
		res := Result{Title: s.Title, Want: describeWant(s.Want)}
		events, err := decode(s)
		if err != nil {
			res.Got = err.Error()
		} else {
			res.Got = describe(s.Want, events)
			res.OK = matches(s.Want, events) == nil
		}
		if !res.OK {
			wrong = append(wrong, fmt.Errorf("sample %d (%s): want %s, got %s", i+1, s.Title, res.Want, res.Got))
		}
		results[i] = res
	}
	return results, errors.Join(wrong...)
}

// matches tells how the outcome differs from what the sample wants.
func matches(w Want, got []outcome) error {
	if len(got) != 1 {
		return fmt.Errorf("%d results", len(got))
	}
	g := got[0]
	switch {
	case w.Fault != "":
		return equal(g.fault.String(), w.Fault)
	case g.fault != fault.None:
		return errors.New(g.fault.String())
	case w.PIN != "":
		return equal(g.pin.Digits(), w.PIN)
	case w.Code != "":
		return equal(g.code.Text(), w.Code)
	case w.Number != "":
		return equal(g.number, w.Number)
	}
	raw, err := hex.DecodeString(w.Hex)
	if err != nil {
		return err
	}
	want, err := device.NewCard(raw, w.Bits)
	if err != nil {
		return err
	}
	if g.card != want {
		return errors.New("another card")
	}
	return numbers(w, want)
}

func equal(got, want string) error {
	if got != want {
		return fmt.Errorf("%q is not %q", got, want)
	}
	return nil
}

// numbers checks the printed numbers of a card.
func numbers(w Want, card device.Card) error {
	if w.Format == "" {
		return nil
	}
	f, ok := wiegand.Lookup(w.Format)
	if !ok {
		return fmt.Errorf("format %q is not known", w.Format)
	}
	v, err := f.Decode(card)
	if err != nil {
		return err
	}
	if w.Facility != nil && (!v.HasFacility || v.Facility != *w.Facility) || w.Card != nil && v.Card != *w.Card {
		return fmt.Errorf("%s has facility %d and card %d", w.Format, v.Facility, v.Card)
	}
	return nil
}
