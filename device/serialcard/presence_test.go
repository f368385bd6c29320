package serialcard

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
)

// TestPresence drives a day of frames of up to four cards past the law, told
// without any state but the list of frames: a presentation begins with a
// frame of a card that was not seen for hold, and where two are asked for,
// when the frame before it among those of no held card was the same card's,
// not longer ago than confirm.
func TestPresence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		confirm := time.Duration(rapid.SampledFrom([]int{0, 200}).Draw(t, "confirm")) * time.Millisecond
		p := presence{confirm: confirm, hold: time.Second}
		seen := map[device.Card]time.Time{} // of presentations: when last seen
		var last sighting                   // the frame that waits for its second
		now := time.Unix(0, 0)
		for range rapid.IntRange(1, 200).Draw(t, "frames") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 50, 65, 150, 200, 201, 999, 1000, 5000}).Draw(t, "gap")) * time.Millisecond)
			card := device.CardOf(rapid.Uint64Range(1, 4).Draw(t, "card"), 40)
			begins, fault := p.see(card, now)

			at, held := seen[card]
			held = held && now.Sub(at) < time.Second
			ghost := last.card.Len() != 0 && now.Sub(last.at) > confirm
			if ghost {
				last = sighting{}
			}
			want := !held && (confirm == 0 || last.card == card)
			switch {
			case held || want:
				seen[card] = now
				if want {
					last = sighting{}
				}
			default:
				ghost = ghost || last.card.Len() != 0
				last = sighting{card, now}
			}
			if begins != want || (fault == device.FaultGhost) != ghost {
				t.Fatalf("at %v: begins %v, want %v; fault %v, want a ghost: %v", now.Unix(), begins, want, fault, ghost)
			}
		}
	})
}

func TestPresenceFourInTurn(t *testing.T) {
	p := presence{hold: time.Second}
	now := time.Unix(0, 0)
	events := 0
	for i := range 400 {
		now = now.Add(50 * time.Millisecond)
		if begins, _ := p.see(device.CardOf(uint64(i%heldMax+1), 40), now); begins {
			events++
		}
	}
	if events != heldMax {
		t.Errorf("%d cards that take turns gave %d events", heldMax, events)
	}
}
