package ledger

// The doors of the building.
const (
	FrontDoor = "front" // electric egress, fail-safe lock, Wiegand reader, exit button
	YardDoor  = "yard"  // a handle on the inside, fail-secure lock, serial reader
	GateDoor  = "gate"  // likewise, with an OSDP reader that has keys, and a scanner of codes
)
