package gateway_test

import (
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/erasures"
	"gatehouse/sync/wire/mandates"
)

// TestForgetLeavesHeld: what an officer has ordered to preserve stays when the registry orders to forget whom it names, and
// who gives that order is told nothing of it; entries of another door go.
func TestForgetLeavesHeld(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.start()
	began, tenancy := uint32(time.Now().Unix()), wire.ID{1, 11, 1, 22, 1, 33, 1, 44}
	came := func(door string, n byte) wire.Who {
		who := wire.Who{Credential: &wire.CredentialID{1, n, 77, n, 88, n, 99, n}, Tenancy: &tenancy}
		_, err := h.gateway.Journal.Append(t.Context(), wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: door}, who)
		must(t, err)
		who.Tenancy = &wire.ID{n, 99} // which no entry names: the card alone is looked for
		return who
	}
	front, yard := came("front", 1), came("yard", 2)
	time.Sleep(time.Until(time.Unix(time.Now().Unix()+1, 0).Add(10 * time.Millisecond)))
	o := &officer{h: h, town: w, mandate: mandates.Mandate{Request: mandates.Request{From: began, Until: uint32(time.Now().Unix())}}}
	o.preserves(false)
	order, err := erasures.Order{Number: wire.ID{9}, Tenancy: tenancy, Made: uint32(time.Now().Unix()) - 1}.Sign(w.place.Building, 0, h.issuer)
	must(t, err)
	must(t, control.ForgetRequest{Order: order}.Send(t.Context(), h.client))
	h.eventually("who passed at the yard is forgotten", func() bool { return !h.remembers(yard) })
	if !h.remembers(front) {
		t.Error("what is preserved is erased")
	}
}
