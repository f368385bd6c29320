package main_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/device/wiegand"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/sync/wire"
)

// upload posts a form with files; a pair whose name begins with @ is one.
func (h *house) upload(c *http.Client, address string, pairs ...string) (status int, body string) {
	h.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := strings.CutPrefix(pairs[i], "@"); ok {
			part, err := w.CreateFormFile(name, name)
			must(h.t, err)
			_, err = io.WriteString(part, pairs[i+1])
			must(h.t, err)
			continue
		}
		must(h.t, w.WriteField(pairs[i], pairs[i+1]))
	}
	must(h.t, w.Close())
	resp, err := c.Post(address, w.FormDataContentType(), &form)
	must(h.t, err)
	resp = answered(h.t, c, resp)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return resp.StatusCode, string(text)
}

// says is an upload after which the screen says some words.
func (h *house) says(c *http.Client, address, words string, pairs ...string) string {
	h.t.Helper()
	status, body := h.upload(c, address, pairs...)
	if !strings.Contains(body, words) {
		h.t.Fatalf("%s: status %d, not %q in %s", address, status, words, body)
	}
	return body
}

// tap holds a card up at the front door.
func (h *house) tap(number uint64) {
	h.t.Helper()
	f, _ := wiegand.Lookup("H10301")
	card, err := f.Encode(wiegand.Fields{Facility: 123, Card: number, HasFacility: true})
	must(h.t, err)
	must(h.t, h.source.Send(card))
}

// kept wants some words so often in the gateway's list of unknown cards, once a card was
// held up: again and again, since a reader that was just opened reads nothing yet, and
// sooner than after 1.5 s it is the same presentation.
func (h *house) kept(words string, n int, card uint64) {
	h.t.Helper()
	last := time.Time{}
	h.eventually("the list has the card", func() bool {
		if card != 0 && time.Since(last) > 2*time.Second {
			h.tap(card)
			last = time.Now()
		}
		h.running.Gateway().Keyring.Adopt.Tend()
		text, _ := os.ReadFile(filepath.Join(h.dir, "state", "grants", "adopt.json"))
		return strings.Count(string(text), words) == n
	})
}

// keyFile is an issuer's key as gatehouse init writes it.
func keyFile(t *testing.T, issuer ed25519.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(issuer)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestOldCards: the three ways of a house with old cards, by forms, over a real gateway:
// a week of listening and the switch over, a table with its plan, and cards that ask. The
// page never says a card's number, and never when or where a card was seen.
func TestOldCards(t *testing.T) {
	t.Parallel()
	h := bareHouse(t, -50*time.Hour)
	h.owner()
	base := h.page()
	c := h.signIn(base, "127.0.0.2")
	key, other := keyFile(t, h.issuer), keyFile(t, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	screen := base + "/oldcards"
	first := []string{"form", "10D", "door", "front", "@table", "label,number\n5A,0006171022\n"} // where no list says yet whose key it takes
	h.says(c, screen+"/plan", "不是这栋房子的钥匙文件", append(first, "@key", other)...)
	h.says(c, screen+"/plan", "表里有 1 行", append(first, "@key", key)...)
	if body := h.get(c, screen); !strings.Contains(body, "先旁听一周") || !strings.Contains(body, "导入表格") {
		t.Fatalf("screen %s", body)
	}
	h.says(c, screen+"/listen", "请先确认接线")
	h.says(c, screen+"/listen", "正在旁听", "sure", "yes")
	for day := range 2 {
		h.kept(`"today"`, 1, 4567)
		if body := h.get(c, screen); !strings.Contains(body, fmt.Sprintf("已学到 %d 张卡", day)) || strings.Contains(body, "front-in") {
			t.Errorf("day %d: %s", day, body)
		}
		h.clock.Pass(25 * time.Hour)
	}
	if h.board.Requested("front-relay") || h.released.Load() > 0 {
		t.Fatal("a relay while the old controller decides")
	}
	h.says(c, screen+"/drive", "不是这栋房子的钥匙文件", "sure", "yes", "door", "front", "@key", "no key")
	h.says(c, screen+"/drive", "切换前发了 1 把钥匙，没发的 0 张", "sure", "yes", "door", "front", "@key", key)
	h.locked()
	h.swipe()

	table := "label,number\n5A,0006171022\n5B,123\n"
	body := h.says(c, screen+"/plan", "表里有 2 行", "form", "10D", "door", "front", "@table", table, "@key", key)
	if !strings.Contains(body, "前导零") || strings.Contains(body, "6171022") {
		t.Errorf("plan %s", body)
	}
	_, plan, _ := strings.Cut(body, `name="plan" value="`)
	plan, _, _ = strings.Cut(plan, `"`)
	h.says(c, screen+"/take", "表格不在了", "plan", "x", "@key", key)
	h.says(c, screen+"/take", "已导入，新钥匙 1 把", "plan", plan, "@key", key)
	h.says(c, screen+"/take", "表格不在了", "plan", plan, "@key", key)

	table = "Place,Chip,姓名,注\n5D,0006171023,测试甲,x\n"
	body = h.says(c, screen+"/plan", `<select name="column-number">`, "form", "10D", "door", "front", "@table", table, "@key", key)
	if !strings.Contains(body, "<option>Chip</option>") || !strings.Contains(body, "有一列不知道是什么") || strings.Contains(body, "6171023") || strings.Contains(body, "测试甲") {
		t.Errorf("a table with headings of its own: %s", body)
	}
	body = h.says(c, screen+"/plan", "表里有 1 行", "column-number", "Chip", "column-label", "Place", "encoding", "utf-8", "form", "10D", "door", "front", "@table", table, "@key", key)
	if !strings.Contains(body, "导入能用的") || strings.Contains(body, "column-number") {
		t.Errorf("with its columns said: %s", body)
	}
	h.says(c, screen+"/plan", "编码不对", "form", "10D", "door", "front", "@table", "label,number\n5\xff\xff\xff,0006171023\n", "@key", key)
	dated := "label,number,until\n5A,0006171022,2030-01-01\n5E,0006171099,2150-01-01\n"
	body = h.says(c, screen+"/plan", "(5A) · 最后一天不同", "form", "10D", "door", "front", "@table", dated, "@key", key)
	if !strings.Contains(body, "日期太早或太远") || strings.Contains(body, "another last day") || strings.Contains(body, "year first") {
		t.Errorf("a plan with dates: %s", body)
	}
	h.says(c, screen+"/keep", "不认识的卡列到")
	h.kept(`"bits"`, 1, 99)
	a, err := control.Takeover{Daemon: h.client}.Adopts(t.Context())
	must(t, err)
	h.says(c, screen+"/name", "没有写房号的卡", "door", "front", "@key", key)
	h.says(c, screen+"/name", "已发 1 把钥匙", "flat-"+a.Cards[0].ID, "7C", "door", "front", "@key", key)
	h.kept(`"bits"`, 0, 0)
	all, err := h.client.Keys(t.Context())
	must(t, err)
	labels := map[string]bool{}
	for _, k := range all {
		labels[k.Label] = true
	}
	of5A := all[slices.IndexFunc(all, func(k control.Key) bool { return k.Label == "5A" })].Grant
	_, err = issue.Issuer{Client: h.client, Key: h.issuer}.Edit(t.Context(), func(e *grantlist.Editor) error {
		for _, g := range e.Grants() {
			if g.ID.String() == of5A {
				return e.SetState(g.ID, wire.GrantRevoked)
			}
		}
		return errors.New("the key is not on the list")
	})
	must(t, err)
	body = h.says(c, screen+"/plan", "在这里已注销，不要", "form", "10D", "door", "front", "@table", "label,number\n5A,0006171022\n", "@key", key)
	if !strings.Contains(body, "(5A)") || strings.Contains(body, ">key ") {
		t.Errorf("a plan with a key that has ended: %s", body)
	}
	if len(all) != 3 || !labels["5A"] || !labels["7C"] || !labels["旧卡 1"] {
		t.Errorf("keys %+v", labels)
	}
}
