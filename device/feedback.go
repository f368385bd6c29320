package device

import "strconv"

// Feedback is what a person at a reader should see and hear. What it looks like
// is the reader's profile.
type Feedback uint8

// The kinds of Feedback.
const (
	FeedbackIdle     Feedback = iota // the door is secured and waits for a card; ends EnterPIN and Held
	FeedbackGranted                  // come in
	FeedbackDenied                   // no
	FeedbackEnterPIN                 // the card is right, type your PIN
	FeedbackHeld                     // the door stands open too long; lasts until another
	FeedbackNotice                   // come in, and ask: your tenancy is on notice
)

var feedbackNames = [...]string{"idle", "granted", "denied", "enter_pin", "held", "notice"}

// String returns the name, as profiles have it.
func (f Feedback) String() string {
	if int(f) < len(feedbackNames) {
		return feedbackNames[f]
	}
	return "feedback_" + strconv.Itoa(int(f))
}

// Feedbacks lists all kinds.
func Feedbacks() []Feedback {
	all := make([]Feedback, len(feedbackNames))
	for i := range all {
		all[i] = Feedback(i)
	}
	return all
}

// Indicator shows feedback at a reader: LED, buzzer, display. Show never blocks
// and may be called from any goroutine; the newest counts.
type Indicator interface{ Show(Feedback) }
