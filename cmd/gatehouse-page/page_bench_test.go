package main_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/webtest"
)

// start builds a program as it ships and starts it, with the files that it inherits; it ends with
// the benchmark.
func start(b *testing.B, files []*os.File, name string, args ...string) (pid int) {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", path, "gatehouse/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	program := exec.Command(path, args...)
	program.ExtraFiles = files
	must(b, program.Start())
	b.Cleanup(func() { _ = program.Process.Signal(syscall.SIGTERM); _ = program.Wait() })
	return program.Process.Pid
}

// program starts the page's program over the house's socket.
func (h *house) program(b *testing.B) (base string, pid int) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	base = "http://" + l.Addr().String()
	must(b, l.Close())
	pid = start(b, nil, "gatehouse-page", "--state", filepath.Join(h.dir, "page"), "--socket", h.socket, "--listen", "", "--plain", strings.TrimPrefix(base, "http://"))
	h.eventually("the page is open", func() bool {
		resp, err := http.Get(base + "/login")
		return err == nil && resp.Body.Close() == nil
	})
	return base, pid
}

// watch opens pages that are live, each on a phone of its own, until they are left.
func (h *house) watch(base string, phones []*http.Client) (leave func()) {
	h.t.Helper()
	var streams []*live
	for _, c := range phones {
		stream := h.follow(base, c)
		h.eventually("the live page begins", func() bool { return strings.Contains(stream.text(), "event: list") })
		streams = append(streams, stream)
	}
	return func() {
		for _, s := range streams {
			s.end()
		}
	}
}

// phones are some in which the owner is signed in.
func (h *house) phones(base string, n int) (all []*http.Client) {
	h.t.Helper()
	for i := range n {
		all = append(all, h.signIn(base, fmt.Sprintf("127.0.0.%d", i+2)))
	}
	return all
}

// standing is a house with its keys, its site file and its owner, whose daemon nobody has started yet.
// base is where its directory is made; empty: where TMPDIR says.
func standing(b *testing.B, base, text string) *house {
	b.Helper()
	dir, err := os.MkdirTemp(base, "gp") // short: the path of a socket has 104 bytes at most
	must(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "sock")
	h := &house{t: b, dir: dir, socket: socket, client: control.NewClient(socket)}
	h.issuer, h.building = gatewaytest.Keys(b, filepath.Join(dir, "state"))
	must(b, os.WriteFile(filepath.Join(dir, "site.toml"), fmt.Appendf(nil, text, dir), 0o600))
	must(b, os.Mkdir(filepath.Join(dir, "page"), 0o700))
	h.accounts, err = account.Open(filepath.Join(dir, "page"))
	must(b, err)
	h.owner()
	return h
}

// BenchmarkPageMemory is the resident memory of both programs, with nobody at the page and
// with five pages that are live. The daemon is gatehoused, whose lines are out of order here.
func BenchmarkPageMemory(b *testing.B) {
	h := standing(b, "", siteText)
	daemon := start(b, nil, "gatehoused", "--config", filepath.Join(h.dir, "site.toml"))
	h.eventually("the daemon answers", func() bool { _, err := h.client.Status(context.Background()); return err == nil })
	base, page := h.program(b)
	settle := func() { time.Sleep(10 * time.Second) } // the page looks each two seconds
	for b.Loop() {
		settle()
		daemonIdle, pageIdle := resident(b, daemon), resident(b, page)
		leave := h.watch(base, h.phones(base, 5))
		settle()
		b.ReportMetric(daemonIdle, "MB_daemon_idle")
		b.ReportMetric(resident(b, daemon)-daemonIdle, "MB_daemon_more")
		b.ReportMetric(pageIdle, "MB_page_idle")
		b.ReportMetric(resident(b, page)-pageIdle, "MB_page_more")
		leave()
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstPaint is what a phone waits for the screen of the doors in Chromium whose
// processor is four times as slow, over DevTools' "slow 3G": 50 kB/s, 2 s for each answer.
// Nothing of the page is in its cache.
func BenchmarkFirstPaint(b *testing.B) {
	browser := webtest.Chromium(b)
	h := newHouse(b)
	h.owner()
	base := h.page()
	var painted, loaded []time.Duration
	var bytes, requests float64
	for b.Loop() {
		t := open(b, browser, base, "/login")
		eval[int](t, fmt.Sprintf(`fetch("/login", {method: "POST", body: new URLSearchParams({name: %q, password: %q})}).then((r) => r.status)`, name, secret))
		t.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			slow := network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{{Latency: 2000, DownloadThroughput: 50_000, UploadThroughput: 50_000}}}
			if _, err := cdp.Call(ctx, target, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}); err != nil {
				return err
			}
			if _, err := cdp.Call(ctx, target, network.EmulateNetworkConditionsByRule, slow); err != nil {
				return err
			}
			_, err := cdp.Call(ctx, target, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
			return err
		}), chromedp.Navigate(base+"/doors"))
		t.until("it is painted", `performance.getEntriesByName("first-contentful-paint").length > 0`)
		at := func(expression string) time.Duration {
			return time.Duration(eval[float64](t, expression) * float64(time.Millisecond))
		}
		painted = append(painted, at(`performance.getEntriesByName("first-contentful-paint")[0].startTime`))
		loaded = append(loaded, at(`performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd`))
		all := `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter((e) => !e.name.endsWith("/live"))`
		bytes, requests = eval[float64](t, all+`.reduce((n, e) => n + e.transferSize, 0)`), eval[float64](t, all+`.length`)
	}
	b.ReportMetric(percentile(painted, 50), "ms_first_paint")
	b.ReportMetric(percentile(loaded, 50), "ms_usable")
	b.ReportMetric(bytes, "B_first_paint")
	b.ReportMetric(requests, "requests")
	b.ReportMetric(0, "ns/op")
}

// percentile is one of some times, in milliseconds.
func percentile(times []time.Duration, percent int) float64 {
	s := slices.Sorted(slices.Values(times))
	return float64(s[min(len(s)-1, len(s)*percent/100)].Microseconds()) / 1000
}

// processor is the time that a process has used of the processors.
func processor(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("SKIP (needs /proc)")
	}
	after := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))
	var user, system time.Duration // of 10 ms each
	if _, err := fmt.Sscan(after[11]+" "+after[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return (user + system) * 10 * time.Millisecond
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
