package main_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/evidence"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// officer has a mandate for a house, a key for its answers, and a phone.
type officer struct {
	h       *house
	base    string
	phone   *http.Client
	signer  ed25519.PrivateKey
	private []byte
	mandate mandates.Mandate
}

// officer is one at a house that is enrolled and serves its page: for everybody's passages at the front door.
func newOfficer(t *testing.T) *officer {
	t.Helper()
	h := newBoard(t, 0)
	state := filepath.Join(h.dir, "state")
	h.issuer, h.building = gatewaytest.Keys(t, state)
	public, signer, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	town := gatewaytest.Town{Issuer: h.issuer, CA: []byte{0}, Approver: public, Doors: []string{"front", "yard"}}
	town.Enrol(t, state)
	h.serve()
	h.owner()
	h.resident()
	h.swipe() // somebody comes home
	h.locked()
	private, recipient, err := sealing.GenerateKey()
	must(t, err)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // what was until now is before now, in seconds
	place, now := town.Place(), uint32(time.Now().Unix())
	m := mandates.Mandate{Reference: wire.ID{1, 2, 3}, Status: mandates.Active, Issued: now, Expires: now + 3600, Answers: 1,
		Request: mandates.Request{District: place.District, Town: place.Town, Building: place.Building, Gateways: []mandates.Gateway{{ID: place.Gateway, Doors: []string{"front"}}},
			From: now - 3600, Until: now},
		Delivery: mandates.Delivery{Recipient: recipient, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "石桥派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "番禺分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "入室盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"}}
	return &officer{h, h.page(), at(t, "127.0.0.9"), signer, private, m}
}

func (o *officer) signed() []byte {
	o.h.t.Helper()
	envelope, err := mandates.Sign(o.mandate, "town", o.signer)
	must(o.h.t, err)
	return envelope
}

// order is one to preserve the mandate's hour at the front door, of an officer who is enrolled.
func (o *officer) order() []byte {
	t, r, place := o.h.t, o.mandate.Request, gatewaytest.Town{}.Place()
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c, err := mandates.Certificate{Public: [32]byte(key.Public().(ed25519.PublicKey)), Unit: "一队", Badge: "000001", District: place.District, Town: place.Town, From: r.From, Until: r.Until + 3600}.Sign("town", 0, o.h.issuer)
	must(t, err)
	envelope, err := mandates.Order{Reference: wire.ID{4}, Gateway: place.Address(), Door: "front", From: r.From, Until: r.Until, Case: "A440000-2026-1", Signed: r.Until, Certificate: c}.Sign("town", key)
	must(t, err)
	return envelope
}

// shows uploads a mandate, and returns the page that comes of it.
func (o *officer) shows(mandate []byte, use string) (path, page string) {
	o.h.t.Helper()
	return o.uploads("/officer", "mandate", mandate, use)
}

// uploads sends a file, and waits as a browser without scripts does.
func (o *officer) uploads(to, field string, envelope []byte, use string) (path, page string) {
	o.h.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	file, err := form.CreateFormFile(field, "case1")
	must(o.h.t, err)
	_, _ = file.Write(envelope)
	must(o.h.t, form.WriteField("use", use))
	must(o.h.t, form.Close())
	resp, err := o.phone.Post(o.base+to, form.FormDataContentType(), &b)
	must(o.h.t, err)
	must(o.h.t, resp.Body.Close())
	if path = resp.Header.Get("Location"); path == "" {
		o.h.t.Fatalf("the form: %d", resp.StatusCode)
	}
	for next := path; ; {
		resp, err := o.phone.Get(o.base + next)
		must(o.h.t, err)
		body, err := io.ReadAll(resp.Body)
		must(o.h.t, err)
		must(o.h.t, resp.Body.Close())
		_, address, again := strings.Cut(resp.Header.Get("Refresh"), "url=")
		if !again {
			return path, string(body)
		}
		next = address
	}
}

// opened downloads the answer, opens it, and wants the page to have its sum.
func (o *officer) opened(path, page string) evidence.Report {
	t := o.h.t
	t.Helper()
	if !strings.Contains(page, path+"/1") {
		t.Fatalf("no answer:\n%s", page)
	}
	file, err := sealing.Unseal(o.private, sealing.Answer, "", []byte(o.h.get(o.phone, o.base+path+"/1")))
	must(t, err)
	if sum := fmt.Sprintf("%x", sha256.Sum256(file)); !strings.Contains(page, sum) {
		t.Errorf("the page does not have %s:\n%s", sum, page)
	}
	registry, err := keys.LoadRegistry(filepath.Join(o.h.dir, "state", "keys"))
	must(t, err)
	report, err := evidence.Verify(file, evidence.Trust{Root: registry.Root})
	must(t, err)
	return report
}

// changing is what may differ between two looks at one house: the time, and how often a network that is not there was tried.
var changing = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d[.0-9]*)?(Z|[+-]\d\d:\d\d)?`)

// views are what the owner sees: every screen, the log that the page shows, the status, and what daemon and page have logged.
func (o *officer) views(owner *http.Client, paths []string) map[string]string {
	h := o.h
	h.t.Helper()
	all := map[string]string{}
	for _, path := range paths {
		resp, err := owner.Get(o.base + path)
		must(h.t, err)
		body, err := io.ReadAll(resp.Body)
		must(h.t, err)
		must(h.t, resp.Body.Close())
		all[path] = changing.ReplaceAllString(string(body), "")
	}
	var log strings.Builder
	must(h.t, h.client.Log(context.Background(), control.LogQuery{Last: -1}, func(e control.LogEntry) error {
		_, err := fmt.Fprintf(&log, "%+v\n", e)
		return err
	}))
	all["the log"] = log.String()
	var lines []string
	for line := range strings.Lines(h.log.String()) {
		if !strings.Contains(line, `"level":"debug"`) && !strings.Contains(line, "certificate") { // this house has none, and tries again
			lines = append(lines, line)
		}
	}
	all["log lines"] = strings.Join(lines, "")
	return all
}

// TestOfficersPage is an officer's way on site with a phone alone: over the very daemon that gatehouse query asks the
// mandate is answered, counted, refused and answered again, an order to preserve is taken, and whoever looks at the house sees nothing of it (law W7).
func TestOfficersPage(t *testing.T) {
	t.Parallel()
	o := newOfficer(t)
	h := o.h
	paths := slices.DeleteFunc(h.screens(o.base), func(path string) bool { return path == "/nowhere" }) // which logs that it is not there
	owner := h.signIn(o.base, "127.0.0.1")
	before := o.views(owner, paths)
	h.eventually("the house stands still", func() bool {
		time.Sleep(2 * time.Second)
		now := o.views(owner, paths)
		same := len(differ(before, now)) == 0
		before = now
		return same
	})

	forged := o.signed()
	forged[len(forged)-1] ^= 1
	if _, page := o.shows(forged, ""); !strings.Contains(page, "unsigned") || !strings.Contains(page, "不予提供告知") || strings.Contains(page, "lane-7") {
		t.Errorf("a forged one:\n%s", page)
	}
	path, page := o.shows(o.signed(), "")
	first := o.opened(path, page)
	if !first.Anchored || !strings.Contains(page, o.mandate.Reference.String()) || !strings.Contains(page, "lane-7/gw1") {
		t.Errorf("anchored %v:\n%s", first.Anchored, page)
	}
	if _, page := o.shows(o.signed(), ""); !strings.Contains(page, "used_up") || !strings.Contains(page, "has given its 1 answers") {
		t.Errorf("a second one:\n%s", page)
	}
	path, page = o.shows(o.signed(), "1")
	if again := o.opened(path, page); again.SHA256 != first.SHA256 {
		t.Error("the answer, fetched again, is another one")
	}
	for _, want := range []string{"至少到", "期限从第一次提交起算"} {
		if _, page := o.uploads("/officer/preserve", "order", o.order(), ""); !strings.Contains(page, "已保全") || !strings.Contains(page, want) {
			t.Errorf("an order, want %s:\n%s", want, page)
		}
	}
	time.Sleep(2 * time.Second)
	for view, said := range differ(before, o.views(owner, paths)) {
		t.Errorf("%s tells of a visit: %s", view, said)
	}
}

// differ is what the later views have that is not in the earlier ones.
func differ(before, after map[string]string) map[string]string {
	out := map[string]string{}
	for view, now := range after {
		if now != before[view] {
			out[view] = strings.TrimPrefix(now, before[view])
		}
	}
	return out
}

// TestOfficersCardInHand: a card that was found is held to a reader while the page waits for it.
func TestOfficersCardInHand(t *testing.T) {
	t.Parallel()
	o := newOfficer(t)
	o.mandate.Request.InHand = true
	done := make(chan [2]string, 1)
	go func() {
		path, page := o.shows(o.signed(), "")
		done <- [2]string{path, page}
	}()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		must(t, o.h.source.Send(card(t)))
		select {
		case got := <-done:
			report := o.opened(got[0], got[1])
			if !report.Anchored || !slices.ContainsFunc(report.Entries, func(e evidence.Entry) bool { return e.State == evidence.Named && e.Header.Kind == wire.KindAccess }) {
				t.Errorf("anchored %v, and no passage of the card in hand among %d entries", report.Anchored, len(report.Entries))
			}
			return
		case <-time.After(5 * time.Second): // it opened the door, which is shut again then
		}
	}
	t.Error("the card is never seen")
}
