package main_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
)

// sent posts a form and returns what comes back.
func sent(t *testing.T, c *http.Client, address string, pairs ...string) (status int, body string, header http.Header) {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	resp, err := c.PostForm(address, form)
	must(t, err)
	resp = answered(t, c, resp)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(all), resp.Header
}

// answered follows to the answer of a form.
func answered(t testing.TB, c *http.Client, resp *http.Response) *http.Response {
	t.Helper()
	to := resp.Header.Get("Location")
	if !strings.HasPrefix(to, "/again/") {
		return resp
	}
	must(t, resp.Body.Close())
	resp, err := c.Get(resp.Request.URL.Scheme + "://" + resp.Request.URL.Host + to)
	must(t, err)
	return resp
}

// TestRecoveryByPage: the code stands on the page once, its end is typed from the paper, and
// the rehearsal really restores; the download opens with the code, and with no other. What
// the page answers besides has nothing of it.
func TestRecoveryByPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.owner()
	base := h.page()
	c := h.signIn(base, "127.0.0.1")
	if page := h.get(c, base+"/recovery"); !strings.Contains(page, "生成恢复码") || strings.Contains(page, "下载备份") {
		t.Fatalf("before there is a code: %s", page)
	}
	status, page, header := sent(t, c, base+"/recovery/new")
	shown := regexp.MustCompile(`[0-9A-Z]{5}(-[0-9A-Z]{5}){3}`).FindString(page)
	code, err := recovery.Parse(shown)
	if status != http.StatusOK || err != nil || header.Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, %v: %s", status, err, page)
	}
	if page := h.get(c, base+"/recovery"); strings.Contains(page, shown) || !strings.Contains(page, "还没试过") {
		t.Errorf("the code stands there a second time, or it is not said that it was never tried: %s", page)
	}
	toTry := func() bool { return strings.Contains(h.get(c, base+"/todo"), `href="/recovery"`) }
	h.eventually("that it was never tried is to be done", toTry)
	if status, page, _ := sent(t, c, base+"/recovery/new"); status != http.StatusUnprocessableEntity || !strings.Contains(page, "请先勾选") {
		t.Errorf("a second code, unasked: %d", status)
	}
	wrong := "0000"
	if code.Ends(wrong) {
		wrong = "1111"
	}
	if status, page, _ := sent(t, c, base+"/recovery/rehearse", "fresh", shown, "end", wrong); status != http.StatusUnprocessableEntity || !strings.Contains(page, shown) {
		t.Errorf("a wrong end: %d, and the code is still to be seen", status)
	}
	if status, page, _ := sent(t, c, base+"/recovery/rehearse", "fresh", shown, "end", strings.ToLower(code.End())); status != http.StatusOK || !strings.Contains(page, "钥匙卡：1，门：2 扇") || strings.Contains(page, shown) {
		t.Errorf("rehearsed: %d %s", status, page)
	}
	if status, page, _ := sent(t, c, base+"/recovery/rehearse", "code", recovery.New().String()); status != http.StatusUnprocessableEntity || !strings.Contains(page, "打不开现在的备份") {
		t.Errorf("another code: %d %s", status, page)
	}
	if status, page, _ := sent(t, c, base+"/recovery/rehearse", "code", shown[:22]); status != http.StatusUnprocessableEntity || !strings.Contains(page, "打错了") {
		t.Errorf("half a code: %d %s", status, page)
	}
	h.eventually("it was tried", func() bool { return !toTry() })
	if page := h.get(c, base+"/restore"); !strings.Contains(page, "已经设置成网关了") || strings.Contains(page, "<input name=\"backup\"") {
		t.Errorf("a gateway offers to be replaced by a backup: %s", page)
	}
	_, data, header := sent(t, c, base+"/recovery/download")
	f, err := backup.Decode([]byte(data))
	if err != nil || header.Get("Content-Disposition") != `attachment; filename=gatehouse-lane-7-gw1.backup` {
		t.Fatalf("%v, %v", err, header)
	}
	if content, _, err := f.OpenByCode(code); err != nil || len(content.Manifest) == 0 {
		t.Errorf("the download: %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "state", "backup", "proving")); err == nil {
		t.Error("the rehearsal left something behind")
	}
}
