package mine

import (
	"context"
	"errors"
	"testing"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// memory is a log of one epoch, read a few entries at a time.
type memory []journaled.Stored

func (m memory) Entries(_ context.Context, from journaled.Position, n int) (out []journaled.Entry, _ journaled.Position, err error) {
	for ; from.Sequence < uint64(len(m)) && len(out) < min(n, 3); from.Sequence++ {
		out = append(out, journaled.Entry{Position: from, Stored: m[from.Sequence]})
	}
	return out, from, nil
}

type sick struct{}

var errSick = errors.New("the disk is sick")

func (sick) Entries(context.Context, journaled.Position, int) ([]journaled.Entry, journaled.Position, error) {
	return nil, journaled.Position{}, errSick
}

// TestEntries: of a log with others' entries, others' times of the same card, and erased ones, those are found that
// name the card in the tenancy.
func TestEntries(t *testing.T) {
	mine, other := wire.CredentialID{1, 7}, wire.CredentialID{1, 8}
	form := wire.CredentialID{1, 9} // the same card at another reader
	own, partner, before := wire.ID{1}, wire.ID{2}, wire.ID{3}
	const at = 1_795_392_000_000
	entry := func(n uint64, who wire.Who) journaled.Stored {
		h, err := wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Direction: wire.DirectionIn,
			Counter: n, Wall: at + int64(n), Clock: wire.ClockNTP}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		w, err := who.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return journaled.New(h, [16]byte{byte(n)}, w)
	}
	log := memory{
		entry(0, wire.Who{Credential: &mine, Tenancy: &before}),
		entry(1, wire.Who{Credential: &mine, Tenancy: &own, Method: wire.MethodCardPIN}),
		entry(2, wire.Who{Credential: &other, Tenancy: &partner}),
		entry(3, wire.Who{Credential: &other, Tenancy: &own}), // another card of the same tenancy
		entry(4, wire.Who{Credential: &mine, Tenancy: &own}).Erase(),
		entry(5, wire.Who{}),
		entry(6, wire.Who{Tenancy: &own}),
		entry(7, wire.Who{Credential: &mine}),
		entry(8, wire.Who{Credential: &form, Tenancy: &own}),
	}
	zone := time.FixedZone("here", 8*3600)
	got, err := Entries(t.Context(), log, []wire.CredentialID{mine, form}, own, zone)
	if err != nil || len(got) != 2 || got[0].Time.UnixMilli() != at+1 || got[1].Time.UnixMilli() != at+8 {
		t.Fatalf("%+v, %v", got, err)
	}
	if e := got[0]; e.Method != "card and PIN" || e.Door != "front" || e.Outcome != "granted" || e.Clock != "ntp" || e.Direction != "in" || e.Time.Location() != zone {
		t.Errorf("%+v", e)
	}
	if none, err := Entries(t.Context(), log, []wire.CredentialID{other}, before, zone); err != nil || none == nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	if _, err := Entries(t.Context(), sick{}, nil, own, zone); !errors.Is(err, errSick) {
		t.Errorf("%v", err)
	}
}
