package house

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/device/devicetest"
	"gatehouse/device/osdp/osdptest"
)

// GateReaders are an OSDP reader and a scanner of codes, each on a
// pseudo-terminal of its own.
type GateReaders struct {
	Card *osdptest.Reader
	line *osdptest.Line
	Code *devicetest.SerialModule
	end  context.CancelFunc
	over sync.WaitGroup
}

// newGateReaders plays readers as they are delivered: the OSDP reader has the
// key that everybody knows.
func newGateReaders(dir string) (*GateReaders, error) {
	g := &GateReaders{Card: osdptest.NewReader(osdptest.Config{Address: 3, Install: true, Enforce: true,
		Vendor: [3]byte{0x00, 0x53, 0x49}, Model: 1, Version: 1, Serial: 1, Firmware: [3]byte{1, 0, 0}})}
	var err error
	if g.line, err = osdptest.NewTerminal(filepath.Join(dir, "tty-gate"), g.Card); err != nil {
		return nil, err
	}
	if g.Code, err = devicetest.NewSerialTerminal(filepath.Join(dir, "tty-qr"), "code"); err != nil {
		return nil, errors.Join(err, g.line.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.end = cancel
	g.over.Go(func() { _ = g.line.Run(ctx); _ = g.line.Close() })
	return g, nil
}

// Close ends both readers.
func (g *GateReaders) Close() error {
	g.end()
	g.over.Wait()
	return g.Code.Close()
}

// Paired reports whether the OSDP reader has a key of its own.
func (g *GateReaders) Paired() bool { return g.Card.State().Key != nil }

// Polls is how often the OSDP reader was asked what there is to report.
func (g *GateReaders) Polls() int { return g.Card.State().Commands[0x60] }

// GiveKey puts a key into reader and gateway, as somebody does who pairs them at
// a desk.
func (g *GateReaders) GiveKey(dir string) error {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	g.Card.SetKey(&key, false)
	directory := filepath.Join(dir, "state", "readers")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, ledger.GateDoor+"-in.key"), fmt.Appendf(nil, "%x\n", key), 0o600)
}
