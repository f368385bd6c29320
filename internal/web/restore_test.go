package web

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/tries"
	"gatehouse/internal/web/watch"
)

// newMachine is the page of a daemon that waits to be set up, and takes one backup by one
// code.
func newMachine(t *testing.T) *site {
	t.Helper()
	s := claimed(t)
	path := filepath.Join(t.TempDir(), "s.sock")
	daemon := socket.NewServer(socket.Options{Path: path, Name: "daemon", Mode: 0o600, MostBody: 8 << 20, Log: zerolog.Nop()})
	socket.Handle(daemon, "GET /v1/setup", func(*http.Request, socket.None) (control.Setup, error) {
		return control.Setup{State: control.SetupNew}, nil
	})
	socket.Handle(daemon, "POST /v1/setup/restore", func(_ *http.Request, in control.RestoreRequest) (control.Restored, error) {
		switch {
		case in.Token == "NONE":
			return control.Restored{}, socket.Refused(http.StatusNotFound, "", "none is kept")
		case in.Token == "BAD":
			return control.Restored{}, socket.Refused(http.StatusBadRequest, "", "changed")
		case in.Token == "GH1-A B" && len(in.Data) == 0 && in.Code == "mine":
			return control.Restored{Building: "lane-7", Gateway: "gw1", Tenancies: 9, Doors: []string{"front"}, Registry: "city", Enrolled: true}, nil
		case in.Token == "AWAY":
			return control.Restored{Building: "lane-7", Gateway: "gw1", Registry: "city", Later: "the registry is away", Older: "damaged"}, nil
		case in.Code == "mine" && strings.HasPrefix(string(in.Data), "good"):
			return control.Restored{Building: "lane-7", Gateway: "gw1", Tenancies: 9, Doors: []string{"front"}, Registry: "city"}, nil
		case in.Code != "mine":
			return control.Restored{}, socket.Refused(http.StatusForbidden, "", "another code")
		}
		return control.Restored{}, socket.Refused(http.StatusBadRequest, "", "half a file")
	})
	socket.Handle(daemon, "GET /v1/status", func(*http.Request, socket.None) (control.Status, error) {
		return control.Status{}, socket.Refused(http.StatusServiceUnavailable, "", "no door is served: it waits")
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	l, err := daemon.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go func() { defer close(done); _ = daemon.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	s.page.base.Daemon = control.NewClient(path)
	s.page.base.Watch = watch.New(s.page.base.Daemon.Status)
	return s
}

// upload sends a backup and a code.
func (s *site) upload(t *testing.T, c *http.Client, sent, code string) answer {
	t.Helper()
	s.page.base.Tries = tries.New(tries.Every)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("backup", "gatehouse-lane-7-gw1.backup")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write([]byte(sent))
	_ = form.WriteField("code", code)
	_ = form.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/restore", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return s.shown(t, c, do(t, c, r))
}

// TestReplaces: a new machine takes the place of a burned one by the page: a backup and its
// code, as a plain form. What can't be used is said in words, and the code is not shown again.
func TestReplaces(t *testing.T) {
	s := newMachine(t)
	c := s.as(t, "owner")
	if a := s.get(t, c, "/restore"); a.status != http.StatusOK || !strings.Contains(a.body, `type="file"`) || !strings.Contains(a.body, "还没有门可管") || strings.Contains(a.body, "没有回应") {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	for _, w := range [][3]string{{"good", "other", "打不开这份备份"}, {"half", "mine", "没存完整"}} {
		if a := s.upload(t, c, w[0], w[1]); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, w[2]) || strings.Contains(a.body, `value="`+w[1]) {
			t.Errorf("%v: status %d: %s", w, a.status, a.body)
		}
	}
	if a := s.post(t, c, "/restore", "code", "mine"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "请选备份文件") {
		t.Errorf("no file: status %d", a.status)
	}
	if a := s.upload(t, c, "good", "mine"); a.status != http.StatusOK || !strings.Contains(a.body, "住户：9，门：1 扇") || !strings.Contains(a.body, "登记中心 city") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	for _, w := range []struct {
		token, code string
		status      int
		says        string
	}{{"NONE", "mine", http.StatusUnprocessableEntity, "登记中心没有这台网关的备份"}, {"BAD", "mine", http.StatusUnprocessableEntity, "登记中心给的备份不能用"}, {"GH1-A B", "other", http.StatusUnprocessableEntity, "打不开这份备份"},
		{" GH1-A B\n", "mine", http.StatusOK, "已重新接上登记中心 city"}, {"AWAY", "mine", http.StatusOK, "还没接上登记中心 city"}, {"AWAY", "mine", http.StatusOK, "用的是前一份"}} {
		s.page.base.Tries = tries.New(tries.Every)
		if a := s.post(t, c, "/restore", "token", w.token, "code", w.code); a.status != w.status || !strings.Contains(a.body, w.says) || strings.Contains(a.body, "GH1-A B") {
			t.Errorf("%+v: status %d: %s", w, a.status, a.body)
		}
	}
	if a := s.upload(t, s.as(t, "helper"), "good", "mine"); a.status != http.StatusForbidden {
		t.Errorf("a helper: status %d", a.status)
	}
}

// TestReplacesNoHouse: a machine that serves a house offers no restore, says why and what to do, and
// takes no form that was opened before it was set up.
func TestReplacesNoHouse(t *testing.T) {
	s := claimed(t)
	c := s.as(t, "owner")
	if a := s.get(t, c, "/more"); strings.Contains(a.body, `href="/restore"`) || !strings.Contains(a.body, "还没有设置的机器") {
		t.Errorf("More: %s", a.body)
	}
	if a := s.get(t, c, "/restore"); a.status != http.StatusOK || strings.Contains(a.body, `action="/restore"`) || !strings.Contains(a.body, "sudo gatehouse restore") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a := s.upload(t, c, "good", "mine"); a.status != http.StatusUnprocessableEntity || strings.Count(a.body, "还没有设置的机器") != 1 || strings.Contains(a.body, "404") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a := s.get(t, newMachine(t).as(t, "owner"), "/more"); strings.Contains(a.body, "还没有设置的机器") {
		t.Errorf("a new machine: %s", a.body)
	}
}

// TestLargeBackup: the page takes the backup of a house of 30,000 cards, says of a larger one
// that it is too large, and reads nothing of what nobody known has sent.
func TestLargeBackup(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // what others leave in the machine's own is not ours
	s := newMachine(t)
	c := s.as(t, "owner")
	large := func(size int) string { return "good" + strings.Repeat("b", size-4) }
	if a := s.upload(t, c, large(control.MostRestore), "mine"); a.status != http.StatusOK || !strings.Contains(a.body, "住户：9") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a := s.upload(t, c, large(control.MostRestore+64<<10), "mine"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "文件太大") {
		t.Errorf("a larger one: status %d: %s", a.status, a.body)
	}
	r := httptest.NewRequest("POST", s.URL+"/restore", readsNothing{t})
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	w := httptest.NewRecorder()
	if s.page.Handler().ServeHTTP(w, r); w.Code != http.StatusSeeOther {
		t.Errorf("somebody who is not signed in: status %d", w.Code)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "multipart-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// readsNothing is a body that nobody may read.
type readsNothing struct{ t *testing.T }

func (r readsNothing) Read([]byte) (int, error) {
	r.t.Error("the body is read")
	return 0, io.EOF
}
