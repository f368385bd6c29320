package osdptest

import (
	"fmt"
	"time"

	"gatehouse/device"
)

// Fault is a way in which a Reader, or somebody between it and the
// panel, does what it should not.
type Fault uint8

// The faults. Those of the reader itself come first, then those of the cable,
// then those of an enemy at the cable.
const (
	Deaf        Fault = iota + 1 // the command is not heard
	DeafToCRC                    // nor one with a CRC, whatever PDCAP says
	Busy                         // BUSY; the command is not carried out
	Refuse                       // NAK 3 in the clear
	Reboot                       // forgets session and sequence before the command
	WrongKey                     // CHLNG is answered under another key
	ClearStatus                  // in a session LSTATR, ISTATR, OSTATR and RSTATR go out in the clear under block 15 with the right MAC, as those of libosdp 3.2.0 do
	ClearReport                  // in a session cards and keys go out likewise
	WrongNumber                  // the reply has another sequence number
	NumberZero                   // the reply has the number 0, which asks for a restart

	Drop       // the reply is lost; the command is carried out
	Corrupt    // 1 to 3 bits of the reply are turned
	Truncate   // the end of the reply is missing
	Length     // the length in the reply lies, and the check characters agree
	Duplicate  // the reply comes twice
	Late       // the reply comes later by Delay
	Trickle    // the bytes of the reply are apart by Delay
	OtherReply // the reply comes from another address

	BadMAC    // one bit of the MAC is turned, the check characters agree
	Downgrade // PDCAP in the clear denies the secure channel, CHLNG is answered by NAK 5
	ClearCard // POLL is answered by a RAW of Card in the clear, with the right number
	Replay    // POLL is answered by a reply of a session before that had a card, CHLNG and SCRYPT by those of before: right number and check characters, their old MAC
	Flood     // malformed frames without being asked, Rate a second
)

var faultNames = [...]string{
	"", "deaf", "deaf_to_crc", "busy", "refuse", "reboot", "wrong_key", "clear_status", "clear_report", "wrong_number", "number_zero",
	"drop", "corrupt", "truncate", "length", "duplicate", "late", "trickle", "other_reply",
	"bad_mac", "downgrade", "clear_card", "replay", "flood",
}

// String returns the name, as the simulator has it.
func (f Fault) String() string {
	if f > 0 && int(f) < len(faultNames) {
		return faultNames[f]
	}
	return fmt.Sprintf("fault_%d", uint8(f))
}

// Faults lists all of them.
func Faults() []Fault {
	all := make([]Fault, 0, len(faultNames)-1)
	for f := range len(faultNames) - 1 {
		all = append(all, Fault(f+1))
	}
	return all
}

// Mishap is one fault and when it strikes.
type Mishap struct {
	Fault   Fault
	Times   int           // strikes so often; 0: until Behave
	Chance  float64       // each time with this probability; 0: always
	Command byte          // only at this command; 0: at any
	Delay   time.Duration // of Late (0: 300 ms) and Trickle (0: 5 ms)
	Card    device.Card   // of ClearCard
	Rate    int           // of Flood, frames a second; 0: 10,000
}
