package devicetest_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// BenchmarkOutput measures what the fake adds to a door's time: one Set of an
// output, beside a bare round trip of as many bytes over the same kind of
// socket.
func BenchmarkOutput(b *testing.B) {
	bare := roundTrip(b)
	board, r, stop := socket(b)
	defer stop()
	o, err := r.Output(device.OutputConfig{Chip: "sim0", Offset: 18})
	if err != nil {
		b.Fatal(err)
	}
	active := false
	for b.Loop() {
		active = !active
		if err := o.Set(active); err != nil {
			b.Fatal(err)
		}
	}
	if _, got := board.Output("strike"); got != active {
		b.Fatal("the output is not what was set last")
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/bare.Seconds(), "x-bare-round-trip")
}

// BenchmarkFrame measures a frame of 34 bits from Play to the last edge read.
// The wire itself takes 68 ms for it.
func BenchmarkFrame(b *testing.B) {
	board, r, stop := socket(b)
	defer stop()
	l := open(b, r, readers(false))
	buf := make([]device.Edge, 64)
	steps := make([]devicetest.Step, 0, 68)
	for b.Loop() {
		steps = steps[:0]
		now := board.Now()
		for i := range 34 {
			line := []string{"d0", "d1"}[i%2]
			at := now + time.Duration(i)
			steps = append(steps, devicetest.Step{Line: line, Active: true, At: at}, devicetest.Step{Line: line, At: at})
		}
		if err := board.Play(steps); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < 34; {
			got, err := l.ReadEdges(buf, time.Minute)
			if err != nil {
				b.Fatal(err)
			}
			n += got
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/0.068, "of-wire-time")
}

// socket is connect over a real socket pair, as between two processes.
func socket(b *testing.B) (*devicetest.Board, *devicetest.Remote, func()) {
	b.Helper()
	board, err := devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: lines})
	if err != nil {
		b.Fatal(err)
	}
	near, far := pair(b)
	r := devicetest.NewRemote(far)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = board.Serve(ctx, near) })
	running.Go(func() { _ = r.Run(ctx) })
	return board, r, func() { cancel(); running.Wait() }
}

func pair(b *testing.B) (near, far net.Conn) {
	b.Helper()
	near, file, err := devicetest.Socketpair()
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	far, err = net.FileConn(file)
	if err != nil {
		b.Fatal(err)
	}
	return near, far
}

func roundTrip(b *testing.B) time.Duration {
	b.Helper()
	near, far := pair(b)
	defer near.Close()
	go func() {
		defer far.Close()
		_, _ = io.Copy(struct{ io.Writer }{far}, struct{ io.Reader }{far}) // byte for byte, no splice
	}()
	const rounds = 5000
	buf := make([]byte, 40)
	start := time.Now()
	for range rounds {
		if _, err := near.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(near, buf); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / rounds
}
