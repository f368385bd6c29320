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

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/webtest"
	"gatehouse/sync/wire"
)

// start builds a program as it ships and starts it; it ends with the benchmark.
func start(b *testing.B, name string, args ...string) (pid int) {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", path, "gatehouse/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	program := exec.Command(path, args...)
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
	pid = start(b, "gatehouse-page", "--state", filepath.Join(h.dir, "page"), "--socket", h.socket, "--listen", "", "--plain", strings.TrimPrefix(base, "http://"))
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
		h.eventually("the live page begins", func() bool { return strings.Contains(stream.text(), "front") })
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

// BenchmarkPageMemory is the resident memory of both programs, with nobody at the page and
// with five pages that are live. The daemon is gatehoused, whose lines are out of order here.
func BenchmarkPageMemory(b *testing.B) {
	dir, err := os.MkdirTemp("", "gp")
	must(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &house{t: b, dir: dir, socket: filepath.Join(dir, "sock"), client: control.NewClient(filepath.Join(dir, "sock"))}
	gatewaytest.Keys(b, filepath.Join(dir, "state"))
	must(b, os.WriteFile(filepath.Join(dir, "site.toml"), fmt.Appendf(nil, siteText, dir), 0o600))
	must(b, os.Mkdir(filepath.Join(dir, "page"), 0o700))
	h.accounts, err = account.Open(filepath.Join(dir, "page"))
	must(b, err)
	h.owner()
	daemon := start(b, "gatehoused", "--config", filepath.Join(dir, "site.toml"))
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

// BenchmarkSwipe is the time from a card's last edge to the release of its door, in turns
// without a page and with twenty pages that are live, which the page's own program serves.
func BenchmarkSwipe(b *testing.B) {
	h := newHouse(b)
	h.owner()
	base, _ := h.program(b)
	phones := h.phones(base, 20)
	residents := h.residents(10) // one's card is held up again in more than a presentation
	turn := func(times []time.Duration) []time.Duration {
		time.Sleep(presentation)
		for i := range 20 {
			times = append(times, h.passage(residents[i%len(residents)]))
		}
		return times
	}
	var alone, watched []time.Duration
	for b.Loop() {
		alone = turn(alone)
		leave := h.watch(base, phones)
		watched = turn(watched)
		leave()
	}
	for _, p := range []int{50, 99} {
		b.ReportMetric(percentile(alone, p), fmt.Sprintf("ms_alone_p%d", p))
		b.ReportMetric(percentile(watched, p), fmt.Sprintf("ms_watched_p%d", p))
		b.ReportMetric(percentile(watched, p)/percentile(alone, p), fmt.Sprintf("x_p%d", p))
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

// presentation is how long the same card is one that is still held up.
const presentation = 1600 * time.Millisecond

// residents are some more whose cards open the front door.
func (h *house) residents(n int) (cards []device.Card) {
	h.t.Helper()
	_, err := issue.Issuer{Client: h.client, Key: h.issuer}.Edit(h.t.Context(), func(e *grantlist.Editor) error {
		for i := range n {
			c := numbered(h.t, uint64(5000+i))
			if _, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{h.building.Identify(c)}, Label: fmt.Sprintf("4-%d", i)}); err != nil {
				return err
			}
			cards = append(cards, c)
		}
		return nil
	})
	must(h.t, err)
	return cards
}

// passage is a resident who comes in: how long the card waited for the release. The door
// is opened and closed, and locked when it returns.
func (h *house) passage(c device.Card) time.Duration {
	h.t.Helper()
	before := h.released.Load()
	var end time.Time
	h.eventually("the card releases the door", func() bool { // one whose bits a busy machine sends too far apart is none
		must(h.t, h.source.Send(c))
		end = time.Now()
		for again := end.Add(presentation); time.Now().Before(again) && h.released.Load() == before; time.Sleep(5 * time.Millisecond) {
		}
		return h.released.Load() > before
	})
	took := time.Unix(0, h.releasedAt.Load()).Sub(end)
	must(h.t, h.board.Set("front-contact", true))
	time.Sleep(100 * time.Millisecond)
	must(h.t, h.board.Set("front-contact", false))
	h.locked()
	return took
}

// percentile is one of some times, in milliseconds.
func percentile(times []time.Duration, percent int) float64 {
	s := slices.Sorted(slices.Values(times))
	return float64(s[min(len(s)-1, len(s)*percent/100)].Microseconds()) / 1000
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
