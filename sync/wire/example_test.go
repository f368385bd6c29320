package wire_test

import (
	"crypto/ed25519"
	"fmt"

	"gatehouse/sync/wire"
)

// A gateway says what it lacks, and the registry opens it: only of that gateway, only
// as that type of message.
func ExampleSign() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	payload, err := wire.Encode(wire.Want{List: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeWant, Role: wire.RoleGateway, Address: "lane-7/gw1"}, payload, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	trusted := []wire.Key{{Role: wire.RoleGateway, Public: key.Public().(ed25519.PublicKey)}}
	for _, address := range []string{"lane-7/gw1", "lane-8/gw1"} {
		payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeWant, Role: wire.RoleGateway, Address: address}, trusted)
		var want wire.Want
		if err == nil {
			err = wire.Decode(payload, &want)
		}
		fmt.Println(address, want.List, err)
	}
	// Output:
	// lane-7/gw1 true <nil>
	// lane-8/gw1 false open envelope: message for another address: lane-7/gw1, want lane-8/gw1
}
