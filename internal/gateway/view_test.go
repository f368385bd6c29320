package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/refusalstest"
)

// get asks the daemon's socket as a program of the owner's does.
func (h *house) get(path string) string {
	h.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(h.dir, "sock"))
	}}}
	resp, err := client.Get("http://daemon" + path)
	must(h.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(h.t, err)
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

// now is what may differ between two looks at the same house.
var now = regexp.MustCompile(`"now":"[^"]*"`)

// views are all that the daemon answers without being asked to do something,
// and what it logs.
func (h *house) views() map[string]string {
	h.t.Helper()
	all := map[string]string{}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "refusals.md"))
	must(h.t, err)
	routes, ok := refusalstest.Block(string(page), "routes") // which are those of the server, by its own test
	if !ok || len(routes) == 0 {
		h.t.Fatal("docs/refusals.md has no routes")
	}
	for _, pattern := range routes {
		pattern, _, _ = strings.Cut(pattern, ": ") // behind it stand the roles
		path, isGet := strings.CutPrefix(pattern, "GET ")
		if !isGet {
			continue
		}
		for _, query := range map[string][]string{"/v1/log": {"?last=-1", "?last=1", "?last=5"}, "/v1/tenancy": {"?name=3B"}}[path] {
			all[path+query] = h.get(path + query)
		}
		if all[path] == "" && path != "/v1/log" && path != "/v1/tenancy" {
			all[path] = now.ReplaceAllString(h.get(path), "")
		}
	}
	var logged []string
	for line := range strings.Lines(h.log.String()) {
		if !strings.Contains(line, `"level":"debug"`) && !strings.Contains(line, "certificate") { // this house has none, and tries again
			logged = append(logged, line)
		}
	}
	all["log lines"] = strings.Join(logged, "")
	return all
}

// watcher looks at the house again and again and keeps each answer once.
type watcher struct {
	h    *house
	seen map[string][]string
	stop func()
}

func (h *house) watched() *watcher {
	ctx, cancel := context.WithCancel(h.t.Context())
	w := &watcher{h: h, seen: map[string][]string{}}
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			w.look()
		}
	})
	w.stop = func() { cancel(); looking.Wait(); w.look() }
	return w
}

func (w *watcher) look() {
	for view, got := range w.h.views() {
		if !slices.Contains(w.seen[view], got) {
			w.seen[view] = append(w.seen[view], got)
		}
	}
}

// settles waits until two looks some seconds apart are the same: the start is over.
func (h *house) settles() {
	h.t.Helper()
	for range 10 {
		before := h.views()
		time.Sleep(2500 * time.Millisecond)
		after := h.views()
		same := true
		for view := range before {
			same = same && before[view] == after[view]
		}
		if same {
			return
		}
	}
	h.t.Fatal("the house never stands still")
}

// tenant checks somebody in with a card of the front door, and gives notice.
func (h *house) tenantOnNotice(facility, card uint64) {
	h.t.Helper()
	d, err := h.client.OpenDesk(h.t.Context(), control.DeskRequest{})
	must(h.t, err)
	shown := make(chan error, 1)
	go func() {
		_, err := h.client.ShowCard(h.t.Context(), d.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: "front"}})
		shown <- err
	}()
	h.eventually("the desk waits for a card", func() bool { return strings.Contains(h.log.String(), "a card is waited for") })
	h.wiegand(facility, card)
	must(h.t, <-shown)
	_, err = h.client.CheckIn(h.t.Context(), d.Session, control.CheckIn{Document: "passport", Number: "E0000000", Name: "Test Person", Flat: "3B", Basis: "contract", Informed: true})
	must(h.t, err)
	_, err = h.client.Change(h.t.Context(), d.Session, control.Change{Action: "checkout", Tenancy: "3B", Proof: "landlord", Cause: "agreed"})
	must(h.t, err)
	must(h.t, h.client.CloseDesk(h.t.Context(), d.Session))
}

// TestNoViewTellsOfPassages is law W7 at a gateway: whoever comes and goes, how
// often and when, no answer of the daemon and no line of its log changes by a
// byte, while they walk and after. Not that a tenant on notice came home, either.
func TestNoViewTellsOfPassages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.startWith(w.dial(nil))
	time.Sleep(time.Second)
	h.tenantOnNotice(200, 1)
	time.Sleep(2 * time.Second) // the card that was held up is away
	h.eventually("the registry is heard", func() bool { return strings.Contains(h.get("/v1/status"), "in step") })
	h.settles()
	look := h.watched()
	h.opens("front", "the tenant comes home", func() { h.wiegand(200, 1) })
	must(t, h.board.Set("front-contact", true))
	time.Sleep(200 * time.Millisecond)
	must(t, h.board.Set("front-contact", false))
	h.opens("yard", "somebody else comes in at the yard", h.serialAtOnce)
	h.wiegand(99, 99) // a stranger
	must(t, h.board.Set("exit", false))
	time.Sleep(100 * time.Millisecond)
	must(t, h.board.Set("exit", true))
	h.eventually("all that is in the journal", func() bool {
		k := h.kinds()
		return k["front access granted granted"] > 0 && k["front told done notice"] > 0 && k["yard access granted granted"] > 0 &&
			k["front access denied unknown_card"] > 0 && k["front opened"] > 0 && k["front closed"] > 0 && k["front exit active"] > 0
	})
	h.eventually("and at the registry", w.has("front exit"))
	time.Sleep(time.Second)
	look.stop()
	for view, answers := range look.seen {
		if len(answers) != 1 {
			t.Errorf("%s tells of people:\n%s", view, strings.Join(answers, "\n"))
		}
	}
	if len(look.seen) < 9 {
		t.Errorf("only %d views were looked at", len(look.seen))
	}
}

// TestDeskIsNoWatch: a desk that waits for a tenant's card hears nothing of tenants who
// come home, and the door opens for them as always.
func TestDeskIsNoWatch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.startWith(w.dial(nil))
	time.Sleep(time.Second)
	h.tenantOnNotice(200, 1)
	time.Sleep(2 * time.Second) // the card that was held up is away
	d, err := h.client.OpenDesk(t.Context(), control.DeskRequest{})
	must(t, err)
	waits := func(meanwhile func()) string {
		said := make(chan error, 1)
		go func() {
			_, err := h.client.ShowCard(t.Context(), d.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: "front", Seconds: 2}, Proof: true})
			said <- err
		}()
		time.Sleep(500 * time.Millisecond)
		meanwhile()
		var no *control.Error
		if err := <-said; !errors.As(err, &no) {
			t.Fatalf("a card that was held up once: %v", err)
		}
		return no.Message + "; " + no.Hint
	}
	nobody := waits(func() {})
	if !strings.Contains(nobody, "no card was held up twice; hold it up to the reader, wait 18 seconds with the door shut, and hold it up there again") {
		t.Errorf("when nobody comes it says: %s", nobody)
	}
	somebody := waits(func() { h.opens("front", "the tenant comes home", func() { h.wiegand(200, 1) }) })
	if somebody != nobody {
		t.Errorf("when the tenant comes home it says %q, else %q", somebody, nobody)
	}
	if stranger := waits(func() { h.wiegand(99, 99) }); stranger != nobody {
		t.Errorf("when a stranger comes by it says %q, else %q", stranger, nobody)
	}
}

// TestDoorTest: an installer sees one door for some minutes, and nobody's card;
// begin and end are journaled, and there is an end to it.
func TestDoorTest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.wiegandOpens("somebody came in before")
	h.eventually("that is over", func() bool { return h.kinds()["front secured timer"] > 0 })
	var begun sync.WaitGroup // of one test: what is refused has not begun, and a second time would panic
	begun.Add(1)
	for _, minutes := range []int{0, control.MostTest + 1} {
		if err := h.client.TestDoor(t.Context(), "front", control.DoorTest{Minutes: minutes}, begun.Done, nil); err == nil || !strings.Contains(err.Error(), "minutes") {
			t.Errorf("a test of %d minutes: %v", minutes, err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	var seen []control.LogEntry
	done := make(chan error, 1)
	go func() {
		done <- h.client.TestDoor(ctx, "front", control.DoorTest{Minutes: control.MostTest}, begun.Done, func(e control.LogEntry) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, e)
			return nil
		})
	}()
	begun.Wait()
	h.eventually("the test begins", h.has("front command active door_test", 1))
	if err := h.client.TestDoor(t.Context(), "front", control.DoorTest{Minutes: 1}, begun.Done, nil); err == nil || !strings.Contains(err.Error(), "being tested") {
		t.Errorf("two at once: %v", err)
	}
	h.serialOpens("somebody comes in at another door")
	time.Sleep(1600 * time.Millisecond)
	h.wiegandOpens("somebody comes in")
	h.eventually("the test shows it", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(seen, func(e control.LogEntry) bool { return e.Kind == "released" })
	})
	stop()
	must(t, <-done)
	h.eventually("the test ends", h.has("front command idle door_test", 1))
	mu.Lock()
	defer mu.Unlock()
	b, err := json.Marshal(seen)
	must(t, err)
	granted := 0
	for _, e := range seen {
		if e.Door != "front" || e.Detail != "" {
			t.Errorf("the test shows %+v", e)
		}
		if e.Kind == "access" {
			granted++
		}
	}
	if granted != 1 {
		t.Errorf("%d cards in the test: %s", granted, b)
	}
	for _, fields := range []string{"sequence", "counter", "boot", "ref", "tenancy", "grant", "credential"} {
		if bytes.Contains(b, []byte(`"`+fields+`"`)) {
			t.Errorf("the test shows %s: %s", fields, b)
		}
	}
	if log := h.get("/v1/log?" + url.Values{"last": {"-1"}}.Encode()); !strings.Contains(log, "door_test") || strings.Contains(log, `"access"`) {
		t.Errorf("log: %s", log)
	}
}
