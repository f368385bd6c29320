package plan

import "slices"

func restoredIssuer() []Event {
	return slices.Concat(moveIn(), []Event{
		at(19, "back up"),
		at(20, "suspend", exactly(1)), at(21, "revoke", exactly(2)),
		at(23, "check in", gw1, 0, 3, 1), at(23.2, "check in", gw2, 0, 4, 1), at(23.4, "check in", gw1, 0, 5, 1),
		at(26, "restore issuer"),
	}, everybody(27), []Event{
		at(28, "revoke", exactly(3)), at(29, "new machine", gw2),
	}, everybody(31), everybody(50))
}

func registryClocks() []Event {
	return slices.Concat(moveIn(), []Event{
		at(10, "set clock", theFront, 5, 1), at(10.01, "set clock", theIssuer, 5, 1), at(10.05, "revoke", exactly(3)),
		at(10.1, "power cut", gw2), at(11, "clocks right"),
	}, everybody(12), []Event{
		at(30, "set clock", theFront, 13, 1), at(30.01, "set clock", theIssuer, 13, 1), at(34, "clocks right"),
	}, everybody(36), everybody(60))
}

func walkedTime() []Event {
	return slices.Concat(moveIn(), []Event{
		at(9, "steal keys"), at(9.5, "no time server", gw2),
	}, inSteps(10, 40), everybody(31), []Event{at(52, "power cut", gw1)}, everybody(60), everybody(92), []Event{
		at(100, "replace keys"), at(100.2, "revoke now", exactly(3)),
	}, everybody(101), []Event{at(104, "clocks right")}, everybody(110))
}

func thiefsLists() []Event {
	return slices.Concat(moveIn(), []Event{
		at(3, "check in", gw2, 0, 3, 1), at(3.2, "check in", gw1, 0, 4, 1),
		at(10, "steal keys"), at(10.1, "thief's list", gw1, HighestOfAll, 2), at(10.2, "thief's list", gw1, HighestTaken, 2), at(10.25, "thief's list", gw2, NextNumber, 4),
		at(10.3, "thief's list", gw2, NextNumber, 1),
	}, everybody(10.5), everybody(16), []Event{
		at(20, "replace keys"), at(20.2, "revoke now", exactly(5)),
	}, everybody(21), everybody(50))
}

func lateAnswers() []Event {
	return slices.Concat(moveIn(), []Event{
		at(4.5, "keep pass", exactly(1), 15), at(4.8, "no time server", gw2), at(5.03, "power cut", gw2), // it wakes in 1970, and is answered hours later
		at(6.5, "old passes", gw2), at(7.55, "old passes", gw2), at(8.6, "old passes", gw2), at(9.25, "old passes", gw1), at(9.3, "old passes", gw2),
		at(5, "hold acks", 14340), at(9, "fair weather"), at(9.1, "set clock", clockGW1, 1, 0), at(9.2, "replay acks"),
		at(12, "clocks right"),
		at(13, "hold acks", 840), at(13, "no time server", gw2), at(13.1, "power cut", gw2), // for a day every answer is some minutes old
	}, passesAllDay(5.05, 8.4), everybody(10), everybody(20), passesAllDay(39, 41), oldPassesOften(39.4, 41.3, gw2), []Event{at(42, "fair weather"), at(43, "clocks right")})
}

func threeWeeks() []Event {
	return slices.Concat(moveIn(), []Event{
		at(10, "revoke", exactly(1)), at(10.0001, "power cut", gw1), at(10.05, "line cut", gw1),
	}, everybody(11), everybody(200), everybody(400), []Event{at(514, "line back", gw1)}, everybody(515))
}

func landlordsClock() []Event {
	return slices.Concat(moveIn(), []Event{
		at(19, "back up"), at(20, "line cut", gw1), at(21, "notice", exactly(1), gw1), at(22, "clock ahead", gw1, 6),
		at(23, "restart", gw1), at(24, "old image", gw1),
	}, everybody(25), everybody(60), []Event{at(70, "line back", gw1)}, everybody(100))
}

// oneFile has a hold, a resident's request and a court's order in one file of a log, and the same at the registry. The power is
// cut when that file is rewritten, with entries in the write-ahead file, of which a record is spoilt, so that the log has
// a new epoch at once; and the registry is put back to before all of it, and once more after it has answered a mandate. When the holds are over, all of it has to be gone.
func oneFile() []Event {
	return slices.Concat(moveIn(), []Event{at(0.5, "appoint")}, everybody(5), everybody(40), []Event{
		at(44, "back up"), at(48, "preserve on site", gw1, 0), at(48.01, "preserve", gw1, 0), at(48.1, "disk slow", gw1, 3),
		at(48.2, "forget", exactly(1), 0, 1), at(48.21, "forget", exactly(2), 1, 1), at(48.22, "cut in rewrite", gw1), at(48.3, "restore front"),
		at(50, "ask registry", exactly(1), gw1), at(50.1, "ask on site", exactly(1), gw1, 1), at(50.5, "restore front"), at(51, "search"),
	}, everybody(60), everybody(250))
}

func versionBehind() []Event {
	return slices.Concat([]Event{at(0.01, "old version", gw2)}, moveIn(), []Event{
		at(10, "set clock", clockGW2, 12, 0), at(11, "worn certificate", gw2, 0), at(11.5, "on", gw2), // it wakes in 1970
		at(12, "flood", gw1, 180), at(12.5, "disk full", gw1, exactly(3), 1, exactly(3)),
		at(13, "revoke now", exactly(1)), at(15, "reinstate", 0, 1), at(17, "revoke now", exactly(1)), at(17.5, "suspend", exactly(2)), at(18, "resume", exactly(2)),
		at(19, "weather", 3, 7, 11, 9), at(24, "fair weather"), at(25, "disk has room", gw1),
		at(26, "front certificate", 3), at(30, "revoke", exactly(3)), at(32, "operator looks"), at(33, "line drops", gw1), at(33.1, "line drops", gw2), at(40, "clocks right"),
	}, everybody(12.2), everybody(15.5), everybody(20), everybody(31), everybody(60))
}

func silentLinks() []Event {
	return slices.Concat(moveIn(), []Event{
		at(1, "check in", gw2, 0, 3, 1), at(1.2, "check in", gw1, 0, 4, 1),
		at(10, "half-open", gw1), at(10.0003, "revoke in time", exactly(1)),
		at(12, "line dead", gw1), at(12.01, "revoke", exactly(2)), at(12.5, "line back", gw1), at(12.5, "in time", exactly(2)),
		at(14, "loses all"), at(14.0003, "revoke", exactly(3)), at(14.003, "fair weather"), at(14.003, "in time", exactly(3)),
		at(16, "loses all"), at(16.0003, "revoke", exactly(4)), at(16.3, "fair weather"), at(16.3, "in time", exactly(4)),
	}, everybody(18))
}

// eachFile loses every file of two gateways in turn, in each way, and lets the operator
// look an hour later.
func eachFile() []Event {
	all, n := moveIn(), 0
	for how := range 3 {
		for i, file := range GatewayFiles {
			if directory := file == "journal" || file == "grants" || file == "keys"; directory && Harm(how) != Deleted {
				continue
			}
			hours := 10 + 8*float64(n)
			all = append(all, at(hours-1, "swipe", exactly(1), n%2), at(hours, "lose this file", n%2, i, how),
				at(hours+0.3, "swipe", exactly(1), n%2), at(hours+1, "operator looks"))
			n++
		}
	}
	for gateway := range 2 {
		hours := 10 + 8*float64(n+gateway)
		all = append(all, at(hours, "lose this file", gateway, len(GatewayFiles), int(Deleted)), at(hours+1, "operator looks"))
	}
	return all
}
