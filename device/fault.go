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
	FaultTamper        Fault = 273 // the reader's tamper switch
	FaultPower         Fault = 274 // the reader says that its power fails
	FaultNoAnswer      Fault = 275 // the reader is silent
	FaultNoKey         Fault = 276 // no key of this reader is known yet
	FaultWrongKey      Fault = 277 // the reader can't prove that it has our key
	FaultDefaultKey    Fault = 278 // the reader has the key that everybody knows
	FaultClearText     Fault = 279 // a reader that must be secured sent clear text
	FaultBadMAC        Fault = 280 // a message of the secure channel was changed on its way
	FaultDowngrade     Fault = 281 // a reader that must be secured says that it can't be
	FaultKeyBurst      Fault = 282 // keys that can't be right: the PIN has to be typed again
	FaultRandomUID     Fault = 283 // a number that is another at each tap
	FaultRefused       Fault = 284 // the reader refuses a command
	FaultWeakKey       Fault = 285 // a key that anybody would try
	FaultOtherReader   Fault = 286 // another reader than the one that was paired
	FaultPortSettings  Fault = 287 // another program changed the settings of the port
	FaultPortShared    Fault = 288 // another program has the port open, too
	FaultPortBusy      Fault = 289 // another program has the port for itself
	FaultChatter       Fault = 290 // an input changes without end
	FaultLineBusy      Fault = 291 // another program or driver has the line
)

var faults = map[Fault]struct{ name, hint string }{
	FaultMissing:       {"missing", "check the cable and the port or chip named in the site file; it is tried again by itself"},
	FaultUnplugged:     {"unplugged", "plug it in again; it comes back by itself"},
	FaultIO:            {"io_error", "check power and cable; the system log has the kernel's message"},
	FaultLostEdges:     {"lost_edges", "the gateway was too busy or the line is noisy: check ground and shield"},
	FaultLength:        {"wrong_length", "say in the site file what this reader sends: its formats, or the layout and settings of a serial reader; check for noise"},
	FaultParity:        {"wrong_parity", "check ground, shield and cable length; the card was not read"},
	FaultSwapped:       {"swapped_lines", "D0 and D1 are swapped: exchange the two wires, or d0 and d1 in the site file"},
	FaultCable:         {"cable", "a data line is held down: check the reader's power, ground and the cable for a short"},
	FaultShortFirst:    {"first_frame", "bits right after start are never a card; present the card again"},
	FaultTrailing:      {"trailing_bits", "bits after a complete frame: check for noise, or set the longer format"},
	FaultNoise:         {"noise", "check ground and shield; on a serial reader also baud rate and layout"},
	FaultChecksum:      {"wrong_checksum", "check ground, cable and the reader's power; the card was not read"},
	FaultGhost:         {"ghost_frame", "a number that such modules make up by themselves; nothing was read"},
	FaultUnterminated:  {"half_frame", "the frame stopped half-way: check cable and baud rate"},
	FaultStale:         {"stale_card", "the card waited in the reader while it was away, or the gateway was too busy to act in time: present it again"},
	FaultTamper:        {"tamper", "somebody opened the reader or took it off the wall: look at it"},
	FaultPower:         {"reader_power", "the reader's power supply fails: check its voltage under load"},
	FaultNoAnswer:      {"no_answer", "check the reader's power, A and B of the bus (exchange them), address and baud rate"},
	FaultNoKey:         {"no_key", "pair it: gatehouse reader install"},
	FaultWrongKey:      {"wrong_key", "the reader was reset or exchanged, or somebody plays it, or it has no secure channel: look at it, then pair it again by gatehouse reader install. A reader without secure channel needs security = \"none\" in the site file"},
	FaultDefaultKey:    {"default_key", "the reader has the key that everybody knows: pair it by gatehouse reader install"},
	FaultClearText:     {"clear_text", "what came is not used. Look at the cable and the reader: somebody may sit between"},
	FaultBadMAC:        {"bad_mac", "look at the cable and the reader: somebody may sit between, or the bus is noisy"},
	FaultDowngrade:     {"downgrade", "the reader can't be secured, or somebody changes what it says. A reader without secure channel must be named so in the site file"},
	FaultKeyBurst:      {"wrong_keys", "the keypad sent keys that can't be right: type the PIN again; check ground and shield"},
	FaultRandomUID:     {"random_number", "telephones and some cards show another number at each tap: they can't be keys"},
	FaultRefused:       {"refused", "the reader refuses a command: choose its profile in the site file; one that demands its secure channel needs security = \"none\" taken out"},
	FaultWeakKey:       {"weak_key", "the key file holds a key that anybody would try: remove the file and pair the reader again"},
	FaultOtherReader:   {"other_reader", "this is another reader than the one that was paired: look at it, then pair it again"},
	FaultPortSettings:  {"port_settings", "another program changed the port's settings; they were set again. sudo gatehoused check names who has the port open"},
	FaultPortShared:    {"port_shared", "another program has the port open and takes what the reader sends: sudo gatehoused check names it, and how it is ended"},
	FaultPortBusy:      {"port_busy", "another program has the port for itself: sudo gatehoused check names it, and how it is ended; it is tried again by itself"},
	FaultChatter:       {"chatter", "the line changes again and again: check the button or contact, its cable and ground; only a state that lasts 2 s is believed meanwhile, but an exit button at once"},
	FaultLineBusy:      {"line_busy", "another program, or a driver of the kernel, has the line: sudo gatehoused check names it, and what to do; it is tried again by itself"},
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
