package server

import (
	"encoding/json"
	"fmt"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/door"
	"gatehouse/internal/journal"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// What an owner sees of a house: faults, alarms, fire, and what was done at the
// gateway. That somebody came or went shows nowhere: no passage, no number with
// gaps, no count, no time that moves with one (refusals N2 and N7).

// shownKinds are the kinds of entries in `gatehouse log`. A new kind is hidden until it stands here.
var shownKinds = map[wire.Kind]bool{
	wire.KindBoot: true, wire.KindStop: true, wire.KindSite: true, wire.KindHeld: true, wire.KindForced: true,
	wire.KindFire: true, wire.KindFireReset: true, wire.KindFault: true, wire.KindOffline: true, wire.KindOnline: true,
	wire.KindCommand: true, wire.KindListApplied: true, wire.KindClock: true, wire.KindGap: true, wire.KindDamaged: true,
	wire.KindJournal: true, wire.KindEpoch: true, wire.KindSpace: true, wire.KindTenancy: true, wire.KindRefused: true,
	wire.KindUplink: true, wire.KindAuthority: true, wire.KindReader: true,
}

// passageKinds are shown in a test of a door alone.
var passageKinds = map[wire.Kind]bool{
	wire.KindAccess: true, wire.KindRepeated: true, wire.KindFlood: true, wire.KindReleased: true, wire.KindReleasedLate: true,
	wire.KindSecured: true, wire.KindOpened: true, wire.KindClosed: true, wire.KindExit: true,
}

// detailed are the kinds whose detail is a hash of what this house runs on; that
// of others names files, sizes or passes.
var detailed = map[wire.Kind]bool{wire.KindBoot: true, wire.KindSite: true, wire.KindListApplied: true}

// counted are the kinds whose count is not one of entries or people.
var counted = map[wire.Kind]bool{wire.KindFault: true, wire.KindListApplied: true, wire.KindRefused: true, wire.KindAuthority: true}

// actKinds are the kinds of what somebody does at the gateway: their source is who did it,
// or that of an older gateway, none.
var actKinds = map[wire.Kind]bool{
	wire.KindFireReset: true, wire.KindCommand: true, wire.KindListApplied: true, wire.KindClock: true, wire.KindAdopt: true, wire.KindTenancy: true,
}

// shown reports whether an owner may see an entry. Hidden are those that tell of somebody's coming home: wrong
// PINs at a door, a resident who read the own entries, an entry that the registry did not confirm, who parts that were or are to be erased, and a slow disk,
// for which hardly anything but a door waits.
func shown(h wire.Header) bool {
	switch {
	case h.Kind == wire.KindTenancy && h.Reason == wire.ReasonWrongPIN && h.Count > 0, h.Reason == wire.ReasonOwnEntries, h.Reason == wire.ReasonWhosErased, h.Reason == wire.ReasonForget,
		h.Kind == wire.KindUplink && h.Source == uplink.EntriesAlone, h.Kind == wire.KindJournal && h.Reason == wire.ReasonSlowDisk:
		return false
	case h.Kind == wire.KindAdopt: // who was met at a door is not shown, that somebody switched it is
		return h.Door == "" && h.Source != ""
	}
	return shownKinds[h.Kind]
}

// viewed is an entry as people see it.
func viewed(h wire.Header, zone *time.Location) control.LogEntry {
	out := control.LogEntry{Time: h.Time().In(zone), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(),
		Reason: h.Reason.String(), Door: h.Door, Source: h.Source, Direction: h.Direction.String()}
	if who, err := caller.Parse(h.Source); err == nil && actKinds[h.Kind] {
		out.Source, out.By = "", who.String()
	}
	if h.Reason == wire.ReasonAccessGiven || h.Reason == wire.ReasonAccessEnded {
		if of, err := caller.Parse(string(h.Detail)); err == nil {
			out.Of = of.String()
		}
	}
	if counted[h.Kind] || passageKinds[h.Kind] {
		out.Count = h.Count
	}
	if detailed[h.Kind] && len(h.Detail) > 0 {
		out.Detail = detailOf(h)
	}
	return out
}

// detailOf is the detail of an entry as text: a hash, or the name of a boot and the version that ran.
func detailOf(h wire.Header) string {
	if version := journaled.Software(h.Detail); h.Kind == wire.KindBoot && version != "" {
		return fmt.Sprintf("%x %s", h.Detail[:len(wire.ID{})], version)
	}
	return fmt.Sprintf("%x", h.Detail)
}

// writeShown writes those of some entries that a view shows, with times of a zone.
func writeShown(enc *json.Encoder, entries []journal.Entry, shows func(wire.Header) bool, zone *time.Location) error {
	for _, e := range entries {
		h, err := wire.DecodeHeader(e.Header)
		if err == nil && shows(h) {
			err = enc.Encode(viewed(h, zone))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// doorNormal is a door at which nothing is wrong, whoever goes through it.
const doorNormal = "normal"

// shownState is a door's state as an owner sees it.
func shownState(s door.State) string {
	switch s {
	case door.Secured, door.Released, door.Open:
		return doorNormal
	}
	return string(s)
}
