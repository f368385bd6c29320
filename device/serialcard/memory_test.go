package serialcard

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// TestNoCardIsKept: once a card is gone the reader knows its number no more,
// neither as a card nor as bytes.
func TestNoCardIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, events := devicetest.NewPort(), make(chan device.Event, 8)
		layout, _ := Lookup("rdm6300")
		r := New(Config{Source: "front", Layout: layout, Log: zerolog.Nop()}, func() (device.Port, error) { return port, nil }, events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = r.Run(ctx); close(done) }()
		card := device.CardOf(0x0123456789, 40)
		frame, err := layout.Encode(card)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			port.Send(frame)
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		if len(events) != 2 { // online, card
			t.Fatalf("the card was not read: %d events", len(events))
		}
		time.Sleep(5 * time.Second)
		cancel()
		<-done
		if r.seen.Remembers() || r.seen.Waiting() || r.buf != [256]byte{} || kept(r.dec) {
			t.Error("the number of a card that is gone is still in memory")
		}
	})
}

// kept reports whether a decoder still has a byte of what it saw.
func kept(d *Decoder) bool {
	switch f := d.frames.(type) {
	case *textDecoder:
		return slices.ContainsFunc(f.body[:cap(f.body)], func(b byte) bool { return b != 0 })
	case *binaryDecoder:
		return f.buf != [maxFrame]byte{}
	}
	return true
}
