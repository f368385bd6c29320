package web

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/socket"
)

// choose sends the form with a key file; empty: none is chosen.
func (s *site) choose(t *testing.T, c *http.Client, file string) answer {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if file != "" {
		part, err := form.CreateFormFile("key", "issuer-lane-7.key")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write([]byte(file))
	}
	_ = form.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/setup/keys", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return do(t, c, r)
}

// TestKeysOnPage: the key file is downloaded and chosen again, by owner and installer; each refusal is
// told in the page's words, and nothing of the file stands on any screen.
func TestKeysOnPage(t *testing.T) {
	s := claimed(t)
	u := &s.daemon.setting
	s.daemon.status.Initialised = false
	c := s.as(t, "installer")
	says(t, s.get(t, c, "/setup/registry"), `href="/setup/keys"`)
	says(t, s.get(t, c, "/setup/keys"), "下载钥匙文件", `action="/setup/keys/file"`, `enctype="multipart/form-data"`)
	a := s.post(t, c, "/setup/keys/file")
	if a.status != http.StatusOK || a.body != "SECRET" || a.header.Get("Content-Disposition") != "attachment; filename=issuer-lane-7.key" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("download: %d %q %v", a.status, a.body, a.header)
	}
	says(t, s.choose(t, c, ""), "不是这栋房子的钥匙文件")
	for said, words := range map[string]string{
		"this is no whole key file: x":                         "不是完整的钥匙文件",
		`this key file is of another house, "elsewhere"`:       "另一栋房子的钥匙文件",
		"this key file is not one that was made here just now": "不是刚才下载的",
		"this gateway has its keys already":                    "已经有钥匙了",
		"/state/keys/issuer.pub has another issuer's key":      "上次选的那个文件",
		"this daemon can't begin anew by itself":               "不能自己重新启动",
	} {
		u.is(func() { u.refusal = &socket.Error{Status: http.StatusConflict, Message: said} })
		a := s.choose(t, c, "SECRET")
		if says(t, a, words); a.status != http.StatusConflict || strings.Contains(a.body, "SECRET") {
			t.Errorf("%s: %d %s", said, a.status, a.body)
		}
	}
	u.is(func() {
		u.refusal = &socket.Error{Status: http.StatusConflict, Message: "this gateway has its keys already"}
	})
	if a := s.post(t, c, "/setup/keys/file"); a.header.Get("Content-Disposition") != "" || a.status != http.StatusConflict {
		t.Errorf("a refusal is downloaded: %d %v", a.status, a.header)
	}
	u.is(func() { u.refusal, u.chosen = nil, nil })
	if a := s.choose(t, c, "SECRET"); a.location != "/setup/wait?for=registry" || len(u.chosen) != 1 || u.chosen[0] != "SECRET" {
		t.Errorf("%d %q %d", a.status, a.location, len(u.chosen))
	}
	s.daemon.status.Initialised = true
	s.page.base.Watch.Forget()
	if a := s.get(t, c, "/setup/keys"); a.location != "/" {
		t.Errorf("a house with keys: %d %q", a.status, a.location)
	}
}

// TestKeysInPrivate: over a connection that others can read no key file goes, in either direction.
func TestKeysInPrivate(t *testing.T) {
	s := claimed(t)
	c := s.as(t, "owner")
	for _, path := range []string{"/setup/keys/file", "/setup/keys"} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", s.URL+path, nil)
		r.RemoteAddr = "192.0.2.7:4000"
		for _, k := range c.Jar.Cookies(r.URL) {
			r.AddCookie(k)
		}
		w := httptest.NewRecorder()
		s.page.Handler().ServeHTTP(w, r)
		if body := w.Body.String(); w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, "加密连接") || strings.Contains(body, "SECRET") {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
	}
	s.daemon.setting.is(func() {
		if len(s.daemon.setting.chosen) > 0 {
			t.Error("the daemon has it")
		}
	})
}
