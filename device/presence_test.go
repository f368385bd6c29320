package device_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// card returns what a reader sends of the n-th made-up card.
func card(n uint64) device.Event {
	return device.Event{Kind: device.CardRead, Card: device.CardOf(n, 40)}
}

// TestPresence drives a day of frames of up to four cards past the law, told
// without any state but the list of frames: a presentation begins with a
// frame of a card that was not seen for hold, and where two are asked for,
// when the frame before it among those of no held card was the same card's,
// not longer ago than confirm.
func TestPresence(t *testing.T) {
	type frame struct {
		what device.Event
		at   time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		confirm := time.Duration(rapid.SampledFrom([]int{0, 200}).Draw(t, "confirm")) * time.Millisecond
		p := device.Presence{Confirm: confirm, Hold: time.Second}
		seen := map[device.Event]time.Time{} // of presentations: when last seen
		var last frame                       // the one that waits for its second
		now := time.Unix(0, 0)
		for range rapid.IntRange(1, 200).Draw(t, "frames") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 50, 65, 150, 200, 201, 999, 1000, 5000}).Draw(t, "gap")) * time.Millisecond)
			what := card(rapid.Uint64Range(1, 4).Draw(t, "card"))
			begins, found := p.See(what, now)

			at, held := seen[what]
			held = held && now.Sub(at) < time.Second
			ghost := last.what.Kind != 0 && now.Sub(last.at) > confirm
			if ghost {
				last = frame{}
			}
			want := !held && (confirm == 0 || last.what == what)
			switch {
			case held || want:
				seen[what] = now
				if want {
					last = frame{}
				}
			default:
				ghost = ghost || last.what.Kind != 0
				last = frame{what, now}
			}
			if begins != want || (found == fault.Ghost) != ghost {
				t.Fatalf("at %v: begins %v, want %v; fault %v, want a ghost: %v", now.Unix(), begins, want, found, ghost)
			}
		}
	})
}

func TestPresenceFourInTurn(t *testing.T) {
	p := device.Presence{Hold: time.Second}
	now := time.Unix(0, 0)
	events := 0
	for i := range 400 {
		now = now.Add(50 * time.Millisecond)
		if begins, _ := p.See(card(uint64(i%4+1)), now); begins {
			events++
		}
	}
	if events != 4 {
		t.Errorf("four cards that take turns gave %d events", events)
	}
	if p.Fade(now.Add(time.Second)); p.Remembers() {
		t.Error("cards that are gone are remembered")
	}
}
