package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"gatehouse/device/devicetest"
)

// process is one run of the daemon.
type process struct {
	cmd    *exec.Cmd
	served chan error    // the board's side of it
	exited chan struct{} // closed when it is gone
	err    error         // of its end; read after exited
}

// stopLimit is how long an orderly stop may take.
const stopLimit = 10 * time.Second

// startProcess starts this program again as the daemon of a board. Its log goes
// to a file. It has a process group of its own, so that Ctrl-C reaches the
// parent alone, which then stops it in order.
func startProcess(board *devicetest.Board, config, log string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of the daemon: %w", err)
	}
	defer out.Close()
	near, far, err := devicetest.Socketpair()
	if err != nil {
		return nil, err
	}
	defer far.Close() // or the near end never sees the daemon die
	d := &process{cmd: exec.Command(self, "daemon", "--config", config), served: make(chan error, 1), exited: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.ExtraFiles = out, out, []*os.File{far}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the daemon: %w", err), near.Close())
	}
	go func() { d.served <- board.Serve(context.Background(), near) }()
	go func() {
		d.err = d.cmd.Wait()
		close(d.exited)
	}()
	return d, nil
}

// kill is kill -9. It does not wait.
func (d *process) kill() { _ = d.cmd.Process.Kill() }

// gone waits for the end of a killed process and of its lines.
func (d *process) gone() error {
	<-d.exited
	return <-d.served
}

// stop asks the daemon to end and waits for it. A daemon that hangs is killed,
// and that is an error.
func (d *process) stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-d.exited:
	case <-time.After(stopLimit):
		d.kill()
		return errors.Join(fmt.Errorf("the daemon did not stop within %v", stopLimit), d.gone())
	}
	if err := <-d.served; err != nil {
		return err
	}
	if d.err != nil {
		return fmt.Errorf("the daemon ended badly: %w", d.err)
	}
	return nil
}
