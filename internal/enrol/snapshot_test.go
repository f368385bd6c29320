package enrol

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
)

// TestSendSnapshot: the gateway's word and the backup go to the registry that it is enrolled with,
// and what that answers is told apart: kept or not, older than snapshots, refused, not judged yet.
func TestSendSnapshot(t *testing.T) {
	answer, status, got := "", http.StatusOK, ""
	i := newIssuer(t, func(i *issuer) {
		i.snapshot = func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			word, _ := base64.RawURLEncoding.DecodeString(r.Header.Get("Gatehouse-Snapshot"))
			got = string(word) + " " + string(body)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		}
	})
	dir := t.TempDir()
	o := RenewerOptions{Dir: dir, Now: time.Now, Trusted: yes}
	if _, err := SendSnapshot(t.Context(), o, []byte("word"), nil); err == nil {
		t.Error("sent by a gateway that is not enrolled")
	}
	_, err := Enrol(t.Context(), i.options(dir))
	fatal(t, err)
	for _, c := range []struct {
		status int
		answer string
		kept   bool
		err    error
		hint   string
	}{
		{200, `{"kept":true}`, true, nil, ""},
		{200, `{"kept":false}`, false, nil, ""},
		{200, `kept`, false, errAny, ""},
		{403, `{"error":"not one of its building","hint":"ask"}`, false, errRefused, "ask"},
		{429, `{"error":"too many","hint":"tomorrow"}`, false, errAny, "tomorrow"},
		{503, `{"error":"the disk is full","hint":"later"}`, false, errAny, "later"},
		{404, "404 page not found\n", false, ErrNoSnapshots, "use the stick"},
	} {
		status, answer = c.status, c.answer
		kept, err := SendSnapshot(t.Context(), o, []byte("word"), []byte("sealed"))
		if kept != c.kept || (err == nil) != (c.err == nil) || c.err != nil && c.err != errAny && !errors.Is(err, c.err) || got != "word sealed" {
			t.Errorf("%d %s: %v, %v; it got %q", c.status, c.answer, kept, err, got)
		}
		var said *control.Error
		if c.hint != "" && (!errors.As(err, &said) || !strings.Contains(said.Hint, c.hint)) {
			t.Errorf("%d: no hint in %v", c.status, err)
		}
	}
}

// errAny stands for any error.
var errAny = errors.New("any")
