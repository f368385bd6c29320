package wire

import (
	"strconv"

	"gatehouse/device/fault"
)

// ClockQuality says where the wall clock of an entry came from.
type ClockQuality uint8

// The qualities, from worst to best. The floor is the highest time that the
// registry (or the issuer of a standalone house) ever signed.
const (
	ClockUnset    ClockQuality = 0 // nobody has set it since power came
	ClockFloor    ClockQuality = 1 // not earlier than the floor, else unknown
	ClockRTC      ClockQuality = 2 // a battery clock
	ClockNTP      ClockQuality = 3 // disciplined by a time server
	ClockRegistry ClockQuality = 4 // pinned to signed time
)

// Direction of a passage; zero where there is none.
type Direction uint8

const (
	DirectionIn  Direction = 1
	DirectionOut Direction = 2
)

// Outcome of what an entry tells; zero where there is none.
type Outcome uint8

const (
	OutcomeGranted Outcome = 1
	OutcomeDenied  Outcome = 2
	OutcomeActive  Outcome = 3 // an input or alarm began
	OutcomeIdle    Outcome = 4 // it ended
	OutcomeDone    Outcome = 5 // a command was carried out
	OutcomeRefused Outcome = 6 // it was not
)

// Kind says what an entry is about. Numbers are for ever.
type Kind uint8

const (
	KindBoot         Kind = 1  // a run of the daemon began; detail: the kernel's boot id, then the software's version
	KindStop         Kind = 2  // it ended in order
	KindSite         Kind = 3  // detail: SHA-256 of the active site file
	KindAccess       Kind = 4  // a card was decided on
	KindRepeated     Kind = 5  // ref: the first; count: how often more within its minute
	KindFlood        Kind = 6  // more different cards in a minute than are kept; count
	KindReleased     Kind = 7  // the lock was told to release; reason: why; ref: the access entry
	KindReleasedLate Kind = 8  // released before its access entry was durable; ref: that entry
	KindSecured      Kind = 9  // the lock was told to secure
	KindOpened       Kind = 10 // the contact saw the door open; ref: the access entry, if a grant and nothing else explains it
	KindClosed       Kind = 11 // and close
	KindHeld         Kind = 12 // outcome active: open too long; idle: closed again
	KindForced       Kind = 13 // opened without release
	KindExit         Kind = 14 // request to exit
	KindFire         Kind = 15 // outcome active or idle: the fire input
	KindFireReset    Kind = 16 // somebody on site reset the fire latch
	KindFault        Kind = 17 // reason: the fault; count: how many since the last such entry
	KindOffline      Kind = 18 // a reader or line can't be used
	KindOnline       Kind = 19 // it can be used again
	KindCommand      Kind = 20 // an operator's command at the gateway
	KindListApplied  Kind = 21 // detail: hash of the grant list's manifest; count: its version
	KindClock        Kind = 22 // the clock's quality changed, or it leapt
	KindGap          Kind = 23 // count: entries that had to be dropped
	KindDamaged      Kind = 24 // a file of the journal or of the grants was set aside; detail: its name
	KindJournal      Kind = 25 // outcome active: entries can't be made durable; idle: they can again
	KindEpoch        Kind = 26 // first entry of an epoch; detail: the one before
	KindSpace        Kind = 27 // reason: why space ran short; count: percent used. Reason who_parts_erased: count of them; detail: where
	KindAdopt        Kind = 28 // an unknown card was kept for the landlord to name
	KindTenancy      Kind = 29 // a check-in, check-out or other change at a desk; reason: which; detail: SHA-256 of the sealed change
	KindTold         Kind = 30 // a tenant was told at the door that a notice runs; ref: the access entry
	KindRefused      Kind = 31 // a message was not taken; reason: why; source: its type; count: how many since the last such entry
	KindUplink       Kind = 32 // outcome active: the registry does not confirm what is sent to it; idle: it does again
	KindAuthority    Kind = 33 // a trust or house document is active, or a building key came; source: which; count: its version
	KindReader       Kind = 34 // a reader's install window or its key; reason: what became of it
	KindSealed       Kind = 35 // detail: what whoever has the records key reads (package sealed); most say nothing
)

// Reason is a stable code for why. 1 to 99: decisions. 100 to 255: causes of a
// release or command. 256 to 511: faults of devices. 512 and up: the journal
// and the gateway itself.
type Reason uint16

// Reasons of decisions, of releases, and of the gateway. Those of devices are in
// package fault.
const (
	ReasonNone           Reason = 0
	ReasonGranted        Reason = 1
	ReasonUnknown        Reason = 2 // no grant names this credential
	ReasonWrongDoor      Reason = 3
	ReasonNotYet         Reason = 4
	ReasonExpired        Reason = 5
	ReasonSuspended      Reason = 6
	ReasonRevoked        Reason = 7
	ReasonClockUntrusted Reason = 8  // a visitor, and nobody knows what time it is
	ReasonNotReady       Reason = 9  // no list, or a record that this program is too old for
	ReasonPINMissing     Reason = 10 // the card was right, no PIN followed
	ReasonPINWrong       Reason = 11 // the card was right, the PIN was not
	ReasonPINAlone       Reason = 12 // a PIN without a card
	ReasonBadCode        Reason = 13 // a code that is no pass of this building, and no one-time or guest code of this gateway
	ReasonPassOver       Reason = 14 // a pass whose minutes are over, or not begun
	ReasonReplayed       Reason = 15 // a pass or one-time code that was used before
	ReasonTermDoubtful   Reason = 16 // granted; only doubt about the time holds the term open

	ReasonCard      Reason = 100
	ReasonExit      Reason = 101
	ReasonFire      Reason = 102
	ReasonOperator  Reason = 103
	ReasonStart     Reason = 104
	ReasonTimer     Reason = 105
	ReasonCapture   Reason = 106
	ReasonLockdown  Reason = 107
	ReasonShutdown  Reason = 108
	ReasonFireLatch Reason = 109

	ReasonInstallOpened Reason = 110
	ReasonInstallClosed Reason = 111
	ReasonKeySent       Reason = 112
	ReasonKeyProved     Reason = 113
	ReasonKeyFailed     Reason = 114

	ReasonDoorTest Reason = 115 // an installer's test of a door; outcome active or idle

	ReasonReaderSet      Reason = 116 // a reader's address or speed was set
	ReasonFormatLearning Reason = 117 // a reader was taken from its door, to find out what it sends
	ReasonListening      Reason = 118 // outcome active: the old controller decides, the gateway only listens; idle: no more
	ReasonAccessGiven    Reason = 119 // somebody may use the page; detail: who, as package caller writes it
	ReasonAccessEnded    Reason = 120 // and no more, or not on the phones of before
	ReasonRecoveryCode   Reason = 122 // a recovery code was made
	ReasonBackupTaken    Reason = 123 // the backup was copied elsewhere

	ReasonProofs       Reason = 130 // a house begins to ask for what is proved at its doors
	ReasonProofLock    Reason = 131 // a part of a door is proved; outcome active: tried, done: proved, idle: not
	ReasonProofExit    Reason = 132
	ReasonProofContact Reason = 133
	ReasonProofFire    Reason = 134
	ReasonProofPower   Reason = 135
	ReasonFireDrill    Reason = 136 // outcome active or idle
	ReasonLockNow      Reason = 137 // an operator takes back a release

	ReasonDiskFull     Reason = 512
	ReasonIO           Reason = 513
	ReasonDamaged      Reason = 514
	ReasonQueueFull    Reason = 515
	ReasonSlowDisk     Reason = 516
	ReasonPruned       Reason = 517
	ReasonClockLeapt   Reason = 518
	ReasonClockSet     Reason = 519
	ReasonNoBuilding   Reason = 520
	ReasonListRefused  Reason = 521
	ReasonBadSignature Reason = 522 // nobody trusted in that role signed it
	ReasonMisaddressed Reason = 523 // it is for another building or gateway
	ReasonRolledBack   Reason = 524 // older than what is active
	ReasonTooLarge     Reason = 525
	ReasonMalformed    Reason = 526
	ReasonNoAnswer     Reason = 527 // sent, and not confirmed
	ReasonNoLink       Reason = 528 // the broker can't be reached
	ReasonAhead        Reason = 529 // the registry has more of this journal than the gateway
	ReasonOtherRoot    Reason = 530 // the registry's copy has another root
	ReasonSecondNeeded Reason = 531 // a list that ends many tenancies needs a second issuer
	ReasonTooMuch      Reason = 532 // a gateway sends more than one may; the registry's own word
	ReasonGivenBack    Reason = 533 // a list gives back a grant that is over: it stays shut
	ReasonUnproved     Reason = 534 // a list does not prove that it descends from the active one: it only takes
	ReasonTooFar       Reason = 535 // a list's number is too far beyond the active one

	ReasonSetBack                  Reason = 540      // the journal had more than it has
	ReasonMissing                  Reason = 541      // a file that should be there is not
	ReasonCitesNone                Reason = 542      // an epoch that does not cite the one before; the registry's own word
	ReasonWhosErased, ReasonForget Reason = 543, 544 // who parts were erased, as their time was over or by an order; an order to erase (detail: its SHA-256)

	ReasonCheckIn  Reason = 601 // 600 + Op
	ReasonBind     Reason = 602
	ReasonSuspend  Reason = 603
	ReasonResume   Reason = 604
	ReasonEnd      Reason = 605
	ReasonNotice   Reason = 606
	ReasonDispute  Reason = 607
	ReasonWithdraw Reason = 608

	ReasonWrongPIN                    Reason = 620      // at a desk
	ReasonPINChosen, ReasonOwnEntries Reason = 621, 622 // by the tenant, at a desk; a resident read the entries of the own card, which no owner sees

	ReasonGuestGiven Reason = 630 // a tenant gave a guest a code
	ReasonGuestEnded Reason = 631 // and it was ended before its time
)

func name(names map[uint16]string, v uint16, prefix string) string {
	if s, ok := names[v]; ok {
		return s
	}
	return prefix + "_" + strconv.Itoa(int(v))
}

var clockNames = map[uint16]string{0: "unset", 1: "floor", 2: "rtc", 3: "ntp", 4: "registry"}

var directionNames = map[uint16]string{0: "", 1: "in", 2: "out"}

var outcomeNames = map[uint16]string{0: "", 1: "granted", 2: "denied", 3: "active", 4: "idle", 5: "done", 6: "refused"}

var kindNames = map[uint16]string{
	1: "boot", 2: "stop", 3: "site", 4: "access", 5: "repeated", 6: "flood", 7: "released", 8: "released_late", 9: "secured", 10: "opened", 11: "closed", 12: "held", 13: "forced",
	14: "exit", 15: "fire", 16: "fire_reset", 17: "fault", 18: "offline", 19: "online", 20: "command", 21: "list_applied", 22: "clock", 23: "gap", 24: "damaged", 25: "journal",
	26: "epoch", 27: "space", 28: "adopt", 29: "tenancy", 30: "told", 31: "refused", 32: "uplink", 33: "authority", 34: "reader", 35: "sealed",
}

var reasonNames = map[uint16]string{
	0: "", 1: "granted", 2: "unknown_card", 3: "wrong_door", 4: "not_yet", 5: "expired",
	6: "suspended", 7: "revoked", 8: "clock_untrusted", 9: "not_ready",
	10: "pin_missing", 11: "wrong_pin_at_door", 12: "pin_alone", 13: "bad_code", 14: "pass_over", 15: "replayed", 16: "term_doubtful",
	100: "card", 101: "exit", 102: "fire", 103: "operator", 104: "start", 105: "timer",
	106: "capture", 107: "lockdown", 108: "shutdown", 109: "fire_latch",
	110: "install_opened", 111: "install_closed", 112: "key_sent", 113: "key_proved", 114: "key_failed", 115: "door_test", 116: "reader_set", 117: "reader_taught", 118: "listening", 119: "access_given", 120: "access_ended", 122: "recovery_code", 123: "backup_taken",
	130: "proofs", 131: "proof_lock", 132: "proof_exit", 133: "proof_contact", 134: "proof_fire", 135: "proof_power", 136: "fire_drill", 137: "lock_now",
	512: "disk_full", 513: "disk_error", 514: "damaged_file", 515: "queue_full",
	516: "slow_disk", 517: "pruned", 518: "clock_leapt", 519: "clock_set",
	520: "no_building_key", 521: "list_refused", 522: "bad_signature", 523: "misaddressed",
	524: "rolled_back", 525: "too_large", 526: "malformed", 527: "no_answer", 528: "no_link",
	529: "registry_ahead", 530: "other_root", 531: "second_signature_needed", 532: "too_much",
	533: "given_back", 534: "unproved_list", 535: "too_far_ahead",
	540: "set_back", 541: "missing_file", 542: "cites_none", 543: "who_parts_erased", 544: "forget",
	601: "check_in", 602: "bind", 603: "suspend", 604: "resume", 605: "end", 606: "notice", 607: "dispute", 608: "withdraw", 620: "wrong_pin", 621: "pin_chosen", 622: "own_entries", 630: "guest_given", 631: "guest_ended",
}

// String returns the stable name.
func (c ClockQuality) String() string { return name(clockNames, uint16(c), "clock") }

// String returns the stable name; empty for none.
func (d Direction) String() string { return name(directionNames, uint16(d), "direction") }

// String returns the stable name; empty for none.
func (o Outcome) String() string { return name(outcomeNames, uint16(o), "outcome") }

// String returns the stable name.
func (k Kind) String() string { return name(kindNames, uint16(k), "kind") }

// String returns the stable name; empty for none.
func (r Reason) String() string {
	if f := fault.Code(r); f.Known() {
		return f.String()
	}
	return name(reasonNames, uint16(r), "reason")
}
