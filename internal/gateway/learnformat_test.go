package gateway_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gatehouse/device"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/wiegand"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
)

// TestLearnFormat: some swipes tell the format; meanwhile the reader opens nothing, and
// after it serves its door again.
func TestLearnFormat(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var openings openings
	h.startWith(openings.watch)
	swipe := func(facility, card uint64) {
		f, _ := wiegand.Lookup("H10306")
		c, err := f.Encode(wiegand.Fields{Facility: facility, Card: card, HasFacility: true})
		must(t, err)
		must(t, h.source.Send(c))
	}
	next := func(in control.LearnFormat, card uint64) (got control.LearnedFormat, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			got, err = h.client.LearnFormat(t.Context(), "front", "in", in)
		}()
		if card != 0 {
			h.eventually("bits count in format learning", func() bool { return openings.counts.Load() == 2 })
			swipe(300, card)
		}
		<-done
		return got, err
	}
	for i, card := range []uint64{1001, 2002, 2002, 3003} {
		got, err := next(control.LearnFormat{Again: i == 0, Seconds: 60}, card)
		must(t, err)
		if want := []int{1, 2, 2, 3}[i]; got.Cards != want || got.Bits != 34 {
			t.Fatalf("swipe %d: %+v", i, got)
		}
		if i < 3 {
			continue
		}
		names := []string{}
		for _, p := range got.Proposals {
			names = append(names, p.Format)
		}
		if !slices.Contains(names, "H10306") || !slices.Contains(names, "BQT34") || len(got.Remarks) == 0 {
			t.Errorf("proposed %q, %q", names, got.Remarks)
		}
	}
	got, err := next(control.LearnFormat{Printed: "300,3003"}, 0)
	must(t, err)
	if len(got.Proposals) == 0 || got.Proposals[0].Format != "H10306" && got.Proposals[0].Format != "N10002" ||
		!slices.Contains(got.Proposals[0].Fields, "facility 300, card 3003") {
		t.Errorf("with the printed number: %+v", got)
	}
	if _, err := next(control.LearnFormat{Printed: "none"}, 0); err == nil {
		t.Error("a printed number of letters was taken")
	}
	if _, err := h.client.LearnFormat(t.Context(), "yard", "in", control.LearnFormat{}); err == nil {
		t.Error("a serial reader was in format learning")
	}
	if h.kinds()["front access denied unknown_card"] != 0 {
		t.Error("a card of format learning came to the door")
	}
	must(t, h.client.EndLearnFormat(t.Context(), "front", "in"))
	h.eventually("the reader is back", func() bool { return !strings.Contains(h.problems(), "door front") })
	swipe(300, 77)
	h.eventually("the door is served again", h.has("front access denied unknown_card", 1))
}

// openings follows how often the lines of the Wiegand reader were opened, and in
// which opening bits count by now: those of the first 100 ms are never a card, and
// after them the reader looks at the levels for the first time.
type openings struct{ made, counts atomic.Int32 }

func (o *openings) watch(g *gateway.Options) {
	open := g.Hardware.Lines
	g.Hardware.Lines = func(c device.LinesConfig) (device.Lines, error) {
		l, err := open(c)
		if err != nil || len(c.Offsets) != 2 {
			return l, err
		}
		return opening{l, o, o.made.Add(1)}, nil
	}
}

type opening struct {
	device.Lines
	of     *openings
	number int32
}

func (o opening) Levels(dst []bool) error {
	o.of.counts.Store(o.number)
	return o.Lines.Levels(dst)
}

// TestLearnFormatEnded: format learning that is ended while somebody waits for a card is over
// for them at once, keeps no card, and the next card opens the door.
func TestLearnFormatEnded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := h.bus(osdptest.Config{}, "security = \"none\"\n")
	h.start()
	h.eventually("online", func() bool { return h.reader().Online })
	for door, hold := range map[string]func(){
		"yard":  func() { h.present(r, card40()) },
		"front": func() { h.wiegand(123, 4567) },
	} {
		done := make(chan error, 1)
		go func() {
			_, err := h.client.LearnFormat(t.Context(), door, "in", control.LearnFormat{Seconds: 600})
			done <- err
		}()
		if door == "front" {
			h.eventually("status tells of format learning", func() bool { return strings.Contains(h.problems(), "door front: in is in format learning") })
		}
		var err error
		h.eventually("who waits is told", func() bool {
			must(t, h.client.EndLearnFormat(t.Context(), door, "in"))
			select {
			case err = <-done:
				return true
			default:
				return false
			}
		})
		if err == nil || !strings.Contains(err.Error(), "format learning is over") {
			t.Errorf("%s: %v", door, err)
		}
		if _, err := h.client.LearnFormat(t.Context(), door, "in", control.LearnFormat{Printed: "300,3003"}); err == nil || !strings.Contains(err.Error(), "no card yet") {
			t.Errorf("%s: its number: %v", door, err)
		}
		h.eventually("the reader is back", func() bool { return !strings.Contains(h.problems(), "door "+door) })
		h.opens(door, "the next card opens the "+door, hold)
	}
}

// TestLearnFormatWayOut: the reader that people leave by is never taken from its door.
func TestLearnFormatWayOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.site = strings.Replace(h.site, "id = \"in\"\ntype = \"wiegand\"", "id = \"in\"\ndirection = \"out\"\ntype = \"wiegand\"", 1)
	h.start()
	if _, err := h.client.LearnFormat(t.Context(), "front", "in", control.LearnFormat{Seconds: 1}); err == nil || !strings.Contains(err.Error(), "people leave by") {
		t.Errorf("format learning: %v", err)
	}
}
