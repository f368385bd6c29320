package web

import (
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/webtest"
)

// TestScreensOfSetup makes the pictures of a new gateway that a real one is too quick for (make screens).
func TestScreensOfSetup(t *testing.T) {
	webtest.Directory(t)
	s := claimed(t)
	u := &s.daemon.setting
	u.is(func() { u.state = box() })
	c := s.as(t, "owner")
	camera := webtest.NewCamera(t, s.URL, c)
	camera.Take("/setup/wait", "setup-wait")
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

// TestScreensOfProof makes the pictures of a door that is proved, and of a fire drill (make screens).
func TestScreensOfProof(t *testing.T) {
	webtest.Directory(t)
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
	s.post(t, c, "/drill/end")
	camera.Take("/drill", "drill-report")
	s.daemon.status.Fire = &control.Fire{Latched: true}
	s.daemon.status.Doors = []control.Door{{ID: "front", State: "emergency", Lock: "ok"}, {ID: "yard", State: "emergency", Lock: "ok"}}
	s.page.base.Watch.Forget()
	camera.Take("/doors", "doors-fire")
	camera.Take("/fire", "fire")
}

// TestScreensOfOldCards makes the pictures of a house that is listened to, and of cards that
// ask (make screens).
func TestScreensOfOldCards(t *testing.T) {
	webtest.Directory(t)
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
