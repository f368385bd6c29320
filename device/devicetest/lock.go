package devicetest

import (
	"slices"
	"sync"
	"time"
)

// Act is one thing that was done to a Lock.
type Act struct {
	Release bool // else Secure
	At      time.Time
	Err     error // what the lock answered
}

// Lock is a device.Lock that remembers what was done to it. The zero value is
// secured and has done nothing. Safe for use by many goroutines.
type Lock struct {
	mu              sync.Mutex
	acts            []Act
	released        bool
	release, secure error
}

// Fail makes the next calls of Release and Secure fail; nil: work again. A
// call that fails moves nothing.
func (l *Lock) Fail(release, secure error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release, l.secure = release, secure
}

// Release lets people through.
func (l *Lock) Release() error { return l.act(true) }

// Secure holds the door.
func (l *Lock) Secure() error { return l.act(false) }

// Released reports whether people can go through.
func (l *Lock) Released() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.released
}

// Acts returns all that was done so far, oldest first.
func (l *Lock) Acts() []Act {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.acts)
}

func (l *Lock) act(release bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.secure
	if release {
		err = l.release
	}
	if err == nil {
		l.released = release
	}
	l.acts = append(l.acts, Act{Release: release, At: time.Now(), Err: err})
	return err
}
