package serialcard_test

import (
	"fmt"

	"gatehouse/device"
	"gatehouse/device/serialcard"
)

func ExampleDecoder() {
	layout, _ := serialcard.Lookup("rdm6300")
	decoder, err := serialcard.NewDecoder(layout)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range []byte("\x02012345678989\x03" + "\x02012345678900\x03") {
		event, ok := decoder.Push(b)
		switch {
		case ok && event.Kind == device.CardRead:
			fmt.Println(event.Card) // never its number
		case ok && event.Kind == device.FaultSeen:
			fmt.Println(event.Fault)
		}
	}
	// Output:
	// card of 40 bits
	// wrong_checksum
}
