package simulate

import (
	"bufio"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/simulate/virtual"
)

// TestMountsGoWithTheProcess: what a process of the simulation mounts nobody else
// sees, and nothing of it is left when it is killed.
func TestMountsGoWithTheProcess(t *testing.T) {
	d := virtual.Disk{Root: t.TempDir()}
	if d.Separate(); !d.Own {
		if strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "mount") {
			t.Fatal("nothing can be mounted: root only")
		}
		t.Skip("SKIP (needs mount): root only")
	}
	d.Release()
	dir := d.Dir()
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	r := Runner{Command: []string{"sh", "-c", `mount -t tmpfs tmpfs "$1" && echo full >"$1/disk" && echo ready && exec cat`, "sh", dir}}
	c, err := r.start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c.out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v: %s", line, err, c.said.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("others see what it mounts: %v, %v", left, err)
	}
	kill()
	_ = c.Wait()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("it is killed, and its mount is there still (%v)", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
