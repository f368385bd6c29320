package web

import (
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// TestFailedBackup: that the backup before is there is said only where there is one, in both languages.
func TestFailedBackup(t *testing.T) {
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := claimed(t)
	var now control.Recovery
	socket.Handle(s.daemon.socket, "GET /v1/recovery", func(*http.Request, socket.None) (control.Recovery, error) { return now, nil })
	at := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		made    *time.Time
		problem string
		want    string // the others are not said
	}{
		{nil, "", "recovery.none_yet"}, {nil, "disk full", "recovery.failed_none"}, {&at, "disk full", "recovery.failed"}, {&at, "", ""},
	} {
		now = control.Recovery{Code: &at, Made: c.made, Problem: c.problem}
		for _, lang := range []string{"zh", "en"} {
			owner := s.as(t, "owner")
			s.post(t, owner, "/language", "to", lang)
			body := s.get(t, owner, "/recovery").body
			for _, key := range []string{"recovery.none_yet", "recovery.failed_none", "recovery.failed"} {
				if said := strings.Contains(body, ">"+html.EscapeString(words.Say(text.Language(lang), key))+"<"); said != (key == c.want) {
					t.Errorf("%+v in %s: %s is said: %v", c, lang, key, said)
				}
			}
		}
	}
}
