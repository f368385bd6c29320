package front

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// BenchmarkThousandGateways: what 1,000 connected gateways cost the process of
// the front, broker and store included. The gateways run in this process, over
// TLS with certificates of their own.
func BenchmarkThousandGateways(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("SKIP (needs linux): memory and time of a process are read from /proc")
	}
	const buildings, each = 20, 50
	r := newRig(b)
	cmd, _, _, broker := r.child(childBrokerEnv + "=1")
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	client := api.NewClient(r.config().Socket)
	var all []*model
	for i := range buildings {
		var house []*model
		for j := range each {
			g := r.gateway(fmt.Sprintf("g%02d", j), uint64(1+i*each+j))
			g.place.Building = fmt.Sprintf("b%02d", i)
			house = append(house, g)
		}
		d := r.house(1, house...)
		if _, err := client.PutHouse(b.Context(), d); err != nil {
			b.Fatal(err)
		}
		all = append(all, house...)
	}
	before := processOf(b, cmd.Process.Pid)
	var wired []*wired
	for i, g := range all {
		wired = append(wired, r.wire(g, broker, r.client(g, g.place)))
		if i%20 == 19 { // a city does not come at once either
			for _, w := range wired[i-19:] {
				if !w.up(30 * time.Second) {
					b.Fatal(w.link.Status().Err)
				}
			}
		}
	}
	connected := processOf(b, cmd.Process.Pid)
	n := float64(len(wired))
	var spent time.Duration
	hellos := 0
	for b.Loop() {
		start := processOf(b, cmd.Process.Pid)
		var busy sync.WaitGroup
		for part := range 50 {
			busy.Go(func() {
				for i := part; i < len(wired); i += 50 {
					w := wired[i]
					topic, payload := w.say(wire.TypeHello, w.hello())
					for {
						_ = w.link.Publish(context.Background(), topic, payload)
						if _, err := w.next(w.place.Down(wire.TypeAck), 2*time.Second); err == nil {
							break
						}
					}
				}
			})
		}
		busy.Wait()
		spent += processOf(b, cmd.Process.Pid).cpu - start.cpu
		hellos += len(wired)
	}
	after := processOf(b, cmd.Process.Pid)
	b.ReportMetric(after.rss/(1<<20), "MiB-RSS")
	b.ReportMetric((after.rss-before.rss)/n/1024, "KiB/gateway")
	b.ReportMetric((connected.cpu-before.cpu).Seconds()*1000/n, "cpu-ms/connect")
	b.ReportMetric(spent.Seconds()*1e6/float64(hellos), "cpu-us/hello")
	b.ReportMetric(0, "ns/op")
}

// usage is what a process took so far.
type usage struct {
	rss float64 // bytes
	cpu time.Duration
}

func processOf(b *testing.B, pid int) (u usage) {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	number := func(i int) float64 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
	const ticks = 100 // a second: USER_HZ of every Linux that Go runs on
	u.cpu = time.Duration((number(11) + number(12)) / ticks * float64(time.Second))
	u.rss = number(21) * float64(os.Getpagesize())
	return u
}
