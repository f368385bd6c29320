package people

import (
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
)

// TestSureOf: a standalone house has to know at once that what its owner has signed has
// come, and what comes after it when a time server has said so for a day.
func TestSureOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := annex{Gateway: &testbed.Gateway{Clock: virtual.NewClock(true)}, signed: time.Now()}
		later := a.signed.Add(2 * time.Hour)
		if !a.sureOf(a.signed) || a.sureOf(later) {
			t.Error("sure of its owner's signature: want yes; of two hours after it: no")
		}
		time.Sleep(25 * time.Hour)
		if !a.sureOf(later) {
			t.Error("not sure after a day")
		}
		a.Clock.Set(-time.Hour, true)
		time.Sleep(25 * time.Hour)
		a.Clock.Set(0, true)
		if a.sureOf(later) || !a.sureOf(a.signed) {
			t.Error("sure as soon as a time server that was wrong is right")
		}
		time.Sleep(25*time.Hour + time.Second)
		if !a.sureOf(later) {
			t.Error("not sure a day after that")
		}
	})
}
