package serialcard_test

import (
	"fmt"

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
		card, fault := decoder.Push(b)
		if card.Len() != 0 {
			fmt.Println(card) // never its number
		}
		if fault != 0 {
			fmt.Println(fault)
		}
	}
	// Output:
	// card of 40 bits
	// wrong_checksum
}
