package web

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
)

// TestDoorNames: a door that was chosen by its name in the setup keeps that name, in the language of
// the page, on all screens, as its readers do. What has an id of its own is called by that.
func TestDoorNames(t *testing.T) {
	s := claimed(t)
	l := withLadder(t, s)
	s.daemon.setting.is(func() { s.daemon.setting.state = box() })
	s.daemon.status.Doors = []control.Door{{ID: "front", State: "normal", Lock: "ok", Devices: []control.Device{{ID: "in"}, {ID: "street-in"}}}, {ID: "shed-2", State: "normal", Lock: "ok"}}
	s.daemon.status.Fire = &control.Fire{}
	at := time.Now()
	l.drill = &control.FireDrill{Begun: at, Ended: &at, Doors: []control.FireDrilling{{Door: "front"}}}
	c := s.as(t, "owner")
	tag, id := regexp.MustCompile(`(?s)<style.*?</style>|<[^>]*>`), regexp.MustCompile(`\bfront\b`)
	for language, want := range map[string]struct{ front, all, reader string }{"zh": {"大门", "大门 后门 院门 车库 天台", "进门的读卡器："}, "en": {"Front door", "Front door Back door Yard Garage Roof", "reader (in): "}} {
		s.post(t, c, "/language", "to", language)
		for _, path := range []string{"/doors", "/doors?opened=front", "/doors?locked=front", "/stickers", "/resident/front", "/prove", "/prove/front", "/drill"} {
			body := strings.ReplaceAll(s.get(t, c, path).body, s.URL+"/resident/front", "")
			if text := tag.ReplaceAllString(body, ""); !strings.Contains(text, want.front) || id.MatchString(text) {
				t.Errorf("%s in %s: %s", path, language, text)
			}
		}
		says(t, s.get(t, c, "/doors"), "<h2>shed-2 <span", "<p>"+want.reader, "<p>street-in")
		if text := strings.Join(strings.Fields(tag.ReplaceAllString(s.get(t, c, "/setup/door").body, "")), " "); !strings.Contains(text, want.all) {
			t.Errorf("the doors to choose from in %s: %s", language, text)
		}
	}
}
