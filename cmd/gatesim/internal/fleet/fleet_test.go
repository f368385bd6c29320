package fleet

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestWeigh: what is missing is lost where it was signed for and waits where it was not; what is stored twice or was
// never made is doubled.
func TestWeigh(t *testing.T) {
	for _, c := range []struct {
		made, signed           uint64
		stored                 map[uint64]int
		lost, waiting, doubled uint64
	}{
		{0, 0, nil, 0, 0, 0},
		{3, 3, map[uint64]int{0: 1, 1: 1, 2: 1}, 0, 0, 0},
		{3, 1, map[uint64]int{0: 1, 1: 1, 2: 1}, 0, 0, 0}, // stored, and not signed for yet
		{3, 3, nil, 3, 0, 0},
		{3, 0, nil, 0, 3, 0},
		{3, 2, nil, 2, 1, 0},
		{3, 3, map[uint64]int{0: 1, 2: 3}, 1, 0, 2},
		{1, 1, map[uint64]int{0: 1, 1: 1, 9: 2}, 0, 0, 3},
	} {
		r := Report{Gateways: 1, Connected: 1}
		r.weigh(c.made, c.signed, c.stored)
		if r.Lost != c.lost || r.Waiting != c.waiting || r.Doubled != c.doubled || r.Good() != (c.lost == 0 && c.waiting == 0 && c.doubled == 0) {
			t.Errorf("%d made, %d signed for, stored %v: %+v", c.made, c.signed, c.stored, r)
		}
	}
	if (Report{Gateways: 2, Connected: 1}).Good() {
		t.Error("a gateway that is not in step is good")
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	if s := l.sum(); s != (Latency{}) {
		t.Errorf("of nothing: %+v", s)
	}
	for n := range 200 {
		l.add(time.Duration(200-n) * time.Millisecond)
	}
	if s := l.sum(); s != (Latency{N: 200, P50: 100, P99: 198, Max: 200}) {
		t.Errorf("of 1 to 200 ms: %+v", s)
	}
	l.reset()
	l.add(time.Millisecond)
	if s := l.sum(); s != (Latency{N: 1, P50: 1, P99: 1, Max: 1}) {
		t.Errorf("of one: %+v", s)
	}
}

// TestJournal: it gives what the registry does not have, in order, with the tree before each entry,
// and forgets the rest.
func TestJournal(t *testing.T) {
	var acks latencies
	j := newJournal(&acks)
	at := func(n uint64) journaled.Position { return journaled.Position{Epoch: j.epoch, Sequence: n} }
	changed := j.Changed()
	id := wire.ID{7}
	var whole tree.Range
	for n := range uint64(5) {
		who := wire.Who{}
		if n%2 == 0 {
			who.Tenancy = &id
		}
		if ref := j.Queue(wire.Header{Kind: wire.KindOpened, Door: door}, who); ref.Counter != n || ref.Boot != boot {
			t.Errorf("entry %d is %+v", n, ref)
		}
	}
	<-changed
	all, next, err := j.Entries(t.Context(), journaled.Position{}, 10)
	if err != nil || len(all) != 5 || next != at(5) {
		t.Fatalf("%d entries to %v, %v", len(all), next, err)
	}
	for n, e := range all {
		if r, err := j.Range(t.Context(), at(uint64(n))); err != nil || r.Root() != whole.Root() || r.Size() != uint64(n) || e.Position != at(uint64(n)) {
			t.Errorf("before entry %d: %d entries, %v", n, r.Size(), err)
		}
		whole = whole.Add(leafOf(e))
	}
	if h := j.Head(); h.Position != at(5) || h.Root != wire.Hash(whole.Root()) {
		t.Errorf("head %+v", h)
	}
	if err := errors.Join(j.Ack(at(3)), j.Ack(at(3))); err != nil || j.Acked() != at(3) || acks.sum().N != 3 {
		t.Errorf("acked %v, %v, %d times", j.Acked(), err, acks.sum().N)
	}
	rest, _, err := j.Entries(t.Context(), at(1), 1)
	if err != nil || len(rest) != 1 || rest[0].Position != at(3) {
		t.Errorf("from behind the acked ones: %+v, %v", rest, err)
	}
	if r, err := j.Range(t.Context(), at(5)); err != nil || r.Root() != whole.Root() {
		t.Errorf("the tree after it forgot some: %v", err)
	}
	for _, c := range []struct {
		at   journaled.Position
		want error
	}{{at(6), journaled.ErrAhead}, {journaled.Position{Epoch: j.epoch + 2}, journaled.ErrGone}, {at(2), journaled.ErrGone}} {
		if err := j.Ack(c.at); !errors.Is(err, c.want) {
			t.Errorf("ack of %v: %v", c.at, err)
		}
	}
	if made, unacked := j.made(); made != 5 || unacked != 2 {
		t.Errorf("%d made, %d unacked", made, unacked)
	}
}

// TestWalk: a passage's entries come as somebody goes through a door, and name the grant.
func TestWalk(t *testing.T) {
	var acks latencies
	began := time.Now()
	w := &walk{of: &gateway{journal: newJournal(&acks)}, began: began}
	made := uint64(0)
	for _, c := range []struct {
		after time.Duration
		kinds []wire.Kind
		over  bool
	}{
		{0, []wire.Kind{wire.KindAccess, wire.KindReleased}, false},
		{900 * time.Millisecond, nil, false},
		{time.Second, []wire.Kind{wire.KindOpened}, false},
		{3 * time.Second, nil, false},
		{5 * time.Second, []wire.Kind{wire.KindClosed, wire.KindSecured}, true},
	} {
		if over := w.goOn(began.Add(c.after)); over != c.over {
			t.Errorf("after %v, over: %t", c.after, over)
		}
		j := w.of.journal
		list, _, err := j.Entries(t.Context(), journaled.Position{Epoch: j.epoch, Sequence: made}, 10)
		if err != nil || len(list) != len(c.kinds) {
			t.Fatalf("after %v: %d entries, %v", c.after, len(list), err)
		}
		for i, e := range list {
			h, err := wire.DecodeHeader(e.Header)
			named := h.Ref != nil && h.Ref.Counter == 0
			if err != nil || h.Kind != c.kinds[i] || named != (h.Kind == wire.KindReleased || h.Kind == wire.KindOpened) {
				t.Errorf("after %v: %+v, %v", c.after, h, err)
			}
		}
		made += uint64(len(list))
	}
	if made != walkEntries {
		t.Errorf("%d entries", made)
	}
}

// TestPrint: the report says all that is measured, and nothing of a front that can't be looked at.
func TestPrint(t *testing.T) {
	r := Report{Gateways: 3, Connected: 2, ConnectedIn: 1.5, Seconds: 10, Entries: 42, Ack: Latency{42, 1, 2, 3}, Revocation: Latency{5, 4, 6, 7}, Lost: 1, Waiting: 4, Doubled: 2, Settle: 300}
	want := []string{"connected    2 of 3, in step after 1.5 s", "entries      42 in 10 s, 4.2/s", "signed for   p50 1.0 ms, p99 2.0 ms, at most 3.0 ms, of 42",
		"revocation   p50 4.0 ms, p99 6.0 ms, at most 7.0 ms, of 5", "stored       lost 1, doubled 2, waiting 4 after 300 s"}
	var out strings.Builder
	r.Print(&out)
	if got := strings.Split(strings.TrimSpace(out.String()), "\n"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	r.Front.connected(usage{1 << 20, time.Second}, usage{4 << 20, 4 * time.Second}, 3)
	r.lived(usage{cpu: time.Second}, usage{cpu: 2 * time.Second})
	out.Reset()
	r.Print(&out)
	if last := "front        4 MiB, 1024 KiB a gateway; CPU 1000.00 ms a connect, 23810 us an entry, 10 % of a core while people came and went\n"; !strings.HasSuffix(out.String(), last) {
		t.Errorf("%s", &out)
	}
}
