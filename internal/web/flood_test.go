package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// tryFrom sends a form from an address, with cookies.
func (s *site) tryFrom(addr, path string, cookies []*http.Cookie, pairs ...string) *http.Response {
	r := httptest.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(values(pairs).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = addr + ":1"
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.page.Handler().ServeHTTP(w, r)
	return w.Result()
}

// TestFloodFromManyAddresses: whoever tries codes and passwords from hundreds of addresses holds up neither the owner's first
// run at another one, nor the owner's sign-in on a phone that signed in before, be it at one of their addresses.
func TestFloodFromManyAddresses(t *testing.T) {
	s := newSite(t)
	addr := func(i int) string { return fmt.Sprintf("192.168.%d.%d", i>>8, i&255) }
	flood := func(path string, pairs ...string) {
		for i := range 200 {
			for range 6 {
				s.tryFrom(addr(i), path, nil, pairs...)
			}
		}
	}
	code, err := s.accounts.Code()
	if err != nil {
		t.Fatal(err)
	}
	flood("/welcome", "code", "00000000", "password", secret)
	claimed := s.tryFrom("192.168.200.1", "/welcome", nil, "code", code, "name", "owner", "password", secret)
	if to := claimed.Header.Get("Location"); to != "/" {
		t.Fatalf("the owner's first run meanwhile: %d, %q", claimed.StatusCode, to)
	}
	flood("/login", "name", "owner", "password", "not this one")
	again := s.tryFrom(addr(7), "/login", claimed.Cookies(), "name", "owner", "password", secret)
	if to := again.Header.Get("Location"); to != "/" {
		t.Errorf("the owner's phone meanwhile: %d, %q", again.StatusCode, to)
	}
	if fresh := s.tryFrom("192.168.200.2", "/login", nil, "name", "owner", "password", secret); fresh.Header.Get("Location") != "/" {
		t.Errorf("the owner's new phone after it: %d", fresh.StatusCode)
	}
	wrong := 0
	for range 20 { // a phone that is known, in other hands
		if r := s.tryFrom("192.168.200.3", "/login", claimed.Cookies(), "name", "owner", "password", "not this one"); r.StatusCode == http.StatusUnauthorized {
			wrong++
		}
	}
	if wrong > 5 {
		t.Errorf("%d guesses of a known phone", wrong)
	}
	a, _ := s.accounts.Named("owner")
	if _, err := s.accounts.SetPassword(a.ID, secret+"!"); err != nil {
		t.Fatal(err)
	}
	if r := s.tryFrom(addr(7), "/login", claimed.Cookies(), "name", "owner", "password", secret+"!"); r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after another password the phone is known all the same: %d", r.StatusCode)
	}
	if r := s.tryFrom("192.168.200.4", "/login", nil, "name", "Owner", "password", secret+"!"); r.Header.Get("Location") != "/" {
		t.Errorf("the new password: %d", r.StatusCode)
	}
}
