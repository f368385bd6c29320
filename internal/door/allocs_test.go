package door_test

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// named is Keys with the real names of cards.
type named struct {
	*keys.BuildingKey
	grants *access.Grants
}

func (n named) Grants() *access.Grants { return n.grants }
func (n named) Identify(c device.Card) (wire.CredentialID, error) {
	return n.BuildingKey.Identify(c), nil
}
func (n named) Anonymous(c device.Card) wire.CredentialID { return n.BuildingKey.Identify(c) }

// TestPassageAllocations: of a whole passage (a card is named, decided on and granted, the lock released and
// secured, the contact opens and closes) the door allocates nothing.
func TestPassageAllocations(t *testing.T) {
	key, err := keys.GenerateBuildingKey(1)
	if err != nil {
		t.Fatal(err)
	}
	card := device.CardOf(known<<18, 26)
	grants := grantsOf(t, wire.Grant{Credential: key.Identify(card), ID: wire.ID{7}, Tenancy: wire.ID{8}, Kind: wire.GrantResident, State: wire.GrantActive})
	lock, events := stopwatch{make(chan time.Time, 1), make(chan time.Time, 1)}, make(chan device.Event, 8)
	d := door.New(door.Config{ID: "front", Rules: door.Rules{ReleaseTime: 5 * time.Second, HeldAfter: time.Minute}, Budget: time.Minute,
		Readers: []door.Reader{{ID: "in", Direction: wire.DirectionIn}}},
		door.Parts{Lock: lock, Recorder: instant{}, Events: events, Log: zerolog.Nop(), Clock: func() access.Time { return access.At(1000) },
			Keys:  named{key, grants},
			Watch: func(door.Seen) bool { return false }, Typed: func(door.Typed) bool { return false }, Show: func(string, device.Feedback) {},
			Granted: func(wire.Header, wire.Who, wire.Ref, error) {}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	<-lock.secured
	passage := func() {
		events <- device.Event{Kind: device.CardRead, Source: "in", Card: card}
		<-lock.released
		for _, open := range []bool{true, false} {
			events <- device.Event{Kind: device.InputChanged, Source: device.InputContact, Active: open}
		}
		<-lock.secured
	}
	if n := testing.AllocsPerRun(200, passage); n > 0 {
		t.Errorf("a passage allocates %v times, want 0", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
