package journal

import (
	"context"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestHead: what the uplink is told of where the journal stands is where a reader ends, with
// the root over all before it; and no place while the files are not open.
func TestHead(t *testing.T) {
	r := newRig(t, nil)
	if h := r.open().Head(); h.Position != (journaled.Position{}) || h.Oldest != (journaled.Position{}) {
		t.Errorf("of files that are not open: %+v", h)
	}
	r.run()
	for range 3 {
		r.append(wire.Header{Kind: wire.KindForced, Door: "front"}, wire.Who{})
	}
	all, h := r.all(), r.j.Head()
	root, err := r.j.Root(context.Background(), h.Position)
	if err != nil || h.Root != wire.Hash(root) || h.Boot == 0 || len(all) < 3 || h.Oldest != all[0].Position || h.Sequence != all[len(all)-1].Sequence+1 {
		t.Errorf("head %+v; %d entries to read, root %x, %v", h, len(all), root, err)
	}
}
