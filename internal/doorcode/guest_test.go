package doorcode

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/guess"
	"gatehouse/sync/wire"
)

// now is the time of house.open, unix s.
const now = 1000

// invite gives the home a guest code that is good from then to its end.
func (h *house) invite(from, until uint32, once bool) (digits, id string) {
	h.t.Helper()
	digits, g, err := h.Invite(home, Terms{from, until, once}, now)
	must(h.t, err)
	if len(digits) != Digits || g.Tenancy != home || g.Used {
		h.t.Errorf("%+v", g)
	}
	return digits, g.ID
}

// TestGuest: a guest code opens until its end, or once, with its own method in the entry; the
// digits are the same before a scanner; one that opens often leaves no mark in the header.
func TestGuest(t *testing.T) {
	h := newHouse(t)
	often, _ := h.invite(0, 2000, false)
	for range 3 {
		a := h.open("front", often)
		if a.Reason != wire.ReasonGranted || *a.Who.Tenancy != home || a.Who.Method != wire.MethodGuest || a.Detail != nil {
			t.Fatalf("%+v", a)
		}
		h.start()
	}
	once, id := h.invite(0, 2000, true)
	read, ok := device.NewCode(QR(once) + "\r")
	p, is := h.Scanned(read)
	if !ok || !is || p.Digits() != once {
		t.Fatal("the QR code is not read")
	}
	if a := h.Open("front", "scanner", p, access.At(now)); a.Reason != wire.ReasonGranted || len(a.Detail) != 16 {
		t.Fatalf("%+v", a)
	}
	h.start()
	h.wants("front", once, wire.ReasonReplayed)
	if all := h.Guests(now); len(all) != 2 || all[0].Used || !all[1].Used || all[1].ID != id {
		t.Errorf("%+v", all)
	}
	for _, text := range []string{"GHP1-1234567890", once, "GHG1-", "GHG1-123456789x", "GHG1-12345678901"} {
		if c, _ := device.NewCode(text); text != "" {
			if _, is := h.Scanned(c); is {
				t.Errorf("%q is taken for a guest code", text)
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(h.parts.Dir, File))
	must(t, err)
	if strings.Contains(string(data), once) || strings.Contains(string(data), often) {
		t.Error("the file has a code")
	}
}

// TestGuestTime: before its start, after its end and in doubt about either it opens nothing,
// and costs no try; a term that somebody changed in the file is good for nothing.
func TestGuestTime(t *testing.T) {
	h := newHouse(t)
	c, _ := h.invite(500, 2000, true)
	for _, at := range []struct {
		lo, hi int64
		want   wire.Reason
	}{
		{100, 499, wire.ReasonNotYet}, {2000, 2500, wire.ReasonExpired}, {499, 600, wire.ReasonClockUntrusted}, {1000, 2000, wire.ReasonClockUntrusted},
		{1000, access.Unknown, wire.ReasonClockUntrusted}, {0, access.Unknown, wire.ReasonClockUntrusted}, {500, 1999, wire.ReasonGranted},
	} {
		p, _ := device.NewPIN(c)
		for range 2 * atReader.Burst {
			if a := h.Open("front", "in", p, access.Time{Sure: at.lo, Lo: at.lo, Hi: at.hi}); a.Reason != at.want && !(at.want == wire.ReasonGranted && a.Reason == wire.ReasonReplayed) {
				t.Errorf("%d to %d: %s, want %s", at.lo, at.hi, a.Reason, at.want)
			}
		}
	}
	c, _ = h.invite(0, 900, false)
	h.wants("front", c, wire.ReasonExpired)
	h.mu.Lock()
	h.file.Codes[len(h.file.Codes)-1].Guest.Until = 9000
	must(t, h.write())
	h.mu.Unlock()
	h.start()
	h.wants("front", c, wire.ReasonBadCode)
}

// TestLook: whoever has a guest code's digits is shown its terms, used or not. One that is over, another's, and a tenant's
// own are as unknown as digits that are none, and cost a try as they do; an alarm is only of what is no code here. A
// thousand guesses use up what one reader has, and no door's.
func TestLook(t *testing.T) {
	h := newHouse(t)
	look := func(digits string) (Guest, error) {
		p, _ := device.NewPIN(digits)
		return h.Look(p, now)
	}
	once, id := h.invite(0, 2000, true)
	later, _ := h.invite(1500, 3000, false)
	over, _ := h.invite(0, now, false)
	own := h.codes()[0]
	for range 2 * atReader.Burst {
		for digits, want := range map[string]Guest{once: {id, home, Terms{0, 2000, true}, false}, later: {h.Guests(now)[1].ID, home, Terms{1500, 3000, false}, false}} {
			if g, err := look(digits); err != nil || g != want {
				t.Fatalf("%+v, %v; want %+v", g, err, want)
			}
		}
		h.open("front", once)
	}
	for _, digits := range []string{over, own, over, own, over} {
		if g, err := look(digits); err != ErrNoGuest || g != (Guest{}) {
			t.Errorf("%+v, %v", g, err)
		}
	}
	if _, err := look(later); err != ErrTries || len(h.log.all) > 0 {
		t.Errorf("after five codes that are good for nothing: %v, %d alarms", err, len(h.log.all))
	}
	h.start()
	for n := range 1000 {
		want := ErrNoGuest
		if n >= atReader.Burst {
			want = ErrTries
		}
		if _, err := look("1234567890"); err != want {
			t.Fatalf("guess %d: %v, want %v", n, err, want)
		}
	}
	if len(h.log.all) != 1 || h.log.all[0].Source != "page" || h.log.all[0].Door != "" {
		t.Errorf("alarms %+v", h.log.all)
	}
	h.wants("front", own, wire.ReasonGranted)
	h.epoch++
	h.start()
	if _, err := look(later); err != ErrNoGuest {
		t.Errorf("in another epoch: %v", err)
	}
}

// TestGuestsMost: a tenancy has five that are not over, used or not; one that is over or was
// ended makes room; one-time codes are beside them, and new ones end no guest code.
func TestGuestsMost(t *testing.T) {
	h := newHouse(t)
	own := h.codes()
	var last, id string
	for n := range GuestsMost {
		last, id = h.invite(0, uint32(1100+n), true)
		h.wants("front", last, wire.ReasonGranted)
	}
	_, _, err := h.Invite(home, Terms{Until: 1200}, now)
	if !errors.Is(err, ErrGuests) {
		t.Fatal(err)
	}
	if _, _, err := h.Invite(wire.ID{9}, Terms{Until: 1200}, now); err != nil {
		t.Error(err)
	}
	if _, _, err := h.Invite(home, Terms{Until: 1200}, 1100); err != nil {
		t.Error(err)
	}
	if _, found, err := h.Uninvite(id); !found || err != nil {
		t.Error(err)
	}
	if _, found, _ := h.Uninvite(id); found {
		t.Error("it ended twice")
	}
	h.wants("front", last, wire.ReasonBadCode)
	h.wants("front", own[0], wire.ReasonGranted)
	guest, _, err := h.Invite(home, Terms{Until: 1200}, 1104)
	must(t, err)
	h.codes()
	h.wants("front", own[1], wire.ReasonBadCode)
	h.wants("front", guest, wire.ReasonGranted)
	h.Keep(func(wire.ID) bool { return false }, 1200)
	if len(h.file.Codes) != Each {
		t.Errorf("%d codes are kept", len(h.file.Codes))
	}
}

// TestGuestSickDisk: what the disk does not take is neither given nor ended.
func TestGuestSickDisk(t *testing.T) {
	h := newHouse(t)
	c, id := h.invite(0, 2000, false)
	must(t, os.MkdirAll(filepath.Join(h.parts.Dir, File+".new", "x"), 0o700))
	if _, _, err := h.Invite(home, Terms{Until: 2000}, now); err == nil {
		t.Error("it was given")
	}
	if _, _, err := h.Uninvite(id); err == nil {
		t.Error("it was ended")
	}
	h.wants("front", c, wire.ReasonGranted)
	if all := h.Guests(now); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

// TestOldFile: codes of before there were guests go on.
func TestOldFile(t *testing.T) {
	h := newHouse(t)
	all := h.codes()
	path := filepath.Join(h.parts.Dir, File)
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(data), `"format":2`, `"format":1`, 1)), 0o600))
	h.start()
	h.wants("front", all[0], wire.ReasonGranted)
	if data, err = os.ReadFile(path); err != nil || !strings.Contains(string(data), `"format":2`) {
		t.Error("it is written as it was")
	}
}

// model is what a guest code should do, by itself.
type model struct {
	digits, id string
	tenancy    wire.ID
	Terms
	used, ended bool
	epoch       uint64
}

// wants is the reason by the rules as docs/desk.md has them.
func (m *model) wants(t access.Time, epoch uint64, over bool) wire.Reason {
	switch {
	case m.ended || m.epoch != epoch:
		return wire.ReasonBadCode
	case m.used && m.Once:
		return wire.ReasonReplayed
	case int64(m.Until) <= t.Lo:
		return wire.ReasonExpired
	case t.Hi < int64(m.From):
		return wire.ReasonNotYet
	case t.Lo < int64(m.From) || t.Hi >= int64(m.Until):
		return wire.ReasonClockUntrusted
	case over:
		return wire.ReasonRevoked
	}
	return wire.ReasonGranted
}

// TestGuestsProperty: whatever is made, used, ended, restarted, rolled back, with a clock that
// knows little or nothing: a code opens when the rules say so, and what opens once opens once.
func TestGuestsProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHouse(t)
		defer os.RemoveAll(h.parts.Dir)
		var all []*model
		var marks []wire.ID // of the log
		clock, over := access.At(now), false
		pick := func() *model {
			if len(all) == 0 {
				rt.Skip("no code")
			}
			return rapid.SampledFrom(all).Draw(rt, "which")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"make": func(rt *rapid.T) {
				terms := Terms{From: rapid.Uint32Range(0, 1500).Draw(rt, "from"), Until: rapid.Uint32Range(900, 3000).Draw(rt, "until"), Once: rapid.Bool().Draw(rt, "once")}
				digits, g, err := h.Invite(home, terms, uint32(min(clock.Lo, 1<<31)))
				lasting := 0
				for _, m := range all {
					if m.epoch == h.epoch && !m.ended && int64(m.Until) > clock.Lo {
						lasting++
					} else {
						m.ended = true // it makes room
					}
				}
				if full := lasting >= GuestsMost; full != errors.Is(err, ErrGuests) || !full && err != nil {
					rt.Fatalf("%d last: %v", lasting, err)
				}
				if err == nil {
					all = append(all, &model{digits: digits, id: g.ID, tenancy: home, Terms: terms, epoch: h.epoch})
				} else { // nothing has changed
					for _, m := range all {
						m.ended = !h.has(m)
					}
				}
			},
			"show": func(rt *rapid.T) {
				m := pick()
				p, _ := device.NewPIN(m.digits)
				// Each at a reader of its own: wrong tries are another test's.
				h.tries = guess.New[place](atReader, atHouse, atReader.Burst)
				a := h.Open("front", "in", p, clock)
				if want := m.wants(clock, h.epoch, over); a.Reason != want {
					rt.Fatalf("%+v at %+v: %s, want %s", *m, clock, a.Reason, want)
				}
				if a.Reason == wire.ReasonGranted {
					m.used = true
					if m.Once {
						marks = append(marks, wire.ID(a.Detail))
					}
				}
			},
			"end": func(rt *rapid.T) {
				m := pick()
				if _, found, err := h.Uninvite(m.id); found == m.ended || err != nil {
					rt.Fatalf("%+v: found %t, %v", *m, found, err)
				}
				m.ended = true
			},
			"clock": func(rt *rapid.T) {
				lo := rapid.Int64Range(0, 4000).Draw(rt, "lo")
				clock = access.Time{Sure: lo, Lo: lo, Hi: lo + rapid.SampledFrom([]int64{0, 0, 10, 1000, 5000}).Draw(rt, "width")}
				if rapid.IntRange(0, 5).Draw(rt, "nobody knows") == 0 {
					clock.Hi = access.Unknown
				}
			},
			"restart": func(*rapid.T) { h.start(marks...) },
			"older file": func(rt *rapid.T) { // the log knows what was used since
				if len(all) == 0 {
					rt.Skip("no code")
				}
				h.mu.Lock()
				for i := range h.file.Codes {
					h.file.Codes[i].Used = false
				}
				err := h.write()
				h.mu.Unlock()
				must(t, err)
				h.start(marks...)
			},
			"rolled back":   func(*rapid.T) { h.epoch++ },
			"tenancy over":  func(*rapid.T) { h.give(wire.GrantRevoked); over = true },
			"tenancy again": func(*rapid.T) { h.give(wire.GrantActive); over = false },
			"keep": func(*rapid.T) {
				h.Keep(func(wire.ID) bool { return over }, uint32(clock.Sure))
				for _, m := range all {
					m.ended = m.ended || over || int64(m.Until) <= clock.Sure
				}
			},
		})
	})
}

// has reports whether the file has a code.
func (h *house) has(m *model) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.file.Codes {
		if c.Guest != nil && c.Guest.ID == m.id {
			return true
		}
	}
	return false
}
