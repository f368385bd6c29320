package main

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// TestZonesOfTheFront: just after a start the issuer has not heard the zones; the
// front has them stored.
func TestZonesOfTheFront(t *testing.T) {
	front := fakeFront(t, map[string]any{"/v1/gateways": []api.Gateway{{Place: api.Place{Building: "lane-9", Gateway: "gw1"}, Zone: "Asia/Shanghai"}}})
	s := &session{ctx: t.Context(), front: api.NewClient(front)}
	all := []operator.Tenancy{{Building: "lane-9"}, {Building: "lane-9", Zone: "Europe/Berlin"}}
	if s.fillZones(tenancyDays(all)); all[0].Zone != "Asia/Shanghai" || all[1].Zone != "Europe/Berlin" {
		t.Errorf("%+v", all)
	}
	s.front = api.NewClient(front + "x")
	all[0].Zone = ""
	if s.fillZones(tenancyDays(all)); all[0].Zone != "" {
		t.Errorf("without a front: %+v", all)
	}
}

// TestTimesOfTheBuilding: what officers and operators read of a mandate or an order is in the zone of its building, wherever
// the machine is; what names no building by its own, in the zone of all gateways where they have one.
func TestTimesOfTheBuilding(t *testing.T) {
	at := time.Date(2026, 11, 30, 20, 0, 0, 0, time.UTC)
	const want = "2026-12-01 04:00:00 +08:00"
	front := fakeFront(t, map[string]any{
		"/v1/gateways":                []api.Gateway{{Place: api.Place{Building: "lane-9", Gateway: "gw1"}, Zone: "Asia/Shanghai"}},
		"/v1/holds":                   []api.Hold{{ID: "a", Gateway: "lane-9/gw1", Door: "front", From: at, To: at, Ends: at}},
		"/v1/disclosures/emergencies": []api.Emergency{{Seat: "xin-1", Answered: at, Due: at, Overdue: true}},
		"/v1/disclosures/refusals":    []api.Refused{{At: at, Reason: "expired"}},
		"/v1/disclosures":             []api.Given{{At: at, Complete: true, Part: 1, PartAt: &at}},
	})
	for times, args := range map[int][]string{3: {"preserved"}, 2: {"answers"}, 1: {"mandate", "refused"}} {
		if status, out, errOut := call(front, args...); status != 0 || strings.Count(out, want) != times {
			t.Errorf("%q: %d\n%s%s", args, status, out, errOut)
		}
	}
	if _, out, errOut := call(front, "mandate", "list"); strings.Count(out, want) != 2 {
		t.Errorf("mandate list:\n%s%s", out, errOut)
	}
}

// TestDaysOfTheBuilding: days are shown in the building's zone, which is named,
// whatever zone this machine is in.
func TestDaysOfTheBuilding(t *testing.T) {
	since := time.Date(2027, 1, 31, 16, 0, 0, 0, time.UTC) // the midnight before 1 February in Shanghai
	until := time.Date(2028, 1, 31, 16, 0, 0, 0, time.UTC)
	all := []operator.Tenancy{{ID: "x", Building: "lane-9", Flat: "1A", State: "not_begun", Since: since, Until: &until, Zone: "Asia/Shanghai"}}
	out := new(strings.Builder)
	if err := showTenancies(&session{Console: command.Console{Out: out}}, all); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"LAST DAY (Asia/Shanghai)", "not begun", "2027-02-01", "2028-01-31"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	other := all[0]
	other.Zone = "Europe/Berlin"
	if got := zonesOf(tenancyDays(append(all, other))); got != " (of each building)" {
		t.Error(got)
	}
	if zonesOf(nil) != "" || zoneNamed("no/such") == nil {
		t.Error("without a zone there are no days")
	}
}
