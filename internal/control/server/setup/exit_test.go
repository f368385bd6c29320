package setup

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// holds plays an exit button that is held, at once with the times that it would have; at is after those of
// before.
func (g *gateway) holds(line string, at, width time.Duration) {
	g.t.Helper()
	must(g.t, g.board.Play([]devicetest.Step{{Line: line, Active: true, At: at}, {Line: line, At: at + width}}))
}

// TestExitHeld: a gateway without a site file listens to the exit buttons of its board's drawing for as
// long as it is asked to, and tells once one was held for ten seconds. Nothing is opened before and after.
func TestExitHeld(t *testing.T) {
	g := newGateway(t)
	g.run()
	asPage := caller.With(t.Context(), caller.Caller{Role: caller.Page})
	open := func() bool { return g.board.Requested("exit") && g.board.Requested("exit2") }
	closed := func() bool { return !g.board.Requested("exit") && !g.board.Requested("exit2") }
	for _, button := range []string{"exit", "exit2"} {
		if !closed() {
			t.Fatal("lines are open before anybody asks")
		}
		type said struct {
			control.ExitHeld
			error
		}
		answer := make(chan said, 1)
		go func() {
			h, err := control.WatchExit(asPage, control.NewClient(g.o.Socket))
			answer <- said{h, err}
		}()
		g.eventually("the buttons are read", open)
		for _, other := range []string{"contact", "d0", "d1", "fire", "contact2"} {
			if g.board.Requested(other) {
				t.Errorf("%s is open", other)
			}
		}
		_, err := control.WatchExit(asPage, control.NewClient(g.o.Socket))
		if status, says := refused(err); status != http.StatusConflict || !strings.Contains(says, "somebody else is asked") {
			t.Errorf("two at once: %d %s", status, says)
		}
		g.holds(button, g.board.Now(), 9*time.Second)
		time.Sleep(200 * time.Millisecond) // more than the input's own wait for what bounces
		select {
		case a := <-answer:
			t.Fatalf("after nine seconds: %+v", a)
		default:
		}
		g.holds(button, g.board.Now()+9*time.Second, 10*time.Second)
		if a := <-answer; a.error != nil || !a.Held || a.Stuck {
			t.Errorf("%+v", a)
		}
		g.eventually("they are closed", closed)
	}
}

// TestExitUnknown: where nobody knows a line of an exit button, or the site file that is there is not
// served, that is said at once.
func TestExitUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*gateway)
		says   string
	}{
		"no board":     {func(g *gateway) { must(g.t, os.RemoveAll(filepath.Join(g.dir, "proc"))); g.o.Machine.Look = noChip }, "no exit button is known"},
		"another chip": {func(g *gateway) { g.o.Machine.Look = noChip }, "no exit button is known"},
		"a wrong file": {func(g *gateway) {
			must(g.t, os.Mkdir(filepath.Dir(g.file), 0o755))
			must(g.t, os.WriteFile(g.file, []byte("colour = \"red\"\n"), 0o600))
		}, "not known while the house is not served"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			c.change(g)
			g.run()
			_, err := control.WatchExit(caller.With(t.Context(), caller.Caller{Role: caller.Page}), control.NewClient(g.o.Socket))
			if _, says := refused(err); !strings.Contains(says, c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func noChip([]string) site.Found { return site.Found{} }

// TestExitOver: after a minute it is over; what is not a held button shows then, and a button that is
// stuck, or can't be read, is told as such.
func TestExitOver(t *testing.T) {
	for name, c := range map[string]struct {
		play func(*devicetest.Board)
		want control.ExitHeld
		says string
	}{
		"nobody": {func(*devicetest.Board) {}, control.ExitHeld{}, ""},
		"short":  {func(b *devicetest.Board) { _ = b.Pulse("exit", 9*time.Second) }, control.ExitHeld{}, ""},
		"broken": {func(b *devicetest.Board) {
			_ = b.Pulse("exit", 6*time.Second)
			time.Sleep(100 * time.Millisecond)
			_ = b.Pulse("exit", 6*time.Second)
		}, control.ExitHeld{}, ""},
		"held":  {func(b *devicetest.Board) { _ = b.Pulse("exit", 10*time.Second) }, control.ExitHeld{Held: true}, ""},
		"stuck": {func(b *devicetest.Board) { _ = b.Set("exit", true) }, control.ExitHeld{Stuck: true}, ""},
		"blind": {nil, control.ExitHeld{}, "no exit button can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				g := gatewayAt(t, func() time.Duration { return time.Hour + time.Since(began) })
				if c.play == nil {
					g.o.Machine.Lines = func(device.LinesConfig) (device.Lines, error) { return nil, device.ErrLineBusy }
				} else {
					time.AfterFunc(5*time.Second, func() { c.play(g.board) })
				}
				s := New(g.o, os.ErrNotExist)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://daemon/", nil)
				must(t, err)
				h, err := s.postExitHold(r, socket.None{})
				if h != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
					t.Errorf("%+v, %v", h, err)
				}
				if took := time.Since(began); !h.Held && took != control.ExitWatch {
					t.Errorf("told after %v", took)
				}
				synctest.Wait()
				if g.board.Requested("exit") {
					t.Error("the line is open still")
				}
			})
		})
	}
}
