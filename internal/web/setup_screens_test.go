package web

import (
	"testing"

	"gatehouse/internal/control"
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
}
