package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"gatehouse/sync/wire"
)

// withDaemonUser calls a function where the daemon's user is known, as after its package was installed.
func withDaemonUser(t *testing.T, id uint32, do func()) {
	t.Helper()
	users := filepath.Join(t.TempDir(), "passwd")
	must(t, os.WriteFile(users, fmt.Appendf(nil, "root:x:0:0::/root:/bin/sh\ngatehouse:x:%d:%d::/:/bin/false\n", id, id), 0o644))
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for ever: the thread with this view of the disk ends with the goroutine
		err := syscall.Unshare(syscall.CLONE_FS | syscall.CLONE_NEWNS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err == nil {
			err = syscall.Mount(users, "/etc/passwd", "", syscall.MS_BIND, "")
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		if strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "mount") {
			t.Fatal(err)
		}
		t.Skip("SKIP (needs mount): root only: ", err)
	}
}

// TestEnrolFailsAsRoot: the keys that root has made before its enrolment failed belong to the daemon's
// user, whom the page asks the next time.
func TestEnrolFailsAsRoot(t *testing.T) {
	dir := t.TempDir()
	site, token := filepath.Join(dir, "site.toml"), filepath.Join(dir, "token")
	must(t, os.WriteFile(site, fmt.Appendf(nil, siteText, dir), 0o600))
	text, err := wire.Token{Registry: "city", Place: [4]string{"north", "xin", "lane-7", "gw1"}, Enrol: "127.0.0.1:1", Broker: "127.0.0.1:2"}.Text()
	must(t, err)
	must(t, os.WriteFile(token, []byte(text), 0o600))
	const user = 4177
	withDaemonUser(t, user, func() {
		var out, errOut bytes.Buffer
		if status := run(t.Context(), []string{"enrol", "--config", site, "--token", token}, strings.NewReader(""), &out, &errOut); status != 1 {
			t.Errorf("status %d: %s", status, errOut.String())
		}
	})
	for _, path := range []string{"state/keys", "state/keys/gateway.key"} {
		info, err := os.Stat(filepath.Join(dir, path))
		must(t, err)
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != user {
			t.Errorf("%s belongs to user %d", path, owner)
		}
	}
}
