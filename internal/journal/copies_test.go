package journal

import (
	"context"
	"testing"
	"time"

	"gatehouse/internal/journal/journaltest"
	"gatehouse/sync/wire"
)

// TestReadCopies: what another process may read of a journal that is being
// written to is what the journal itself gives.
func TestReadCopies(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(Options{Dir: dir, Clock: func() Stamp { return Stamp{} }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	defer func() { stop(); <-done }()
	var last wire.Ref
	for range 300 {
		if last, err = j.Append(ctx, wire.Header{Kind: wire.KindAccess, Door: "front"}, wire.Who{}); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); ; {
		n, found := uint64(0), false
		err := journaltest.ReadCopies(dir, t.TempDir(), func(e Entry) error {
			h, err := wire.DecodeHeader(e.Header)
			if e.Sequence != n {
				t.Fatalf("entry %d where %d must follow", e.Sequence, n)
			}
			n++
			found = found || h.Boot == last.Boot && h.Counter == last.Counter
			return err
		})
		if err == nil && found && n == j.Status().Sequence {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d entries of %d: %v", n, j.Status().Sequence, err)
		}
	}
}
