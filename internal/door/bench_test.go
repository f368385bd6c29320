package door_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Sizes of the benchmarked house.
const (
	houseGrants = 100_000
	houseCards  = 1_000 // of them with a card that the benchmark holds up
)

// wires is a request of two lines in memory: it gives what the test sends.
type wires struct {
	edges  chan []device.Edge
	closed chan struct{}
	close  func()
}

func newWires() *wires {
	w := &wires{edges: make(chan []device.Edge), closed: make(chan struct{})}
	w.close = sync.OnceFunc(func() { close(w.closed) })
	return w
}

func (w *wires) ReadEdges(dst []device.Edge, timeout time.Duration) (int, error) {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case e := <-w.edges:
		return copy(dst, e), nil
	case <-w.closed:
		return 0, os.ErrClosed
	case <-t.C:
		return 0, os.ErrDeadlineExceeded
	}
}

func (w *wires) Levels(dst []bool) error { clear(dst); return nil }
func (w *wires) Close() error            { w.close(); return nil }

// stopwatch is a Lock that says when it was driven.
type stopwatch struct{ released, secured chan time.Time }

func (s stopwatch) Release() error { s.released <- time.Now(); return nil }
func (s stopwatch) Secure() error  { s.secured <- time.Now(); return nil }

// instant is a Recorder that keeps nothing.
type instant struct{}

func (instant) Record(_ wire.Header, _ wire.Who, written chan<- journaled.Written) (wire.Ref, error) {
	written <- journaled.Written{}
	return wire.Ref{}, nil
}
func (instant) Late(wire.Ref) bool                   { return false }
func (instant) Queue(wire.Header, wire.Who) wire.Ref { return wire.Ref{} }

// lane is one door with its Wiegand reader: real framer, keyring and loop, on
// lines and a lock in memory.
type lane struct {
	b      *testing.B
	door   *door.Door
	wires  *wires
	lock   stopwatch
	events chan device.Event
	cards  []device.Card
	seq    uint32
	at     time.Duration
	n      int
	pause  time.Duration // before the last edge
}

func newLane(b *testing.B, r door.Recorder, pause time.Duration) *lane {
	k, cards := fullHouse(b)
	l := &lane{b: b, wires: newWires(), events: make(chan device.Event, 256), cards: cards, pause: pause,
		lock: stopwatch{make(chan time.Time, 1), make(chan time.Time, 1)}}
	format, _ := wiegand.Lookup("H10301")
	reader := wiegand.New(wiegand.Config{Source: "in", Formats: []wiegand.Format{format}, Gap: wiegand.MaxGap},
		func() (device.Lines, error) { return l.wires, nil }, l.events)
	d := door.New(door.Config{ID: "front", Rules: door.Rules{ReleaseTime: 5 * time.Second, HeldAfter: time.Minute},
		Budget: 250 * time.Millisecond, Hold: 1500 * time.Millisecond,
		Readers: []door.Reader{{ID: "in", Direction: wire.DirectionIn}}},
		door.Parts{Lock: l.lock, Recorder: r, Keys: k, Events: l.events, Log: zerolog.Nop(),
			Clock: func() access.Time { return access.At(time.Now().Unix()) }, Watch: func(door.Seen) bool { return false },
			Typed: func(door.Typed) bool { return false }, Show: func(string, device.Feedback) {}, Granted: func(wire.Header, wire.Who, wire.Ref, error) {}})
	l.door = d
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = d.Run(ctx) })
	<-l.lock.secured
	running.Go(func() { _ = reader.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	for !d.Status().Devices["in"].Online { // bits of the first 100 ms are never a card
		time.Sleep(time.Millisecond)
	}
	return l
}

// fullHouse is a keyring with a signed list, and the cards that it knows.
func fullHouse(b *testing.B) (*keyring.Keyring, []device.Card) {
	b.Helper()
	public, issuer, err := ed25519.GenerateKey(nil)
	check(b, err)
	building, err := keys.GenerateBuildingKey(1)
	check(b, err)
	k, err := keyring.Open(keyring.Options{Dir: b.TempDir(), Building: "lane-7", Log: zerolog.Nop(),
		Keys: keys.Keys{Building: building, Issuers: []wire.Key{{Role: wire.RoleIssuer, Public: public}}}})
	check(b, err)
	b.Cleanup(func() { _ = k.Close() })
	e, err := grantlist.NewEditor(grantlist.List{}, "lane-7", issuer, 0)
	check(b, err)
	format, _ := wiegand.Lookup("H10301")
	cards := make([]device.Card, houseCards)
	for i := range houseGrants {
		id := wire.CredentialID{1}
		binary.BigEndian.PutUint64(id[1:], uint64(i)*0x9e3779b97f4a7c15) // as even as an HMAC
		if i < houseCards {
			cards[i], err = format.Encode(wiegand.Fields{Facility: 1, Card: uint64(i), HasFacility: true})
			check(b, err)
			id, err = k.Identify(cards[i])
			check(b, err)
		}
		_, err = e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{id}})
		check(b, err)
	}
	u, err := e.Sign(time.Now())
	check(b, err)
	check(b, k.Apply(u))
	return k, cards
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// bitTime is the usual time between two bits of a reader: the CPU has gone to
// sleep when the last one comes.
const bitTime = 2 * time.Millisecond

// tap holds up the next card and returns the time from its last edge to the
// lock. Somebody walks through after, so that the door is secured again.
func (l *lane) tap() time.Duration {
	l.b.Helper()
	for {
		begin := l.frame()
		select {
		case end := <-l.lock.released:
			for _, open := range []bool{true, false} {
				l.events <- device.Event{Kind: device.InputChanged, Source: device.InputContact, Active: open}
			}
			<-l.lock.secured
			return end.Sub(begin)
		case <-time.After(5 * time.Second):
			// On a crowded machine this process may sleep through a silence
			// between two bits: then there was no card.
			if l.door.Status().Devices["in"].Fault == fault.None {
				l.b.Fatal("the card did not release the door")
			}
		}
	}
}

// frame sends a card's bits and returns when the last one came.
func (l *lane) frame() time.Time {
	card := l.cards[l.n%len(l.cards)]
	l.n++
	l.at += time.Second
	edges := make([]device.Edge, card.Len())
	for i := range edges {
		l.seq++
		l.at += bitTime
		edges[i] = device.Edge{Line: card.Bit(i), Active: true, At: l.at, Seq: l.seq}
	}
	last := len(edges) - 1
	l.wires.edges <- edges[:last]
	time.Sleep(l.pause)
	begin := time.Now()
	l.wires.edges <- edges[last:]
	return begin
}

// BenchmarkCardToRelease measures from the last edge of a frame to the lock,
// without a log. The limit beside it is a bare message that goes through as
// many goroutines (reader, door). "awake" sends the last edge at
// once, "asleep" after the time of a bit: then the machine has to wake up first.
func BenchmarkCardToRelease(b *testing.B) {
	for name, pause := range map[string]time.Duration{"awake": 0, "asleep": bitTime} {
		b.Run(name, func(b *testing.B) {
			l := newLane(b, instant{}, pause)
			relay := newRelayRace(b, 2, pause)
			var ours, bare times
			for b.Loop() {
				ours = append(ours, l.tap())
				bare = append(bare, relay())
			}
			ours.report(b, "card")
			bare.report(b, "bare-handoffs")
			b.ReportMetric(ours.at(50)/bare.at(50), "x_bare_p50")
		})
	}
}

// newRelayRace returns a function that sends a message through n goroutines
// and returns the time that it took.
func newRelayRace(b *testing.B, n int, pause time.Duration) func() time.Duration {
	first := make(chan time.Time)
	in := first
	for range n {
		from, to := in, make(chan time.Time)
		go func() {
			defer close(to)
			for t := range from {
				to <- t
			}
		}()
		in = to
	}
	b.Cleanup(func() { close(first) })
	return func() time.Duration {
		time.Sleep(pause)
		first <- time.Now()
		return time.Since(<-in)
	}
}

// BenchmarkCardToDurableRelease measures the same with the record durable on
// the disk of TMPDIR before the lock moves. Beside it stand, one after each card and in
// files beside the journal, the least that a disk can be asked for, as many bytes by pwrite
// into a file that was filled with zeros before and fdatasync (limit), and a bbolt commit of them.
func BenchmarkCardToDurableRelease(b *testing.B) {
	dir := b.TempDir()
	needDisk(b, dir)
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "journal"), Log: zerolog.Nop(),
		Clock: func() journal.Stamp {
			return journal.Stamp{BootTime: uint64(time.Now().UnixNano()), Wall: time.Now().UnixMilli(), Quality: wire.ClockNTP, Trusted: true}
		}})
	check(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = j.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	l := newLane(b, j, bitTime)
	l.tap()
	idle(b, j)
	size := len(grantBytes(b, j))
	commit, bareSync := newCommitter(b, filepath.Join(dir, "bare.db"), size), newSyncer(b, filepath.Join(dir, "zeroed"), size)
	var ours, limit, bare times
	for b.Loop() {
		ours = append(ours, l.tap())
		idle(b, j)
		limit = append(limit, bareSync())
		bare = append(bare, commit())
	}
	ours.report(b, "card")
	limit.report(b, "limit")
	bare.report(b, "bare-commit")
	b.ReportMetric(ours.at(50)/limit.at(50), "x_limit_p50")
	b.ReportMetric(ours.at(50)/bare.at(50), "x_bare_p50")
	b.ReportMetric(ours.at(99)/bare.at(99), "x_bare_p99")
}

// idle waits until all that followed a card is durable, which an entry that may not wait takes along, and a little longer.
func idle(b *testing.B, j *journal.Journal) {
	b.Helper()
	_, err := j.Append(context.Background(), wire.Header{Kind: wire.KindOnline, Door: "front", Source: "in"}, wire.Who{})
	check(b, err)
	time.Sleep(bitTime)
}

// grantBytes is the record of a grant as it stands on the disk.
func grantBytes(b *testing.B, j *journal.Journal) []byte {
	b.Helper()
	list, _, err := j.Entries(context.Background(), journal.Position{}, 100)
	check(b, err)
	for _, e := range list {
		if h, err := wire.DecodeHeader(e.Header); err == nil && h.Kind == wire.KindAccess {
			return e.Stored.Encode()
		}
	}
	b.Fatal("no entry of the card")
	return nil
}

// newCommitter returns a function that commits n bytes and returns the time
// that it took.
func newCommitter(b *testing.B, path string, n int) func() time.Duration {
	b.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType, InitialMmapSize: 16 << 20})
	check(b, err)
	b.Cleanup(func() { _ = db.Close() })
	value, bucket := make([]byte, n), []byte("entries")
	check(b, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }))
	seq := uint64(0)
	return func() time.Duration {
		time.Sleep(bitTime)
		begin := time.Now()
		check(b, db.Update(func(tx *bolt.Tx) error {
			seq++
			t := tx.Bucket(bucket)
			t.FillPercent = 1
			return t.Put(binary.BigEndian.AppendUint64(nil, seq), value)
		}))
		return time.Since(begin)
	}
}

// newSyncer returns a function that writes n bytes into a file that has all its blocks, and
// makes them last, and returns the time that it took.
func newSyncer(b *testing.B, path string, n int) func() time.Duration {
	b.Helper()
	const size = 512 << 10
	f, err := os.Create(path)
	check(b, err)
	b.Cleanup(func() { _ = f.Close() })
	_, err = f.Write(make([]byte, size))
	check(b, err)
	check(b, f.Sync())
	value, at := make([]byte, n), 0
	return func() time.Duration {
		time.Sleep(bitTime)
		begin := time.Now()
		_, err := f.WriteAt(value, int64(at))
		check(b, err)
		check(b, unix.Fdatasync(int(f.Fd())))
		at = (at + n) % (size - n)
		return time.Since(begin)
	}
}

// needDisk skips where a sync costs nothing.
func needDisk(b *testing.B, dir string) {
	b.Helper()
	const tmpfs = 0x01021994
	var fs syscall.Statfs_t
	check(b, syscall.Statfs(dir, &fs))
	if int64(fs.Type) == tmpfs {
		b.Skip("SKIP (needs disk): TMPDIR is memory; set it to a directory on a disk")
	}
}

// times are samples.
type times []time.Duration

// at returns a percentile in microseconds.
func (t times) at(percent int) float64 {
	s := slices.Sorted(slices.Values(t))
	return float64(s[min(len(s)-1, len(s)*percent/100)].Nanoseconds()) / 1000
}

func (t times) report(b *testing.B, name string) {
	b.ReportMetric(t.at(50), "us_"+name+"_p50")
	b.ReportMetric(t.at(99), "us_"+name+"_p99")
	b.ReportMetric(0, "ns/op") // it holds the pauses between
}
