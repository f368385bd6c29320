package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// TestForgetList: an order to forget is shown for each gateway that was there when it was made and whose log does not have it,
// and counted by status after a week.
func TestForgetList(t *testing.T) {
	now := time.Now().UTC()
	days := func(n int) time.Time { return now.Add(-time.Duration(n)*24*time.Hour - time.Minute) }
	at := func(building, gateway string, enrolled time.Time) operator.Gateway {
		return operator.Gateway{Place: api.Place{District: "d1", Town: "t1", Building: building, Gateway: gateway}, Enrolled: &enrolled}
	}
	old, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	issuer := map[string]any{
		"/v1/status": operator.Status{Lines: []string{}},
		"/v1/erasures": []operator.Erasure{{Hash: old, Building: "lane-7", Tenancy: "aa01", Made: days(9), Case: "file 12"},
			{Hash: fresh, Building: "lane-7", Tenancy: "aa02", Made: days(2), Case: "file 13"}},
		"/v1/gateways": []operator.Gateway{at("lane-7", "gw1", days(90)), at("lane-7", "gw2", days(90)), at("lane-7", "gw3", days(1)), at("lane-8", "gw1", days(90)),
			{Place: api.Place{Building: "lane-7", Gateway: "gw4"}}},
	}
	front := fakeFront(t, map[string]any{"/v1/status": api.Status{},
		"/v1/entries": api.Entry{Place: api.Place{Building: "lane-7", Gateway: "gw1"}, Kind: "space", Reason: "forget", Detail: old}})
	ask := func(args ...string) string {
		t.Helper()
		status, out, errOut := call(front, append([]string{"--issuer", fakeFront(t, issuer)}, args...)...)
		if status != 0 || errOut != "" {
			t.Errorf("%v: %d %s", args, status, errOut)
		}
		return out
	}
	var all []struct {
		Building, Gateway, Tenancy, Case string
		Days                             int
	}
	if err := json.Unmarshal([]byte(ask("--json", "forget", "list")), &all); err != nil || len(all) != 3 || all[0].Gateway != "gw2" || all[0].Tenancy != "aa01" || all[0].Days != 9 ||
		all[1].Gateway != "gw1" || all[2].Gateway != "gw2" || all[2].Tenancy != "aa02" || all[2].Days != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	out := ask("forget", "list")
	for _, want := range []string{"lane-7/gw2  9 days", "file 12", "sudo gatehouse forget FILE", "registryd forget TENANCY --order FILE"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := ask("status"); !strings.Contains(out, "1 order to forget a tenancy not confirmed by a gateway for more than 7 days: registryd forget list") {
		t.Error(out)
	}
	issuer["/v1/erasures"] = []operator.Erasure{}
	if out := ask("forget", "list"); out != "none\n" {
		t.Error(out)
	}
	if out := ask("status"); strings.Contains(out, "to do") {
		t.Error(out)
	}
}
