package web

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	house "gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// ladder is the part of the daemon that the tests play with which doors are proved: the
// record is the real one.
type ladder struct {
	mu     sync.Mutex
	book   *acceptance.Book
	refuse error // the next step
	locked []string
	drill  *control.FireDrill
}

// withLadder lets the daemon of a site ask for proofs at one door with an exit button and
// without contact and fire input.
func withLadder(t *testing.T, s *site) *ladder {
	t.Helper()
	wired := &house.Site{State: t.TempDir(), Doors: []house.Door{{ID: "front", Egress: "electric", Lock: "fail-safe", Relay: house.Relay{Line: new(1)}, Exit: &house.Input{Line: new(2)}}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(acceptance.Create(wired.State, acceptance.Act{At: time.Now()}))
	l := &ladder{}
	var err error
	l.book, err = acceptance.Open(wired, "a", time.Now)
	must(err)
	d := s.daemon.socket
	socket.Handle(d, "GET /v1/acceptance", func(*http.Request, socket.None) (control.Acceptance, error) { return l.shown(), nil })
	socket.Handle(d, "POST /v1/doors/{door}/proofs/{part}", l.step)
	socket.Handle(d, "POST /v1/doors/{door}/lock", func(r *http.Request, _ socket.None) (control.Released, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.locked = append(l.locked, r.PathValue("door"))
		return control.Released{Door: r.PathValue("door"), State: "normal"}, nil
	})
	socket.Handle(d, "GET /v1/fire/drill", func(*http.Request, socket.None) (control.FireDrill, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.drill == nil {
			return control.FireDrill{}, socket.Refused(http.StatusNotFound, "", "there was no fire drill yet")
		}
		return *l.drill, nil
	})
	socket.Handle(d, "POST /v1/fire/drill", func(*http.Request, socket.None) (control.FireDrill, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.refuse != nil {
			return control.FireDrill{}, l.refuse
		}
		l.drill = &control.FireDrill{On: true, Begun: time.Now(), Doors: []control.FireDrilling{{Door: "front"}}}
		return *l.drill, nil
	})
	socket.Handle(d, "POST /v1/fire/drill/end", func(*http.Request, socket.None) (control.FireDrill, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		at := time.Date(2026, 12, 1, 9, 30, 5, 0, time.UTC)
		l.drill = &control.FireDrill{Begun: at, Ended: &at, Doors: []control.FireDrilling{{Door: "front", Active: &at, Released: &at, Idle: &at, Worked: true}}}
		return *l.drill, nil
	})
	return l
}

func (l *ladder) shown() control.Acceptance {
	since, all := l.book.Doors()
	out := control.Acceptance{Building: "lane-7", Gateway: "gw1", Begun: &since}
	for _, d := range all {
		door := control.AcceptedDoor{Door: d.Door, Ready: d.Ready, Egress: "electric", Lock: "fail-safe"}
		for _, p := range d.Parts {
			shown := control.Proof{Part: string(p.Part), Fitted: p.Fitted, State: string(p.State), By: p.By}
			if !p.At.IsZero() {
				shown.At = &p.At
			}
			door.Parts = append(door.Parts, shown)
		}
		out.Doors = append(out.Doors, door)
	}
	return out
}

// step is the daemon's, which sees an exit button at once.
func (l *ladder) step(r *http.Request, in control.ProofStep) (control.Proof, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuse; err != nil {
		l.refuse = nil
		return control.Proof{}, err
	}
	part, act := acceptance.Part(r.PathValue("part")), acceptance.Act{At: time.Now(), By: "owner"}
	p, err := l.book.Step(r.PathValue("door"), part, acceptance.Step(in.Step), act)
	if err == nil && part == acceptance.Exit && in.Step == "begin" {
		p, err = l.book.Step(r.PathValue("door"), part, acceptance.See, act)
	}
	if err != nil {
		return control.Proof{}, socket.Refused(http.StatusConflict, "", "door %s: %v", r.PathValue("door"), err)
	}
	return control.Proof{Part: string(part), State: string(p.State)}, nil
}

// TestProve: from the list of things to do through all parts of a door to the sheet, with
// forms alone. The page asks for one part at a time, and says what was refused.
func TestProve(t *testing.T) {
	s := claimed(t)
	l := withLadder(t, s)
	s.daemon.status.ToDo = []control.ToDo{{Code: "door_unproved", Door: "front", Args: []string{"front", "the lock"}, Text: "door front is not ready"},
		{Code: "proof_failed/exit", Door: "front", Args: []string{"front", "x", "front"}, Text: "door front: the exit button"}}
	c := s.as(t, "installer")
	s.post(t, c, "/language", "to", "en")
	body := s.get(t, c, "/todo").body
	for _, want := range []string{`href="/prove/front"`, "Prove it now", "not proved yet that people get out", "People may not get out"} {
		if !strings.Contains(body, want) {
			t.Errorf("the list lacks %q:\n%s", want, body)
		}
	}
	if body := s.get(t, s.as(t, "helper"), "/todo").body; strings.Contains(body, `href="/prove`) {
		t.Error("a helper is led to what is not for a helper")
	}
	if body := s.get(t, c, "/doors").body; strings.Count(body, "It was not proved yet that people get out. <a href=\"/prove/front\">") != 1 {
		t.Errorf("the doors: %s", body)
	}
	shows := func(want ...string) {
		t.Helper()
		body := s.get(t, c, "/prove/front").body
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Fatalf("the door's page lacks %q:\n%s", w, body)
			}
		}
	}
	step := func(part, step string) {
		t.Helper()
		if a := s.post(t, c, "/prove/front/"+part, "step", step); a.status != http.StatusSeeOther || a.location != "/prove/front" {
			t.Fatalf("%s %s: %d %s", part, step, a.status, a.body)
		}
	}
	shows("<h2>Lock</h2>", "Try the lock", "Exit button: <span class=\"state warn\">not tried",
		"Fire input: <span class=\"state warn\">not fitted; somebody has to look and say so</span>\n<a href=\"/prove/front?part=fire\">Look and say so")
	if sheet := s.get(t, s.as(t, "owner"), "/prove").body; strings.Count(sheet, "<td>没有此设备，等您确认</td>") != 2 { // contact and fire input
		t.Errorf("the sheet of a door without contact and fire input: %s", sheet)
	}
	if a := s.post(t, c, "/prove/front/lock", "step", "yes"); a.status != http.StatusConflict || !strings.Contains(a.body, "It was not tried yet.") {
		t.Errorf("an answer before the try: %d %s", a.status, a.body)
	}
	step("lock", "begin")
	shows("Did it click", `<img src="/static/lock.svg"`, "alt=\"Wiring:")
	step("lock", "no")
	shows("nobody heard it", "Try the lock")
	step("lock", "begin")
	step("lock", "yes")
	shows("<h2>Exit button</h2>", "data-wait", "press the exit button now")
	l.refuse = socket.Refused(http.StatusTooManyRequests, "try again tomorrow", "this door has been tested for long enough today: a test is no way to watch a door")
	if a := s.post(t, c, "/prove/front/exit", "step", "begin"); !strings.Contains(a.body, "no way to watch it") {
		t.Errorf("too long a day: %s", a.body)
	}
	step("exit", "begin")
	shows("<h2>Door contact</h2>", "Is there really none")
	step("contact", "none")
	shows("<h2>Fire input</h2>")
	step("fire", "none")
	shows("<h2>Pulled plug</h2>", "I pull the plug now")
	step("power", "begin")
	shows("This page goes away")
	if a := s.get(t, c, "/prove"); !strings.Contains(a.body, "Not ready") || strings.Contains(a.body, "First tenant") {
		t.Errorf("the sheet before the last part: %s", a.body)
	}
	if _, err := l.book.Step("front", acceptance.Power, acceptance.See, acceptance.Act{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	shows("Did this door open from inside")
	step("power", "yes")
	shows("Ready", "To the sheet")
	if a := s.get(t, c, "/prove/front?part=exit"); !strings.Contains(a.body, "<h2>Exit button</h2>") {
		t.Errorf("a part once more: %s", a.body)
	}
	sheet := s.get(t, s.as(t, "owner"), "/prove").body
	for _, want := range []string{"所有的门都验收通过了", "已通过", "没有此设备", "房东签字", `class="blank"`, "data-print", `href="/people"`, `href="/access"`, "房东"} {
		if !strings.Contains(sheet, want) {
			t.Errorf("the sheet lacks %q:\n%s", want, sheet)
		}
	}
	if a := s.get(t, c, "/prove/attic"); a.location != "/prove" {
		t.Errorf("a door that there is not: %d %q", a.status, a.location)
	}
}

// TestDrill: a drill is begun, looked at and ended; the report is there afterwards.
func TestDrill(t *testing.T) {
	s := claimed(t)
	l := withLadder(t, s)
	c := s.as(t, "owner")
	s.post(t, c, "/language", "to", "en")
	if body := s.get(t, c, "/drill").body; !strings.Contains(body, "no fire input") || strings.Contains(body, "Begin the drill") {
		t.Errorf("a house without the input: %s", body)
	}
	s.daemon.status.Fire = &control.Fire{}
	s.page.base.Watch.Forget()
	s.daemon.status.ToDo = []control.ToDo{{Code: "drill_failed", Text: "the last fire drill did not work"}}
	says(t, s.get(t, c, "/todo"), "The last fire drill did not work at every door", `href="/drill"`, "To do 1")
	if body := s.get(t, c, "/doors").body; !strings.Contains(body, `href="/drill"`) || !strings.Contains(body, "/doors/front/lock") {
		t.Errorf("doors: %s", body)
	}
	l.refuse = socket.Refused(http.StatusConflict, "end that first", "the doors are released by an alarm, which is no drill")
	if a := s.post(t, c, "/drill"); a.status != http.StatusConflict || !strings.Contains(a.body, "End that first: the list of things to do says how.") {
		t.Errorf("a drill in an alarm: %d %s", a.status, a.body)
	}
	l.refuse = nil
	if a := s.post(t, c, "/drill"); a.location != "/drill" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if body := s.get(t, c, "/drill").body; !strings.Contains(body, "The drill is on") || !strings.Contains(body, "The drill is over") || strings.Contains(body, "did not work") {
		t.Errorf("while it is on: %s", body)
	}
	s.post(t, c, "/drill/end")
	if body := s.get(t, c, "/drill").body; !strings.Contains(body, "09:30:05") || !strings.Contains(body, "worked") || !strings.Contains(body, "–") || !strings.Contains(body, "data-print") {
		t.Errorf("the report: %s", body)
	}
	at, short := time.Now(), "class=\"wrong\" role=\"alert\">"
	if body := s.get(t, c, "/drill").body; strings.Contains(body, short) {
		t.Errorf("a drill that worked: %s", body)
	}
	for want, door := range map[string]control.FireDrilling{
		"Nothing was released":                {Door: "front"},
		"The fire input saw the alarm":        {Door: "front", Active: &at, Refused: true, Idle: &at},
		"All doors were released, but before": {Door: "front", Active: &at, Released: &at},
	} {
		l.drill.Doors = []control.FireDrilling{door}
		if body := s.get(t, c, "/drill").body; strings.Count(body, short) != 1 || !strings.Contains(body, short+want) {
			t.Errorf("%+v: no %q in %s", door, want, body)
		}
	}
	l.drill.Doors = []control.FireDrilling{{Door: "front"}}
	if body := s.get(t, s.as(t, "owner"), "/drill").body; !strings.Contains(body, "什么都没放开") {
		t.Errorf("nothing was released, in Chinese: %s", body)
	}
	s.daemon.status.Fire = &control.Fire{Latched: true}
	s.page.base.Watch.Forget()
	for _, path := range []string{"/doors", "/drill"} {
		if body := s.get(t, c, path).body; !strings.Contains(body, `href="/fire"`) {
			t.Errorf("%s after an alarm: %s", path, body)
		}
	}
	if body := s.get(t, c, "/fire").body; !strings.Contains(body, "exit button of any door") || !strings.Contains(body, `action="/fire"`) {
		t.Errorf("after an alarm: %s", body)
	}
	refusals := []error{socket.Refused(http.StatusConflict, "", "nobody was seen at a door, so the doors stay released"), socket.Refused(http.StatusConflict, "", "the fire input is still active"), nil}
	socket.Handle(s.daemon.socket, "POST /v1/fire/reset", func(*http.Request, socket.None) (control.Fire, error) {
		next := refusals[0]
		refusals = refusals[1:]
		return control.Fire{}, next
	})
	for _, words := range []string{"Within a minute nobody pressed an exit button", "Reset the fire panel first"} {
		if a := s.post(t, c, "/fire"); a.status != http.StatusConflict || !strings.Contains(a.body, words) {
			t.Errorf("%d, no %q in %s", a.status, words, a.body)
		}
	}
	if a := s.post(t, c, "/fire"); a.location != "/doors" {
		t.Errorf("%d %q", a.status, a.location)
	}
	if a := s.post(t, s.as(t, "helper"), "/doors/front/lock"); a.location != "/doors?locked=front" || len(l.locked) != 1 {
		t.Errorf("lock now: %d %q, %v", a.status, a.location, l.locked)
	}
	if body := s.get(t, c, "/doors?locked=front").body; !strings.Contains(body, "Front door: what was opened from here is taken back.") {
		t.Errorf("after it: %s", body)
	}
}
