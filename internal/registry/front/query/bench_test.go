package query

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

const (
	perHouse = 5400 // entries: a house's 180 passages a day, for a month
	month    = 30 * 24 * time.Hour
)

// end is when the last entry of a city's month was stored.
var end = time.UnixMilli(1_790_000_000_000)

// city stores a month of entries, one a batch, as they come on a quiet day: house after house, each
// of one gateway.
func city(b *testing.B, entries int) (*store.Store, int) {
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "front.db"), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	houses := max(1, entries/perHouse)
	for house := range houses {
		err := s.Update(context.Background(), func(tx *store.Tx) error { return fill(tx, house) })
		if err != nil {
			b.Fatal(err)
		}
	}
	return s, houses
}

func fill(tx *store.Tx, house int) error {
	id, _, err := tx.Gateway(wire.Place{District: "d", Town: "t", Building: fmt.Sprintf("house-%d", house), Gateway: "gw1"})
	for i := range perHouse {
		at := end.Add(-month + time.Duration(i)*(month/perHouse))
		h := wire.Header{Boot: 1, Counter: uint64(i), BootTime: uint64(i) * 1e9, Wall: at.UnixMilli(), Clock: wire.ClockNTP, Kind: wire.KindOpened, Door: "front"}
		header, err := h.Encode()
		if err != nil {
			return err
		}
		body, err := wire.Encode(wire.Batch{Epoch: 1, First: uint64(i), Headers: [][]byte{header}, Whos: [][]byte{nil}})
		if err != nil {
			return err
		}
		row := store.Batch{Gateway: id, Epoch: 1, First: uint64(i), Next: uint64(i) + 1, WallFrom: h.Wall, WallTo: h.Wall, Body: body, Sealed: make([]byte, 1136)}
		if err := tx.AddBatch(row, at.Add(time.Second)); err != nil {
			return err
		}
	}
	if err == nil {
		err = tx.SetRange(id, 1, tree.Range{}, end)
	}
	return err
}

// BenchmarkEntries: the entries of one building, of a day and 2,000 of a fortnight, out of cities of
// two sizes, or of that of GATEHOUSE_BENCH_ENTRIES: time and processor's time of a whole answer. That
// of the larger city is to be that of the smaller.
func BenchmarkEntries(b *testing.B) {
	sizes := []int{100_000, 1_000_000}
	if n, err := strconv.Atoi(os.Getenv("GATEHOUSE_BENCH_ENTRIES")); err == nil {
		sizes = []int{n}
	}
	for _, rows := range sizes {
		s, houses := city(b, rows)
		day := end.Add(-15 * 24 * time.Hour).Format(time.RFC3339)
		next := end.Add(-14 * 24 * time.Hour).Format(time.RFC3339)
		for _, ask := range []struct {
			name, query string
			lines       int
		}{
			{"day", "from=" + day + "&to=" + next, 180},
			{"first", "from=" + day + "&limit=1", 2},
			{"newest", "newest=1&limit=180", 181},
			{"2000", "from=" + day + "&limit=2000", 2001},
		} {
			b.Run(fmt.Sprintf("%d/%s", rows, ask.name), func(b *testing.B) {
				cpu, i := processor(b), 0
				for b.Loop() {
					i++
					url := fmt.Sprintf("http://front/v1/entries?building=house-%d&%s", i%houses, ask.query)
					w := httptest.NewRecorder()
					if err := Entries(s, w, httptest.NewRequest("GET", url, nil)); err != nil {
						b.Fatal(err)
					}
					if n := bytes.Count(w.Body.Bytes(), []byte("\n")); n != ask.lines {
						b.Fatalf("%d lines, want %d", n, ask.lines)
					}
				}
				b.ReportMetric(float64((processor(b)-cpu).Nanoseconds())/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processor returns the processor's time of this process so far.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
