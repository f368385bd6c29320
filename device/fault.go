package device

import "strconv"

// Fault is something that an installer should look at. The numbers are stable:
// they are the reasons of entries in the journal (sync/wire lists them all).
type Fault uint16

// Faults of readers and lines. 256 and up, so that they never meet a reason of
// a decision.
const (
	FaultNone          Fault = 0
	FaultMissing       Fault = 256 // the port or chip is not there
	FaultUnplugged     Fault = 257 // it was there and went away
	FaultIO            Fault = 258 // it is there and fails
	FaultLostEdges     Fault = 260 // gap in the kernel's sequence numbers: frame dropped
	FaultLength        Fault = 261 // a frame of a length that this reader is not set up for
	FaultParity        Fault = 262 // wrong parity
	FaultSwapped       Fault = 263 // inverted bits pass several times: D0 and D1 swapped
	FaultCable         Fault = 264 // both lines active, or one held active
	FaultShortFirst    Fault = 265 // bits within 100 ms of opening the lines
	FaultTrailing      Fault = 266 // bits after a frame's early end
	FaultNoise         Fault = 267 // bytes that are no frame, or pulses closer than any reader sends
	FaultChecksum      Fault = 268 // frame with a wrong checksum
	FaultGhost         Fault = 269 // a number that clones of the module make up
	FaultUnterminated  Fault = 270 // half a frame, then silence
	FaultOutputRefused Fault = 271 // the relay's line could not be driven
	FaultStale         Fault = 272 // a card that waited too long to be acted on
)

var faults = map[Fault]struct{ name, hint string }{
	FaultMissing:       {"missing", "check the cable and the port or chip named in the site file; it is tried again by itself"},
	FaultUnplugged:     {"unplugged", "plug it in again; it comes back by itself"},
	FaultIO:            {"io_error", "check power and cable; the system log has the kernel's message"},
	FaultLostEdges:     {"lost_edges", "the gateway was too busy or the line is noisy: check ground and shield"},
	FaultLength:        {"wrong_length", "set the reader's formats in the site file to what this reader sends; check for noise"},
	FaultParity:        {"wrong_parity", "check ground, shield and cable length; the card was not read"},
	FaultSwapped:       {"swapped_lines", "D0 and D1 are swapped: exchange the two wires, or d0 and d1 in the site file"},
	FaultCable:         {"cable", "a data line is held down: check the reader's power, ground and the cable for a short"},
	FaultShortFirst:    {"first_frame", "bits right after start are never a card; present the card again"},
	FaultTrailing:      {"trailing_bits", "bits after a complete frame: check for noise, or set the longer format"},
	FaultNoise:         {"noise", "check ground and shield; on a serial reader also baud rate and layout"},
	FaultChecksum:      {"wrong_checksum", "check ground, cable and the reader's power; the card was not read"},
	FaultGhost:         {"ghost_frame", "a number that such modules make up by themselves; nothing was read"},
	FaultUnterminated:  {"half_frame", "the frame stopped half-way: check cable and baud rate"},
	FaultStale:         {"stale_card", "the gateway was too busy to act on the card in time: present it again; look at what keeps the gateway busy"},
	FaultOutputRefused: {"output_refused", "the relay's line can't be driven: check chip and line in the site file"},
}

// String returns the stable name.
func (f Fault) String() string {
	if d, ok := faults[f]; ok {
		return d.name
	}
	if f == FaultNone {
		return "none"
	}
	return "fault_" + strconv.Itoa(int(f))
}

// Hint tells the installer what to do; empty for an unknown fault.
func (f Fault) Hint() string { return faults[f].hint }
