package gateway_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"gatehouse/internal/durable"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/site"
)

// TestJournalIsCheckedMeanwhile: the journal uses the check of its newest file that began with the start, and
// checks no second time; a damaged file is set aside all the same. A start that fails before there is a journal
// has begun its check, and waits until that has ended.
func TestJournalIsCheckedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.wiegandOpens("a card opens")
	h.end()
	var checks atomic.Int32
	start := func() {
		h.startWith(func(o *gateway.Options) {
			o.Verify = func(_ context.Context, path string) error {
				checks.Add(1)
				_, err := segment.Verify(path)
				return err
			}
		})
		h.wiegandOpens("a card opens after the check")
		h.end()
	}
	start()
	if n := checks.Load(); n != 1 {
		t.Errorf("%d checks of one file", n)
	}
	files, err := filepath.Glob(filepath.Join(h.dir, "state", "journal", "*-*.db"))
	must(t, err)
	must(t, os.Truncate(files[len(files)-1], 5000))
	start()
	if aside, err := filepath.Glob(filepath.Join(h.dir, "state", "journal", "*.bad-*")); err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, %v", aside, err)
	}
	lock, err := durable.TakeLock(filepath.Join(h.dir, "state", "grants", "lock"))
	must(t, err)
	defer lock.Free()
	site, err := site.Parse([]byte(h.site))
	must(t, err)
	remote, disconnect := gatewaytest.Connect(h.board)
	defer disconnect()
	var ended atomic.Bool
	_, err = gateway.New(gateway.Options{Site: site, Time: h.time.Source(), Hardware: gateway.Hardware{Lines: remote.Lines, Output: remote.Output},
		Verify: func(ctx context.Context, _ string) error { <-ctx.Done(); ended.Store(true); return ctx.Err() }})
	if err == nil || !ended.Load() {
		t.Errorf("a start failed with %v, its check has ended: %v", err, ended.Load())
	}
}

// keyringIsOpen reports whether a keyring has the directory of the grants.
func (h *house) keyringIsOpen() bool {
	lock, err := durable.TakeLock(filepath.Join(h.dir, "state", "grants", "lock"))
	if err == nil {
		lock.Free()
	}
	return err != nil
}
