package devicetest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// holder is set in the environment of the process that TestKilled kills.
const holder = "GATEHOUSE_TEST_HOLDER"

func TestMain(m *testing.M) {
	if os.Getenv(holder) != "" {
		if err := hold(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// hold drives an output active, reads an input, and stays.
func hold() error {
	conn, err := devicetest.Inherited(3)
	if err != nil {
		return err
	}
	r := devicetest.NewRemote(conn)
	failed := make(chan error, 1)
	go func() { failed <- r.Run(context.Background()) }()
	l, err := r.Lines(device.LinesConfig{Chip: "sim0", Offsets: []int{5}})
	if err != nil {
		return err
	}
	buf := make([]device.Edge, 1)
	if _, err := l.ReadEdges(buf, time.Minute); err != nil {
		return err
	}
	o, err := r.Output(device.OutputConfig{Chip: "sim0", Offset: 18, ActiveLow: true})
	if err != nil {
		return err
	}
	if err := o.Set(true); err != nil {
		return err
	}
	return <-failed
}

// TestKilled: kill -9 of the process that drives an output leaves it to its
// pull. The pull is the other level, or the test could not fail.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP (short): starts a process of its own")
	}
	seen := make(chan devicetest.Change, 10)
	b, err := devicetest.NewBoard(devicetest.BoardConfig{
		Chip: "sim0", Lines: lines, Changed: func(c devicetest.Change) { seen <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // a second daemon takes over from the dead one
		near, far, err := devicetest.Socketpair()
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- b.Serve(t.Context(), near) }()
		daemon := exec.Command(os.Args[0])
		daemon.Env = append(os.Environ(), holder+"=1")
		daemon.ExtraFiles = []*os.File{far}
		daemon.Stderr = os.Stderr
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		far.Close()
		for !b.Requested("contact") {
			time.Sleep(time.Millisecond)
		}
		if err := b.Pulse("contact", time.Millisecond); err != nil {
			t.Fatal(err)
		}
		expect(t, seen, true, true) // inactive for the daemon: active low
		expect(t, seen, true, false)
		if err := daemon.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		killed := b.Now()
		c := expect(t, seen, false, true)
		t.Logf("round %d: at its pull %v after the kill", round, c.At-killed)
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		_ = daemon.Wait()
		if b.Requested("contact") {
			t.Error("the input is still held")
		}
	}
}

func expect(t *testing.T, seen <-chan devicetest.Change, driven, active bool) devicetest.Change {
	t.Helper()
	select {
	case c := <-seen:
		if c.Line != "strike" || c.Driven != driven || c.Active != active {
			t.Fatalf("the building saw %+v, want driven %v, active %v", c, driven, active)
		}
		return c
	case <-time.After(time.Minute):
		t.Fatal("the building saw nothing")
		return devicetest.Change{}
	}
}
