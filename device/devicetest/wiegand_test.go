package devicetest_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
)

// gate is a board in a synctest bubble, its clock the bubble's.
func gate(t *testing.T, f func(*testing.T, *devicetest.Board, *devicetest.Remote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b, err := devicetest.NewBoard(devicetest.BoardConfig{
			Chip: "sim0", Lines: lines, Now: func() time.Duration { return time.Hour + time.Since(start) },
		})
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		r := devicetest.NewRemote(far)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = b.Serve(ctx, near) })
		running.Go(func() { _ = r.Run(ctx) })
		defer running.Wait()
		defer cancel()
		f(t, b, r)
	})
}

// bits is how the edges of idle-to-active requests read: 0 on D0, 1 on D1.
func bits(edges []device.Edge) (out []byte) {
	for _, e := range edges {
		out = append(out, e.Line)
	}
	return out
}

func TestWiegandFrame(t *testing.T) {
	gate(t, func(t *testing.T, b *devicetest.Board, r *devicetest.Remote) {
		l := open(t, r, readers(true))
		w := devicetest.WiegandSource{Board: b, D0: "d0", D1: "d1", Width: 40 * time.Microsecond, Interval: 3 * time.Millisecond}
		var ends []time.Duration
		for range 2 {
			if err := w.Send(device.CardOf(0b10011, 5)); err != nil {
				t.Fatal(err)
			}
			ends = append(ends, b.Now())
			edges := read(t, l, 10)
			first := edges[0].At
			for i, line := range []uint8{1, 0, 0, 1, 1} {
				at := first + time.Duration(i)*3*time.Millisecond
				want := []device.Edge{
					{Line: line, Active: true, At: at, Seq: edges[0].Seq + uint32(2*i)},
					{Line: line, At: at + 40*time.Microsecond, Seq: edges[0].Seq + uint32(2*i) + 1},
				}
				if !slices.Equal(edges[2*i:2*i+2], want) {
					t.Errorf("bit %d: %v, want %v", i, edges[2*i:2*i+2], want)
				}
			}
			if end := first + 5*3*time.Millisecond; end != ends[len(ends)-1] {
				t.Errorf("the frame ends at %v, it is %v", end, ends[len(ends)-1])
			}
		}
		if pause := ends[1] - ends[0]; pause != 215*time.Millisecond {
			t.Errorf("the second frame ended %v after the first: want its 15 ms after a pause of 200", pause)
		}
	})
}

func TestWiegandSpoiled(t *testing.T) {
	tests := map[string]struct {
		spoil devicetest.Spoil
		want  []byte
		gaps  int
	}{
		"whole":   {want: []byte{1, 0, 1, 1}},
		"swapped": {spoil: devicetest.Spoil{Swapped: true}, want: []byte{0, 1, 0, 0}},
		"missing": {spoil: devicetest.Spoil{Missing: []int{0, 3}}, want: []byte{0, 1}},
		"lost":    {spoil: devicetest.Spoil{Lost: []int{1}}, want: []byte{1, 1, 1}, gaps: 1},
		"doubled": {spoil: devicetest.Spoil{Doubled: []int{1}}, want: []byte{1, 0, 1, 1, 1}},
		"glitch":  {spoil: devicetest.Spoil{Glitch: []int{1, 2}}, want: []byte{1, 0, 1, 1, 0, 1}},
		"echo":    {spoil: devicetest.Spoil{Echo: []int{1, 2}}, want: []byte{1, 0, 0, 1, 1, 1}},
		"bounce":  {spoil: devicetest.Spoil{Bounce: []int{1}}, want: []byte{1, 0, 0, 0, 1, 1}},
		"merged":  {spoil: devicetest.Spoil{Merged: []int{1}}, want: []byte{1, 1, 1}},
		"crossed": {spoil: devicetest.Spoil{Crosstalk: []int{1}}, want: []byte{1, 0, 1, 1, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			gate(t, func(t *testing.T, b *devicetest.Board, r *devicetest.Remote) {
				l := open(t, r, readers(false))
				w := devicetest.WiegandSource{Board: b, D0: "d0", D1: "d1"}
				if err := w.SendSpoiled(device.CardOf(0b1011, 4), tt.spoil); err != nil {
					t.Fatal(err)
				}
				edges := read(t, l, len(tt.want))
				gaps := 0
				for i, e := range edges {
					if i > 0 && e.Seq != edges[i-1].Seq+1 {
						gaps++
					}
				}
				if !slices.Equal(bits(edges), tt.want) || gaps != tt.gaps {
					t.Errorf("bits %v with %d gaps, want %v with %d", bits(edges), gaps, tt.want, tt.gaps)
				}
			})
		})
	}
}

func TestWiegandJitter(t *testing.T) {
	gate(t, func(t *testing.T, b *devicetest.Board, r *devicetest.Remote) {
		l := open(t, r, readers(true))
		w := devicetest.WiegandSource{Board: b, D0: "d0", D1: "d1", Jitter: 5 * time.Millisecond}
		card, err := device.NewCard(slices.Repeat([]byte{0xA5}, 32), 256)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Send(card); err != nil {
			t.Fatal(err)
		}
		intervals := map[time.Duration]bool{}
		edges := read(t, l, 512)
		for i := 2; i < len(edges); i += 2 {
			if !edges[i].Active || edges[i].At <= edges[i-1].At || edges[i].At-edges[i-2].At > 7*time.Millisecond {
				t.Fatalf("pulse %d meets the one before or is late: %v", i/2, edges[i-2:i+1])
			}
			intervals[edges[i].At-edges[i-2].At] = true
		}
		if len(intervals) < 100 {
			t.Errorf("only %d different intervals", len(intervals))
		}
	})
}

// TestWiegandReader: the real reader takes this board for a real one.
func TestWiegandReader(t *testing.T) {
	gate(t, func(t *testing.T, b *devicetest.Board, r *devicetest.Remote) {
		format, ok := wiegand.Lookup("H10301")
		if !ok {
			t.Fatal("no format H10301")
		}
		card := device.CardOf(0x2F623AE, 26) // 26 bits, even parity over the first half, odd over the second
		if err := format.Check(card); err != nil {
			t.Fatal(err)
		}
		events := make(chan device.Event, 100)
		reader := wiegand.New(wiegand.Config{Source: "front", Formats: []wiegand.Format{format}},
			func() (device.Lines, error) { return r.Lines(readers(false)) }, events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- reader.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if e := <-events; e.Kind != device.CameOnline {
			t.Fatal(e.Kind, e.Fault)
		}
		w := devicetest.WiegandSource{Board: b, D0: "d0", D1: "d1"}
		expect := func(what string, kind device.EventKind, found fault.Code) {
			t.Helper()
			e := <-events
			if e.Kind != kind || e.Fault != found || kind == device.CardRead && e.Card != card {
				t.Errorf("%s: kind %d, %v, fault %v", what, e.Kind, e.Card, e.Fault)
			}
			time.Sleep(2 * time.Second)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(w.Send(card))
		expect("a card", device.CardRead, fault.None)
		must(w.SendSpoiled(card, devicetest.Spoil{Lost: []int{7}}))
		expect("a lost edge", device.FaultSeen, fault.LostEdges)
		must(w.SendSpoiled(card, devicetest.Spoil{Missing: []int{7}}))
		expect("a missing pulse", device.FaultSeen, fault.Length)
		must(w.Short(2 * time.Second))
		time.Sleep(time.Second)
		var cable bool // its two edges may be told as noise too
		for len(events) > 0 {
			e := <-events
			cable = cable || e.Fault == fault.Cable
			if e.Kind != device.FaultSeen {
				t.Errorf("a short: kind %d, %v", e.Kind, e.Card)
			}
		}
		if !cable {
			t.Error("a short was not seen")
		}
		must(w.Send(card))
		expect("a card again", device.CardRead, fault.None)
	})
}
