package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/backoff"
)

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backoff.New(time.Second, 5*time.Second)
		for i, want := range []time.Duration{1, 2, 4, 5, 5, 1, 2} {
			if i == 5 {
				b.Reset()
			}
			began := time.Now()
			if !b.Wait(t.Context()) || time.Since(began) != want*time.Second {
				t.Errorf("wait %d took %v, want %v s", i, time.Since(began), int(want))
			}
		}
		if d := b.Next(); d != 4*time.Second {
			t.Errorf("next is %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if b.Wait(ctx) || time.Since(began) != time.Second {
			t.Errorf("a wait that was ended took %v", time.Since(began))
		}
	})
}
