package cover_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/cover"
	"gatehouse/internal/journal"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/sealing"
)

const at = "building-1/gateway-1"

type queue struct{ all []wire.Header }

func (q *queue) Queue(h wire.Header, who wire.Who) wire.Ref {
	q.all = append(q.all, h)
	return wire.Ref{}
}

func keys(t testing.TB) (private, public []byte) {
	t.Helper()
	private, public, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// TestCovers: two months of covers are some 24 a day, each says that it is one, and they stop with ctx. Their number
// spreads by 47 around 1,415, so the bounds are missed by luck less than once in 10^9 runs.
func TestCovers(t *testing.T) {
	private, public := keys(t)
	synctest.Test(t, func(t *testing.T) {
		var q queue
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		w := cover.Writer{Journal: &q, Key: func() (string, []byte) { return at, public }, Log: zerolog.Nop(), Beside: func() error { return nil }}
		go func() { w.Run(ctx); close(done) }()
		time.Sleep(60 * 24 * time.Hour)
		synctest.Wait()
		if n := len(q.all); n < 1100 || n > 1750 {
			t.Errorf("%d covers in 60 days", n)
		}
		for _, h := range q.all {
			if _, err := h.Encode(); err != nil || h.Kind != wire.KindSealed {
				t.Fatalf("%v: %v", h.Kind, err)
			}
			if r, err := sealed.Open(private, at, h.Detail); err != nil || r.What != sealed.Cover {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		cancel()
		<-done
	})
}

// TestNobodyToSealTo: a house without a registry has no covers, until it has one.
func TestNobodyToSealTo(t *testing.T) {
	_, public := keys(t)
	synctest.Test(t, func(t *testing.T) {
		var q queue
		var enrolled atomic.Bool
		w := cover.Writer{Journal: &q, Log: zerolog.Nop(), Beside: func() error { return nil }, Next: func() time.Duration { return time.Hour }, Key: func() (string, []byte) {
			if enrolled.Load() {
				return at, public
			}
			return "", nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		time.Sleep(24*time.Hour + time.Minute)
		synctest.Wait()
		if len(q.all) != 0 {
			t.Errorf("%d covers to nobody", len(q.all))
		}
		enrolled.Store(true)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if len(q.all) != 24 {
			t.Errorf("%d covers in a day of one an hour", len(q.all))
		}
		cancel()
		synctest.Wait()
	})
}

// TestDistinguisher is the catch of truth E4. A game: a journal is written for days, with passages
// and covers, and by the fall of a coin a query is answered, now and then after a refusal. Somebody who has
// the whole disk, and all games with their outcomes to learn from, looks for the feature that tells best. With covers
// none does better than by chance; without, one always wins.
func TestDistinguisher(t *testing.T) {
	games := 60
	if testing.Short() {
		games = 36
	}
	for _, covered := range []bool{true, false} {
		t.Run(fmt.Sprintf("covers %v", covered), func(t *testing.T) {
			judge(t, covered, func() (seen []game) {
				for i := range games {
					seen = append(seen, game{look(t, disk(t, covered, i%2 == 1)), i%2 == 1})
				}
				return seen
			})
		})
	}
}

// TestTimes is the same game over a month, with the times of sealed entries alone.
func TestTimes(t *testing.T) {
	const month = float64(30 * 24 * time.Hour)
	for _, covered := range []bool{true, false} {
		judge(t, covered, func() (seen []game) {
			for i := range 1000 {
				var times []float64
				for at := float64(cover.Gap()); covered && at < month; at += float64(cover.Gap()) {
					times = append(times, at)
				}
				if i%2 == 1 {
					times = append(times, rand.Float64()*month)
				}
				slices.Sort(times)
				f := features{"how many": float64(len(times))}
				f.gaps(times)
				seen = append(seen, game{f, i%2 == 1})
			}
			return seen
		})
	}
}

// game is what was seen, and whether there was a query.
type game struct {
	features
	queried bool
}

// In a round the best rule is compared with the best of so many rules that are learnt from coins alone. Where nothing
// tells, it wins by more once in coins+1 rounds; that a query is an entry more made it no more than 1.2 times as often,
// measured. Only who wins some rounds in a row, each of games that are all new, tells: by luck once in 10^8 tests.
const (
	coins  = 1000
	rounds = 3
)

// judge plays rounds until one is not won by more than chance.
func judge(t *testing.T, covered bool, play func() []game) {
	t.Helper()
	for round := 1; ; round++ {
		s := study(play())
		won, by := s.best()
		chance := 0.0
		for range coins {
			rand.Shuffle(len(s.queried), func(i, j int) { s.queried[i], s.queried[j] = s.queried[j], s.queried[i] })
			share, _ := s.best()
			chance = math.Max(chance, share)
		}
		t.Logf("covers %v, round %d: it wins %.3f of %d games by %s; chance alone %.3f", covered, round, won, len(s.queried), by, chance)
		switch {
		case covered && won <= chance, !covered && won == 1:
			return
		case !covered, round == rounds:
			t.Errorf("covers %v: it wins %.3f of the games by %s", covered, won, by)
			return
		}
	}
}

// disk writes two days of a gateway into a directory, and returns it.
func disk(t *testing.T, covered, queried bool) string {
	_, public := keys(t)
	dir := t.TempDir()
	const span = 48 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		j, err := journal.Open(journal.Options{Dir: dir, Ballast: -1, KeepEvery: 24 * time.Hour, Log: zerolog.Nop(), Clock: func() journaled.Stamp {
			return journaled.Stamp{BootTime: uint64(time.Since(start)) + 1, Wall: time.Now().UnixMilli(), Quality: wire.ClockNTP, Trusted: true}
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- j.Run(ctx) }()
		if covered {
			go cover.Writer{Journal: j, Key: func() (string, []byte) { return at, public }, Log: zerolog.Nop(), Beside: func() error { return nil }}.Run(ctx)
		}
		go func() { // some passages
			for ctx.Err() == nil {
				time.Sleep(time.Duration(rand.Int64N(int64(4 * time.Hour))))
				j.Queue(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front"}, wire.Who{Tenancy: &wire.ID{1}})
			}
		}()
		if queried {
			go query(t, ctx, j, public, rand.Int64N(int64(span-time.Hour)))
		}
		time.Sleep(span)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(4 * time.Hour) // the passages end, too
	})
	return dir
}

// query writes at a time what a query leaves: an answer, or a refusal and then an answer.
func query(t *testing.T, ctx context.Context, j *journal.Journal, public []byte, at int64) {
	time.Sleep(time.Duration(at))
	records := []sealed.Record{{What: sealed.Answer, Use: 1, Reference: make([]byte, 16), Fixed: make([]byte, sealed.MaxFixed)}}
	if rand.IntN(4) == 0 {
		records = append([]sealed.Record{{What: sealed.Refusal, Refusal: "expired"}}, records...)
	}
	for i, r := range records {
		if i > 0 {
			time.Sleep(time.Duration(rand.Int64N(int64(8 * time.Minute))))
		}
		detail, err := sealed.Seal(public, "building-1/gateway-1", make([]byte, 16), r)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := j.Append(ctx, wire.Header{Kind: wire.KindSealed, Detail: detail}, wire.Who{}); err != nil {
			t.Error(err)
		}
	}
}

// features are numbers that somebody who has the disk may go by.
type features map[string]float64

// look reads the bytes of all files, and the entries as whoever has the format reads them.
func look(t *testing.T, dir string) features {
	f := features{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		f["bytes of all files"] += float64(len(b))
		f["bytes that are not zero"] += float64(len(b) - bytes.Count(b, []byte{0}))
		f["files"]++
		if _, _, ok := segment.ParseName(e.Name()); ok {
			entries(t, dir+"/"+e.Name(), f)
		}
	}
	return f
}

func entries(t *testing.T, path string, f features) {
	var times []float64
	before := wire.Header{}
	beside, ones, odd, chunks, sizes := 0.0, 0.0, map[string]int{}, 0, map[int]bool{}
	err := segment.View(path, func(tx segment.Tx) error {
		s, err := tx.Segment()
		if err != nil {
			return err
		}
		return tx.Each(s.Start.Size(), s.Size, int(s.Size), func(seq uint64, stored []byte) error {
			e, err := journaled.Decode(bytes.Clone(stored))
			if err != nil {
				return err
			}
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				return err
			}
			if h.Kind == wire.KindSealed {
				times = append(times, float64(h.Wall))
				f["place of the last"] = float64(seq)
				sizes[len(stored)] = true
				if before.Kind != wire.KindSealed {
					beside += float64(h.Wall - before.Wall)
				}
				for _, b := range h.Detail {
					ones += float64(b & 1)
				}
				for i := 0; i < len(h.Detail); i += 8 { // does anything stand in two of them?
					odd[string(h.Detail[i:i+8])]++
					chunks++
				}
			}
			before = h
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	n := float64(len(times))
	f["how many"], f["sizes"], f["repeated bytes"] = n, float64(len(sizes)), float64(chunks-len(odd))
	f["ones"], f["time since another kind"] = ones/max(n, 1), beside/max(n, 1)
	f.gaps(times)
}

// gaps are features of ascending times.
func (f features) gaps(times []float64) {
	gaps := []float64{}
	for i := 1; i < len(times); i++ {
		gaps = append(gaps, times[i]-times[i-1])
	}
	if slices.Sort(gaps); len(gaps) > 2 {
		f["shortest gap"], f["second shortest"], f["middle gap"], f["longest gap"] = gaps[0], gaps[1], gaps[len(gaps)/2], gaps[len(gaps)-1]
		f["first"], f["sum of squares"] = times[0], 0
		for _, g := range gaps {
			f["sum of squares"] += g * g
		}
	}
}

// games are all that somebody learns from: by each feature the games in ascending order, with where the next value begins.
type games struct {
	queried []bool
	by      map[string][]ranked
}

// ranked is a game in the order of a feature.
type ranked struct {
	game int
	last bool // of those that have its value
}

// study sorts games by each feature.
func study(seen []game) games {
	s := games{by: map[string][]ranked{}}
	for _, g := range seen {
		s.queried = append(s.queried, g.queried)
		for name := range g.features {
			s.by[name] = nil
		}
	}
	for name := range s.by {
		order := make([]ranked, len(seen))
		for i := range order {
			order[i].game = i
		}
		value := func(r ranked) float64 { return seen[r.game].features[name] }
		slices.SortFunc(order, func(a, b ranked) int { return cmp.Compare(value(a), value(b)) })
		for i := range order {
			order[i].last = i+1 == len(order) || value(order[i]) != value(order[i+1])
		}
		s.by[name] = order
	}
	return s
}

// best is the share of the games that the best rule of one feature and one bound wins.
func (s games) best() (won float64, by string) {
	most := 0
	for name, order := range s.by {
		right := 0 // of the rule that all above the bound were queried; the bound begins below all
		for _, queried := range s.queried {
			if queried {
				right++
			}
		}
		for _, r := range order {
			if right++; s.queried[r.game] {
				right -= 2
			}
			if n := max(right, len(order)-right); r.last && n > most {
				most, by = n, name
			}
		}
	}
	return float64(most) / float64(len(s.queried)), by
}
