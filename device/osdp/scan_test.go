package osdp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp/osdptest"
)

// scanned is what a Scan finds among readers, at a speed.
func scanned(t *testing.T, baud int, spoil func(*osdptest.Line), readers ...osdptest.Config) (all []Found, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var peers []*osdptest.Reader
		for _, c := range readers {
			peers = append(peers, osdptest.NewReader(c))
		}
		line := osdptest.NewLine(peers...)
		line.WireTime = true
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- line.Run(ctx) }()
		defer func() { cancel(); <-done }()
		port, openErr := line.Open(baud)
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer port.Close()
		if spoil != nil {
			spoil(line)
		}
		all, err = Scan(t.Context(), port, baud)
	})
	return all, err
}

// TestScan: readers are found by whatever address they have, alone and several on one
// line, with what they say of themselves; at another speed nobody is.
func TestScan(t *testing.T) {
	secure := []osdptest.Capability{{Function: 9, Compliance: 1, Count: 1}}
	plain := []osdptest.Capability{{Function: 13, Compliance: 1, Count: 1}}
	key := [16]byte(testKey(1))
	one := osdptest.Config{Address: 0, Vendor: [3]byte{0, 6, 0x8E}, Serial: 7, Capabilities: secure, Key: &key, Enforce: true}
	far := osdptest.Config{Address: 0x41, Capabilities: plain}
	sums := osdptest.Config{Address: 3, ChecksumOnly: true, Capabilities: plain}
	slow := osdptest.Config{Address: 5, Turnaround: 120 * time.Millisecond, Capabilities: plain}
	for name, c := range map[string]struct {
		baud    int
		readers []osdptest.Config
		spoil   func(*osdptest.Line)
		want    []byte
		secure  []bool
	}{
		"one that speaks to its session alone": {9600, []osdptest.Config{one}, nil, []byte{0}, []bool{true}},
		"an unusual address":                   {9600, []osdptest.Config{far}, nil, []byte{0x41}, []bool{false}},
		"checksums alone":                      {9600, []osdptest.Config{sums}, nil, []byte{3}, []bool{false}},
		"all on one line":                      {9600, []osdptest.Config{far, one, sums}, nil, []byte{0, 3, 0x41}, []bool{true, false, false}},
		"an adapter that echoes":               {9600, []osdptest.Config{one}, func(l *osdptest.Line) { l.SetEcho(true) }, []byte{0}, []bool{true}},
		"a slow one":                           {9600, []osdptest.Config{slow}, nil, []byte{5}, []bool{false}},
		"another speed":                        {115200, []osdptest.Config{one, far}, nil, nil, nil},
		"nobody":                               {9600, nil, nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scanned(t, c.baud, c.spoil, c.readers...)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%+v, %v", got, err)
			}
			for i, f := range got {
				if f.Address != c.want[i] || f.Secure != c.secure[i] || f.Identity == nil {
					t.Errorf("%+v", f)
				}
				if f.Address == 0 && (f.Identity.Serial != 7 || f.Identity.Vendor != one.Vendor) {
					t.Errorf("told to be %v", f.Identity)
				}
			}
		})
	}
}

// TestScanUnplugged: a port that goes away meanwhile is the port's error.
func TestScanUnplugged(t *testing.T) {
	_, err := scanned(t, 9600, func(l *osdptest.Line) { l.CutAfter(20) }, osdptest.Config{})
	if !errors.Is(err, device.ErrUnplugged) {
		t.Error(err)
	}
}
