package uplink

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// TestDeafRegistryTellsNothing: the registry is deaf from some moment on and back later.
// What an owner sees of it, status and log, is the same in a house where somebody walked
// meanwhile and in one where nobody did.
func TestDeafRegistryTellsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		deaf, back time.Duration // since the connect
		cut        time.Duration // the link is lost and back; 0: it is not
		told       bool
	}{
		"an hour between hellos": {time.Hour, 2 * time.Hour, 0, false},
		"over the hours":         {time.Hour, 5 * time.Hour, 0, true},
		"over many hours":        {3 * time.Hour, 21 * time.Hour, 0, true},
		"and the link is lost":   {time.Hour, 3 * time.Hour, 2 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			var seen [2][]string
			for walks := range seen {
				bubble(t, func(w *world) {
					if !w.settle(time.Minute) {
						t.Fatal("not in step")
					}
					time.Sleep(5 * time.Second)
					for at := time.Duration(0); at < 24*time.Hour; at += time.Minute {
						switch at {
						case c.deaf:
							w.reg.set(func(r *registry) { r.silent = true })
						case c.back:
							w.reg.set(func(r *registry) { r.silent = false })
						}
						if c.cut > 0 && at == c.cut {
							w.link.Cut()
							w.link.Restore()
						}
						if walks == 1 && at > c.deaf && at < c.back && at%(20*time.Minute) == 0 {
							w.append(1)
						}
						time.Sleep(time.Minute)
						if s := w.uplink.Status(); s.Problem != wire.ReasonNone && !s.Quiet && (len(seen[walks]) == 0 || seen[walks][len(seen[walks])-1] != "told") {
							seen[walks] = append(seen[walks], fmt.Sprint(at), "told")
						} else if s.Problem == wire.ReasonNone && len(seen[walks]) > 0 && seen[walks][len(seen[walks])-1] == "told" {
							seen[walks] = append(seen[walks], fmt.Sprint(at), "over")
						}
					}
					for _, o := range []wire.Outcome{wire.OutcomeActive, wire.OutcomeIdle} {
						seen[walks] = append(seen[walks], fmt.Sprint(w.count(func(h wire.Header) bool {
							return h.Kind == wire.KindUplink && h.Outcome == o && h.Source != EntriesAlone
						})))
					}
				})
			}
			if !slices.Equal(seen[0], seen[1]) || slices.Contains(seen[0], "told") != c.told {
				t.Errorf("nobody walked: %q, somebody walked: %q; told: want %v", seen[0], seen[1], c.told)
			}
		})
	}
}
