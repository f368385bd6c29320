package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/gateway"
)

// waiting is a manager whose daemon answers in the directory that was made for it.
func waiting(t *testing.T) *manager {
	t.Helper()
	m := newManager(t)
	m.client = control.NewClient(filepath.Join(m.dir, "gatehouse.sock"))
	return m
}

// setup waits until the daemon answers, and returns what it does.
func (m *manager) setup() control.Setup {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if st, err := control.SettingUp(m.client).State(m.t.Context()); err == nil {
			return st
		}
	}
	m.t.Fatal("the daemon never answers")
	return control.Setup{}
}

// TestSetUpUnderManager: without a site file the daemon is ready and is fed; set up over its
// socket it ends well, and the unit's next start serves the house.
func TestSetUpUnderManager(t *testing.T) {
	m := waiting(t)
	config := filepath.Join(m.dir, "etc", "site.toml")
	m.start("none", config)
	for range 3 {
		m.hears("WATCHDOG=1")
	}
	if st := m.setup(); st.State != control.SetupNew || st.File != config {
		t.Fatalf("%+v", st)
	}
	if _, err := control.SettingUp(m.client).Look(t.Context(), control.LookRequest{Board: "raspberry-pi-4", Ports: []string{filepath.Join(m.dir, "none")}}); err != nil {
		t.Fatal(err)
	}
	for st := m.setup(); st.Look == nil || st.Look.Running; st = m.setup() { // nothing is found before it has looked
		time.Sleep(10 * time.Millisecond)
	}
	answers := control.Answers{Building: "lane-7", State: filepath.Join(m.dir, "state"), Socket: filepath.Join(m.dir, "gatehouse.sock"),
		Doors: []control.DoorAnswer{{ID: "front", Egress: "mechanical", Lock: "fail-secure"}}}
	if _, err := control.SettingUp(m.client).Write(t.Context(), control.WriteSite{Answers: answers}); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1")
	if how := m.ended(); how != "<nil>" {
		t.Errorf("ended with %s", how)
	}
	m.start("none", config)
	if st := m.setup(); st.State != control.SetupHouse {
		t.Errorf("%+v", st)
	}
	if a, err := m.client.Doors.Acceptance(t.Context()); err != nil || a.Begun == nil || len(a.Doors) == 0 {
		t.Errorf("a house that was set up is not asked whether people get out: %+v %v", a, err)
	}
	if st, err := m.client.Status(t.Context()); err != nil || st.Building != "lane-7" || st.Initialised {
		t.Errorf("%+v, %v", st, err)
	}
	file, err := control.SettingUp(m.client).MakeKeyFile(t.Context())
	must(t, err)
	_, err = control.SettingUp(m.client).InstallKeys(t.Context(), file)
	must(t, err)
	m.hears("STOPPING=1")
	if how := m.ended(); how != "<nil>" {
		t.Errorf("ended with %s", how)
	}
	m.start("none", config)
	m.setup()
	if st, err := m.client.Status(t.Context()); err != nil || !st.Initialised {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := control.SettingUp(m.client).MakeKeyFile(t.Context()); err == nil || !strings.Contains(err.Error(), "has its keys already") {
		t.Errorf("keys twice: %v", err)
	}
}

// TestWrongSiteFile: a daemon whose site file is wrong stays, says what is wrong, and moves
// no line; without a manager it goes on by itself once the file was mended.
func TestWrongSiteFile(t *testing.T) {
	m := waiting(t)
	config := m.config("colour = \"red\"\n" + oneDoor)
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	ended := make(chan error, 1)
	hw := gateway.Hardware{} // whoever touches a line of it panics
	go func() {
		ended <- serve(ctx, service{config: config, hardware: hw, stderr: &log, env: func(name string) string { return map[string]string{"RUNTIME_DIRECTORY": m.dir}[name] }})
	}()
	if st := m.setup(); st.State != control.SetupWrong || !strings.Contains(st.Fault, "colour") {
		t.Errorf("%+v", st)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if said := strings.Count(log.String(), "colour"); said != 1 {
		t.Errorf("said %d times: %s", said, &log)
	}

	m.start("none", config)
	m.hears("WATCHDOG=1")
	m.setup()
	if err := os.WriteFile(config, fmtSite(m.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	m.hears("STOPPING=1")
	if how := m.ended(); how != "<nil>" {
		t.Errorf("ended with %s", how)
	}
}

// TestNotServed: a daemon that can't serve a house although its site file is in order stays,
// is fed, says why over its socket, and serves the house by itself once that was put right. Its
// manager has nothing to start again.
func TestNotServed(t *testing.T) {
	for name, c := range map[string]struct {
		befall func(state string) (mend func())
		says   string
	}{
		"no directory": {func(state string) func() {
			must(t, os.WriteFile(state, nil, 0o600))
			return func() { must(t, os.Remove(state)) }
		}, "not a directory"},
		"another process": {func(state string) func() {
			must(t, os.MkdirAll(filepath.Join(state, "grants"), 0o700))
			lock, err := durable.TakeLock(filepath.Join(state, "grants", "lock"))
			must(t, err)
			return lock.Free
		}, "another process is at work there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := waiting(t)
			mend := c.befall(filepath.Join(m.dir, "state"))
			m.start("none", m.config(oneDoor))
			for range 3 {
				m.hears("WATCHDOG=1")
			}
			if st := m.setup(); st.State != control.SetupFailed || !strings.Contains(st.Fault, c.says) {
				t.Errorf("%+v", st)
			}
			if _, err := m.client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no door is served") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("whoever asks for the status hears %v", err)
			}
			mend()
			m.client = control.NewClient(filepath.Join(m.dir, "sock"))
			if st := m.setup(); st.State != control.SetupHouse {
				t.Errorf("%+v", st)
			}
			must(t, m.daemon.Process.Signal(syscall.SIGTERM)) // fails where the process of before is gone
			m.hears("STOPPING=1")
			if how := m.ended(); how != "<nil>" {
				t.Errorf("ended with %s", how)
			}
		})
	}
}

// TestNotServedByHand: whoever starts the daemon by hand hears at once why the house is not served.
func TestNotServedByHand(t *testing.T) {
	m := waiting(t)
	config := m.config(oneDoor)
	must(t, os.WriteFile(filepath.Join(m.dir, "state"), nil, 0o600))
	hw := gateway.Hardware{Output: func(device.OutputConfig) (device.Output, error) { return noOutput{}, nil }}
	err := serve(t.Context(), service{config: config, hardware: hw, stderr: new(bytes.Buffer), env: func(string) string { return "" }})
	if err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("ended with %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestGoesOn: without a service manager the same process serves the house that was set up.
func TestGoesOn(t *testing.T) {
	m := waiting(t)
	config := filepath.Join(m.dir, "site.toml")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	hw := gateway.Hardware{Output: func(device.OutputConfig) (device.Output, error) { return noOutput{}, nil }}
	go func() {
		ended <- serve(ctx, service{config: config, hardware: hw, stderr: new(bytes.Buffer), env: func(name string) string { return map[string]string{"RUNTIME_DIRECTORY": m.dir}[name] }})
	}()
	m.setup()
	if err := os.WriteFile(config, fmtSite(m.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	m.client = control.NewClient(filepath.Join(m.dir, "sock"))
	if st := m.setup(); st.State != control.SetupHouse {
		t.Errorf("%+v", st)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// fmtSite is a site file in order.
func fmtSite(dir string) []byte {
	return fmt.Appendf(nil, "state = \"%[1]s/state\"\nsocket = \"%[1]s/sock\"\n%s", dir, oneDoor)
}
