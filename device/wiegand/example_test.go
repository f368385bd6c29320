package wiegand_test

import (
	"fmt"

	"gatehouse/device/wiegand"
)

// A card of the most common format: what is printed on it, and what its reader sends.
func ExampleFormat() {
	h10301, _ := wiegand.Lookup("H10301")
	card, err := h10301.Encode(wiegand.Fields{Facility: 217, Card: 1234, HasFacility: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range card.Len() {
		fmt.Print(card.Bit(i))
	}
	fmt.Println()
	fields, err := h10301.Decode(card)
	fmt.Println(fields.Facility, fields.Card, err)
	// Output:
	// 11101100100000100110100100
	// 217 1234 <nil>
}
