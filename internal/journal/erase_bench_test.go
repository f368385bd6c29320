package journal

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// toldOf is closed by the line of a log that has the words.
type toldOf struct {
	words string
	told  chan struct{}
	once  sync.Once
}

// Write looks at one line.
func (l *toldOf) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(l.words)) {
		l.once.Do(func() { close(l.told) })
	}
	return len(line), nil
}

// BenchmarkEraseBesideDoors erases the who parts of 50,000 entries, a week of a busy house, while a door goes on, and compares
// how long its appends take with those of before and after.
func BenchmarkEraseBesideDoors(b *testing.B) {
	const entries = 50_000
	var alone, beside []time.Duration
	var took time.Duration
	for b.Loop() {
		clock, erased := newClock(), &toldOf{words: "who parts erased", told: make(chan struct{})}
		j, err := Open(Options{Dir: filepath.Join(benchDirectory(b), "journal"), MaxEntries: entries, KeepEvery: 20 * time.Millisecond, Clock: clock.stamp,
			Ballast: -1, Log: zerolog.New(erased)})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = j.Run(ctx) })
		for i := range entries + 1 {
			if i%4000 != 3999 && i != entries {
				j.Queue(granted(), somebody(byte(i)))
			} else {
				appendTime(b, j)
			}
		}
		for !j.cat.Load().Files[0].Packed { // it is rewritten once after it is closed
			time.Sleep(10 * time.Millisecond)
		}
		for range 1000 {
			alone = append(alone, appendTime(b, j))
		}
		clock.wall.Add((31 * day).Milliseconds())
		clock.boot.Add(uint64(31 * day))
		for began, ended := time.Now(), false; !ended; took = time.Since(began) {
			beside = append(beside, appendTime(b, j))
			select {
			case <-erased.told:
				ended = true
			default:
			}
		}
		for range 1000 {
			alone = append(alone, appendTime(b, j))
		}
		cancel()
		running.Wait()
	}
	slices.Sort(alone)
	slices.Sort(beside)
	at := func(all []time.Duration, part float64) float64 {
		return float64(all[int(part*float64(len(all)-1))].Microseconds())
	}
	b.ReportMetric(at(alone, 0.5), "p50-alone-us")
	b.ReportMetric(at(beside, 0.5), "p50-beside-us")
	b.ReportMetric(at(alone, 0.99), "p99-alone-us")
	b.ReportMetric(at(beside, 0.99), "p99-beside-us")
	b.ReportMetric(at(beside, 0.99)/at(alone, 0.99), "p99-ratio")
	b.ReportMetric(float64(took.Milliseconds()), "erase-ms")
	b.ReportMetric(float64(len(beside)), "appends-beside")
}

// appendTime appends one entry, as a door does, and pauses.
func appendTime(b *testing.B, j *Journal) time.Duration {
	b.Helper()
	defer time.Sleep(time.Millisecond)
	began := time.Now()
	if _, err := j.Append(context.Background(), granted(), somebody(1)); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
