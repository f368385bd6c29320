package gateway_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/warthog618/go-gpiosim"
	"golang.org/x/sys/unix"

	"gatehouse/device/wiegand"
	"gatehouse/internal/control"
)

// needSim skips where the kernel has no gpio-sim; internal/testkernel has one.
func needSim(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/sys/kernel/config/gpio-sim"); err == nil {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), "gpio") {
		t.Fatal("needs gpio: no gpio-sim in this kernel")
	}
	t.Skip("SKIP (needs gpio): no gpio-sim in this kernel; run with -exec internal/testkernel/run-in-uml")
}

// Lines of the simulated chip.
const (
	lineD0 = iota
	lineD1
	lineMagnet // relay of the front door, fail-safe: high holds
	lineExit
	lineStrike // relay of the yard door, fail-secure: high releases
	lineFire
	lineContact // of the front door: low is open
	lineCount
)

// guest is the whole daemon, the program as it ships, on lines of the kernel.
type guest struct {
	t      *testing.T
	chip   *gpiosim.Chip
	dir    string
	client *control.Client
	binary string
	daemon *exec.Cmd
}

// daemonBinary is the program as it ships. The guest has no compiler's cache, so
// .ci/guest builds it outside; on a machine with gpio-sim of its own it is built here.
func daemonBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("GATEHOUSED"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "gatehoused")
	if out, err := exec.Command("go", "build", "-o", path, "gatehouse/cmd/gatehoused").CombinedOutput(); err != nil {
		t.Fatalf("build gatehoused: %v: %s", err, out)
	}
	return path
}

func newGuest(t *testing.T) *guest {
	t.Helper()
	needSim(t)
	sim, err := gpiosim.NewSim(gpiosim.WithBank(gpiosim.NewBank("lane7", lineCount)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	g := &guest{t: t, chip: &sim.Chips[0], dir: t.TempDir(), binary: daemonBinary(t)}
	for _, idle := range []int{lineD0, lineD1, lineExit, lineFire} {
		g.pull(idle, 1)
	}
	g.client = control.NewClient(filepath.Join(g.dir, "sock"))
	return g
}

func (g *guest) pull(line, level int) {
	g.t.Helper()
	if err := g.chip.SetPull(line, level); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) site(serial string) string {
	return fmt.Sprintf(`
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
fire = {chip = "%[2]s", line = 5, active = "low"}
[[door]]
id = "front"
egress = "electric"
lock = "fail-safe"
release_seconds = 3
relay = {chip = "%[2]s", line = 2, pull = "down"}
exit = {chip = "%[2]s", line = 3}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "%[2]s"
d0 = 0
d1 = 1
formats = ["H10301"]
[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "%[2]s", line = 4, pull = "down"}
[[door.reader]]
id = "in"
type = "serial"
port = "%[3]s"
`, g.dir, g.chip.DevPath(), serial)
}

// start runs the daemon and waits until it answers and its readers are there.
func (g *guest) start(site string) {
	g.t.Helper()
	g.startAnyhow(site)
	g.eventually("readers are online", func() bool {
		st, err := g.client.Status(g.t.Context())
		for _, d := range st.Doors {
			for _, dev := range d.Devices {
				if !dev.Online {
					return false
				}
			}
		}
		return err == nil && len(st.Doors) == 2
	})
}

func (g *guest) kill() {
	_ = g.daemon.Process.Kill()
	_ = g.daemon.Wait()
}

// testLog gives what the daemon says to the test's log.
type testLog struct{ t *testing.T }

func (l *testLog) Write(b []byte) (int, error) {
	l.t.Logf("%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

func (g *guest) eventually(what string, ok func() bool) {
	g.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	g.t.Fatalf("never: %s; entries %v", what, g.kinds())
}

func (g *guest) level(line int) int {
	g.t.Helper()
	v, err := g.chip.Level(line)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// frame sends a frame as a reader does, a short low pulse on one line a bit. It
// reports whether the machine was fast enough: silence of 25 ms ends a frame.
func (g *guest) frame(bits string) (whole bool) {
	whole = true
	last := time.Now()
	for _, b := range bits {
		line, begin := lineD0+int(b-'0'), time.Now()
		g.pull(line, 0)
		whole = whole && time.Since(last) < wiegand.MinGap
		last = begin
		g.pull(line, 1)
		time.Sleep(time.Millisecond)
	}
	return whole
}

// kinds counts the entries of the journal by kind, outcome and door.
func (g *guest) kinds() map[string]int {
	g.t.Helper()
	found := map[string]int{}
	all, _ := standaloneEntries(g.dir, g.dir) // asked again
	for _, e := range all {
		found[entryName(e)]++
	}
	return found
}

// frame4567 is H10301, facility 123, card 4567; em4567 the same card as an
// EM4100 module sends it, with a made-up version byte.
const frame4567 = "10111101100010001110101110"

// TestGuestDaemon boots the whole daemon: pulses on two lines of the kernel
// move a third, and leave their entries.
func TestGuestDaemon(t *testing.T) {
	g := newGuest(t)
	reader, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close(); _ = tty.Close() })
	giveKey(t, filepath.Join(g.dir, "state"))
	g.start(g.site(tty.Name()))
	if g.level(lineMagnet) != 1 || g.level(lineStrike) != 0 {
		t.Fatalf("after the start the magnet is %d and the strike %d; want 1 and 0", g.level(lineMagnet), g.level(lineStrike))
	}
	for g.level(lineMagnet) == 1 && !g.frame(frame4567) {
		time.Sleep(2 * wiegand.MaxGap) // what came of it ends, and the next one begins anew
	}
	g.eventually("the frame releases the magnet", func() bool { return g.level(lineMagnet) == 0 })
	g.eventually("and it holds again", func() bool { return g.level(lineMagnet) == 1 })
	g.eventually("the module releases the strike", func() bool { // it repeats while the card is there
		_, _ = reader.WriteString(em4567())
		time.Sleep(50 * time.Millisecond)
		return g.level(lineStrike) == 1
	})
	g.pull(lineExit, 0)
	g.eventually("the button releases the magnet", func() bool { return g.level(lineMagnet) == 0 })
	g.pull(lineExit, 1)
	g.eventually("the entries are there", func() bool {
		k := g.kinds()
		return k["front access granted granted"] == 1 && k["yard access granted granted"] == 1 &&
			k["front exit active"] == 1 && k["front released card"] == 1 && k["front released exit"] == 1
	})
}

// TestGuestCrash: kill -9 leaves the lines to the board's pull, and a restarted
// daemon drives safe before it opens anything.
func TestGuestCrash(t *testing.T) {
	g := newGuest(t)
	giveKey(t, filepath.Join(g.dir, "state"))
	site := g.site("/dev/no-such-tty")
	g.startAnyhow(site)
	g.eventually("the magnet holds", func() bool { return g.level(lineMagnet) == 1 })
	g.kill()
	g.eventually("the magnet lets go with the process", func() bool { return g.level(lineMagnet) == 0 })
	g.pull(lineStrike, 1) // a board whose pull is unsafe: only the daemon can drive it safe now
	if g.level(lineStrike) != 1 {
		t.Fatal("the pull of the strike's line does not show")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, g.binary, "secure", "--config", filepath.Join(g.dir, "site.toml")).CombinedOutput(); err != nil {
		t.Fatalf("secure: %v: %s", err, out)
	}
	g.startAnyhow(site)
	g.eventually("the strike is driven safe, the magnet holds again", func() bool { return g.level(lineStrike) == 0 && g.level(lineMagnet) == 1 })
	g.eventually("the missing tty is an entry", func() bool { return g.kinds()["yard offline missing"] >= 1 })
}

// startAnyhow starts without waiting for readers.
func (g *guest) startAnyhow(site string) {
	g.t.Helper()
	path := filepath.Join(g.dir, "site.toml")
	if err := os.WriteFile(path, []byte(site), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.daemon = exec.Command(g.binary, "--config", path)
	g.daemon.Stderr = &testLog{t: g.t}
	if err := g.daemon.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(g.kill)
	g.eventually("the daemon answers", func() bool { _, err := g.client.Status(g.t.Context()); return err == nil })
}

// TestGuestFire: the fire line releases every door, a stop and a start change
// nothing, and only a reset after the panel is idle secures.
func TestGuestFire(t *testing.T) {
	g := newGuest(t)
	g.startAnyhow(g.site("/dev/no-such-tty"))
	g.eventually("the magnet holds", func() bool { return g.level(lineMagnet) == 1 })
	g.pull(lineFire, 0)
	g.eventually("fire releases both doors", func() bool { return g.level(lineMagnet) == 0 && g.level(lineStrike) == 1 })
	if _, err := g.client.ResetFire(t.Context()); err == nil {
		t.Error("reset while the panel is active")
	}
	g.eventually("the latch is kept", func() bool { // which the doors do not wait for
		text, err := os.ReadFile(filepath.Join(g.dir, "state", "fire.latch"))
		return err == nil && strings.Contains(string(text), "set!")
	})
	g.pull(lineFire, 1)
	_ = g.daemon.Process.Signal(syscall.SIGKILL)
	_ = g.daemon.Wait()
	g.startAnyhow(g.site("/dev/no-such-tty"))
	g.eventually("still released after a crash", func() bool { return g.level(lineMagnet) == 0 && g.level(lineStrike) == 1 })
	time.Sleep(300 * time.Millisecond)
	if g.level(lineMagnet) != 0 {
		t.Error("secured without a reset")
	}
	g.eventually("reset", func() bool { _, err := g.client.ResetFire(t.Context()); return err == nil })
	g.eventually("secured after the reset", func() bool { return g.level(lineMagnet) == 1 && g.level(lineStrike) == 0 })
}

// TestGuestSpikes: on lines of the kernel, a spike opens no door and forces none, a
// finger and a door do.
func TestGuestSpikes(t *testing.T) {
	g := newGuest(t)
	g.pull(lineContact, 1)
	site := strings.Replace(g.site("/dev/no-such-tty"), ", line = 3}", fmt.Sprintf(", line = 3}\ncontact = {chip = %q, line = %d, active = \"low\"}", g.chip.DevPath(), lineContact), 1)
	g.startAnyhow(site)
	g.eventually("the magnet holds", func() bool { return g.level(lineMagnet) == 1 })
	time.Sleep(2 * time.Second)
	pulse := func(line int, width time.Duration) {
		idle := g.level(line)
		g.pull(line, 1-idle)
		ts := unix.NsecToTimespec(int64(width)) // Go's own sleep is of milliseconds
		_ = unix.Nanosleep(&ts, nil)
		g.pull(line, idle)
		time.Sleep(300 * time.Millisecond)
	}
	for _, width := range []time.Duration{20 * time.Microsecond, time.Millisecond} {
		began := time.Now()
		pulse(lineExit, width)
		if took := time.Since(began); took > 310*time.Millisecond {
			t.Logf("a spike of %v proves nothing: it took %v", width, took) // not in virtual time
			continue
		}
		if g.level(lineMagnet) != 1 {
			t.Errorf("an exit wire low for %v released the door", width)
		}
		pulse(lineContact, width)
	}
	if k := g.kinds(); k["front forced active"] > 0 || k["front exit active"] > 0 {
		t.Errorf("entries of spikes: %v", k)
	}
	pulse(lineExit, 100*time.Millisecond)
	if g.level(lineMagnet) != 0 {
		t.Error("a finger did not release the door")
	}
	g.eventually("the magnet holds again", func() bool { return g.level(lineMagnet) == 1 })
	pulse(lineContact, time.Second)
	g.eventually("a door that was forced is an entry", func() bool { return g.kinds()["front forced active"] > 0 })
}
