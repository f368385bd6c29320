package idcard

import "fmt"

// Status is SW3 of a reply. As an error it is the module's refusal.
type Status byte

// The statuses that mean success.
const (
	StatusOK    Status = 0x90
	StatusFound Status = 0x9F // a card was found
)

const (
	statusNoCard     Status = 0x80
	statusNotTaken   Status = 0x81
	statusUnreadable Status = 0x41
)

// statuses has what the modules' manuals agree on (Synjones, HX, libsamv). Those
// marked again are worth another try while the card lies there.
var statuses = map[Status]struct {
	name, hint string
	again      bool
}{
	StatusOK:         {name: "done"},
	StatusFound:      {name: "card found"},
	statusNoCard:     {"no card found", "lay the card flat on the reader; if it lies there, take it off and lay it on again", true},
	statusNotTaken:   {"the card could not be selected", "only one card may lie on the reader, and none may move", true},
	0x91:             {"the card has nothing of that kind", "", true},
	0x10:             {"the module got a wrong checksum", "check cable and ground, and that the baud rate is the module's", true},
	0x11:             {"the module got a wrong length", "check cable and ground, and that the baud rate is the module's", true},
	0x21:             {"the module does not know the command", "this is not a module of the SAM_V kind, or it is defective", false},
	0x23:             {"the module does not allow it", "ask whoever sold the module whether it is authorised", false},
	0x24:             {"the module can't tell what is wrong", "switch the module off and on", true},
	0x31:             {"the card does not accept the module", "try again; if other cards are read, type what the document says and look at it closely", false},
	0x32:             {"the module does not accept the card", "try again; if other cards are read, type what the document says and look at it closely", false},
	0x33:             {"what the card holds could not be verified", "try again; if other cards are read, type what the document says and look at it closely", false},
	0x37:             {"the fingers on the card could not be verified", "", false},
	0x3F:             {"what the card holds has a wrong length", "try again; a new kind of card may need a new module", true},
	0x40:             {"this is no identity card that the module knows", "passports and travel permits are typed", false},
	statusUnreadable: {"the card could not be read", "leave it on the reader until it is read, away from other cards", true},
	0x47:             {"the card gave no random number", "leave it on the reader until it is read, away from other cards", true},
	0x60:             {"the module's self-test failed", "switch it off and on; if that does not help, it is defective", false},
	0x66:             {"the module is not authorised", "ask whoever sold the module: its security module is missing or blocked", false},
}

// String says in words what the module means.
func (s Status) String() string {
	if known, ok := statuses[s]; ok {
		return known.name
	}
	return "a status that no manual has"
}

// Error is String with the number that the maker's support asks for.
func (s Status) Error() string { return fmt.Sprintf("%s (SW3 %02X)", s.String(), byte(s)) }

// Hint says what to do; empty where nothing is known to help.
func (s Status) Hint() string { return statuses[s].hint }
