package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gateway/clock"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// The link of every gateway can look.
var _ interface{ Look(context.Context) error } = (*mqtt.Link)(nil)

const day = 24 * time.Hour

// installed is when the gateway was.
var installed = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// lastingLink is up for ever; its broker shows a certificate that may be another one
// by now, or none that is good.
type lastingLink struct {
	Link
	shows atomic.Pointer[x509.Certificate] // nil: it is over
	seen  func(*x509.Certificate)
	looks atomic.Int64
}

func (l *lastingLink) Look(context.Context) error {
	l.looks.Add(1)
	shown := l.shows.Load()
	if shown == nil {
		return errors.New("it is over")
	}
	l.seen(shown)
	return nil
}

// TestRenewedCertificateIsSeen: a gateway whose connection outlasts the registry's
// certificate says that this ends for no longer than a day after it was renewed, and
// looks at it only while it says so, once a day.
func TestRenewedCertificateIsSeen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clock")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		wall := func() time.Time { return installed.Add(time.Since(began)) }
		ends := func(in time.Duration) *x509.Certificate { return &x509.Certificate{NotAfter: wall().Add(in)} }
		g := &Gateway{Parts: Parts{Clock: clock.New(clock.Source{Wall: wall, BootTime: func() time.Duration { return time.Since(began) },
			Quality: func() (wire.ClockQuality, time.Duration) { return wire.ClockNTP, 0 }}, path, func() int64 { return installed.Unix() })}}
		pass := func(d time.Duration) {
			for step := 10 * time.Minute; d > 0; d -= step {
				time.Sleep(step)
				if _, _, err := g.Clock.Poll(); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		c := &Central{}
		link := &lastingLink{seen: c.server.Store}
		link.shows.Store(ends(day))
		c.Link = link
		c.server.Store(ends(WarnBefore + 48*time.Hour))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go c.lookAgain(ctx, g)
		said := func() bool { return c.Server().NotAfter.Sub(wall()) <= WarnBefore }
		pass(47 * time.Hour)
		if n := link.looks.Load(); n > 0 {
			t.Errorf("%d looks at a certificate with a month to go", n)
		}
		link.shows.Store(nil)
		pass(WarnBefore + day)
		if n := link.looks.Load(); !said() || n == 0 || n > 31 { // docs/benchmarks.md counts one a day
			t.Fatalf("a certificate that is over is said to be so: %v, after %d looks", said(), n)
		}
		link.shows.Store(ends(365 * day))
		pass(serverEvery)
		if said() {
			t.Error("a day after it was renewed it still says that it ends")
		}
		before := link.looks.Load()
		pass(2 * serverEvery)
		if link.looks.Load() != before {
			t.Error("it goes on to look")
		}
	})
}
