package osdp

import (
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp/protocol"
)

const tenth = time.Second / 10

// indicator is the feedback that is being sent to a reader, command by command. For one goroutine.
type indicator struct {
	profile map[device.Feedback]protocol.Indication // nil: the standard one
	what    protocol.Indication
	step    int // 0: LEDs, 1: buzzer, then the texts
}

// showing reports whether commands are left to send.
func (i *indicator) showing() bool { return i.step < 2+len(i.what.Text) }

// begin switches to another feedback.
func (i *indicator) begin(f device.Feedback) {
	i.step = 0
	if i.profile != nil {
		i.what = i.profile[f]
	} else {
		i.what = standard[f]
	}
}

// next writes the next command into data; code 0: nothing is left.
func (i *indicator) next(e *equipment, data []byte) (code byte, _ []byte) {
	for i.showing() {
		step := i.step
		i.step++
		switch {
		case step == 0 && len(i.what.LEDs) > 0 && i.can(e, protocol.CmdLED, protocol.CapLED):
			for _, l := range i.what.LEDs {
				data = l.Append(data)
			}
			return protocol.CmdLED, data
		case step == 1 && len(i.what.Buzzer) > 0 && i.can(e, protocol.CmdBuzzer, protocol.CapBuzzer):
			for _, b := range i.what.Buzzer {
				data = b.Append(data)
			}
			return protocol.CmdBuzzer, data
		case step >= 2 && i.can(e, protocol.CmdText, protocol.CapText):
			return protocol.CmdText, i.what.Text[step-2].Append(data)
		}
	}
	return 0, nil
}

// can reports whether the reader has a light, a buzzer or a display: its profile or the reader says
// so, and it did not refuse the command.
func (i *indicator) can(e *equipment, code, function byte) bool {
	return !e.refused[code] && (i.profile != nil || e.has(function))
}

// standard is the indication of a reader without a profile: LED 0 red while the door is secured,
// green for a release.
var standard = map[device.Feedback]protocol.Indication{
	device.FeedbackIdle: {
		LEDs:   []protocol.LED{{OnColour: protocol.Red}},
		Buzzer: []protocol.Buzzer{{}},
	},
	device.FeedbackGranted: {
		LEDs:   []protocol.LED{{OnColour: protocol.Green, For: 3 * time.Second}},
		Buzzer: []protocol.Buzzer{{On: 2 * tenth, Count: 1}},
	},
	device.FeedbackNotice: {
		LEDs:   []protocol.LED{{OnColour: protocol.Green, OffColour: protocol.Amber, On: 3 * tenth, Off: 3 * tenth, For: 3 * time.Second}},
		Buzzer: []protocol.Buzzer{{On: 2 * tenth, Off: 2 * tenth, Count: 2}},
	},
	device.FeedbackDenied: {
		LEDs:   []protocol.LED{{OnColour: protocol.Red, On: 2 * tenth, Off: 2 * tenth, For: 2 * time.Second}},
		Buzzer: []protocol.Buzzer{{On: tenth, Off: tenth, Count: 3}},
	},
	device.FeedbackEnterPIN: {
		LEDs: []protocol.LED{{OnColour: protocol.Amber, On: 5 * tenth, Off: 5 * tenth}},
	},
	device.FeedbackHeld: {
		LEDs:   []protocol.LED{{OnColour: protocol.Red, On: 3 * tenth, Off: 3 * tenth}},
		Buzzer: []protocol.Buzzer{{On: 2 * tenth, Off: 18 * tenth}},
	},
}
