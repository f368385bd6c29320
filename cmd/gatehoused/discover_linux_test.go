package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/device/devicetest"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/internal/discovery"
)

// TestDiscoverOnTerminals: the program finds an OSDP reader by asking and a serial one by
// the card that is held to it, on ports of the kernel's, and says so in JSON.
func TestDiscoverOnTerminals(t *testing.T) {
	dir := t.TempDir()
	bus, err := osdptest.NewTerminal(filepath.Join(dir, "rs485"), osdptest.NewReader(osdptest.Config{Address: 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	module, err := devicetest.NewSerialTerminal(filepath.Join(dir, "module"), "rdm6300")
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { _ = bus.Run(ctx) })
	all.Go(func() { _ = module.Run(ctx) })
	all.Go(func() {
		for ctx.Err() == nil {
			_ = module.Present(ctx, devicetest.EM4100(0x62E3086CED), 200*time.Millisecond)
		}
	})
	var out, errs bytes.Buffer
	if status := run([]string{"discover", "--json", "--listen", "5m", bus.Path(), module.Path()}, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, &errs)
	}
	var found discovery.Found
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if len(found.Readers) != 2 || *found.Readers[1].Address != 1 || found.Readers[0].Layout != "rdm6300" || strings.Contains(strings.ToLower(out.String()), "62e3086ced") {
		t.Errorf("found %s", &out)
	}
	if strings.Count(errs.String(), "found: ") != 2 {
		t.Errorf("told %q", &errs)
	}
}
