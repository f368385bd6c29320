package main_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// BenchmarkPage measures what a screen takes until it can be used, and the memory of the
// program with nobody there, and with five pages open that are live.
func BenchmarkPage(b *testing.B) {
	h := newHouse(b)
	h.owner()
	program := filepath.Join(h.dir, "gatehouse-page")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	address := l.Addr().String()
	must(b, l.Close())
	page := exec.Command(program, "--state", filepath.Join(h.dir, "page"), "--socket", h.socket, "--listen", "", "--plain", address)
	must(b, page.Start())
	b.Cleanup(func() { _ = page.Process.Signal(syscall.SIGTERM); _ = page.Wait() })
	base := "http://" + address
	h.eventually("the page is open", func() bool {
		resp, err := http.Get(base + "/login")
		return err == nil && resp.Body.Close() == nil
	})
	idle := resident(b, page.Process.Pid)
	for b.Loop() {
		c, bytes := h.signIn(base, "127.0.0.1"), 0
		for _, path := range []string{"/doors", "/static/page.css", "/static/page.js", "/static/icon.svg"} {
			bytes += len(h.get(c, base+path))
		}
		b.ReportMetric(float64(bytes), "B_first_paint")
	}
	for i := range 5 {
		stream := h.follow(base, h.signIn(base, fmt.Sprintf("127.0.0.%d", i+2)))
		h.eventually("the live page begins", func() bool { return strings.Contains(stream.text(), "front") })
	}
	h.looked()
	b.ReportMetric(idle, "MB_idle")
	b.ReportMetric(resident(b, page.Process.Pid), "MB_five_pages")
	b.ReportMetric(0, "ns/op")
}

// resident is the resident memory of a process in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("SKIP (needs /proc)")
	}
	var kb float64
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
