package simulate

import "time"

// kinds are all events that a seed may bring, by group.
func kinds() []kind {
	return []kind{
		{group: "people", name: "swipe", weight: 40, do: (*world).swipe},
		{group: "people", name: "check in", weight: 6, do: (*world).checkIn},
		{group: "people", name: "leave", weight: 2, do: (*world).leave},
		{group: "people", name: "notice", weight: 3, do: (*world).giveNotice},
		{group: "people", name: "object", weight: 1, do: (*world).object},
		{group: "people", name: "withdraw", weight: 1, do: (*world).takeBack},
		{group: "people", name: "lose card", weight: 3, do: (*world).lose},
		{group: "people", name: "find card", weight: 3, do: (*world).find},
		{group: "people", name: "add card", weight: 2, do: (*world).addCard},
		{group: "people", name: "revoke", weight: 3, do: (*world).revoke},
		{group: "people", name: "suspend", weight: 3, do: (*world).stop},
		{group: "people", name: "resume", weight: 2, do: (*world).goOn},
		{group: "people", name: "settle", weight: 1, do: (*world).settle},

		{group: "machines", name: "restart", weight: 3, do: (*world).restart},
		{group: "machines", name: "power cut", weight: 3, do: (*world).powerCut},
		{group: "machines", name: "off", weight: 2, do: (*world).off, after: "on", least: time.Minute, most: 20 * time.Hour},
		{group: "machines", name: "front again", weight: 2, do: (*world).frontAgain},
		{group: "machines", name: "issuer again", weight: 2, do: (*world).issuerAgain},

		{group: "clocks", name: "clock wrong", weight: 1, do: (*world).clockWrong, after: "clocks right", least: time.Minute, most: 30 * time.Hour},

		{group: "links", name: "line cut", weight: 2, do: (*world).lineCut, after: "line back", least: time.Minute, most: 10 * time.Hour},
		{group: "links", name: "half-open", weight: 2, do: (*world).halfOpen},
		{group: "links", name: "weather", weight: 2, do: (*world).weather, after: "fair weather", least: 10 * time.Minute, most: 10 * time.Hour},
		{group: "links", name: "front off", weight: 1, do: (*world).frontOff, after: "front on", least: time.Minute, most: 10 * time.Hour},

		{group: "restores", name: "restore issuer", weight: 2, do: (*world).restoreIssuer},
		{group: "restores", name: "restore front", weight: 2, do: (*world).restoreFront},
		{group: "restores", name: "restore both", weight: 2, do: (*world).restoreBoth},

		{group: "losses", name: "old image", weight: 1, do: (*world).oldImage},
		{group: "losses", name: "lose file", weight: 3, do: (*world).loseFile},
		{group: "losses", name: "new machine", weight: 1, do: (*world).newMachine},

		{group: "landlord", name: "own card", weight: 1, do: (*world).ownCard},
		{group: "landlord", name: "swap card", weight: 1, do: (*world).swapCard},
		{group: "landlord", name: "clock ahead", weight: 1, do: (*world).clockAhead},

		{group: "certificates", name: "line drops", weight: 2, do: (*world).lineDrops},
		{group: "certificates", name: "worn certificate", weight: 2, do: (*world).wornCertificate, after: "on", least: time.Hour, most: 30 * time.Hour},
		{group: "certificates", name: "no renewal", weight: 1, do: (*world).noRenewal, after: "renewal again", least: time.Hour, most: 30 * time.Hour},
		{group: "certificates", name: "endings shown", weight: 1, do: (*world).endingsShown},

		{group: "year", name: "long stay", weight: 1, do: (*world).longStay},

		{group: "disks", name: "disk full", weight: 3, do: (*world).diskFull, after: "disk has room", least: time.Minute, most: 20 * time.Hour},
		{group: "disks", name: "disk slow", weight: 2, do: (*world).diskSlow, after: "disk fast", least: time.Minute, most: 20 * time.Hour},
		{group: "disks", name: "flip", weight: 1, do: (*world).flip},

		{group: "reinstate", name: "revoke", weight: 3, do: (*world).revoke},
		{group: "reinstate", name: "reinstate", weight: 4, do: (*world).reinstate},
		{group: "reinstate", name: "suspend", weight: 1, do: (*world).stop},
		{group: "reinstate", name: "leave", weight: 1, do: (*world).leave},

		{group: "visitors", name: "pass", weight: 4, do: (*world).pass},
		{group: "visitors", name: "visitor", weight: 3, do: (*world).visitor},
		{group: "visitors", name: "visitor swipes", weight: 6, do: (*world).visitorSwipes},

		{group: "hostile gateway", name: "strange hello", weight: 4, do: (*world).strangeHello},
		{group: "hostile gateway", name: "strange end", weight: 2, do: (*world).strangeEnd},
		{group: "hostile gateway", name: "strange check-in", weight: 2, do: (*world).strangeCheckIn},
		{group: "hostile gateway", name: "strange entries", weight: 2, do: (*world).strangeEntries},
		{group: "hostile gateway", name: "revoke now", weight: 2, do: (*world).revokeNow},

		{group: "hostile broker", name: "inject", weight: 3, do: (*world).inject},
		{group: "hostile broker", name: "weather", weight: 3, do: (*world).weather, after: "fair weather", least: 10 * time.Minute, most: 10 * time.Hour},

		{group: "hostile witness", name: "wrong answers", weight: 3, do: (*world).lieTime},
		{group: "hostile witness", name: "false acks", weight: 3, do: (*world).liesStored},
		{group: "hostile witness", name: "revoke now", weight: 1, do: (*world).revokeNow},

		{group: "hostile issuer", name: "thief's list", weight: 1, do: (*world).thiefsList},

		{name: "lie in wait", do: (*world).lieInWait},
		{name: "flood", do: (*world).flood},
		{name: "steal card", do: (*world).stealCard},
		{name: "remove gateway", do: (*world).removeGateway},
		{name: "front certificate", do: (*world).frontCertificate},
		{name: "CA", do: (*world).oldCA},
		{name: "operator looks", do: (*world).operatorLooks},
		{name: "renewal again", do: (*world).renewalAgain},
		{name: "silence", do: (*world).silenceBegins},
		{name: "wake", do: (*world).wake},
		{name: "silence ends", do: (*world).silenceEnds},
		{name: "disk has room", do: (*world).diskHasRoom},
		{name: "disk fast", do: (*world).diskFast},

		{name: "line dead", do: (*world).lineDead},
		{name: "loses all", do: (*world).losesAll},
		{name: "revoke in time", do: (*world).revokeInTime},
		{name: "in time", do: (*world).inTime},

		{name: "keep pass", do: (*world).keepPass},
		{name: "old passes", do: (*world).oldPasses},
		{name: "lose this file", do: (*world).loseNamed},

		{name: "set clock", do: (*world).setClock},
		{name: "walk time", do: (*world).walkTime},
		{name: "no time server", do: (*world).noTimeServer},
		{name: "hold acks", do: (*world).holdAcks},
		{name: "replay acks", do: (*world).replayAcks},
		{name: "steal keys", do: (*world).stealKeys},
		{name: "thief's list", do: (*world).thiefsList},
		{name: "replace keys", do: (*world).replaceKeys},
		{name: "revoke now", do: (*world).revokeNow},
		{name: "old version", do: (*world).oldVersion},
		{name: "back up", do: (*world).backUp},
		{name: "on", do: (*world).on},
		{name: "clocks right", do: (*world).clocksRight},
		{name: "line back", do: (*world).lineBack},
		{name: "fair weather", do: (*world).fairWeather},
		{name: "front on", do: (*world).frontOn},
	}
}
