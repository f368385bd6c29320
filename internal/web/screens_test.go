package web

import (
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/webtest"
)

// TestScreensOfSetup looks at a new gateway that a real one is too quick for, and makes its pictures (make screens).
func TestScreensOfSetup(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	u := &s.daemon.setting
	u.is(func() { u.state = box() })
	c := s.as(t, "owner")
	camera := webtest.NewCamera(t, s.URL, c)
	camera.Picture("/setup/wait", "setup-wait")
	u.is(func() {
		u.state = control.Setup{State: control.SetupWrong, File: "/etc/gatehouse/site.toml", Fault: `line 3: unknown key "colour"`}
	})
	camera.Take("/setup", "setup-wrong")
	u.is(func() { u.state = control.Setup{} })
	camera.Take("/setup/registry", "setup-registry")
	s.daemon.status.Initialised = false
	s.page.base.Watch.Forget()
	camera.Take("/setup/keys", "setup-keys")
}

// TestScreensOfTheExitButton looks at the first run without a code, and makes its pictures (make screens).
func TestScreensOfTheExitButton(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	socket.Handle(s.daemon.socket, "POST /v1/exit/hold", func(r *http.Request, _ socket.None) (control.ExitHeld, error) {
		<-r.Context().Done()
		return control.ExitHeld{}, r.Context().Err()
	})
	t.Cleanup(s.page.hand.Close)
	c := browser(t)
	s.post(t, c, "/welcome/exit")
	webtest.NewCamera(t, s.URL, c).Picture("/welcome/exit", "welcome-exit")
}

// TestScreensOfProof looks at a door that is proved, a fire drill and a fire alarm, and makes their pictures (make screens).
func TestScreensOfProof(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	l := withLadder(t, s)
	s.daemon.status.ToDo = []control.ToDo{{Code: "door_unproved", Door: "front", Args: []string{"front", "the lock"}, Text: "door front is not ready"}}
	s.daemon.status.Clock.Now, s.daemon.status.Fire = time.Now(), &control.Fire{}
	c := s.as(t, "owner")
	camera := webtest.NewCamera(t, s.URL, c)
	camera.Take("/todo", "todo-unproved")
	camera.Take("/prove/front", "prove-door")
	s.post(t, c, "/prove/front/lock", "step", "begin")
	camera.Take("/prove/front", "prove-lock")
	s.post(t, c, "/prove/front/lock", "step", "yes")
	camera.Take("/prove/front", "prove-exit")
	camera.Take("/prove", "prove-sheet")
	l.drill = &control.FireDrill{On: true, Begun: time.Now(), Doors: []control.FireDrilling{{Door: "front"}}}
	camera.Take("/drill", "drill-on")
	s.daemon.status.Fire = &control.Fire{Active: true, Latched: true}
	s.page.base.Watch.Forget()
	camera.Look("/drill", "drill-active")
	camera.Look("/fire", "fire-active")
	s.daemon.status.Fire = &control.Fire{Latched: true}
	s.page.base.Watch.Forget()
	camera.Look("/drill", "drill-latched")
	camera.Look("/fire", "fire-in-a-drill")
	s.post(t, c, "/drill/end")
	camera.Take("/drill", "drill-report")
	s.daemon.status.Fire = &control.Fire{Latched: true}
	s.daemon.status.Doors = []control.Door{{ID: "front", State: "emergency", Lock: "ok"}, {ID: "yard", State: "emergency", Lock: "ok"}}
	s.page.base.Watch.Forget()
	camera.Take("/doors", "doors-fire")
	camera.Take("/fire", "fire")
}

// TestScreensOfOldCards looks at a house that is listened to and at cards that ask, and makes their
// pictures (make screens).
func TestScreensOfOldCards(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	until := time.Now().Add(6 * 24 * time.Hour)
	adopt := control.AdoptState{Cards: []control.Adopt{{ID: "5e67ac7d", Days: 3}, {ID: "0c41f2aa", Days: 1}}}
	socket.Handle(s.daemon.socket, "GET /v1/adopt", func(*http.Request, socket.None) (control.AdoptState, error) { return adopt, nil })
	socket.Handle(s.daemon.socket, "GET /v1/keys", func(*http.Request, socket.None) ([]control.Key, error) {
		return []control.Key{{Label: "3A", State: "active"}, {Label: "3B", State: "active"}}, nil
	})
	c := s.as(t, "owner")
	camera := webtest.NewCamera(t, s.URL, c)
	adopt.Until = &until
	camera.Take("/oldcards", "oldcards-ask")
	s.daemon.status.Listening = &control.Listening{Until: &until}
	camera.Take("/oldcards", "oldcards-listening")
}

// TestScreensOfPairing looks at an OSDP reader that gets its own key, and makes the pictures (make screens).
func TestScreensOfPairing(t *testing.T) {
	t.Parallel()
	s := claimed(t)
	s.daemon.status.Initialised = true
	s.daemon.status.Doors[0].Devices = []control.Device{{ID: "in", Type: "osdp", Fault: "no_key", Hint: "x"}}
	all := []control.Reader{{Door: "front", ID: "in", Type: "osdp", Line: control.LineWaiting, Fault: "no_key", OSDP: &control.OSDP{}}}
	withReaders(t, s, &all)
	camera := webtest.NewCamera(t, s.URL, s.as(t, "owner"))
	camera.Look("/doors", "doors-without-key")
	camera.Take(frontIn, "reader")
	all[0].Fault, all[0].OSDP.Install = "wrong_key", true
	camera.Take(frontIn+"?tried=1", "reader-waiting")
	all[0].OSDP.Install = false
	camera.Look(frontIn+"?tried=1", "reader-over")
	all[0].Line = control.LineClear
	camera.Look(frontIn, "reader-clear")
	all[0].Line, all[0].Fault = control.LineSecured, ""
	camera.Take(frontIn+"?tried=1", "reader-done")
}
