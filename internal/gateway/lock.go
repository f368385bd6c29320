package gateway

import (
	"errors"
	"fmt"
	"sync"

	"gatehouse/device"
)

// relay drives one door's lock over an output line. A missing line is requested again at every act,
// so that a chip that comes late is used.
type relay struct {
	cfg      device.OutputConfig
	open     func(device.OutputConfig) (device.Output, error)
	failSafe bool // released when de-energised

	mu  sync.Mutex
	out device.Output
}

// request requests the line, which leaves the relay de-energised.
func (r *relay) request() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requestLocked()
}

func (r *relay) requestLocked() error {
	if r.out != nil {
		return nil
	}
	out, err := r.open(r.cfg)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	r.out = out
	return nil
}

// Release lets people through: it energises a fail-secure lock and de-energises a fail-safe one.
func (r *relay) Release() error { return r.energise(!r.failSafe) }

// Secure holds the door.
func (r *relay) Secure() error { return r.energise(r.failSafe) }

func (r *relay) energise(on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.requestLocked(); err != nil {
		return err
	}
	if err := r.out.Set(on); err != nil {
		_ = r.out.Close() // the line is requested again next time
		r.out = nil
		return fmt.Errorf("relay: %w", err)
	}
	return nil
}

// close de-energises the relay and releases the line.
func (r *relay) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out == nil {
		return nil
	}
	err := errors.Join(r.out.Set(false), r.out.Close())
	r.out = nil
	return err
}
