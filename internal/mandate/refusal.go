package mandate

import "fmt"

// Code is why a mandate is refused. Numbers are for ever: they stand in journals.
type Code uint8

// The codes.
const (
	Unsigned          Code = 1  // no envelope of a mandate, or its signature does not hold
	UnknownApprover   Code = 2  // nobody whom the trust document names as an approver has signed it
	OtherRegistry     Code = 3  // for a house of another registry
	Malformed         Code = 4  // signed, and no mandate
	Withdrawn         Code = 5  // by the approver
	Incomplete        Code = 6  // a field of the paper is empty
	ApproverIsOfficer Code = 7  // who approves may not ask
	OneOfficer        Code = 8  // the two officers are one
	NoRecipient       Code = 9  // no key to seal the answer to
	NotHeld           Code = 10 // the approver's town does not hold the building
	NoScope           Code = 11 // names no door
	Future            Code = 12 // asks for what has not happened
	TooWide           Code = 13 // doors x days x answers
	ValidTooLong      Code = 14
	EmergencyTooWide  Code = 15
	WrongBuilding     Code = 16
	WrongGateway      Code = 17
	Expired           Code = 18
	NotYet            Code = 19
	UsedUp            Code = 20
	UncertainClock    Code = 21 // answered once already while nobody knew the time
	Wildcard          Code = 22 // of a form: a mandate names what it asks for
	Unvalidated       Code = 23 // of an emergency: nobody has validated those that the approver signed before
	NoEmergency       Code = 24 // of a validation: the mandate needs none
	OtherMandate      Code = 25 // of a validation: it is for another one, or none that an approver has signed
	OwnValidation     Code = 26 // of a validation: the same approver or authority once more
	ToldLate          Code = 27 // when who is asked about may be told: not said, or too late
)

// Text is a sentence in both languages.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Refusal is a structured answer to who showed a mandate: it goes on paper, on the screen and into
// the journal. It holds nothing of the log.
type Refusal struct {
	Code    Code   `json:"-"`
	Name    string `json:"code"`    // of the code, stable
	Reason  Text   `json:"reason"`  // why
	Article Text   `json:"article"` // by which rule
	Do      Text   `json:"do"`      // what to do now
}

// Error is the reason in both languages.
func (r *Refusal) Error() string { return r.Reason.ZH + " " + r.Reason.EN }

// String returns the stable name of a code.
func (c Code) String() string {
	if s, ok := sentences[c]; ok {
		return s.name
	}
	return fmt.Sprintf("mandate_%d", uint8(c))
}

// refuse fills the blanks of a code's reason.
func refuse(c Code, blanks ...string) *Refusal {
	s := sentences[c]
	args := make([]any, len(blanks))
	for i, b := range blanks {
		args[i] = b
	}
	return &Refusal{Code: c, Name: s.name, Reason: Text{fmt.Sprintf(s.reason.ZH, args...), fmt.Sprintf(s.reason.EN, args...)}, Article: s.article, Do: s.do}
}

// sentence is what is said of a code; reason has a %s for each blank.
type sentence struct {
	name                string
	reason, article, do Text
}
