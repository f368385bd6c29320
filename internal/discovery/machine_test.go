package discovery

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/pn532/pn532test"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

const chipName = "pinctrl-bcm2711" // of the Raspberry Pi 4

// stand is a Raspberry Pi 4 with what hangs on it, in memory.
type stand struct {
	t     *testing.T
	ctx   context.Context
	all   sync.WaitGroup
	board *devicetest.Board
	m     Machine
	ports map[string]func(baud int) (device.Port, error)
	look  site.Found
}

func newStand(t *testing.T) *stand {
	s := &stand{t: t, ports: map[string]func(int) (device.Port, error){}}
	ctx, cancel := context.WithCancel(t.Context())
	s.ctx = ctx
	t.Cleanup(func() { cancel(); s.all.Wait() })
	var err error
	in := func(name string, offset int) devicetest.Line {
		return devicetest.Line{Name: name, Offset: offset, PullUp: true, ActiveLow: true}
	}
	began := time.Now()
	s.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: chipName, Now: func() time.Duration { return time.Since(began) + time.Hour }, Lines: []devicetest.Line{
		in("fire", 22), in("exit", 23), in("contact", 24), in("d0", 20), in("d1", 21), in("exit2", 25), in("contact2", 16), in("d0-2", 12), in("d1-2", 13)}})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	remote := devicetest.NewRemote(far)
	s.all.Go(func() { _ = s.board.Serve(ctx, near) })
	s.all.Go(func() { _ = remote.Run(ctx) })
	s.look.Chips = []site.FoundChip{{Names: []string{"gpiochip0"}, Label: chipName, Lines: 58}}
	s.m = Machine{Root: t.TempDir(), Lines: remote.Lines, Port: s.open}
	s.m.Look = func(paths []string) site.Found {
		found := s.look
		found.Ports = nil
		for _, path := range paths {
			i := slices.IndexFunc(s.look.Ports, func(p site.FoundPort) bool { return p.Path == path })
			if i >= 0 {
				found.Ports = append(found.Ports, s.look.Ports[i])
				continue
			}
			real, _ := filepath.EvalSymlinks(path)
			found.Ports = append(found.Ports, site.FoundPort{Path: path, TTY: filepath.Base(real)})
		}
		return found
	}
	s.file("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\x00")
	s.file("proc/device-tree/compatible", "raspberrypi,4-model-b\x00brcm,bcm2711\x00")
	return s
}

func (s *stand) file(name, text string) string {
	path := filepath.Join(s.m.Root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// port makes a serial port by its kernel's name and a link by its stable one.
func (s *stand) port(tty, id string, open func(baud int) (device.Port, error)) (path string) {
	path = s.file("dev/"+tty, "")
	if id != "" {
		link := filepath.Join(s.m.Root, "dev/serial/by-id", id)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.Symlink(path, link); err != nil {
			s.t.Fatal(err)
		}
		path = link
	}
	s.ports[path] = open
	return path
}

func (s *stand) open(c device.PortConfig) (device.Port, error) {
	open, ok := s.ports[c.Path]
	if !ok {
		return nil, os.ErrNotExist
	}
	return open(c.Baud)
}

// only opens a fake that knows no speed: at another one nothing comes.
func only(at int, p *devicetest.Plug) func(int) (device.Port, error) {
	return func(baud int) (device.Port, error) {
		if baud != at {
			return devicetest.NewPort(), nil
		}
		return p.Open()
	}
}

// TestDiscover: a box with everything on it. Each reader is found with the keys of its
// site file, a port that somebody else has is left alone, and no card's number is kept.
func TestDiscover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		rs485 := osdptest.NewLine(osdptest.NewReader(osdptest.Config{Address: 2, Baud: 38400, Vendor: [3]byte{0, 6, 0x8E}}), osdptest.NewReader(osdptest.Config{Address: 0, Baud: 38400}))
		rs485.WireTime = true
		s.all.Go(func() { _ = rs485.Run(s.ctx) })
		nfcChip := pn532test.NewChip()
		module, err := devicetest.NewSerialModule("mf7")
		if err != nil {
			t.Fatal(err)
		}
		asked, err := devicetest.NewSerialModule("7941w")
		if err != nil {
			t.Fatal(err)
		}
		bus := s.port("ttyUSB0", "usb-FTDI_A1", rs485.Open)
		nfc := s.port("ttyUSB1", "usb-CH340", only(115200, nfcChip.Plug))
		mf7 := s.port("ttyUSB2", "usb-FTDI_A2", only(19200, module.Plug))
		uid := s.port("ttyACM0", "", only(115200, asked.Plug))
		quiet := s.port("ttyAMA3", "", func(int) (device.Port, error) { return devicetest.NewPort(), nil })
		console := s.port("ttyAMA0", "", nil)
		held := s.port("ttyUSB3", "", nil)
		s.look.Consoles = []string{"ttyAMA0"}
		s.look.Ports = []site.FoundPort{{Path: held, TTY: "ttyUSB3", Holders: []site.PortHolder{{Command: "gatehoused", PID: 7}}}}

		s.all.Go(func() { // somebody with a card in the hand
			for s.ctx.Err() == nil {
				_ = module.Present(s.ctx, []byte{0x6B, 0x3D, 0x12, 0xD6}, 200*time.Millisecond)
				for _, w := range []struct {
					d0, d1 string
					bits   string
				}{{"d0", "d1", h10301}, {"d0-2", "d1-2", inverted(h10301)}} {
					source := devicetest.WiegandSource{Board: s.board, D0: w.d0, D1: w.d1}
					_ = source.Send(cardOf(t, w.bits))
				}
				select {
				case <-time.After(1500 * time.Millisecond):
				case <-s.ctx.Done():
				}
			}
		})
		if err := s.board.Set("fire", true); err != nil { // to ground: the contact of the panel is closed
			t.Fatal(err)
		}
		var told []string
		got := s.m.Discover(s.ctx, Request{Listen: time.Minute, Told: func(text string) { told = append(told, text) }})
		if got.Board != "raspberry-pi-4" || got.Model != "Raspberry Pi 4 Model B Rev 1.4" {
			t.Errorf("board %q, %q", got.Board, got.Model)
		}
		zero, two := 0, 2
		want := []string{
			"Wiegand reader at lines 12 and 13 of " + chipName + ": its wires D0 and D1 are exchanged",
			"Wiegand reader at lines 20 and 21 of " + chipName + ": sends H10301",
			Reader{Type: "osdp", Port: bus, Baud: 38400, Address: &zero}.String(), Reader{Type: "osdp", Port: bus, Baud: 38400, Address: &two}.String(),
			Reader{Type: "pn532", Port: nfc, Baud: 115200}.String(), Reader{Type: "serial", Layout: "mf7", Port: mf7, Baud: 19200}.String(),
			Reader{Type: "serial", Layout: "7941w", Port: uid, Baud: 115200}.String(),
		}
		for _, w := range want {
			if !slices.ContainsFunc(got.Readers, func(r Reader) bool { return strings.HasPrefix(r.String()+r.more(), w) }) {
				t.Errorf("no %s in %v", w, got.Readers)
			}
			if !slices.ContainsFunc(told, func(text string) bool { return strings.HasPrefix(text, w) }) {
				t.Errorf("nobody was told of %s", w)
			}
		}
		if len(got.Readers) != len(want) {
			t.Errorf("found %v", got.Readers)
		}
		problems := strings.Join(got.Problems, "\n")
		if !strings.Contains(problems, "port "+console+": the kernel's console is on it") || !strings.Contains(problems, "port "+held+": the daemon has it: sudo systemctl stop gatehoused") || len(got.Problems) != 2 {
			t.Errorf("problems:\n%s", problems)
		}
		if !slices.Equal(got.Silent, []string{quiet}) {
			t.Errorf("silent: %v", got.Silent)
		}
		if high, ok := got.Level(chipName, 22); !ok || high {
			t.Errorf("fire is high: %v, %v", high, ok)
		}
		if high, ok := got.Level(chipName, 23); !ok || !high {
			t.Errorf("exit is high: %v, %v", high, ok)
		}
		var page bytes.Buffer
		got.Write(&page, profile.Set{})
		if !strings.Contains(page.String(), `board: Raspberry Pi 4 Model B (board = "raspberry-pi-4")`) || strings.Contains(page.String(), "3D12D6") {
			t.Errorf("says\n%s", &page)
		}
	})
}

const (
	h10301 = "10111101100010001110101110" // facility 123, card 4567
)

func inverted(bits string) string {
	return strings.NewReplacer("0", "1", "1", "0").Replace(bits)
}

func cardOf(t *testing.T, bits string) device.Card {
	t.Helper()
	raw := make([]byte, (len(bits)+7)/8)
	for i, b := range bits {
		if b == '1' {
			raw[i/8] |= 0x80 >> (i % 8)
		}
	}
	card, err := device.NewCard(raw, len(bits))
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// TestDiscoverByHand: a board that its device tree does not name is found by a chip that one
// profile alone has; one that nobody knows is no board; ports may be named.
func TestDiscoverByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		if err := os.RemoveAll(filepath.Join(s.m.Root, "proc")); err != nil {
			t.Fatal(err)
		}
		s.port("ttyUSB0", "", func(int) (device.Port, error) { t.Error("opened"); return nil, os.ErrNotExist })
		named := filepath.Join(s.m.Root, "reader")
		s.ports[named] = func(int) (device.Port, error) {
			return nil, &fs.PathError{Op: "open", Path: named, Err: fs.ErrPermission}
		}
		got := s.m.Discover(s.ctx, Request{Ports: []string{named}})
		if got.Board != "raspberry-pi-4" || len(got.Problems) != 1 || !strings.Contains(got.Problems[0], "call it by sudo") {
			t.Errorf("%+v", got)
		}
		s.look.Chips[0].Label = "pinctrl-bcm2835" // of two boards
		if got := s.m.Discover(s.ctx, Request{Ports: []string{named}}); got.Board != "" {
			t.Errorf("board %q", got.Board)
		}
	})
}

// TestDiscoverEnds: with its context, within what it waits for, whatever it is about.
func TestDiscoverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		s.port("ttyUSB0", "", func(int) (device.Port, error) { return devicetest.NewPort(), nil })
		for after := 10 * time.Millisecond; after < 30*time.Second; after = after * 3 / 2 {
			ctx, cancel := context.WithTimeout(s.ctx, after)
			began := time.Now()
			s.m.Discover(ctx, Request{Listen: time.Hour})
			if late := time.Since(began) - after; late > time.Second {
				t.Errorf("cancelled after %v: %v late", after, late)
			}
			cancel()
		}
	})
}

// TestDiscoverOneFails: a port whose device goes away is a problem, and the others are found.
func TestDiscoverOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		line := osdptest.NewLine(osdptest.NewReader(osdptest.Config{}))
		s.all.Go(func() { _ = line.Run(s.ctx) })
		s.port("ttyUSB0", "", line.Open)
		s.port("ttyUSB1", "", func(int) (device.Port, error) {
			port := devicetest.NewPort()
			port.Unplug()
			return port, nil
		})
		got := s.m.Discover(s.ctx, Request{})
		if len(got.Readers) != 1 || len(got.Problems) != 1 || !strings.Contains(got.Problems[0], device.ErrUnplugged.Error()) {
			t.Errorf("%+v", got)
		}
	})
}

// TestDiscoverCards: at readers that answer by themselves a card shows which one it is held to,
// two on one bus apart; what was found is told while the look goes on.
func TestDiscoverCards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStand(t)
		near, far := osdptest.NewReader(osdptest.Config{Address: 0}), osdptest.NewReader(osdptest.Config{Address: 5})
		rs485 := osdptest.NewLine(near, far)
		s.all.Go(func() { _ = rs485.Run(s.ctx) })
		chip := pn532test.NewChip()
		asked, err := devicetest.NewSerialModule("7941w")
		if err != nil {
			t.Fatal(err)
		}
		s.port("ttyUSB0", "", rs485.Open)
		s.port("ttyUSB1", "", only(115200, chip.Plug))
		s.port("ttyUSB2", "", only(115200, asked.Plug))
		with := func(f Found) (all []string) {
			for _, r := range f.Readers {
				if r.Card {
					all = append(all, place(r))
				}
			}
			return all
		}
		for _, cards := range []bool{false, true} {
			var steps []Found
			ctx, cancel := context.WithCancel(s.ctx)
			s.all.Go(func() { // somebody with a card at all but one
				for ctx.Err() == nil {
					far.Present(cardOf(t, h10301))
					chip.Present([]byte{0x6B, 0x3D, 0x12, 0xD6})
					_ = asked.Present(ctx, []byte{0x6B, 0x3D, 0x12, 0xD6}, 200*time.Millisecond)
					chip.Present()
					select {
					case <-time.After(1500 * time.Millisecond):
					case <-ctx.Done():
					}
				}
			})
			got := s.m.Discover(ctx, Request{Listen: time.Minute, Cards: cards, Seen: func(f Found) { steps = append(steps, f) }})
			cancel()
			if n := len(with(got)); len(got.Readers) != 4 || cards && n != 3 || !cards && n != 0 {
				t.Errorf("cards %v: held to %v of %v", cards, with(got), got.Readers)
			}
			if len(steps) < 4 || len(steps[0].Readers) != 0 || steps[0].Board == "" || cards && len(with(steps[len(steps)-1])) != 3 {
				t.Errorf("told in %d steps: %+v", len(steps), steps)
			}
			if cards && slices.Contains(with(got), place(got.Readers[0])) {
				t.Errorf("a card was held to %s, where nobody was", got.Readers[0])
			}
		}
	})
}
