package serialcard_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/serialcard"
	"gatehouse/device/uart"
)

// TestReaderOnTerminal runs the reader on a real pseudo-terminal, from before
// the module is there to after it was pulled out and came back as another
// device under the same link.
func TestReaderOnTerminal(t *testing.T) {
	link := filepath.Join(t.TempDir(), "front")
	l := layout(t, "rdm6300")
	events := make(chan device.Event, 100)
	// Whoever is held up for a second here has not taken the card away.
	r := serialcard.New(serialcard.Config{Source: "front", Layout: l, Hold: time.Minute},
		func() (device.Port, error) { return uart.Open(device.PortConfig{Path: link, Baud: l.Baud}) }, events)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	expect := func(want string, before ...string) {
		t.Helper()
		await(t, events, want, before...)
	}
	expect("offline missing")
	module, err := devicetest.NewSerialTerminal(link, "rdm6300")
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	before, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	expect("online")
	present := func(n uint64, hold time.Duration) {
		t.Helper()
		if err := module.Present(ctx, devicetest.EM4100(n), hold); err != nil {
			t.Fatal(err)
		}
	}
	const ghost = "ghost_frame" // the module, too, may be held up between two frames
	present(number, 1500*time.Millisecond)
	expect("card 1", ghost)

	if err := module.Send([]byte(frame[:8])); err != nil { // half a frame, and the plug is out
		t.Fatal(err)
	}
	if err := module.Unplug(); err != nil {
		t.Fatal(err)
	}
	expect("offline unplugged", "half_frame") // a busy machine may see the silence first
	if err := module.Replug(); err != nil {
		t.Fatal(err)
	}
	after, err := os.Readlink(link)
	if err != nil || after == before {
		t.Fatalf("the same device again: %s, %v", after, err)
	}
	expect("online")
	if err := module.Ghost(ctx); err != nil {
		t.Fatal(err)
	}
	expect(ghost)
	present(number+1, time.Second)
	expect("card 0", ghost)

	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(events) != 0 {
		t.Errorf("one more event: %s", name(<-events))
	}
}

// await takes events until want; only those named in before may come first.
func await(t *testing.T, events <-chan device.Event, want string, before ...string) {
	t.Helper()
	for {
		select {
		case e := <-events:
			got := name(e)
			if got == want {
				return
			}
			if !slices.Contains(before, got) {
				t.Fatalf("got %s, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no %s", want)
		}
	}
}

// BenchmarkReaderOnTerminal measures the way of a held card's frame from the
// module's write to the Event, beside the bare read of the same bytes.
func BenchmarkReaderOnTerminal(b *testing.B) {
	module, err := devicetest.NewSerialTerminal(filepath.Join(b.TempDir(), "front"), "rdm6300")
	if err != nil {
		b.Fatal(err)
	}
	defer module.Close()
	bare := bareRead(b, module)

	l := layout(b, "rdm6300")
	l.Confirm = 0
	events := make(chan device.Event)
	config := serialcard.Config{Source: "front", Layout: l, Hold: 1} // every frame is a presentation
	r := serialcard.New(config, func() (device.Port, error) {
		return uart.Open(device.PortConfig{Path: module.Path(), Baud: l.Baud})
	}, events)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	<-events // online
	b.ReportAllocs()
	for b.Loop() {
		if err := module.Send([]byte(frame)); err != nil {
			b.Fatal(err)
		}
		if e := <-events; e.Kind != device.CardRead {
			b.Fatal(name(e))
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/bare.Seconds(), "x-bare-read")
	cancel()
	<-done
}

// bareRead is the time from a write to the end of the read of a whole frame.
func bareRead(b *testing.B, module *devicetest.SerialModule) time.Duration {
	b.Helper()
	p, err := uart.Open(device.PortConfig{Path: module.Path(), Baud: 9600})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	const rounds = 2000
	buf := make([]byte, 64)
	start := time.Now()
	for range rounds {
		if err := module.Send([]byte(frame)); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < len(frame); {
			got, err := p.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			n += got
		}
	}
	return time.Since(start) / rounds
}
