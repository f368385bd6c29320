package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"
	"syscall"
)

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(0, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkR3(b *testing.B) {
	rtt, _ := time.ParseDuration(os.Getenv("RTT"))
	for range b.N {
		t := newTown(b, false)
		t.start(b)
		proxy := t.through(b, rtt)
		n := drainEntries()
		g := t.enrol(b, "batched", "gw1")
		g.record(b, n)
		link := g.link(b, proxy.Addr(), 0)
		eventually(b, "the link is up", func() bool { up, _ := link.State(); return up })
		f, _ := os.Create("/tmp/r3/drain.cpu")
		_ = pprof.StartCPUProfile(f)
		began := time.Now()
		c0 := cpu()
		g.connect(b, link, 0)
		last := uint64(0)
		tick := time.Now()
		fmt.Println("connected", time.Since(began), cpu()-c0)
		for {
			time.Sleep(time.Millisecond)
			s := g.journal.Status()
			if time.Since(tick) > 100*time.Millisecond {
				tick = time.Now()
				fmt.Println(time.Since(began).Round(time.Millisecond), s.Acked.Sequence, s.Acked.Sequence-last, cpu()-c0)
				last = s.Acked.Sequence
			}
			if s.Epoch != 0 && s.Sequence >= uint64(n) && s.Acked.Epoch == s.Epoch && s.Acked.Sequence >= uint64(n) {
				break
			}
		}
		pprof.StopCPUProfile()
		f.Close()
		fmt.Println("done", time.Since(began), cpu()-c0)
		b.ReportMetric(float64(n)/time.Since(began).Seconds(), "entries/s")
	}
}
