package main

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// TestMine: a resident reads, with the card held up and the own PIN, when that card opened which door; what the landlord
// reads says nothing of it.
func TestMine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enrolled()
	stop := b.serve()
	b.ok("", "clock", "confirm")
	b.done(lines("resident-id", tenantNumber(), tenantName, "3B", "left door", "", "", "", "contract", "yes", "4711"),
		[]swipe{{door: "front", card: tenantCard}, {door: "yard", card: tenantCard}}, "checkin")
	held := []swipe{{door: "yard", card: tenantCard, proof: true}}
	b.done(lines("471108", "471108"), held, "tenancy", "pin", "--by", "card", "--reader", "yard")
	status, _, said := b.with(lines("471109"), held, "mine", "--reader", "yard")
	if status == 0 || !strings.Contains(said, "wrong PIN") {
		t.Errorf("a wrong PIN: %d, %s", status, said)
	}
	out := b.done(lines("471108"), held, "mine", "--reader", "yard")
	if !strings.Contains(out, "of this card at ") || !strings.Contains(out, "access granted in card at yard") {
		t.Errorf("it shows %s", out)
	}
	var m control.Mine
	if err := json.Unmarshal([]byte(b.done(lines("471108"), held, "--json", "mine", "--reader", "yard")), &m); err != nil {
		t.Fatal(err)
	}
	granted, read := 0, 0
	for _, e := range m.Entries {
		switch {
		case e.Kind == wire.KindAccess.String() && e.Outcome == "granted" && e.Door == "yard":
			granted++
		case e.Reason == wire.ReasonOwnEntries.String():
			read++
		}
	}
	if m.Tenancy.Flat != "3B" || len(m.Tenancy.Cards) != 1 || granted < 4 || read != 2 {
		t.Errorf("%d passages, %d readings: %+v", granted, read, m)
	}
	if n := b.entries(wire.KindTenancy, wire.ReasonOwnEntries); n != 2 {
		t.Errorf("%d readings are in the log", n)
	}
	if _, log, _ := b.tool("", "log", "--all"); strings.Contains(log, "own_entries") {
		t.Errorf("the landlord sees who read: %s", log)
	}
	stop()
	b.nobody(out + said)
}
