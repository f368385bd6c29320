package text

import "strings"

// said are what the daemon says and the page has own words for, since its hints name the
// tool's commands: a part of the daemon's words, and their key. Key and "_do" are what to
// do. What is not among them is shown as the daemon said it.
var said = [][2]string{
	{"no daemon answers", "desk.said_silent"},
	{"this door is being tested already", "prove.said_busy"},
	{"has been tested for long enough today", "prove.said_enough"},
	{"this was not tried yet", "prove.said_not_begun"},
	{"the gateway sees this itself", "prove.said_sees"},
	{"the doors are released by an alarm", "drill.said_alarm"},
	{"no fire drill is on", "drill.said_over"},
	{"nobody was seen at a door", "doors.said_nobody"},
	{"the fire input is still active", "doors.said_fire"},
	{"this gateway has no fire input", "drill.no_input"},
	{"the log of this drill is not here", "drill.said_gone"},
	{"what was proved can't be kept", "prove.said_disk"},
	{"what is not journaled is not proved", "prove.said_disk"},
	{"can't be driven", "prove.said_lock"},
	{"this visit at the desk is over", "desk.said_over"},
	{"no registry, so it keeps no tenancies", "desk.said_alone"},
	{"no card was held up twice", "desk.said_not_twice"},
	{"no card came", "desk.said_no_card"},
	{"no PIN came", "desk.said_no_keys"},
	{"somebody else is waiting for a", "desk.said_waiting"},
	{"no tenancy has this card", "desk.other_tenancy"},
	{"no card of tenancy", "desk.other_tenancy"},
	{"this card is in use already", "desk.said_in_use"},
	{"too many tries", "resident.too_many"},
	{"flat and PIN do not fit", "resident.no_fit"},
	{"here a PIN has at least", "resident.short"},
	{"does not open for this tenancy", "resident.not_this_door"},
	{"the door did not open", "resident.not_opened"},
	{"too many wrong PINs", "desk.said_pin_pause"},
	{"wrong PIN", "desk.said_wrong_pin"},
	{"this tenancy has no PIN here", "desk.said_without_pin"},
	{"this PIN was typed at check-in", "desk.said_pin_landlords"},
	{"this card came on the landlord's word", "desk.said_card_landlords"},
	{"the card that was held up is suspended", "desk.said_suspended"},
	{"this is the card that was held up", "desk.said_here"},
	{"this is the tenancy's last card", "desk.said_last_card"},
	{"is to stop already", "desk.said_stops_already"},
	{"is found has to be shown", "desk.said_show_found"},
	{"was suspended by the registry", "desk.said_registry"},
	{"the registry has suspended all cards", "desk.said_registry"},
	{"the tenant disputes the notice", "desk.said_disputed"},
	{"the notice is disputed already", "desk.said_disputed"},
	{"a notice runs already", "desk.said_runs"},
	{"a notice needs a date", "desk.said_clock"},
	{"the term ends before a notice", "desk.said_term"},
	{"no notice runs against this tenancy", "desk.said_no_notice"},
	{"the registry has upheld the notice", "desk.said_upheld"},
	{"this tenancy has no (other) card that is", "desk.said_no_other"},
	{"this tenancy has several cards", "desk.said_several"},
	{"several cards wait to be confirmed", "desk.said_several"},
	{"no card of this tenancy waits to be confirmed", "desk.said_none_waits"},
	{"a PIN has ", "desk.said_pin_rule"},
	{"this PIN is the first that anybody would try", "desk.said_pin_easy"},
	{"these were not twice the same PIN", "desk.pins_differ"},
	{"the check digit does not fit", "desk.said_digit"},
	{"the building has no flat", "desk.said_no_flat"},
	{"the flat is missing", "desk.said_no_flat"},
	{"holds the tenant's name or number", "desk.said_names"},
	{"the label has so many digits", "desk.said_names"},
	{"the term ends before it begins", "desk.said_before"},
	{"the term ends in the past", "desk.said_past"},
	{"by your word alone it stops after", "desk.remark_stops"},
	{"this card opens, and proves nothing yet", "desk.remark_proves_nothing"},
	{"its number follows no rule that could be checked", "desk.remark_other"},
	{"the key counts from now on", "desk.remark_clock"},
	{"but the disk has not taken it yet", "desk.remark_disk"},
	{"label and PIN could not be written", "desk.remark_label"},
	{"the PIN could not be written", "desk.remark_label"},
	{"one-time codes could not be written", "desk.remark_codes"},
	{"no reader of this gateway takes one-time codes", "desk.said_no_codes"},
	{"no reader here takes guest codes", "guest.none_here"},
	{"a guest code has an end, and the gateway's clock", "guest.no_clock"},
	{"guest codes already", "guest.full"},
	{"no guest code", "guest.gone"},
	{"its entry in the log waits for the disk", "desk.remark_disk"},
	{"wires D0 and D1 are exchanged", "setup.fault_swapped"},
	{"lock people in", "setup.fault_locked_in"},
	{"no such reader was found", "setup.fault_no_reader"},
	{"it was not found: answer board", "setup.fault_board"},
	{"proposes no lines", "setup.fault_wiring"},
	{"what the board does to it at power-on", "setup.fault_pull"},
	{"it reads fire", "setup.look_fire"},
	{"it reads pressed", "setup.look_pressed"},
	{"no card was seen", "setup.look_no_card"},
	{"reads low: the reader has no power", "setup.look_low"},
	{"it could not be read", "setup.look_unread"},
	{"it says that it has no secure channel", "setup.look_clear"},
	{"something else is found now", "setup.said_changed"},
	{"the site file could not be written", "setup.said_room"},
	{"is there already", "setup.said_there"},
	{"nobody has looked at this machine yet", "setup.said_changed"},
	{"this is no token", "setup.said_no_token"},
	{"the token is for", "setup.said_other_token"},
	{"this gateway is enrolled already", "setup.said_enrolled"},
	{"somebody enrols this gateway already", "setup.said_enrolling"},
	{"no key file of this house", "oldcards.said_key"},
	{"this key did not sign the list", "oldcards.said_key"},
	{"over an encrypted connection alone", "oldcards.said_plain"},
	{"it is not said that the wires", "oldcards.said_sure"},
	{"the table is not here any more", "oldcards.said_gone"},
	{"somebody changed the keys since", "oldcards.said_changed"},
	{"no door is chosen", "oldcards.said_doors"},
	{"nothing is to be done", "oldcards.said_nothing"},
	{"would be locked out", "oldcards.said_locked_out"},
	{"its number has fewer digits", "oldcards.said_digits"},
	{"its number is written like 1.23E", "oldcards.said_lost"},
	{"it has no form", "oldcards.said_no_form"},
	{"it has no label", "oldcards.said_no_label"},
	{"one card in two lines", "oldcards.said_two_lines"},
	{"day can't be read", "oldcards.said_date"},
}

// KeyOf is the key of the page's words for what the daemon says; empty where there are
// none.
func KeyOf(message string) string {
	for _, k := range said {
		if strings.Contains(message, k[0]) {
			return k[1]
		}
	}
	return ""
}

// Said are the parts of the daemon's words by which KeyOf goes.
func Said() (parts []string) {
	for _, k := range said {
		parts = append(parts, k[0])
	}
	return parts
}
