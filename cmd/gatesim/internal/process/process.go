// Package process starts this program again as one of the processes that a demo is made of, and ends it.
package process

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

// Process is one run of this program as a daemon: of a building, of the
// registry. Its log goes to a file. It has a process group of its own, so that
// Ctrl-C reaches the parent alone, which then stops it in order.
type Process struct {
	what   string
	cmd    *exec.Cmd
	served chan error    // the board's side of it; nil: it has none
	Exited chan struct{} // closed when it is gone
	Err    error         // of its end; read after exited
}

// stopLimit is how long an orderly stop may take.
const stopLimit = Timeout

// StartDaemon starts the daemon of a building, with a board in place of GPIO.
func StartDaemon(board *devicetest.Board, config, log string) (*Process, error) {
	near, far, err := devicetest.Socketpair()
	if err != nil {
		return nil, err
	}
	defer far.Close() // or the near end never sees the daemon die
	d, err := Start("the building's daemon", log, far, "daemon", "--config", config)
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	d.served = make(chan error, 1)
	go func() { d.served <- board.Serve(context.Background(), near) }()
	return d, nil
}

// Start starts this program again. With pass, the other end of a
// connection, that is its file descriptor 3; without, the read end of a pipe is,
// which closes when this process ends, however it ends.
func Start(what, log string, pass *os.File, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", what, err)
	}
	defer out.Close()
	p := &Process{what: what, cmd: exec.Command(self, args...), Exited: make(chan struct{})}
	var leash *os.File
	if pass == nil {
		if pass, leash, err = os.Pipe(); err != nil {
			return nil, fmt.Errorf("start %s: %w", what, err)
		}
		defer pass.Close()
	}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.ExtraFiles = out, out, []*os.File{pass}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", what, err)
	}
	go func() {
		p.Err = p.cmd.Wait()
		if leash != nil {
			_ = leash.Close()
		}
		close(p.Exited)
	}()
	return p, nil
}

// Leashed returns a context that also ends when the parent is gone: a daemon
// must not outlive a building that was killed.
func Leashed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		pipe := os.NewFile(InheritedAt, "parent")
		_, _ = pipe.Read(make([]byte, 1)) // nothing is ever written
		cancel()
	}()
	return ctx, cancel
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill is kill -9. It does not wait.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// Gone waits for the end of a killed process and of its lines.
func (p *Process) Gone() error {
	<-p.Exited
	if p.served == nil {
		return nil
	}
	return <-p.served
}

// Stop asks the process to end and waits for it. One that hangs is killed, and
// that is an error.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-p.Exited:
	case <-time.After(stopLimit):
		p.Kill()
		return errors.Join(fmt.Errorf("%s did not stop within %v", p.what, stopLimit), p.Gone())
	}
	if err := p.Gone(); err != nil {
		return err
	}
	if p.Err != nil {
		return fmt.Errorf("%s ended badly: %w", p.what, p.Err)
	}
	return nil
}

// Timeout is how long the daemon may take for anything: far more than it
// needs, since the machine may be busy with something else.
const Timeout = 30 * time.Second

// InheritedAt is the file descriptor of what the parent passed: the connection to
// its board, or a pipe.
const InheritedAt = 3
