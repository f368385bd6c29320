package main_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/control/server"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
)

// serveAnew runs the gateway as gatehoused does: it begins anew when it is asked to.
func (h *house) serveAnew() {
	h.t.Helper()
	parsed, err := site.Parse([]byte(strings.ReplaceAll(siteText, "%[1]s", h.dir)))
	must(h.t, err)
	remote, disconnect := gatewaytest.Connect(h.board)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	round := func() (again bool, err error) {
		g, err := gateway.New(gateway.Options{Site: parsed, Time: h.clock.Source(), Version: "test", Log: zerolog.Nop(), Hardware: gateway.Hardware{Lines: remote.Lines, Output: remote.Output}})
		if err != nil {
			return false, err
		}
		ctx, end := context.WithCancel(ctx)
		defer end()
		anew := make(chan struct{}, 1)
		err = g.Run(ctx, server.New(g, server.Options{Version: "test", Log: zerolog.Nop(), Again: func() { anew <- struct{}{}; end() }}).Serve)
		return len(anew) > 0, err
	}
	go func() {
		for {
			if again, err := round(); err != nil || !again {
				done <- err
				return
			}
		}
	}()
	h.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		disconnect()
	})
	h.inService()
}

func (h *house) inService() {
	h.t.Helper()
	h.eventually("the gateway is in service", func() bool {
		st, err := h.client.Status(context.Background())
		return err == nil && gatewaytest.Online(st)
	})
}

// download sends the form that makes a key file.
func (h *house) download(c *http.Client, base string) string {
	h.t.Helper()
	resp, err := c.Post(base+"/setup/keys/file", "application/x-www-form-urlencoded", nil)
	must(h.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(h.t, err)
	if !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		h.t.Fatalf("no download: %d %s", resp.StatusCode, text)
	}
	return string(text)
}

// TestKeysByPage: a house without a registry and without a terminal: the key file is downloaded, of
// which the gateway keeps nothing, and chosen; the gateway begins anew by itself with these keys, and
// the first card that is named by that file opens.
func TestKeysByPage(t *testing.T) {
	t.Parallel()
	h := newBoard(t, 0)
	h.serveAnew()
	h.owner()
	base := h.page()
	c := h.signIn(base, "127.0.0.3")
	screen := base + "/setup/keys"
	if body := h.get(c, base+"/todo"); !strings.Contains(body, `href="/setup/registry"`) {
		t.Errorf("to do %s", body)
	}
	before := h.download(c, base)
	file := h.download(c, base)
	if file == before {
		t.Error("twice the same keys")
	}
	foreign, err := keys.NewStick("elsewhere")
	must(t, err)
	other, err := foreign.Text()
	must(t, err)
	foreign.House = "lane-7"
	unknown, err := foreign.Text()
	must(t, err)
	private, _, _ := strings.Cut(file, "-----BEGIN GATEHOUSE")
	for text, words := range map[string]string{"a letter": "不是完整的钥匙文件", private: "不是完整的钥匙文件", file[:len(file)-60]: "不是完整的钥匙文件",
		string(other): "另一栋房子", string(unknown): "不是刚才下载的"} {
		h.says(c, screen, words, "@key", text)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "state", "keys", keys.BuildingKeyFile)); err == nil {
		t.Fatal("keys before the file was chosen")
	}
	if status, body := h.upload(c, screen, "@key", file); status != http.StatusSeeOther && status != http.StatusOK {
		t.Fatalf("status %d %s", status, body)
	}
	h.eventually("the gateway has its keys", func() bool {
		st, err := h.client.Status(context.Background())
		return err == nil && st.Initialised && gatewaytest.Online(st)
	})
	secret := strings.Split(file, "\n")[1]
	must(t, filepath.WalkDir(h.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), secret) {
			t.Errorf("%s has the issuer's key", path)
		}
		return err
	}))
	h.says(c, screen, "已经有钥匙了", "@key", file)
	h.says(c, screen+"/file", "已经有钥匙了")

	cards := base + "/oldcards"
	body := h.says(c, cards+"/plan", "表里有 1 行", "form", "10D", "door", "front", "@table", "label,number\n3B,0008065495\n", "@key", file)
	_, plan, _ := strings.Cut(body, `name="plan" value="`)
	plan, _, _ = strings.Cut(plan, `"`)
	h.says(c, cards+"/take", "不是这栋房子的钥匙文件", "plan", plan, "@key", string(unknown))
	h.says(c, cards+"/take", "已导入，新钥匙 1 把", "plan", plan, "@key", file)
	h.swipe()
}
