package devicetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// TestOverflow: edges that nobody reads are lost, and the gap shows.
func TestOverflow(t *testing.T) {
	b, r, stop := connect(t, nil)
	defer stop()
	l := open(t, r, readers(true))
	const pulses = 2000
	for range pulses {
		if err := b.Pulse("d0", 0); err != nil {
			t.Fatal(err)
		}
	}
	delivered(t, l)
	var seqs []uint32
	for {
		buf := make([]device.Edge, 100)
		n, err := l.ReadEdges(buf, 0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range buf[:n] {
			seqs = append(seqs, e.Seq)
		}
	}
	if err := b.Set("d0", true); err != nil {
		t.Fatal(err)
	}
	seqs = append(seqs, read(t, l, 1)[0].Seq)
	if len(seqs) >= 2*pulses || !slices.IsSorted(seqs) || seqs[len(seqs)-1] != 2*pulses+1 {
		t.Errorf("%d edges of %d, the last with number %d", len(seqs), 2*pulses+1, seqs[len(seqs)-1])
	}
}

// TestHungDaemon: one that does not read its connection never stops the
// building.
func TestHungDaemon(t *testing.T) {
	b, err := devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: lines})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Serve(ctx, near) }()
	for _, q := range []string{
		`{"id":1,"op":"lines","chip":"sim0","offsets":[23,24]}`, `{"id":2,"op":"output","chip":"sim0","offsets":[18]}`,
	} {
		if _, err := far.Write([]byte(q + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	for range 5000 {
		if err := b.Pulse("d0", 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := far.Write([]byte(`{"id":3,"op":"levels","handle":1}` + "\n")); err != nil {
		t.Fatal(err)
	}
	edges := 0
	for in, last := json.NewDecoder(far), uint64(0); last != 3; { // its answer comes behind the edges
		var m struct {
			ID    uint64
			Edges []struct{ Seq uint32 }
		}
		if err := in.Decode(&m); err != nil {
			t.Fatal(err)
		}
		edges, last = edges+len(m.Edges), m.ID
	}
	if edges == 0 || edges > 2048 {
		t.Errorf("%d edges waited for it, of 5000", edges)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if driven, _ := b.Output("strike"); driven {
		t.Error("the output is still driven")
	}
}

// TestEdgesModel: whatever moves, the reader gets each change once, in order,
// with the right polarity, and the last edge agrees with the level.
func TestEdgesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, r, stop := connect(t, nil)
		defer stop()
		low := rapid.Bool().Draw(t, "active low")
		l := open(t, r, device.LinesConfig{Chip: "sim0", Offsets: []int{24, 5, 23}, ActiveLow: low, BothEdges: true})
		names := []string{"d1", "contact", "d0"}
		level := []bool{!low, low, !low} // idle: the pulls, after the request's polarity
		var want []device.Edge
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, 2).Draw(t, "line")
			active := rapid.Bool().Draw(t, "active")
			if err := b.Set(names[i], active); err != nil {
				t.Fatal(err)
			}
			high := active != (i != 1)
			if now := high != low; now != level[i] {
				level[i] = now
				want = append(want, device.Edge{Line: uint8(i), Active: now, Seq: uint32(len(want) + 1)})
			}
		}
		got := read(t, l, len(want))
		for i := range got {
			if i > 0 && got[i].At < got[i-1].At {
				t.Fatal("time went back")
			}
			got[i].At = 0
		}
		if !slices.Equal(got, want) {
			t.Fatal("edges", got, "want", want)
		}
		levels := make([]bool, 3)
		if err := l.Levels(levels); err != nil || !slices.Equal(levels, level) {
			t.Fatal("levels", levels, err, "want", level)
		}
	})
}

// FuzzServe: no bytes of a daemon harm the board, and none outlive the
// connection.
func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"id":1,"op":"output","chip":"sim0","offsets":[17]}` + "\n" + `{"id":2,"op":"set","handle":1,"active":true}`))
	f.Add([]byte(`{"id":1,"op":"lines","chip":"sim0","offsets":[23,24],"active_low":true}` + "\n" + `{"id":1,"op":"levels","handle":1}`))
	f.Add([]byte(`{"id":1,"op":"output","chip":"sim0","offsets":[17,18]}` + "\n" + `{"op":"close"}` + "\n{"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: lines})
		if err != nil {
			t.Fatal(err)
		}
		near, far := net.Pipe()
		go func() {
			_, _ = far.Write(append(in, '\n'))
			far.Close()
		}()
		_ = b.Serve(t.Context(), near)
		for line, pull := range map[string]bool{"lock": false, "strike": true} {
			if driven, active := b.Output(line); driven || active != pull {
				t.Fatalf("%s: driven %v, active %v", line, driven, active)
			}
		}
		if b.Requested("d0") || b.Requested("contact") {
			t.Fatal("an input is still held")
		}
	})
}
