package profile

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/idcard"
	"gatehouse/device/osdp/protocol"
	"gatehouse/device/pn532"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
)

// outcome is one result of a sample: a card, PIN or code, the number of an ID card, or a fault.
type outcome struct {
	card   device.Card
	pin    device.PIN
	code   device.Code
	number string
	fault  fault.Code
}

// decoder decodes a sample as a door would see it.
type decoder func(Sample) ([]outcome, error)

// newDecoder returns the decoder for the samples of a reader; an error for settings that its driver
// refuses.
func newDecoder(r Reader) (decoder, error) {
	switch r.Type {
	case "wiegand":
		return wiegandDecoder(r)
	case "osdp":
		return osdpDecoder(r)
	case "serial", "code":
		return serialDecoder(r)
	case "pn532":
		return ofBytes(pn532Card), nil
	case "idcard":
		return ofBytes(idcardNumber), nil
	}
	return nil, fmt.Errorf("type %q: this version has no decoder for its samples", r.Type)
}

// ofBytes decodes samples by their bytes on the wire.
func ofBytes(decode func(raw []byte) ([]outcome, error)) decoder {
	return func(s Sample) ([]outcome, error) {
		raw, err := s.Bytes()
		if err != nil {
			return nil, err
		}
		return decode(raw)
	}
}

const (
	usualInterval = 2 * time.Millisecond // between bits, where the profile has none
	keyPause      = 300 * time.Millisecond
)

// wiegandDecoder plays the bits as edges, with the reader's own timing, to the framer of a door,
// and its keys to a keypad.
func wiegandDecoder(r Reader) (decoder, error) {
	formats, err := formatsOf(r)
	if err != nil {
		return nil, err
	}
	cfg := wiegand.Config{Source: r.Name, Formats: formats, Gap: time.Duration(r.GapMS) * time.Millisecond, ReverseBytes: r.ReverseBytes}
	if k := r.Keypad; k != nil {
		cfg.Keypad = wiegand.Keypad{Kind: k.Kind, Codes: k.Codes, Facility: k.Facility, Length: k.Length}
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	interval := cmp.Or(time.Duration(r.IntervalUS)*time.Microsecond, usualInterval)
	return func(s Sample) ([]outcome, error) {
		bursts := s.Bursts
		if s.Bits != "" {
			bursts = []string{s.Bits}
		}
		return play(cfg, interval, bursts), nil
	}, nil
}

// play plays frames, a key pause apart, and returns what a door would see.
func play(cfg wiegand.Config, interval time.Duration, bursts []string) (got []outcome) {
	keys := device.Keypad{Length: cfg.Keypad.Length}
	f := wiegand.NewFramer(cfg, func(x wiegand.Frame) {
		if x.Key != 0 {
			if pin, ok := keys.Press(x.Key, x.At); ok {
				got = append(got, outcome{pin: pin})
			}
			return
		}
		got = append(got, outcome{card: x.Card, pin: x.PIN, fault: x.Fault})
	})
	f.Settle()
	at, seq := time.Second, uint32(0)
	for _, burst := range bursts {
		at += keyPause
		for _, b := range []byte(strings.ReplaceAll(burst, " ", "")) {
			at += interval
			seq++
			f.Edges([]device.Edge{{Line: b - '0', Active: true, At: at, Seq: seq}})
		}
		f.Idle()
	}
	return got
}

func formatsOf(r Reader) ([]wiegand.Format, error) {
	formats := make([]wiegand.Format, len(r.Formats))
	for i, name := range r.Formats {
		f, ok := wiegand.Lookup(name)
		if !ok {
			return nil, errUnknown("format", name, wiegand.Names())
		}
		formats[i] = f
	}
	return formats, nil
}

// serialDecoder plays the bytes to the decoder of a port.
func serialDecoder(r Reader) (decoder, error) {
	layout, ok := serialcard.Lookup(r.Layout)
	if !ok {
		return nil, errUnknown("layout", r.Layout, serialcard.Names())
	}
	if s := r.Settings; s != nil {
		var err error
		if layout, err = layout.With(*s); err != nil {
			return nil, err
		}
	}
	if layout.Code() != (r.Type == "code") {
		return nil, fmt.Errorf(`layout %q with type = %q: scanners of codes are of type "code", readers of cards of type "serial"`, r.Layout, r.Type)
	}
	return ofBytes(func(raw []byte) (got []outcome, err error) {
		d, err := serialcard.NewDecoder(layout)
		if err != nil {
			return nil, err
		}
		tell := func(e device.Event, ok bool) {
			if ok && e.Kind != 0 {
				got = append(got, outcome{card: e.Card, code: e.Code, fault: e.Fault})
			}
		}
		for _, b := range raw {
			tell(d.Push(b))
		}
		if d.Pending() {
			tell(d.Timeout())
		}
		return got, nil
	}), nil
}

// osdpDecoder parses each frame as the bus does and returns what it reports.
func osdpDecoder(r Reader) (decoder, error) {
	formats, err := formatsOf(r)
	if err != nil {
		return nil, err
	}
	return ofBytes(func(raw []byte) ([]outcome, error) {
		f, err := protocol.Parse(raw)
		switch {
		case errors.Is(err, protocol.ErrCheck):
			return []outcome{{fault: fault.Checksum}}, nil
		case err != nil:
			return nil, err
		}
		if keys, err := f.Keys(nil); err == nil {
			return typed(keys), nil
		}
		card, err := f.Card()
		if err != nil {
			return nil, err
		}
		return []outcome{{card: card, fault: fits(card, formats)}}, nil
	}), nil
}

// typed joins keys to PINs as a door does.
func typed(keys []byte) (got []outcome) {
	var pad device.Keypad
	for i, k := range keys {
		if pin, ok := pad.Press(k, time.Duration(i)*keyPause); ok {
			got = append(got, outcome{pin: pin})
		}
	}
	return got
}

// fits checks the bits of an OSDP card, which have their Wiegand parity.
func fits(card device.Card, formats []wiegand.Format) fault.Code {
	if len(formats) == 0 {
		return fault.None
	}
	found := fault.Length
	for _, f := range formats {
		switch err := f.Check(card); {
		case err == nil:
			return fault.None
		case errors.Is(err, wiegand.ErrParity):
			found = fault.Parity
		}
	}
	return found
}

// pn532Card parses the frame in which a module lists a card.
func pn532Card(raw []byte) ([]outcome, error) {
	card, found := pn532.Decode(raw)
	if card.Len() == 0 && found == fault.None {
		return nil, nil
	}
	return []outcome{{card: card, fault: found}}, nil
}

// idcardNumber parses the person's number in a module's reply.
func idcardNumber(raw []byte) ([]outcome, error) {
	reply, err := idcard.ParseReply(raw)
	if err != nil {
		return nil, err
	}
	record, err := reply.Record()
	if err != nil {
		return nil, err
	}
	return []outcome{{number: record.Number()}}, nil
}

func errUnknown(what, name string, known []string) error {
	return fmt.Errorf("%s %q is not known; known: %s", what, name, strings.Join(known, ", "))
}
