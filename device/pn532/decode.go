package pn532

import "gatehouse/device"

// Decode reads one frame in which a module lists what is in its field, as a
// Reader does: a card, or what is wrong with it, or neither for an empty field.
// FaultChecksum and FaultNoise are for bytes that are no such frame.
func Decode(frame []byte) (device.Card, device.Fault) {
	var d decoder
	for _, b := range frame {
		switch d.push(b) {
		case frameData:
			if d.data[0] == inListPassiveTarget+1 {
				return parse(d.data[1:])
			}
		case frameSum:
			return device.Card{}, device.FaultChecksum
		case frameError:
			return device.Card{}, device.FaultRefused
		}
	}
	return device.Card{}, device.FaultNoise
}
