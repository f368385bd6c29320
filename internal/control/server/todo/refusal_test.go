package todo

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/internal/site"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// TestRefusalsAreToDo: what is refused of the registry's is a line with what its
// operator does; a list that is active meanwhile is none.
func TestRefusalsAreToDo(t *testing.T) {
	g := &gateway.Gateway{Parts: gateway.Parts{Site: &site.Site{Building: "lane-7"}}}
	for name, c := range map[string]struct {
		s    uplink.Status
		want string
	}{
		"second": {uplink.Status{Withheld: time.Now(), Refusals: []uplink.Refusal{{Type: wire.TypeList, Reason: wire.ReasonSecondNeeded}}}, "registryd lists --building lane-7"},
		"other":  {uplink.Status{Withheld: time.Now(), Refusals: []uplink.Refusal{{Type: wire.TypeList, Reason: wire.ReasonBadSignature}}}, "list 9 of the registry is refused here (bad_signature)"},
		"past":   {uplink.Status{Refusals: []uplink.Refusal{{Type: wire.TypeList, Reason: wire.ReasonSecondNeeded}}}, ""},
		"trust":  {uplink.Status{Refusals: []uplink.Refusal{{Type: wire.TypeTrust, Reason: wire.ReasonBadSignature}}}, "a trust document of the registry is refused here"},
		"an ack": {uplink.Status{Refusals: []uplink.Refusal{{Type: wire.TypeAck, Reason: wire.ReasonMalformed}}}, ""},
	} {
		got := strings.Join(refusalProblems(g, &control.Uplink{List: 9}, c.s).texts(), "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestNewerFormatIsToDo: a list that this program can't read is a line with what to do.
func TestNewerFormatIsToDo(t *testing.T) {
	got := strings.Join(grantProblems(keyring.Status{Version: 4, Active: keyring.ActiveList{Version: 4}, Refusal: &keyring.Refusal{Version: 5, Why: signedlist.ErrNewerFormat}}, true).texts(), "\n")
	if !strings.Contains(got, "list 5 is of a format that this program does not read") || !strings.Contains(got, "list 4 stays active") || !strings.Contains(got, "gatehoused version") {
		t.Errorf("%q", got)
	}
}
