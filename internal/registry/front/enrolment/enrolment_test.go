package enrolment

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/inbox"
)

func TestEnrolmentIsRateLimited(t *testing.T) {
	l := newRateLimit(3)
	at := time.Unix(1_700_000_000, 0)
	count := func(remote string, at time.Time) (n int) {
		for range 10 {
			if l.allow(remote, at) {
				n++
			}
		}
		return n
	}
	if n := count("192.0.2.1:1000", at); n != 3 {
		t.Errorf("%d requests in the first minute", n)
	}
	if n := count("192.0.2.2:1000", at); n != 3 {
		t.Errorf("%d requests of another address", n)
	}
	if n := count("192.0.2.1:9", at.Add(time.Minute)); n != 3 {
		t.Errorf("%d requests in the next minute", n)
	}
	if n := count("[2001:db8::1]:1", at) + count("[2001:db8::2]:1", at); n != 3 {
		t.Errorf("%d requests of one network", n)
	}
	for i := range 2 * maxSources {
		l.allow(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256), at)
	}
	if len(l.counts) > maxSources {
		t.Errorf("%d addresses are remembered", len(l.counts))
	}
}

// TestSilentIssuer: who enrols is told soon, and what to do.
func TestSilentIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Inbox: inbox.New(inbox.Options{})})
		began := time.Now()
		w := httptest.NewRecorder()
		s.passOn(t.Context(), w, api.Enrolment{Kind: api.KindIntroduce})
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "hint") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("after %v", took)
		}
	})
}
