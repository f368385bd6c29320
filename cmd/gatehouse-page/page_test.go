package main_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestGuesses: while one address tries a thousand codes and passwords, the owner claims the
// house and signs in from another, and residents come in.
func TestGuesses(t *testing.T) {
	h := newHouse(t)
	base := h.page()
	code, err := h.accounts.Code()
	must(t, err)
	thief, began := at(t, "127.0.0.2"), time.Now()
	var heard, refused, sent atomic.Int64
	over := make(chan struct{})
	var thieves sync.WaitGroup
	for range 10 {
		thieves.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					if sent.Load() >= 1000 {
						return
					}
				default:
				}
				path, form := "/welcome", []string{"code", "12345670", "password", secret}
				if i%2 == 1 {
					path, form = "/login", []string{"name", name, "password", "12345670"}
				}
				status, _, err := send(thief, base+path, form...)
				if err != nil {
					t.Error(err)
					return
				}
				sent.Add(1)
				if status == http.StatusTooManyRequests {
					refused.Add(1)
				} else {
					heard.Add(1)
				}
			}
		})
	}
	h.eventually("the thief is refused", func() bool { return refused.Load() > 50 })
	owner := at(t, "127.0.0.3")
	if status, to, err := send(owner, base+"/welcome", "code", code, "name", name, "password", secret); err != nil || to != "/" {
		t.Errorf("the owner's code meanwhile: status %d, %q, %v", status, to, err)
	}
	h.swipe()
	h.signIn(base, "127.0.0.4")
	h.locked()
	h.swipe()
	close(over)
	thieves.Wait()
	if most := int64(time.Since(began)/(10*time.Second)) + 6; heard.Load() > most {
		t.Errorf("of %d guesses %d were heard, want at most %d", sent.Load(), heard.Load(), most)
	}
	t.Logf("%d guesses in %v, %d of them heard", sent.Load(), time.Since(began).Round(time.Millisecond), heard.Load())
}

// screensOf are the bytes of all that an owner may look at, as of now: each time a page of
// its own asks the daemon anew.
func (h *house) screensOf() map[string]string {
	h.t.Helper()
	base := h.page()
	c, all := h.signIn(base, "127.0.0.1"), map[string]string{}
	for _, path := range []string{"/doors", "/todo", "/more", "/people"} {
		all[path] = h.get(c, base+path)
	}
	return all
}

// live is what a live page has heard.
type live struct {
	mu    sync.Mutex
	heard strings.Builder
	end   func() // leaves the page
}

func (l *live) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard.String()
}

// follow opens a live page.
func (h *house) follow(base string, c *http.Client) *live {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", base+"/doors/live", nil)
	must(h.t, err)
	resp, err := c.Do(r)
	must(h.t, err)
	l, done := &live{}, make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			l.mu.Lock()
			l.heard.WriteString(lines.Text() + "\n")
			l.mu.Unlock()
		}
	}()
	l.end = sync.OnceFunc(func() { cancel(); <-done; _ = resp.Body.Close() })
	h.t.Cleanup(l.end)
	return l
}

// looked waits until the live page has looked at the daemon twice more: the second time all
// of the first is written.
func (h *house) looked() {
	h.t.Helper()
	before := h.asked.Load()
	h.eventually("the live page looks", func() bool { return h.asked.Load() >= before+2 })
}

// TestPassagesDoNotShow: before, during and after a resident's passage every byte that the
// page sends is the same (law W7); what is wrong with a door shows at once.
func TestPassagesDoNotShow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.owner()
	base := h.page()
	stream := h.follow(base, h.signIn(base, "127.0.0.1"))
	h.eventually("the live page begins", func() bool { return strings.Contains(stream.text(), "front") })
	h.looked()
	before, heard := h.screensOf(), stream.text()
	same := func(when string) {
		t.Helper()
		h.looked()
		if now := stream.text(); now != heard {
			t.Errorf("%s the live page hears\n%s", when, strings.TrimPrefix(now, heard))
		}
		for path, now := range h.screensOf() {
			if now != before[path] {
				t.Errorf("%s %s is\n%s\nand was\n%s", when, path, now, before[path])
			}
		}
	}
	h.swipe()
	must(t, h.board.Set("front-contact", true))
	same("while the door stands open for a resident")
	must(t, h.board.Set("front-contact", false))
	h.locked()
	same("after a resident came in")
	must(t, h.board.Set("yard-contact", true)) // by the handle: nothing, until it is held
	h.eventually("the live page tells of a door that is held open", func() bool { return strings.Contains(strings.TrimPrefix(stream.text(), heard), "门没关上") })
	if now := h.screensOf()["/doors"]; now == before["/doors"] {
		t.Error("a door that is held open shows nowhere")
	}
}
