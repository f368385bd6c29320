package uart_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/uart"
)

// shared is an open port that other programs may open, too.
func shared(t *testing.T) (port device.Port, master *os.File, path string) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	port, err = uart.Open(device.PortConfig{Path: slave.Name(), Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	slave.Close()
	t.Cleanup(func() { port.Close() })
	return port, master, slave.Name()
}

// TestHelper runs as another program what its first argument says: it has the port
// open, and reads it or not, until its input ends.
func TestHelper(t *testing.T) {
	path := os.Getenv("UART_HELPER")
	if path == "" {
		t.Skip("only for the other tests")
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("open")
	if os.Getenv("UART_READS") != "" {
		b := make([]byte, 64)
		n, err := f.Read(b)
		fmt.Println("read", n, err)
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
	f.Close()
}

// another starts the helper and waits until it has the port open.
func another(t *testing.T, path string, env ...string) (end func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelper$")
	cmd.Env = append(os.Environ(), append(env, "UART_HELPER="+path)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := out.Read(b); err != nil || string(b) != "open\n" {
		t.Fatalf("%q, %v", b, err)
	}
	go func() { _, _ = out.Read(make([]byte, 1024)) }()
	return func() { in.Close(); _ = cmd.Wait() }
}

// meets reads until an error of that kind.
func meets(t *testing.T, p device.Port, want error) error {
	t.Helper()
	limit(t, p, 100*time.Millisecond)
	for end := time.Now().Add(hang); time.Now().Before(end); {
		_, err := p.Read(make([]byte, 64))
		if errors.Is(err, want) {
			return err
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	t.Fatalf("no %v", want)
	return nil
}

// TestSettingsAreSetAgain: what stty sane does to an open port deafens no reader,
// and is told.
func TestSettingsAreSetAgain(t *testing.T) {
	p, master, path := shared(t)
	if out, err := exec.Command("stty", "-F", path, "sane", "1200").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := meets(t, p, device.ErrPortSettings); device.PortFault(err) != fault.PortSettings {
		t.Error(err)
	}
	if _, err := master.WriteString("\x02card\x03\r\x04"); err != nil {
		t.Fatal(err)
	}
	limit(t, p, hang)
	b := make([]byte, 64)
	if n, err := p.Read(b); string(b[:n]) != "\x02card\x03\r\x04" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	out, err := exec.Command("stty", "-F", path, "speed").Output()
	if err != nil || strings.TrimSpace(string(out)) != "9600" {
		t.Errorf("speed %q, %v", out, err)
	}
}

// TestAnotherProgramIsNamed: a program that only has the port open is told once,
// by its name, and Holders names it until it ends.
func TestAnotherProgramIsNamed(t *testing.T) {
	p, _, path := shared(t)
	end := another(t, path)
	err := meets(t, p, device.ErrPortShared)
	if !strings.Contains(err.Error(), "uart.test (process ") || device.PortFault(err) != fault.PortShared {
		t.Error(err)
	}
	who, _, err := uart.Holders(path)
	if err != nil || len(who) != 1 || who[0].Name != "uart.test" {
		t.Errorf("held by %v, %v", who, err)
	}
	end()
	if who, _, err := uart.Holders(path); err != nil || len(who) > 0 {
		t.Errorf("held by %v, %v", who, err)
	}
	if _, _, err := uart.Holders("/dev/null/none"); err == nil || errors.Is(err, uart.ErrNoPort) {
		t.Errorf("holders of nothing: %v", err)
	}
	for _, path := range []string{t.TempDir(), "/dev/null"} {
		if _, _, err := uart.Holders(path); !errors.Is(err, uart.ErrNoPort) {
			t.Errorf("holders of %s: %v", path, err)
		}
	}
}

// TestStolenBytesShow: a program that this user may not look into shows by the
// kernel's time of its reads. The thief is this process, in which nobody looks.
func TestStolenBytesShow(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: the kernel's time of a read goes in steps of 8 s")
	}
	p, master, path := shared(t)
	thief, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	limit(t, p, 10*time.Millisecond)
	for end := time.Now().Add(9 * time.Second); time.Now().Before(end); {
		if _, err := p.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if _, err := master.WriteString("card"); err != nil {
		t.Fatal(err)
	}
	if n, err := thief.Read(make([]byte, 8)); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	_ = meets(t, p, device.ErrPortShared)
}

// TestNoReadHangs: what another program takes between our poll and our read is
// gone, and the read goes on. Two readers of one terminal race for each byte.
func TestNoReadHangs(t *testing.T) {
	p, master, path := shared(t)
	thief, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(thief)
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := make([]byte, 64); ; {
			select {
			case <-stop:
				return
			default:
				_, _ = unix.Read(thief, b)
			}
		}
	}()
	limit(t, p, 2*time.Millisecond)
	for range 300 {
		if _, err := master.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { _, _ = p.Read(make([]byte, 64)); close(done) }()
		select {
		case <-done:
		case <-time.After(hang):
			t.Fatal("a read hangs")
		}
	}
	close(stop)
	<-ended
}

// TestFreeAfterAKill: nothing stays on a pty that only root could open then.
func TestFreeAfterAKill(t *testing.T) {
	_, _, path := shared(t)
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const getExclusive = 0x80045440 // TIOCGEXCL
	if on, err := unix.IoctlGetInt(int(f.Fd()), getExclusive); err != nil || on != 0 {
		t.Errorf("exclusive %d, %v", on, err)
	}
}

// TestBusy: two of our programs do not share a port.
func TestBusy(t *testing.T) {
	p, _, path := shared(t)
	if _, err := uart.Open(device.PortConfig{Path: path, Baud: 9600}); !errors.Is(err, device.ErrPortBusy) {
		t.Errorf("opened twice: %v", err)
	}
	_ = p.Close()
	again, err := uart.Open(device.PortConfig{Path: path, Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
