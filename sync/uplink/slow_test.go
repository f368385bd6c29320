package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/wire"
)

// TestSlowRegistryGetsTime: a registry that takes its time is not told everything twice and asked where it stands
// for each entry, which would make it slower still. One that is quick again is told of a lost batch at once.
func TestSlowRegistryGetsTime(t *testing.T) {
	const entries = 20
	for least, most := range map[time.Duration]struct{ batches, hellos int }{
		50 * time.Millisecond:   {entries, 0},
		500 * time.Millisecond:  {entries + 2, 0}, // there and back 1 to 2 s
		1500 * time.Millisecond: {entries + 4, 3}, // 3 to 6 s
		4 * time.Second:         {entries + 6, 9}, // 8 to 16 s
	} {
		t.Run(least.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorldOn(t, faultnet.NewSlowBroker(1, least))
				w.inStep(t)
				time.Sleep(time.Minute) // what the connect began is over
				seen := len(w.broker.Seen())
				for range entries {
					w.append(1)
					time.Sleep(90 * time.Second)
				}
				w.inStep(t)
				said := map[string]int{}
				for _, m := range w.broker.Seen()[seen:] {
					_, _, kind, _ := wire.ParseTopic(m.Topic)
					said[kind]++
				}
				t.Log(said)
				if said[wire.TypeBatch] < entries || said[wire.TypeBatch] > most.batches || said[wire.TypeHello] > most.hellos {
					t.Errorf("of %d entries: %v; want at most %d batches and %d hellos", entries, said, most.batches, most.hellos)
				}
				if fault := w.same(); fault != "" {
					t.Error(fault)
				}
			})
		})
	}
}
