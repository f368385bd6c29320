package mine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/inquiry/when"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealed"
)

// memory is a log of one epoch, read a few entries at a time.
type memory []journaled.Stored

func (m memory) Entries(_ context.Context, from journaled.Position, n int) (out []journaled.Entry, _ journaled.Position, err error) {
	for from.Epoch = 7; from.Sequence < uint64(len(m)) && len(out) < min(n, 3); from.Sequence++ {
		out = append(out, journaled.Entry{Position: from, Stored: m[from.Sequence]})
	}
	return out, from, nil
}

func (memory) Head() journaled.Head { return journaled.Head{Boot: 3} }

type sick struct{ memory }

var errSick = errors.New("the disk is sick")

func (sick) Entries(context.Context, journaled.Position, int) ([]journaled.Entry, journaled.Position, error) {
	return nil, journaled.Position{}, errSick
}

const at = 1_795_392_000_000

// entry is the n-th entry of a log.
func entry(t *testing.T, n uint64, who wire.Who, change ...func(*wire.Header)) journaled.Stored {
	t.Helper()
	h := wire.Header{Boot: 1, Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Direction: wire.DirectionIn,
		Source: "in", Counter: n, Wall: at + int64(n), Clock: wire.ClockNTP}
	for _, c := range change {
		c(&h)
	}
	header, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w, err := who.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return journaled.New(header, [16]byte{byte(n)}, w)
}

func act(reason wire.Reason, count uint64, by string) func(*wire.Header) {
	return func(h *wire.Header) {
		h.Kind, h.Outcome, h.Reason, h.Count, h.Source, h.Door, h.Direction = wire.KindTenancy, wire.OutcomeDone, reason, count, by, "", 0
	}
}

// TestEntries: of a log with others' entries, others' times of the same card, and erased ones, those are found that
// name the card in the tenancy, and what was done about the tenancy; nothing of another card in the same tenancy, nor of
// who opened without one.
func TestEntries(t *testing.T) {
	mine, other := wire.CredentialID{1, 7}, wire.CredentialID{1, 8}
	form := wire.CredentialID{1, 9} // the same card at another reader
	own, partner, before := wire.ID{1}, wire.ID{2}, wire.ID{3}
	log := memory{
		entry(t, 0, wire.Who{Credential: &mine, Tenancy: &before}),
		entry(t, 1, wire.Who{Credential: &mine, Tenancy: &own, Method: wire.MethodCardPIN}),
		entry(t, 2, wire.Who{Credential: &other, Tenancy: &partner}),
		entry(t, 3, wire.Who{Credential: &other, Tenancy: &own}), // another card of the same tenancy
		entry(t, 4, wire.Who{Credential: &mine, Tenancy: &own}).Erase(),
		entry(t, 5, wire.Who{}),
		entry(t, 6, wire.Who{Tenancy: &own, Method: wire.MethodPIN}), // somebody of the flat came in without a card
		entry(t, 7, wire.Who{Credential: &mine}),
		entry(t, 8, wire.Who{Credential: &form, Tenancy: &own}, func(h *wire.Header) { h.Boot, h.Clock, h.Wall = 2, wire.ClockUnset, 0 }),
		entry(t, 9, wire.Who{Tenancy: &own}, act(wire.ReasonNotice, 0, "owner-402117")),
		entry(t, 10, wire.Who{Tenancy: &own}, act(wire.ReasonWrongPIN, 5, "")), // at a door: whose card it was is not said
		entry(t, 11, wire.Who{Credential: &mine, Tenancy: &own}, act(wire.ReasonOwnEntries, 0, "resident")),
		entry(t, 12, wire.Who{Credential: &other, Tenancy: &own}, act(wire.ReasonOwnEntries, 0, "resident")),
		entry(t, 13, wire.Who{Tenancy: &partner}, act(wire.ReasonNotice, 0, "owner-402117")),
	}
	zone := time.FixedZone("here", 8*3600)
	now := when.Moment{Wall: at + 5000, Clock: wire.ClockNTP}
	got, err := entries(t.Context(), log, owner{[]wire.CredentialID{mine, form}, own}, now, at/1000+5, zone)
	if err != nil || ids(got.entries) != "1 8" || ids(got.acts) != "9 11" {
		t.Fatalf("%+v, %v", got, err)
	}
	if e := got.entries[0]; e.Method != "card and PIN" || e.Door != "front" || e.Outcome != "granted" || e.Clock != "ntp" || e.Direction != "in" || e.By != "" || e.Time.Location() != zone || e.Latest != nil || e.Time.UnixMilli() != at+1 {
		t.Errorf("%+v", e)
	}
	if e := got.entries[1]; e.Earliest == nil || e.Earliest.UnixMilli() != at+7 || e.Latest.UnixMilli() != at+9 {
		t.Errorf("an entry of an unset clock: %+v", e)
	}
	if a := got.acts[0]; a.By != "owner-402117" || a.Reason != "notice" {
		t.Errorf("%+v", a)
	}
	none, err := entries(t.Context(), log, owner{[]wire.CredentialID{other}, before}, now, at/1000+5, zone)
	if err != nil || none.entries == nil || none.acts == nil || len(none.entries)+len(none.acts) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	if _, err := entries(t.Context(), sick{}, owner{}, now, at/1000+5, zone); !errors.Is(err, errSick) {
		t.Errorf("%v", err)
	}
}

// ids are the numbers of entries.
func ids(all []control.OwnEntry) string {
	var out []string
	for _, e := range all {
		out = append(out, strings.TrimPrefix(e.ID, "0000000000000007:"))
	}
	return strings.Join(out, " ")
}

// TestReadingsEnd: what was read is forgotten ten minutes after the card, a PIN without a card after five, a third reading
// of one tenancy ends its oldest, and many of others are refused.
func TestReadingsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newReadings()
		begin := func(n byte) *reading {
			token, err := all.begin(wire.ID{n}, nil)
			if err != nil {
				t.Fatal(err)
			}
			r, err := all.of(token)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			return r
		}
		gone := func(r *reading) bool {
			synctest.Wait()
			_, err := all.of(r.token)
			return err != nil && r.shown() == nil && r.over.Err() != nil
		}
		first, second := begin(1), begin(1)
		if err := all.show(second, control.Mine{Gateway: "gw1"}, wire.CredentialID{9}); err != nil || second.shown() == nil || second.card != (wire.CredentialID{9}) {
			t.Fatalf("%v, %+v", err, second.shown())
		}
		time.Sleep(cardComes)
		if !gone(first) || gone(second) {
			t.Error("who held no card up reads on, or who did does not")
		}
		if err := all.show(first, control.Mine{}, wire.CredentialID{}); !errors.Is(err, errOver) || first.shown() != nil {
			t.Errorf("a reading that is over shows: %v", err)
		}
		time.Sleep(readFor - cardComes)
		if !gone(second) {
			t.Error("after ten minutes it is still there")
		}
		one, two, three := begin(2), begin(2), begin(2)
		if !gone(one) || gone(two) || gone(three) {
			t.Error("a third reading of a tenancy does not end the oldest")
		}
		all.end(two.token)
		if !gone(two) {
			t.Error("it was closed and is still there")
		}
		for n := range mostAtATime - 1 {
			if _, err := all.begin(wire.ID{3, byte(n)}, nil); err != nil {
				t.Fatal(n, err)
			}
		}
		if _, err := all.begin(wire.ID{4}, nil); !errors.Is(err, errFull) {
			t.Errorf("one too many: %v", err)
		}
		all.end(three.token)
		for n := range mostAtATime {
			all.end(fmt.Sprint(n)) // of none
		}
		time.Sleep(cardComes)
	})
}

// TestAsked: three requests of a tenancy within an hour, and twelve of the house.
func TestAsked(t *testing.T) {
	a, now := asked{by: map[wire.ID][]time.Time{}}, time.Now()
	take := func(n byte, most int) (got int) {
		for range most {
			if a.take(wire.ID{n}, now) {
				got++
			}
		}
		return got
	}
	if one, two := take(1, 10), take(2, 10); one != askedOfOne || two != askedOfOne {
		t.Errorf("%d and %d", one, two)
	}
	for n := range byte(20) {
		take(10+n, 1)
	}
	if n := len(a.by); n != 2+askedOfAll-2*askedOfOne {
		t.Errorf("of %d tenancies", n)
	}
	if now = now.Add(askedIn); take(1, 10) != askedOfOne || len(a.by) != 1 {
		t.Errorf("an hour later: %v", a.by)
	}
}

// TestCorrection: a request is about an entry that was shown, or about none, says something, and no number of anybody.
func TestCorrection(t *testing.T) {
	held := &control.Mine{Entries: []control.OwnEntry{{ID: "00000000000000ff:12"}}, Acts: []control.OwnEntry{{ID: "00000000000000ff:13"}}}
	got, err := correction(control.MineCorrection{About: "entry", Entry: "00000000000000ff:13", Text: " 不是我 "}, held)
	if err != nil || got != (sealed.Correction{About: sealed.AboutEntry, Epoch: 255, Sequence: 13, Text: "不是我"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := correction(control.MineCorrection{About: "flat", Text: "3C"}, held); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		in   control.MineCorrection
		want string
	}{
		{control.MineCorrection{About: "entry", Entry: "00000000000000ff:14", Text: "x"}, "which entry"},
		{control.MineCorrection{About: "entry", Text: "x"}, "which entry"},
		{control.MineCorrection{About: "flat", Entry: "00000000000000ff:12", Text: "x"}, "which entry"},
		{control.MineCorrection{About: "score", Text: "x"}, "no such thing"},
		{control.MineCorrection{About: "flat"}, "is empty"},
		{control.MineCorrection{About: "flat", Text: "call 13800000000"}, "so many digits"},
	} {
		if got, err := correction(c.in, held); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %+v, %v", c.in, got, err)
		}
	}
}
