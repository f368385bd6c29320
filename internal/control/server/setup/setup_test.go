package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/discovery"
	"gatehouse/internal/network"
	"gatehouse/internal/refusalstest"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

const chip = "pinctrl-bcm2711" // of the Raspberry Pi 4

// gateway is a Raspberry Pi 4 with Wiegand readers at the lines of its two doors, before
// anybody has set it up.
type gateway struct {
	t      *testing.T
	dir    string
	file   string
	board  *devicetest.Board
	o      Options
	client control.SetupClient
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	t.Parallel()
	return gatewayAt(t, nil)
}

// gatewayAt is a gateway whose edges have the times of a clock; nil: of the machine.
func gatewayAt(t *testing.T, now func() time.Duration) *gateway {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") // short: the path of a socket has 104 bytes at most
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &gateway{t: t, dir: dir, file: filepath.Join(dir, "etc", "site.toml"), client: control.SettingUp(control.NewClient(filepath.Join(dir, "sock")))}
	in := func(name string, offset int) devicetest.Line {
		return devicetest.Line{Name: name, Offset: offset, PullUp: true, ActiveLow: true}
	}
	g.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: chip, Now: now, Lines: []devicetest.Line{
		in("fire", 22), in("exit", 23), in("contact", 24), in("d0", 20), in("d1", 21), in("exit2", 25), in("contact2", 16), in("d0-2", 12), in("d1-2", 13)}})
	must(t, err)
	near, far := net.Pipe()
	remote := devicetest.NewRemote(far)
	ctx, cancel := context.WithCancel(context.Background())
	var wires sync.WaitGroup
	wires.Go(func() { _ = g.board.Serve(ctx, near) })
	wires.Go(func() { _ = remote.Run(ctx) })
	t.Cleanup(func() { cancel(); wires.Wait() })
	must(t, os.MkdirAll(filepath.Join(dir, "proc/device-tree"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "proc/device-tree/compatible"), []byte("raspberrypi,4-model-b\x00"), 0o644))
	found := func([]string) site.Found {
		return site.Found{Chips: []site.FoundChip{{Names: []string{"gpiochip0"}, Label: chip, Lines: 58}}}
	}
	noPort := func(device.PortConfig) (device.Port, error) { return nil, os.ErrNotExist }
	g.o = Options{Socket: filepath.Join(dir, "sock"), File: g.file, Each: 5 * time.Millisecond, Log: zerolog.Nop(),
		Machine: discovery.Machine{Root: dir, Look: found, Port: noPort, Lines: remote.Lines, Log: zerolog.Nop()}}
	return g
}

// run runs the server; ended tells whether a house can be served, once it has ended.
func (g *gateway) run() (ended chan bool, stop func()) {
	g.t.Helper()
	_, why := site.Load(g.file)
	if why == nil {
		g.t.Fatal("there is a house to serve")
	}
	ctx, cancel := context.WithCancel(g.t.Context())
	ended = make(chan bool, 1)
	s := New(g.o, why)
	go func() { ended <- s.Run(ctx) }()
	g.t.Cleanup(cancel)
	g.eventually("it answers", func() bool { _, err := g.client.State(g.t.Context()); return err == nil })
	return ended, cancel
}

func (g *gateway) eventually(what string, ok func() bool) {
	g.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	g.t.Fatalf("never: %s", what)
}

// look looks, and holds a card to a reader until it is found; anew where a busy machine cut
// the card's frame.
func (g *gateway) look(d0, d1 string) control.Look {
	g.t.Helper()
	for range 20 {
		if l := g.lookOnce(d0, d1); slices.Equal(l.Readers[0].Formats, []string{"H10301"}) {
			return l
		}
	}
	g.t.Fatal("the card is never read whole")
	return control.Look{}
}

func (g *gateway) lookOnce(d0, d1 string) control.Look {
	g.t.Helper()
	_, err := g.client.Look(g.t.Context(), control.LookRequest{Seconds: 60, Cards: true})
	must(g.t, err)
	source := devicetest.WiegandSource{Board: g.board, D0: d0, D1: d1, Interval: time.Millisecond}
	card, err := device.NewCard([]byte{0xBD, 0x88, 0xEB, 0x80}, 26) // facility 123, card 4567
	must(g.t, err)
	var st control.Setup
	g.eventually("the reader is found", func() bool {
		_ = source.Send(card)
		st, err = g.client.State(g.t.Context())
		return err == nil && len(st.Look.Readers) > 0
	})
	return *st.Look
}

func front(direction string) control.Answers {
	return control.Answers{Building: "lane-7", Doors: []control.DoorAnswer{{ID: "front", Egress: "mechanical", Lock: "fail-secure", Readers: []control.ReaderAnswer{{ID: "in", Type: "wiegand", Direction: direction}}}}}
}

// refused is the refusal of a call, and its status.
func refused(err error) (status int, says string) {
	var e *socket.Error
	if errors.As(err, &e) {
		return e.Status, e.Message + "; " + e.Hint
	}
	return 0, ""
}

// TestSetUp: a gateway as it comes from its box, until there is its site file: it finds the
// board and the reader to which a card is held, and says to everybody else what is missing.
func TestSetUp(t *testing.T) {
	g := newGateway(t)
	ended, _ := g.run()
	ctx := t.Context()
	st, err := g.client.State(ctx)
	if err != nil || st.State != control.SetupNew || st.File != g.file || st.Look != nil || len(st.Boards) < 3 {
		t.Fatalf("%+v, %v", st, err)
	}
	if _, err := control.NewClient(g.o.Socket).Status(ctx); !strings.Contains(err.Error(), "not set up yet") {
		t.Errorf("another route: %v", err)
	}
	if _, err := g.client.Propose(ctx, front("in")); !strings.Contains(err.Error(), "nobody has looked") {
		t.Errorf("a proposal without a look: %v", err)
	}
	if _, err := g.client.Look(ctx, control.LookRequest{Seconds: control.MostLook + 1}); err == nil {
		t.Error("a look without an end")
	}
	look := g.look("d0", "d1")
	if !look.Running || look.Title != "Raspberry Pi 4 Model B" || look.Doors != 2 || len(look.Lines) != 9 || look.Lines[0].Pin == "" {
		t.Errorf("%+v", look)
	}
	if r := look.Readers[0]; r.Type != "wiegand" || r.Door != 1 || !r.Card || r.Swapped || !strings.Contains(r.Pins, "pin") {
		t.Errorf("%+v", r)
	}
	plan, err := g.client.Propose(ctx, front("in"))
	if err != nil || plan.Faulty() || !strings.Contains(plan.Text, `formats = ["H10301"]`) {
		t.Fatalf("%+v, %v", plan, err)
	}
	if status, says := refused(writing(g, front("out"), plan.Text)); status != http.StatusConflict {
		t.Errorf("another file than was shown: %d %s", status, says)
	}
	if status, says := refused(writing(g, control.Answers{Building: "lane-7", Doors: []control.DoorAnswer{{ID: "front"}}}, "")); status != http.StatusUnprocessableEntity {
		t.Errorf("a faulty one: %d %s", status, says)
	}
	if _, err := os.Stat(g.file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a site file is there: %v", err)
	}
	must(t, writing(g, front("in"), plan.Text))
	if !<-ended {
		t.Error("no house can be served")
	}
	if raw, err := os.ReadFile(g.file); err != nil || string(raw) != plan.Text {
		t.Errorf("%s, %v", raw, err)
	}
}

func writing(g *gateway, a control.Answers, text string) error {
	_, err := g.client.Write(g.t.Context(), control.WriteSite{Answers: a, Text: text})
	return err
}

// TestSwapped: exchanged wires show, and no site file comes of them; a new look forgets them.
func TestSwapped(t *testing.T) {
	g := newGateway(t)
	g.run()
	if look := g.look("d1", "d0"); !look.Readers[0].Swapped {
		t.Fatalf("%+v", look.Readers[0])
	}
	plan, err := g.client.Propose(t.Context(), front("in"))
	if err != nil || !plan.Faulty() || !slices.ContainsFunc(plan.Items, func(i control.PlanItem) bool {
		return i.State == control.PartFault && strings.Contains(i.Words, "exchanged")
	}) {
		t.Errorf("%+v, %v", plan, err)
	}
	if look := g.look("d0", "d1"); look.Readers[0].Swapped {
		t.Error("the wires were exchanged back")
	}
}

// TestBoardByHand: a machine that no profile knows is looked at as the board that somebody names.
func TestBoardByHand(t *testing.T) {
	g := newGateway(t)
	must(t, os.RemoveAll(filepath.Join(g.dir, "proc")))
	g.o.Machine.Look = func([]string) site.Found { return site.Found{} }
	g.run()
	for _, name := range []string{"", "raspberry-pi-4"} {
		_, err := g.client.Look(t.Context(), control.LookRequest{Board: name})
		must(t, err)
		var st control.Setup
		g.eventually("the look ends", func() bool { st, err = g.client.State(t.Context()); return err == nil && !st.Look.Running })
		if st.Look.Board != name || st.Look.Doors != map[string]int{"": 0, "raspberry-pi-4": 2}[name] {
			t.Errorf("%q: %+v", name, st.Look)
		}
	}
}

// TestCut: the power goes at a step, and the next start begins again; what a write left half
// done is in nobody's way.
func TestCut(t *testing.T) {
	g := newGateway(t)
	for step := range 3 {
		ended, stop := g.run()
		if step > 0 {
			g.look("d0", "d1")
		}
		stop()
		if <-ended {
			t.Fatal("a house can be served")
		}
		must(t, os.MkdirAll(filepath.Dir(g.file), 0o755))
		must(t, os.WriteFile(g.file+".new", []byte("building = \"lane"), 0o600))
	}
	ended, _ := g.run()
	if st, err := g.client.State(t.Context()); err != nil || st.State != control.SetupNew || st.Look != nil {
		t.Errorf("%+v, %v", st, err)
	}
	g.look("d0", "d1")
	must(t, writing(g, front("in"), ""))
	if !<-ended {
		t.Error("no house can be served")
	}
}

// TestNoRoom: where the file can't be written that is said, nothing of it stays, and the
// same again works once it can be.
func TestNoRoom(t *testing.T) {
	g := newGateway(t)
	full := true
	g.o.Written = func(house *site.Site) error {
		if house.Building != "lane-7" {
			t.Errorf("written for %q", house.Building)
		}
		if full {
			return errors.New("no space left on device")
		}
		return nil
	}
	ended, _ := g.run()
	g.look("d0", "d1")
	must(t, os.WriteFile(filepath.Dir(g.file), nil, 0o600)) // where its directory is to be
	for range 2 {
		if status, says := refused(writing(g, front("in"), "")); status != http.StatusInsufficientStorage || !strings.Contains(says, "make room") {
			t.Errorf("%d %s", status, says)
		}
		full = false
	}
	must(t, os.Remove(filepath.Dir(g.file)))
	must(t, writing(g, front("in"), ""))
	if !<-ended {
		t.Error("no house can be served")
	}
}

// TestTriedAgain: where a house can't be served although its site file is in order, that is
// told until it is tried again: after a time, or at once when somebody writes another file.
func TestTriedAgain(t *testing.T) {
	text := func(gateway string) []byte {
		return fmt.Appendf(nil, "building = \"lane-7\"\ngateway = %q\n[[door]]\nid = \"front\"\negress = \"mechanical\"\nlock = \"fail-secure\"\nrelay = {chip = \"sim0\", line = 2, pull = \"down\"}\n", gateway)
	}
	for name, again := range map[string]time.Duration{"after a time": time.Second, "another file": time.Hour} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			must(t, os.Mkdir(filepath.Dir(g.file), 0o755))
			must(t, os.WriteFile(g.file, text("gw1"), 0o600))
			g.o.Again = again
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan bool, 1)
			s := New(g.o, errors.New("state directory: no such file or directory: the disk is gone"))
			go func() { ended <- s.Run(ctx) }()
			g.eventually("it answers", func() bool {
				st, err := g.client.State(ctx)
				return err == nil && st.State == control.SetupFailed && strings.Contains(st.Fault, "the disk is gone")
			})
			if _, err := control.NewClient(g.o.Socket).Status(ctx); err == nil || !strings.Contains(err.Error(), "no door is served: state directory") {
				t.Errorf("another route: %v", err)
			}
			if again == time.Hour {
				must(t, os.WriteFile(g.file, text("gateway-2"), 0o600))
			}
			if !<-ended {
				t.Error("it is not tried again")
			}
			cancel()
		})
	}
}

// TestWrongFile: a site file that somebody wrote by hand and wrong is told, is never written
// over, and is taken once it was mended.
func TestWrongFile(t *testing.T) {
	g := newGateway(t)
	must(t, os.Mkdir(filepath.Dir(g.file), 0o755))
	must(t, os.WriteFile(g.file, []byte("building = \"lane-7\"\ncolour = \"red\"\n"), 0o600))
	ended, _ := g.run()
	st, err := g.client.State(t.Context())
	if err != nil || st.State != control.SetupWrong || !strings.Contains(st.Fault, "colour") {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := control.NewClient(g.o.Socket).Status(t.Context()); !strings.Contains(err.Error(), "colour") {
		t.Errorf("another route: %v", err)
	}
	g.look("d0", "d1")
	if status, says := refused(writing(g, front("in"), "")); status != http.StatusConflict || !strings.Contains(says, "--replace") {
		t.Errorf("%d %s", status, says)
	}
	must(t, os.WriteFile(g.file, []byte("building = \"lane-7\"\nsize = \"large\"\n"), 0o600))
	g.eventually("the new fault is told", func() bool {
		st, err := g.client.State(t.Context())
		return err == nil && strings.Contains(st.Fault, "size") && !strings.Contains(st.Fault, "colour")
	})
	plan, err := g.client.Propose(t.Context(), front("in"))
	must(t, err)
	must(t, os.WriteFile(g.file, []byte(plan.Text), 0o600))
	if !<-ended {
		t.Error("no house can be served")
	}
}

// TestRoutes: every path that is answered while there is no house stands in docs/refusals.md,
// with who may ask for it: a helper sets nothing up.
func TestRoutes(t *testing.T) {
	g := newGateway(t)
	g.o.Machine.Look = noChip // nobody waits for a button
	g.run()
	server := New(g.o, fs.ErrNotExist)
	var got []string
	for _, p := range server.socket.Patterns() {
		method, path, ok := strings.Cut(p, " ")
		if !ok {
			method, path = http.MethodGet, "/v1/status"
		}
		line := p + ":"
		for _, role := range []caller.Role{caller.Operator, caller.Owner, caller.Helper, caller.Installer, caller.Page} {
			c := socket.NewClient(network.Network{}, g.o.Socket, socket.Peer{Name: "daemon"})
			err := c.Call(caller.With(t.Context(), caller.Caller{Role: role}), method, path, struct{}{}, nil)
			if status, _ := refused(err); status != http.StatusForbidden {
				line += " " + string(role)
			}
		}
		got = append(got, line)
	}
	refusalstest.Compare(t, "../../../..", "setup-routes", got)
}
