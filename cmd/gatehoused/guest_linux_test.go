package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warthog618/go-gpiosim"
)

// TestGuestCheck: check lists the chips of the kernel with name, label and lines, and ends with 1 where
// the site file names one that is not there, and with 0 where the file names what the list has.
func TestGuestCheck(t *testing.T) {
	chip := twoLines(t)
	file := filepath.Join(t.TempDir(), "site.toml")
	for name, want := range map[string]int{"gpiochip9": 1, chip.ChipName(): 0, "lane7": 0} {
		if err := os.WriteFile(file, []byte(strings.NewReplacer("gpiochip0", name, "line = 17", "line = 1").Replace(oneDoor)), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		status := run([]string{"check", file}, &out, &out)
		if listed := fmt.Sprintf("GPIO chip %s, label \"lane7\": lines 0 to 1\n", chip.ChipName()); status != want || !strings.Contains(out.String(), listed) {
			t.Errorf("%s: status %d, want %d; said %q, want %q in it", name, status, want, &out, listed)
		}
		if told := strings.Contains(out.String(), "this machine has no GPIO chip gpiochip9"); told != (want == 1) {
			t.Errorf("%s: said %q", name, &out)
		}
	}
}

// twoLines is a chip of the kernel with the label lane7; without one the test is skipped.
func twoLines(t *testing.T) *gpiosim.Chip {
	t.Helper()
	if _, err := os.Stat("/sys/kernel/config/gpio-sim"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), "gpio") {
			t.Fatal("needs gpio: no gpio-sim in this kernel")
		}
		t.Skip("SKIP (needs gpio): no gpio-sim in this kernel; .ci/guest runs it in one that has it")
	}
	sim, err := gpiosim.NewSim(gpiosim.WithBank(gpiosim.NewBank("lane7", 2)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	return &sim.Chips[0]
}

// TestGuestEnds: on lines of the kernel whose pull is the unsafe level, however the daemon
// ends, the manager sees it, `gatehoused secure` has every line, and the next start drives
// them safe; where the pull is safe they are so all the while.
func TestGuestEnds(t *testing.T) {
	chip := twoLines(t)
	levels := func(when string, want int) {
		t.Helper()
		for line := range 2 {
			if got, err := chip.Level(line); err != nil || got != want {
				t.Errorf("%s: line %d is %d, %v; want %d", when, line, got, err, want)
			}
		}
	}
	pull := func(level int) {
		t.Helper()
		for line := range 2 {
			if err := chip.SetPull(line, level); err != nil {
				t.Fatal(err)
			}
		}
	}
	m := newManager(t)
	config := m.config(strings.NewReplacer("gpiochip0", chip.DevPath(), "line = 17", "line = 0", "line = 18", "line = 1").Replace(twoDoors))
	for _, unsafe := range []int{1, 0} {
		for _, fault := range []string{"stop", "deadlock", "panic", "kill"} {
			t.Run(fault, func(t *testing.T) {
				pull(unsafe)
				m.t = t
				m.start("kernel", config)
				levels("after the start", 0)
				m.breaks(fault)
				levels("when it is gone", unsafe)
				m.secure(config)
				levels("after secure", unsafe) // this kernel lets go of a line whose holder ends
				m.start("kernel", config)
				levels("after the next start", 0)
				m.kill(syscall.SIGKILL)
			})
		}
	}
}

// breaks brings a fault about and has the manager end what it no longer hears.
func (m *manager) breaks(fault string) {
	m.t.Helper()
	switch fault {
	case "stop":
		_ = m.daemon.Process.Signal(syscall.SIGSTOP)
	case "kill":
		m.kill(syscall.SIGKILL)
		return
	default:
		m.fault(fault)
		m.release("yard")
	}
	if fault == "panic" {
		if how := m.ended(); how != "exit status 2" {
			m.t.Errorf("ended with %s", how)
		}
		return
	}
	m.hearsNothing()
	m.kill(syscall.SIGABRT) // as WatchdogSec= does
}

// kill ends the daemon by a signal, also where it is stopped, as systemd does, and waits for
// its end.
func (m *manager) kill(by syscall.Signal) {
	m.t.Helper()
	_ = m.daemon.Process.Signal(by)
	_ = m.daemon.Process.Signal(syscall.SIGCONT)
	gone := make(chan string, 1)
	daemon := m.daemon
	go func() { gone <- m.ended() }()
	select {
	case <-gone:
	case <-time.After(time.Minute): // TimeoutAbortSec
		_ = daemon.Process.Kill()
		<-gone
		m.t.Errorf("it does not end by %v", by)
	}
}

// secure is what the unit runs when the daemon has ended.
func (m *manager) secure(config string) {
	m.t.Helper()
	secure := exec.Command(os.Args[0], "secure", "--config", config)
	secure.Env = append(os.Environ(), "GATEHOUSED_PLAY=kernel")
	if out, err := secure.CombinedOutput(); err != nil {
		m.t.Errorf("secure: %v: %s", err, out)
	}
}
