// Package fault declares what can be wrong with readers, lines and ports: the
// number that the journal keeps, its name, what an installer does about it, and
// whether somebody may have caused it. It imports nothing of ours; both the
// devices that report faults and sync/wire, which records them, go by it.
package fault

import "strconv"

// Code is something that an installer should look at. The numbers are stable:
// they are the reasons of entries in the journal.
type Code uint16

// Faults of readers and lines. 256 and up, so that they never meet a reason of
// a decision.
const (
	None          Code = 0
	Missing       Code = 256 // the port or chip is not there
	Unplugged     Code = 257 // it was there and went away
	IO            Code = 258 // it is there and fails
	LostEdges     Code = 260 // gap in the kernel's sequence numbers: frame dropped
	Length        Code = 261 // a frame of a length that this reader is not set up for
	Parity        Code = 262 // wrong parity
	Swapped       Code = 263 // inverted bits pass several times: D0 and D1 swapped
	Cable         Code = 264 // both lines active, or one held active
	ShortFirst    Code = 265 // bits within 100 ms of opening the lines
	Trailing      Code = 266 // bits after a frame's early end
	Noise         Code = 267 // bytes that are no frame, or pulses closer than any reader sends
	Checksum      Code = 268 // frame with a wrong checksum
	Ghost         Code = 269 // a number that clones of the module make up
	Unterminated  Code = 270 // half a frame, then silence
	OutputRefused Code = 271 // the relay's line could not be driven
	Stale         Code = 272 // a card that waited too long to be acted on
	Tamper        Code = 273 // the reader's tamper switch
	Power         Code = 274 // the reader says that its power fails
	NoAnswer      Code = 275 // the reader is silent
	NoKey         Code = 276 // no key of this reader is known yet
	WrongKey      Code = 277 // the reader can't prove that it has our key
	DefaultKey    Code = 278 // the reader has the key that everybody knows
	ClearText     Code = 279 // a reader that must be secured sent clear text
	BadMAC        Code = 280 // a message of the secure channel was changed on its way
	Downgrade     Code = 281 // a reader that must be secured says that it can't be
	KeyBurst      Code = 282 // keys that can't be right: the PIN has to be typed again
	RandomUID     Code = 283 // a number that is another at each tap
	Refused       Code = 284 // the reader refuses a command
	WeakKey       Code = 285 // a key that anybody would try
	OtherReader   Code = 286 // another reader than the one that was paired
	PortSettings  Code = 287 // another program changed the settings of the port
	PortShared    Code = 288 // another program has the port open, too
	PortBusy      Code = 289 // another program has the port for itself
	Chatter       Code = 290 // an input changes without end
	LineBusy      Code = 291 // another program or driver has the line
)

var meanings = map[Code]struct{ name, hint string }{
	Missing:       {"missing", "check the cable and the port or chip named in the site file; it is tried again by itself"},
	Unplugged:     {"unplugged", "plug it in again; it comes back by itself"},
	IO:            {"io_error", "check power and cable; the system log has the kernel's message"},
	LostEdges:     {"lost_edges", "the gateway was too busy or the line is noisy: check ground and shield"},
	Length:        {"wrong_length", "say in the site file what this reader sends: its formats, or the layout and settings of a serial reader; check for noise"},
	Parity:        {"wrong_parity", "check ground, shield and cable length; the card was not read"},
	Swapped:       {"swapped_lines", "D0 and D1 are swapped: exchange the two wires, or d0 and d1 in the site file"},
	Cable:         {"cable", "a data line is held down: check the reader's power, ground and the cable for a short"},
	ShortFirst:    {"first_frame", "bits right after start are never a card; present the card again"},
	Trailing:      {"trailing_bits", "bits after a complete frame: check for noise, or set the longer format"},
	Noise:         {"noise", "check ground and shield; on a serial reader also baud rate and layout"},
	Checksum:      {"wrong_checksum", "check ground, cable and the reader's power; the card was not read"},
	Ghost:         {"ghost_frame", "a number that such modules make up by themselves; nothing was read"},
	Unterminated:  {"half_frame", "the frame stopped half-way: check cable and baud rate"},
	Stale:         {"stale_card", "the card waited in the reader while it was away, or the gateway was too busy to act in time: present it again"},
	Tamper:        {"tamper", "somebody opened the reader or took it off the wall: look at it"},
	Power:         {"reader_power", "the reader's power supply fails: check its voltage under load"},
	NoAnswer:      {"no_answer", "check the reader's power, A and B of the bus (exchange them), address and baud rate"},
	NoKey:         {"no_key", "pair it: gatehouse reader install"},
	WrongKey:      {"wrong_key", "the reader was reset or exchanged, or somebody plays it, or it has no secure channel: look at it, then pair it again by gatehouse reader install; one with a key from elsewhere is reset first, by its DIP switch or config card. A reader without secure channel needs security = \"none\" in the site file"},
	DefaultKey:    {"default_key", "the reader has the key that everybody knows: pair it by gatehouse reader install"},
	ClearText:     {"clear_text", "what came is not used. Look at the cable and the reader: somebody may sit between"},
	BadMAC:        {"bad_mac", "look at the cable and the reader: somebody may sit between, or the bus is noisy"},
	Downgrade:     {"downgrade", "the reader can't be secured, or somebody changes what it says. A reader without secure channel must be named so in the site file"},
	KeyBurst:      {"wrong_keys", "the keypad sent keys that can't be right: type the PIN again; check ground and shield"},
	RandomUID:     {"random_number", "telephones and some cards show another number at each tap: they can't be keys"},
	Refused:       {"refused", "the reader refuses a command: choose its profile in the site file; one that demands its secure channel needs security = \"none\" taken out"},
	WeakKey:       {"weak_key", "the key file holds a key that anybody would try: remove the file and pair the reader again"},
	OtherReader:   {"other_reader", "this is another reader than the one that was paired: look at it, then pair it again"},
	PortSettings:  {"port_settings", "another program changed the port's settings; they were set again. sudo gatehoused check names who has the port open"},
	PortShared:    {"port_shared", "another program has the port open and takes what the reader sends: sudo gatehoused check names it, and how it is ended"},
	PortBusy:      {"port_busy", "another program has the port for itself: sudo gatehoused check names it, and how it is ended; it is tried again by itself"},
	Chatter:       {"chatter", "the line changes again and again: check the button or contact, its cable and ground; only a state that lasts 2 s is believed meanwhile, but an exit button at once"},
	LineBusy:      {"line_busy", "another program, or a driver of the kernel, has the line: sudo gatehoused check names it, and what to do; it is tried again by itself"},
	OutputRefused: {"output_refused", "the relay's line can't be driven: check chip and line in the site file"},
}

// alarming are the faults that somebody may have caused.
var alarming = map[Code]bool{Unplugged: true, Cable: true, OutputRefused: true, Tamper: true, WrongKey: true, DefaultKey: true,
	ClearText: true, BadMAC: true, Downgrade: true, OtherReader: true}

// String returns the stable name, "fault_" and the number where there is none.
func (c Code) String() string {
	if m, ok := meanings[c]; ok {
		return m.name
	}
	if c == None {
		return "none"
	}
	return "fault_" + strconv.Itoa(int(c))
}

// Known reports whether a reader or line of this program can have the fault.
func (c Code) Known() bool { return meanings[c].name != "" }

// Hint tells the installer what to do; empty for an unknown fault.
func (c Code) Hint() string { return meanings[c].hint }

// Alarm reports whether somebody may have caused the fault, so that people should
// hear of it at once.
func (c Code) Alarm() bool { return alarming[c] }
