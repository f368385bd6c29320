package protocol_test

import (
	"encoding/hex"
	"fmt"

	"gatehouse/device/osdp/protocol"
)

// What a bus monitor does with the bytes of one frame, here a panel's question to the
// reader with address 0.
func ExampleParse() {
	raw, _ := hex.DecodeString("53000900046100c066")
	frame, err := protocol.Parse(raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(frame.Name(), "address", frame.Address, "sequence", frame.Sequence)
	again, err := frame.Append(nil)
	fmt.Printf("%x %v\n", again, err)
	_, err = protocol.Parse(raw[:2])
	fmt.Println(err)
	// Output:
	// ID address 0 sequence 0
	// 53000900046100c066 <nil>
	// wrong length: 2 bytes, a frame has at least 7
}
