package pn532

import (
	"gatehouse/device"
	"gatehouse/device/fault"
)

// Decode reads one frame in which a module lists what is in its field, as a
// Reader does: a card, or what is wrong with it, or neither for an empty field.
// fault.Checksum and fault.Noise are for bytes that are no such frame.
func Decode(frame []byte) (device.Card, fault.Code) {
	var d decoder
	for _, b := range frame {
		switch d.push(b) {
		case frameData:
			if d.data[0] == inListPassiveTarget+1 {
				return parse(d.data[1:])
			}
		case frameSum:
			return device.Card{}, fault.Checksum
		case frameError:
			return device.Card{}, fault.Refused
		}
	}
	return device.Card{}, fault.Noise
}
