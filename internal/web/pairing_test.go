package web

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// withReaders plays the readers of a house; the daemon refuses a window for one that has its key.
func withReaders(t *testing.T, s *site, all *[]control.Reader) (opened *int) {
	t.Helper()
	opened = new(int)
	at := func(r *http.Request) *control.OSDP {
		for _, each := range *all {
			if each.Door == r.PathValue("door") && each.ID == r.PathValue("reader") {
				return each.OSDP
			}
		}
		return nil
	}
	socket.Handle(s.daemon.socket, "GET /v1/readers", func(r *http.Request, _ socket.None) ([]control.Reader, error) {
		s.daemon.hear(r)
		return *all, nil
	})
	socket.Handle(s.daemon.socket, "POST /v1/doors/{door}/readers/{reader}/install", func(r *http.Request, in control.Install) (struct{}, error) {
		s.daemon.hear(r)
		if (*all)[0].Line == control.LineClear {
			return struct{}{}, socket.Refused(http.StatusConflict, `remove security = "none" from the site file`, "reader in of door front is set to clear text")
		}
		if *opened = in.Minutes; at(r) != nil {
			at(r).Install = true
		}
		return struct{}{}, nil
	})
	socket.Handle(s.daemon.socket, "DELETE /v1/doors/{door}/readers/{reader}/install", func(r *http.Request, _ socket.None) (struct{}, error) {
		at(r).Install = false
		return struct{}{}, nil
	})
	return opened
}

const frontIn = "/doors/front/readers/in"

// TestPairing: a reader as it is delivered gets its key on the page: what it does and what to heed
// stands there before, what is missing while it waits, and where to go on after; and so for one
// that holds another key.
func TestPairing(t *testing.T) {
	s := claimed(t)
	s.daemon.status.Initialised = true
	all := []control.Reader{{Door: "front", ID: "in", Type: "osdp", Line: control.LineWaiting, Fault: "no_key", OSDP: &control.OSDP{}}, {Door: "yard", ID: "in", Type: "wiegand", Line: control.LineUnguarded}}
	opened := withReaders(t, s, &all)
	c := s.as(t, "installer")
	says(t, s.get(t, c, frontIn), "人人知道的钥匙", "一次只接一个新读卡器", "偷听", "拨码开关", "给它钥匙")
	if a := s.post(t, c, frontIn+"/install"); a.location != frontIn+"?tried=1" || *opened != 10 {
		t.Fatalf("the window: %d %q, %d minutes", a.status, a.location, *opened)
	}
	all[0].Fault = ""
	says(t, s.get(t, c, frontIn+"?tried=1"), "正在等读卡器", "不等了", `data-live="/doors/front/readers/in/live?tried=1"`)
	for fault, want := range map[string]string{"wrong_key": "恢复出厂", "no_answer": "A、B", "downgrade": "不能加密", "unplugged": "插回去"} {
		all[0].Fault = fault
		says(t, s.get(t, c, frontIn+"?tried=1"), want, "不等了")
	}
	if a := s.post(t, c, frontIn+"/stop"); a.location != frontIn || all[0].OSDP.Install {
		t.Errorf("stop leads to %q", a.location)
	}
	all[0].Fault, all[0].OSDP.KeyFault = "default_key", "io_error"
	says(t, s.get(t, c, frontIn+"?tried=1"), "没有成", "存不下新钥匙", "再试一次")
	all[0].Fault, all[0].Line, all[0].OSDP.KeyFault = "", control.LineSecured, ""
	a := s.get(t, c, frontIn+"?tried=1")
	says(t, a, "线上的内容已经加密", `href="/doors"`)
	if strings.Contains(a.body, "没有成") || strings.Contains(a.body, "/install") {
		t.Errorf("a reader that has its key:\n%s", a.body)
	}
	s.post(t, c, "/language", "to", "en")
	all[0].Line, all[0].Fault = control.LineWaiting, "wrong_key"
	says(t, s.get(t, c, frontIn), "one new reader on the line at a time", "DIP switch or config card", "whoever listens")
	all[0].Line = control.LineClear
	says(t, s.get(t, c, frontIn), "This reader is not encrypted", "security = &#34;none&#34;")
	if a := s.post(t, c, frontIn+"/install"); a.status != http.StatusConflict || !strings.Contains(a.body, "This reader is not encrypted") {
		t.Errorf("a reader in clear text: %d\n%s", a.status, a.body)
	}
	for _, other := range []string{"/doors/yard/readers/in", "/doors/front/readers/out"} {
		if a := s.get(t, c, other); a.location != "/doors" {
			t.Errorf("%s: %d %q", other, a.status, a.location)
		}
	}
}

// TestPairingInSetup: once the house is served, each OSDP reader without a key of its own comes
// before the registry, and the one that has its key leads on to the next.
func TestPairingInSetup(t *testing.T) {
	s := claimed(t)
	all := []control.Reader{{Door: "front", ID: "in", Line: control.LineWaiting, OSDP: &control.OSDP{}}, {Door: "back", ID: "in", Line: control.LineWaiting, OSDP: &control.OSDP{}}}
	withReaders(t, s, &all)
	c := s.as(t, "owner")
	if a := s.get(t, c, "/setup/wait"); a.location != frontIn {
		t.Fatalf("after the setup: %q", a.location)
	}
	all[0].Line = control.LineSecured
	says(t, s.get(t, c, frontIn), `href="/doors/back/readers/in"`, "下一个读卡器")
	says(t, s.get(t, c, "/doors/back/readers/in"), `href="/setup/registry"`, "以后再做")
	all[1].Line = control.LineSecured
	if a := s.get(t, c, "/setup/wait"); a.location != "/setup/registry" {
		t.Errorf("all have their keys: %q", a.location)
	}
	s.daemon.status.Initialised, s.daemon.status.ToDo = true, []control.ToDo{{Code: "door_unproved", Door: "front", Args: []string{"front", "the lock"}}}
	s.page.base.Watch.Forget()
	says(t, s.get(t, c, frontIn), `href="/prove"`)
}

// TestPairingFromDoors: Doors and To do lead owner and installer to a reader that was exchanged; a
// helper reads who gives it a key.
func TestPairingFromDoors(t *testing.T) {
	s := claimed(t)
	for _, fault := range []string{"no_key", "wrong_key", "default_key", "weak_key", "other_reader"} {
		s.daemon.status.Doors = []control.Door{{ID: "front", State: "normal", Lock: "ok", Devices: []control.Device{{ID: "in", Type: "osdp", Fault: fault, Hint: "x"}}}}
		s.daemon.status.ToDo = []control.ToDo{{Code: "device_out/" + fault, Door: "front", Args: []string{"front", "in", "x"}, Text: "x"}}
		s.page.base.Watch.Forget()
		for role, leads := range map[string]bool{"owner": true, "installer": true, "helper": false} {
			c := s.as(t, role)
			for _, screen := range []string{"/doors", "/todo"} {
				a := s.get(t, c, screen)
				if strings.Contains(a.body, `href="`+frontIn+`"`) != leads {
					t.Errorf("%s, %s as %s: leads there %v, want %v", fault, screen, role, !leads, leads)
				}
				says(t, a, "房东或安装人员")
			}
		}
	}
}
