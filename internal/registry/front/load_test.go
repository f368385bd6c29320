package front

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
)

// TestSpread: every row is handled, and no error of reading or of handling is lost.
func TestSpread(t *testing.T) {
	unread, odd := errors.New("unread"), errors.New("odd")
	for _, c := range []struct {
		name          string
		fails         int // the row in whose place reading fails; -1: none
		refuse        int
		handled       int64
		read, refused bool
	}{{"all", -1, -1, 1000, true, false}, {"unread", 500, -1, 500, false, false}, {"refused", -1, 7, 0, true, true}, {"both", 500, 7, 0, false, true}} {
		var handled atomic.Int64
		err := spread(func(yield func(int, error) bool) {
			for i := range 1000 {
				if i == c.fails {
					yield(0, unread)
					return
				}
				if !yield(i, nil) {
					return
				}
			}
		}, func(i int) error {
			handled.Add(1)
			if i == c.refuse {
				return odd
			}
			return nil
		})
		if errors.Is(err, unread) == c.read || errors.Is(err, odd) != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := handled.Load(); !c.refused && n != c.handled {
			t.Errorf("%s: %d rows are handled, want %d", c.name, n, c.handled)
		}
	}
}

// TestDamagedList: a front does not start without a list that it has published.
func TestDamagedList(t *testing.T) {
	r := newRig(t)
	s, err := store.Open(t.Context(), r.config().path(api.FileDatabase), zerolog.Nop())
	r.must(err)
	r.must(s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Documents.PutList(store.List{Building: "b1", Version: 1, Manifest: []byte("damaged")}, nil, nil)
	}))
	r.must(s.Close())
	f, err := New(Options{Config: r.config(), Log: zerolog.Nop()})
	r.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := f.Run(ctx); err == nil || !strings.Contains(err.Error(), "stored list of b1") {
		t.Errorf("it ends with %v", err)
	}
}
