package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// TestCheckNamesTheOther: the program that has a reader's port open is named with
// the command that ends it, and after that command nothing is told.
func TestCheckNamesTheOther(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	link := filepath.Join(t.TempDir(), "reader") // as /dev/serial/by-id has them
	if err := os.Symlink(slave.Name(), link); err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(t.TempDir(), "site.toml")
	text := oneDoor + fmt.Sprintf("[[door.reader]]\ntype = \"serial\"\nport = %q\n", link)
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "600")
	other.Stdin = slave
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	cure := fmt.Sprintf("sudo kill %d", other.Process.Pid)
	said := func() string {
		var out bytes.Buffer
		if status := run([]string{"check", site}, &out, &out); status != 0 {
			t.Errorf("status %d", status)
		}
		return out.String()
	}
	if got := said(); !strings.Contains(got, fmt.Sprintf("port %s: sleep (process %d) has it open", link, other.Process.Pid)) || !strings.Contains(got, cure) {
		t.Errorf("said %q", got)
	}
	if err := exec.Command("kill", strings.TrimPrefix(cure, "sudo kill ")).Run(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	if got := said(); strings.Contains(got, "has it open") {
		t.Errorf("after it ended, said %q", got)
	}
}
