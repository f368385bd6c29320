package retention

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// order is one that is in order, for the door of swipe.
func (o *office) order() api.Hold {
	return api.Hold{Gateway: place.Address(), Door: "front", From: begin.Add(-time.Hour), To: begin.Add(time.Hour), Officer: "440000-1", Unit: "unit 1", Case: "case 1"}
}

func (o *office) preserve(h api.Hold) api.Hold {
	o.t.Helper()
	h, err := o.eraser.Preserve(o.t.Context(), h)
	o.must(err)
	return h
}

// TestPreserves: what an officer has preserved stays for a week, in front of its time and of who asks to be forgotten, also in
// a database that was put back; entries at other doors and times do not; then it goes by itself.
func TestPreserves(t *testing.T) {
	o := newOffice(t)
	other, unset, late := swipe, swipe, swipe
	other.Door, unset.Clock, late.Wall = "yard", wire.ClockUnset, begin.Add(2*time.Hour).UnixMilli()
	unset.Wall = 1000
	o.take(true, swipe, other, late, unset)
	o.take(false, swipe, swipe)
	copied := filepath.Join(t.TempDir(), "copy.db")
	o.must(o.store.Copy(t.Context(), copied))
	o.now = o.now.Add(179 * day)
	h := o.preserve(o.order())
	if !h.Ends.Equal(o.now.Add(7*day)) || len(o.eraser.Holds()) != 1 {
		t.Errorf("%+v", h)
	}
	f, err := o.eraser.Forget(t.Context(), []api.Forget{{Gateway: place.Address(), Epoch: epoch, Sequences: []uint64{0, 1, 4}}})
	o.must(err)
	if f != (api.Forgotten{Erased: 1, Later: 2}) {
		t.Errorf("%+v", f)
	}
	o.want("to be forgotten", 0, 2, 3, 4, 5)
	o.after(2 * day)
	o.want("two days over their time", 0, 3, 4, 5)
	o.must(o.store.Close())
	b, err := os.ReadFile(copied)
	o.must(err)
	o.must(os.WriteFile(o.path("front.db"), b, 0o600))
	o.open()
	o.want("put back", 0, 3, 4, 5)
	o.after(4 * day)
	o.want("on the sixth day", 0, 3, 4, 5)
	o.after(2 * day)
	o.must(o.eraser.scrub(t.Context(), o.now))
	o.want("when the order is over")
	if b, err := os.ReadFile(o.path(api.FileErasures)); err != nil || len(o.eraser.Holds()) != 0 || strings.Contains(string(b), "440000-1") {
		t.Errorf("the order is still there: %s, %v", b, err)
	}
	counts := func() api.TownCounts {
		return o.eraser.Counts(begin, o.now.Add(day))[api.Town{District: place.District, Town: place.Town}]
	}
	if got := counts(); got.Preserved != 1 || got.Forgotten != 1 {
		t.Errorf("counted %+v", got)
	}
	o.after(countedFor)
	if got := counts(); got != (api.TownCounts{}) {
		t.Errorf("two years later %+v are still counted", got)
	}
}

// TestPreserveRefuses orders that are too wide, of nobody, or too many, each with what to do.
func TestPreserveRefuses(t *testing.T) {
	o := newOffice(t)
	for want, change := range map[string]func(*api.Hold){
		"a mandate for more":            func(h *api.Hold) { h.From = h.To.Add(-24*time.Hour - time.Second) },
		"from before to":                func(h *api.Hold) { h.From, h.To = h.To, h.From },
		"one door":                      func(h *api.Hold) { h.Door = "" },
		"registryd gateways shows them": func(h *api.Hold) { h.Gateway = "b1/g9" },
		"want building/gateway":         func(h *api.Hold) { h.Gateway = "b1" },
		"no officer":                    func(h *api.Hold) { h.Officer = " " },
		"no unit":                       func(h *api.Hold) { h.Unit = "" },
		"no case number":                func(h *api.Hold) { h.Case = strings.Repeat("x", 65) },
		"the span begins in the future": func(h *api.Hold) { h.From, h.To = begin.Add(time.Hour), begin.Add(2*time.Hour) },
	} {
		h := o.order()
		change(&h)
		_, err := o.eraser.Preserve(t.Context(), h)
		if err == nil || !strings.Contains(err.Error()+hintOf(err), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for range perOfficer {
		o.preserve(o.order())
	}
	if _, err := o.eraser.Preserve(t.Context(), o.order()); err == nil || !strings.Contains(hintOf(err), "a mandate for what is needed longer") {
		t.Errorf("one more: %v", err)
	}
	h := o.order()
	h.Officer = "440000-2"
	o.preserve(h)
	o.after(8 * day)
	o.preserve(o.order())
	if n := len(o.eraser.Holds()); n != 1 {
		t.Errorf("%d are active", n)
	}
}

func hintOf(err error) string {
	if e, ok := err.(*api.Error); ok {
		return e.Hint
	}
	return ""
}
