package entries

import (
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
	"gatehouse/sync/wire/whos"
)

// trusted is a keyring with one records key.
type trusted []byte

func (k trusted) Trust() wire.Trust { return wire.Trust{Records: k} }

// TestForgottenAfterTheHour: an hour after it was made no secret of a context is there, though nobody comes;
// nor after the end.
func TestForgottenAfterTheHour(t *testing.T) {
	_, public, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	parts := []whos.Part{{Who: []byte{1}}}
	synctest.Test(t, func(t *testing.T) {
		s := &seals{o: Options{Keyring: trusted(public), Address: "house-1/gate-1"}}
		s.hear(&wire.ID{})
		now := func() *whos.Context {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.now
		}
		seal := func() *whos.Context {
			t.Helper()
			if _, err := s.seal(parts, &wire.Batch{Epoch: 7}); err != nil {
				t.Fatal(err)
			}
			return now()
		}
		c := seal()
		time.Sleep(contextFor - time.Second)
		if now() != c || seal() != c {
			t.Fatal("it is forgotten too early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		forgotten := func(c *whos.Context) bool { _, err := c.Seal(0, parts); return err != nil }
		if now() != nil || !forgotten(c) {
			t.Error("it is still there")
		}
		next := seal()
		time.Sleep(contextFor / 2)
		s.end()
		if now() != nil || !forgotten(next) || next.ID() == c.ID() {
			t.Error("after the end it is still there")
		}
		last := seal()
		time.Sleep(contextFor * 3 / 4) // the hour of the one before it is over
		if synctest.Wait(); now() != last {
			t.Error("a new one is forgotten with the one before")
		}
		s.end()
	})
}
