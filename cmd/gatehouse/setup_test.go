package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/internal/acceptance"
	"gatehouse/internal/commission"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/setup"
	"gatehouse/internal/discovery"
	"gatehouse/internal/site"
)

// foundText is what gatehoused discover --json prints on a Raspberry Pi 4 with an OSDP reader.
const foundText = `{"model":"Raspberry Pi 4 Model B Rev 1.4","board":"raspberry-pi-4",
 "machine":{"chips":[{"names":["gpiochip0"],"label":"pinctrl-bcm2711","lines":58}]},
 "readers":[{"type":"osdp","port":"/dev/serial/by-id/usb-FTDI_A1","baud":9600,"address":0}]}`

const answersText = `
building = "lane-7"
registry = "none"
state = "/nowhere/state"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
  [[door.reader]]
  id = "in"
  type = "osdp"
`

// alone runs the tool without a gateway.
func alone(t *testing.T, in string, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(in), &o, &e)
	return status, o.String(), e.String()
}

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestSetupUnattended: a file of answers and what was found make the site file, once: a
// second time nothing changes until it is said.
func TestSetupUnattended(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	text := strings.Replace(answersText, "/nowhere/state", state, 1)
	must(t, os.Mkdir(state, 0o700))
	found, answers, file := put(t, dir, "found.json", foundText), put(t, dir, "answers.toml", text), filepath.Join(dir, "etc", "site.toml")
	args := []string{"setup", "--found", found, "--answers", answers, "--config", file}
	status, out, errs := alone(t, "", append(args, "--dry-run")...)
	if _, err := os.Stat(file); status != 0 || err == nil || !strings.Contains(out, "[[door.reader]]") {
		t.Errorf("dry run: status %d, %v\n%s%s", status, err, out, errs)
	}
	status, out, errs = alone(t, "", args...)
	if status != 0 || !strings.Contains(errs, "reader 1: OSDP reader 0 at /dev/serial/by-id/usb-FTDI_A1") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	s, err := site.Load(file)
	must(t, err)
	if *s.Doors[0].Readers[0].Address != 0 || s.Board != "raspberry-pi-4" {
		t.Errorf("%+v", s)
	}
	for _, want := range []string{"ok     door front, relay: line 17", "sudo gatehoused check " + file, "sudo gatehouse init --config " + file, "sudo gatehoused --config " + file, "gatehouse prove door front"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	proved, err := acceptance.Open(s, "", time.Now)
	if err != nil || !proved.Asks() {
		t.Errorf("a house that was set up is not asked whether people get out: %v", err)
	}
	before, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(answers, []byte(strings.Replace(text, "lane-7", "lane-8", 1)), 0o600))
	if status, _, errs = alone(t, "", args...); status != 1 || !strings.Contains(errs, "is there already") || !strings.Contains(errs, "--replace") {
		t.Errorf("a second time: status %d, %s", status, errs)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(after, before) {
		t.Error("it was written over")
	}
	status, out, _ = alone(t, "", append([]string{"--json"}, append(args, "--replace")...)...)
	var told struct {
		Items   []commission.Item
		File    string
		Written bool
	}
	if err := json.Unmarshal([]byte(out), &told); status != 0 || err != nil || !told.Written || told.File != file || len(told.Items) < 3 {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	if old, _ := os.ReadFile(file + ".old"); !bytes.Equal(old, before) {
		t.Error("the old one is not kept")
	}
}

// TestSetupBesideDaemon: where a daemon serves the house it is said that it has the lines and ports, and
// that it is to begin anew; keys that are there are not to be made again.
func TestSetupBesideDaemon(t *testing.T) {
	b := newBench(t)
	b.ok("", "init", "--config", b.path("site.toml"), "--key", b.path("issuer.key"))
	b.serve()
	looks := put(t, b.dir, "looks", "#!/bin/sh\ncat <<E\n"+foundText+"\nE\n")
	must(t, os.Chmod(looks, 0o700))
	answers := put(t, b.dir, "answers.toml", strings.Replace(answersText, "/nowhere/state", b.path("state"), 1))
	file := b.path("site.toml")
	status, out, errs := b.tool("", "setup", "--replace", "--config", file, "--answers", answers, "--daemon", looks)
	if status != 0 || !strings.Contains(errs, "the daemon serves a house and has its lines and ports") || !strings.Contains(errs, "sudo systemctl stop gatehoused") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if strings.Contains(out, "gatehouse init") || !strings.Contains(out, "sudo gatehoused --config "+file+"    # once the daemon that serves now is stopped") {
		t.Errorf("%s", out)
	}
}

// TestSetupRefuses: what is wrong is said, and nothing is written.
func TestSetupRefuses(t *testing.T) {
	for name, c := range map[string]struct{ found, answers, want string }{
		"people locked in": {foundText, strings.Replace(answersText, "mechanical", "electric", 1), "would lock people in"},
		"no such reader":   {foundText, strings.Replace(answersText, `"osdp"`, `"pn532"`, 1), "no such reader was found"},
		"unknown key":      {foundText, "bilding = 'x'\n" + answersText, `did you mean "building"?`},
		"nothing found":    {"{}", answersText, "answer board = NAME"},
		"no JSON":          {"hello", answersText, "gatehoused discover --json"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "site.toml")
		status, out, errs := alone(t, "", "setup", "--found", put(t, dir, "found.json", c.found), "--answers", put(t, dir, "answers.toml", c.answers), "--config", file)
		if status != 1 || !strings.Contains(out+errs, c.want) || !strings.Contains(errs, "hint: ") {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errs)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 2 {
			t.Errorf("%s: left %v", name, entries)
		}
	}
}

// TestSetupAsks: the questions come in the order of the help, and "no" at the end writes nothing.
func TestSetupAsks(t *testing.T) {
	dir := t.TempDir()
	found, file := put(t, dir, "found.json", foundText), filepath.Join(dir, "site.toml")
	say := "lane-7\n\nyes\n2\nfront\nelectric\nfail-safe\nyes\n1\nyard\nmechanical\nfail-secure\nno\nno\n2\n"
	args := []string{"setup", "--found", found, "--config", file}
	if status, out, errs := alone(t, say+"no\n", args...); status != 1 || !strings.Contains(errs, "nothing was written") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := alone(t, say+"yes\n", args...); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	s, err := site.Load(file)
	must(t, err)
	if s.Building != "lane-7" || s.Fire == nil || len(s.Doors) != 2 || s.Doors[0].Contact == nil || s.Doors[0].Readers[0].Type != "osdp" || s.Doors[1].Readers[0].Type != "wiegand" || s.Doors[1].Exit != nil {
		t.Errorf("%+v", s)
	}
}

// TestSetupLooks: the daemon's own program, on a terminal of the kernel's, finds the reader
// that the answers name, and its check takes the file that comes of it.
func TestSetupLooks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the daemon")
	}
	dir := t.TempDir()
	daemon := filepath.Join(dir, "gatehoused")
	if out, err := exec.Command("go", "build", "-o", daemon, "gatehouse/cmd/gatehoused").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line, err := osdptest.NewTerminal(filepath.Join(dir, "rs485"), osdptest.NewReader(osdptest.Config{Address: 5}))
	must(t, err)
	defer line.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { _ = line.Run(ctx) })
	answers, file := put(t, dir, "answers.toml", "board = \"raspberry-pi-4\"\n"+answersText), filepath.Join(dir, "site.toml")
	status, out, errs := alone(t, "", "setup", "--daemon", daemon, "--port", line.Path(), "--listen", "0s", "--answers", answers, "--config", file)
	if status != 0 || !strings.Contains(errs, "OSDP reader 5 at "+line.Path()) {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if said, err := exec.Command(daemon, "check", file).CombinedOutput(); err != nil || !strings.Contains(string(said), "building lane-7") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestSetupByDaemon: a daemon that waits for its site file looks at the machine and writes the
// file; the tool then needs no rights over either.
func TestSetupByDaemon(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // short: the path of a socket has 104 bytes at most
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file, address := filepath.Join(dir, "etc", "site.toml"), filepath.Join(dir, "sock")
	must(t, os.MkdirAll(filepath.Join(dir, "proc/device-tree"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "proc/device-tree/compatible"), []byte("raspberrypi,4-model-b\x00"), 0o644))
	machine := discovery.Machine{Root: dir, Look: func([]string) site.Found {
		return site.Found{Chips: []site.FoundChip{{Names: []string{"gpiochip0"}, Label: "pinctrl-bcm2711", Lines: 58}}}
	}, Lines: func(device.LinesConfig) (device.Lines, error) { return nil, os.ErrPermission }}
	_, why := site.Load(file)
	daemon := setup.New(setup.Options{Socket: address, File: file, Machine: machine, Each: 5 * time.Millisecond, Log: zerolog.Nop()}, why)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan bool, 1)
	go func() { served <- daemon.Run(ctx) }()
	for client := control.SettingUp(control.NewClient(address)); ; time.Sleep(5 * time.Millisecond) {
		if _, err := client.State(ctx); err == nil {
			break
		}
	}
	if _, out, _ := alone(t, "", "--socket", address, "doctor", "--config", file); !strings.Contains(out, "PROBLEM   daemon: no door is served: this gateway is not set up yet") || !strings.Contains(out, "gatehouse setup") {
		t.Errorf("the doctor says\n%s", out)
	}
	answers := strings.Replace(answersText, `type = "osdp"`, `type = "wiegand"`, 1)
	args := []string{"--socket", address, "setup", "--config", file, "--listen", "0s", "--daemon", "/none", "--answers"}
	if status, out, errs := alone(t, "", append(args, put(t, dir, "wrong.toml", answersText))...); status != 1 || !strings.Contains(out, "no such reader was found") {
		t.Errorf("a reader that is not there: status %d\n%s%s", status, out, errs)
	}
	status, out, errs := alone(t, "", append(args, put(t, dir, "answers.toml", answers))...)
	if status != 0 || !strings.Contains(errs, "board: Raspberry Pi 4 Model B") || !<-served {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if strings.Contains(out, "sudo gatehoused --config") || !strings.Contains(out, "serves the house by now") {
		t.Errorf("a second daemon is advised:\n%s", out)
	}
	if s, err := site.Load(file); err != nil || s.Building != "lane-7" {
		t.Errorf("%+v, %v", s, err)
	}
}
