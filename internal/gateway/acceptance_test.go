package gateway_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/sync/wire"
)

// inBoot starts the gateway in a boot of the machine.
func (h *house) inBoot(n byte) {
	h.t.Helper()
	h.run(func(o *gateway.Options) { o.Time.Boot = wire.ID{n} })
	h.eventually("the gateway answers", func() bool {
		s, err := h.client.Status(h.t.Context())
		return err == nil && gatewaytest.Online(s)
	})
}

// proved is how a part of a door stands, and whether the door is ready.
func (h *house) proved(door, part string) (state string, ready bool) {
	h.t.Helper()
	a, err := h.client.Doors.Acceptance(h.t.Context())
	must(h.t, err)
	for _, d := range a.Doors {
		for _, p := range d.Parts {
			if d.Door == door && p.Part == part {
				state, ready = p.State, d.Ready
			}
		}
	}
	return state, ready
}

// prove does a step that is taken.
func (h *house) prove(door, part, step, want string) {
	h.t.Helper()
	p, err := h.client.Doors.Prove(h.t.Context(), door, part, step)
	if err != nil || p.State != want {
		h.t.Fatalf("%s %s %s: %s %v, want %s\n%s", door, part, step, p.State, err, want, h.log)
	}
}

// refuses does a step that is not taken.
func (h *house) refuses(door, part, step, why string) {
	h.t.Helper()
	if p, err := h.client.Doors.Prove(h.t.Context(), door, part, step); err == nil || !strings.Contains(err.Error(), why) {
		h.t.Errorf("%s %s %s: %+v %v, want %q", door, part, step, p, err, why)
	}
}

// seen tries a part that the gateway sees itself, and does it meanwhile.
func (h *house) seen(door, part string, do func()) {
	h.t.Helper()
	done := make(chan error, 1)
	var got control.Proof
	go func() {
		var err error
		got, err = h.client.Doors.Prove(h.t.Context(), door, part, "begin")
		done <- err
	}()
	h.eventually("the gateway looks", func() bool { state, _ := h.proved(door, part); return state == "begun" })
	do()
	if err := <-done; err != nil || got.State != "passed" {
		h.t.Fatalf("%s %s: %+v %v", door, part, got, err)
	}
}

// codes are those of what is to be done about what was not proved.
func (h *house) codes() (all []string) {
	h.t.Helper()
	st, err := h.client.Status(h.t.Context())
	must(h.t, err)
	for _, item := range st.ToDo {
		if strings.HasPrefix(item.Code, "proof_") || item.Code == "door_unproved" {
			all = append(all, item.Code+" "+item.Door)
		}
	}
	return all
}

// TestAcceptance: from a house that was just set up to two doors of which it was proved
// that people get out, over a plug that was pulled.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.inBoot(1)
	if got := h.codes(); got != nil {
		t.Errorf("a house that was wired by hand is asked: %v", got)
	}
	h.refuses("front", "lock", "begin", "does not ask")
	_, err := h.client.Doors.AskForProofs(t.Context())
	must(t, err)
	if got := h.codes(); !slices.Equal(got, []string{"door_unproved front", "door_unproved yard"}) {
		t.Fatalf("to do: %v", got)
	}
	h.refuses("front", "lock", "yes", "not tried")
	h.opens("front", "lock is tried", func() { h.prove("front", "lock", "begin", "begun") })
	h.prove("front", "lock", "yes", "passed")
	h.prove("yard", "lock", "begin", "begun")
	h.prove("yard", "lock", "yes", "passed")

	h.refuses("front", "exit", "yes", "sees this itself")
	h.seen("front", "exit", func() { must(t, h.board.Set("exit", true)) })
	must(t, h.board.Set("exit", false))
	h.eventually("the test is over", h.has("front command idle door_test", 1))
	h.seen("front", "contact", func() {
		must(t, h.board.Set("front-contact", true))
		h.eventually("it is open", func() bool { return h.kinds()["front opened"]+h.kinds()["front forced active"] > 0 })
		must(t, h.board.Set("front-contact", false))
	})
	h.prove("yard", "exit", "none", "not_fitted")
	h.prove("yard", "contact", "none", "absent")
	if got := h.codes(); !slices.Contains(got, "proof_absent/contact yard") {
		t.Errorf("a contact that the site file names and nobody finds: %v", got)
	}
	h.seen("yard", "contact", func() {
		must(t, h.board.Set("yard-contact", true))
		h.eventually("it is open", func() bool { return h.kinds()["yard opened"]+h.kinds()["yard forced active"] > 0 })
		must(t, h.board.Set("yard-contact", false))
	})

	h.prove("front", "power", "begin", "begun")
	h.refuses("front", "power", "yes", "not tried")
	h.end() // in order, which is no plug that was pulled
	h.inBoot(2)
	h.refuses("front", "power", "yes", "not tried")
	h.prove("front", "power", "begin", "begun")
	h.cutPower()
	h.inBoot(3)
	h.prove("front", "power", "yes", "passed")
	h.prove("yard", "power", "no", "failed") // the same plug
	if got := h.codes(); !slices.Contains(got, "proof_failed/power yard") {
		t.Errorf("a door that keeps people in when de-energised: %v", got)
	}
	h.prove("yard", "power", "begin", "begun")
	h.cutPower()
	h.inBoot(4)
	h.prove("yard", "power", "yes", "passed")
	h.drills()
	if got := h.codes(); got != nil {
		t.Errorf("both doors are proved, and to do is %v", got)
	}
	for _, d := range []string{"front", "yard"} {
		if _, ready := h.proved(d, "lock"); !ready {
			t.Errorf("%s is not ready", d)
		}
	}
	for _, e := range []string{"command done proofs", "front command active proof_lock", "front command done proof_lock", "front command active proof_exit", "front command done proof_exit",
		"yard command idle proof_contact", "front command active proof_power", "front command done proof_power", "command active fire_drill", "command idle fire_drill"} {
		h.eventually(e+" is in the log", h.has(e, 1))
	}
}

// cutPower ends the gateway as a power cut does, as far as what was proved goes: what it
// writes at an orderly stop is not there.
func (h *house) cutPower() {
	h.t.Helper()
	path := h.gateway.Site.Path(acceptance.File)
	was, err := os.ReadFile(path)
	must(h.t, err)
	h.end()
	must(h.t, os.WriteFile(path, was, 0o600))
}

// drills holds a fire drill, which proves the fire input of both doors.
func (h *house) drills() {
	h.t.Helper()
	ctx := h.t.Context()
	if _, err := h.client.Doors.FireDrill(ctx); err == nil {
		h.t.Error("a report of no drill")
	}
	h.refuses("front", "fire", "begin", "drill")
	_, err := h.client.Doors.BeginFireDrill(ctx)
	must(h.t, err)
	must(h.t, h.board.Set("fire", true))
	h.eventually("the doors are released", func() bool { return h.isReleased("front") && h.isReleased("yard") })
	h.eventually("and stay so", h.has("yard fire active", 1)) // which a second look decides
	if _, err := h.client.Doors.BeginFireDrill(ctx); err == nil || !strings.Contains(err.Error(), "no drill") {
		h.t.Errorf("a drill in an alarm: %v", err)
	}
	must(h.t, h.board.Set("fire", false))
	h.eventually("the panel is idle", func() bool { f, _ := h.gateway.Fire.Now(); return !f.Active && f.Latched })
	_, err = h.client.ResetFire(ctx)
	must(h.t, err)
	d, err := h.client.Doors.EndFireDrill(ctx) // at once: what nobody waited for is in the report
	must(h.t, err)
	for _, door := range d.Doors {
		if !door.Worked || door.Reset == nil || door.Relocked == nil || door.Released.After(*door.Relocked) {
			h.t.Errorf("the report: %+v", door)
		}
	}
	if d.On || len(d.Doors) != 2 || d.Ended == nil {
		h.t.Errorf("the report: %+v", d)
	}
	if _, err := h.client.Doors.EndFireDrill(ctx); err == nil {
		h.t.Error("a drill that is over can be ended")
	}
}

// TestProofIsSeen: a button that is not pressed proves nothing, who goes away while the
// gateway looks has said nothing, and looking at doors has the bounds of a test.
func TestProofIsSeen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	_, err := h.client.Doors.AskForProofs(t.Context())
	must(t, err)
	must(t, h.board.Set("exit", true)) // before anybody asked
	h.eventually("it is pressed", h.has("front exit active", 1))
	must(t, h.board.Set("exit", false))
	for n := 1; n <= 2; n++ {
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := h.client.Doors.Prove(ctx, "front", "exit", "begin")
			done <- err
		}()
		h.eventually("the gateway looks", h.has("front command active proof_exit", n))
		leave()
		if err := <-done; err == nil {
			t.Fatal("it was seen pressed")
		}
		h.eventually("the test is over", h.has("front command idle door_test", n))
		if state, _ := h.proved("front", "exit"); state != "begun" {
			t.Fatalf("the exit button is %s", state)
		}
	}
	if h.kinds()["front command done proof_exit"] != 0 {
		t.Error("who went away proved something")
	}
}

// TestLockNow: an operator takes back a release that was made here, and an exit button's
// lasts; the answer is the same.
func TestLockNow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.eventually("it is secured", func() bool { return !h.isReleased("front") })
	must(t, h.board.Set("exit", true))
	h.eventually("it is released", func() bool { return h.isReleased("front") })
	pressed, err := h.client.Doors.LockNow(t.Context(), "front")
	must(t, err)
	if !h.isReleased("front") {
		t.Error("somebody who presses the exit button is locked in")
	}
	must(t, h.board.Set("exit", false))
	h.eventually("it is secured", func() bool { return !h.isReleased("front") })
	began := time.Now()
	_, err = h.client.Release(t.Context(), "front")
	must(t, err)
	taken, err := h.client.Doors.LockNow(t.Context(), "front")
	must(t, err)
	if h.isReleased("front") && time.Since(began) < 3*time.Second {
		t.Error("the release goes on")
	}
	if taken != pressed || taken.State != "normal" {
		t.Errorf("the answers tell whether somebody goes through: %+v, %+v", pressed, taken)
	}
	h.eventually("it is in the log", h.has("front command done lock_now", 2))
}
