package osdp

import (
	"slices"

	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// Status is what is known of a reader at this moment.
type Status struct {
	Address byte // may differ from the configured one after Configure
	Online  bool // it can be used
	Secure  bool // over a secure channel with its own key
	Fault   fault.Code

	Identity     protocol.Identity // of the first reader that was found, or the last that was given a key; zero: unknown
	Capabilities []protocol.Capability
	Tamper       bool
	PowerFailure bool
	Inputs       []bool // active, by ISTATR; nil: it told none
	Outputs      []bool // by OSTATR, likewise
	Installing   bool   // the window of Install is open

	Commands  uint64 // answered
	Retries   uint64 // that had to be sent again
	BadFrames uint64 // answers that were no frame
	BadMACs   uint64
}

func (s Status) clone() Status {
	s.Capabilities = slices.Clone(s.Capabilities)
	s.Inputs, s.Outputs = slices.Clone(s.Inputs), slices.Clone(s.Outputs)
	return s
}
