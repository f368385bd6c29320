package inbox

import (
	"context"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

func TestInboxForgetsWhoLeft(t *testing.T) {
	b := New(Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { _, err := b.Ask(ctx, api.Enrolment{Kind: api.KindIntroduce}); ended <- err }()
	var waiting []api.Enrolment
	for len(waiting) == 0 {
		waiting, _ = b.look()
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("an answer came from nowhere")
	}
	if err := b.Answer(api.Answer{ID: waiting[0].ID}); err != ErrGone {
		t.Errorf("answer to one who left: %v", err)
	}
	if waiting, _ = b.look(); len(waiting) != 0 {
		t.Error("who left still waits")
	}
	for range maxEnrolments {
		go func() { _, _ = b.Ask(t.Context(), api.Enrolment{}) }()
	}
	for len(waiting) < maxEnrolments {
		waiting, _ = b.look()
	}
	if _, err := b.Ask(t.Context(), api.Enrolment{}); err != errTooMany {
		t.Errorf("one more than there is room for: %v", err)
	}
}

// TestHoldingsAreGivenInTurn: an issuer that leaves lying what it was given gets the
// others meanwhile, and the same again only after a while.
func TestHoldingsAreGivenInTurn(t *testing.T) {
	h := newHoldings()
	place := func(gateway string) wire.Place {
		return wire.Place{District: "d", Town: "t", Building: "b", Gateway: gateway}
	}
	for _, name := range []string{"a", "b"} {
		p := place(name)
		if whole, err := h.add(p, wire.Holding{Nonce: wire.Nonce{1}, Parts: 1}, []byte(name)); !whole || err != nil {
			t.Fatal(whole, err)
		}
	}
	now := time.Now()
	given := func() string {
		for _, of := range h.whole(now) {
			return of.Place.Gateway
		}
		return ""
	}
	first, second, none := given(), given(), given()
	if first == second || first == "" || second == "" || none != "" {
		t.Fatalf("given %q, %q and %q", first, second, none)
	}
	now = now.Add(giveEvery)
	nonce := wire.Nonce{1}
	if !h.take(place(first).Address(), nonce[:]) {
		t.Fatal("it was not there any more")
	}
	if again, none := given(), given(); again != second || none != "" {
		t.Fatalf("after a while %q, then %q", again, none)
	}
}
