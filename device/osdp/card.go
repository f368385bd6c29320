package osdp

import (
	"fmt"

	"gatehouse/device"
)

// Card returns the card in a RAW or FMT reply that is not encrypted, as the
// reader sent its bits: a Bus checks them as well.
func (f Frame) Card() (device.Card, error) {
	switch {
	case !f.Reply || f.Block.Type == blockCryptReply:
	case f.Code == replyRaw:
		return parseRaw(f.Data)
	case f.Code == replyFmt:
		return parseFmt(f.Data)
	}
	return device.Card{}, fmt.Errorf("%s has no card in clear text", f.Name())
}

// Keys returns the keys in a KEYPAD reply that is not encrypted, as
// device.Keypad takes them; false for any other frame.
func (f Frame) Keys() ([]byte, bool) {
	if !f.Reply || f.Block.Type == blockCryptReply || f.Code != replyKeypad {
		return nil, false
	}
	raw, err := parseKeypad(f.Data)
	if err != nil {
		return nil, false
	}
	keys := make([]byte, len(raw))
	for i, b := range raw {
		keys[i] = keyOf(b)
	}
	return keys, true
}
