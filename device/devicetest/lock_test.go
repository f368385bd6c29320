package devicetest_test

import (
	"errors"
	"testing"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

func TestLock(t *testing.T) {
	var l devicetest.Lock
	var lock device.Lock = &l
	stuck := errors.New("stuck")
	steps := []struct {
		call            func() error
		release, secure error // injected before the call
		err             error
		released        bool
	}{
		{call: lock.Secure},
		{call: lock.Release, released: true},
		{call: lock.Secure, secure: stuck, err: stuck, released: true},
		{call: lock.Release, secure: stuck, released: true},
		{call: lock.Secure},
		{call: lock.Release, release: stuck, err: stuck},
	}
	for i, s := range steps {
		l.Fail(s.release, s.secure)
		if err := s.call(); err != s.err || l.Released() != s.released {
			t.Errorf("step %d: %v, released %v", i, err, l.Released())
		}
	}
	acts := l.Acts()
	if len(acts) != len(steps) {
		t.Fatalf("%d acts", len(acts))
	}
	for i, a := range acts {
		if want := i%2 == 1; a.Release != want && i < 3 || a.Err != steps[i].err || a.At.IsZero() {
			t.Errorf("act %d: %+v", i, a)
		}
	}
}
