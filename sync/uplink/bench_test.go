package uplink

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal"
	"gatehouse/internal/tree"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// pipe is a link without a broker: a channel each way, with a delay.
type pipe struct {
	up   chan mqtt.Message
	down chan mqtt.Message
	way  time.Duration // one way
	same chan struct{}
}

func (p *pipe) Publish(_ context.Context, topic string, payload []byte) error {
	p.up <- mqtt.Message{Topic: topic, Payload: payload}
	return nil
}
func (p *pipe) Messages() <-chan mqtt.Message  { return p.down }
func (p *pipe) State() (bool, <-chan struct{}) { return true, p.same }

// answer verifies as a registry does, and stores nothing.
func (p *pipe) answer(ctx context.Context, k rigKeys, place wire.Place) {
	gateway := []wire.Key{{Role: wire.RoleGateway, Public: publicOf(k.gateway)}}
	trees := map[uint64]tree.Range{}
	var nonce wire.Nonce
	for {
		var m mqtt.Message
		select {
		case <-ctx.Done():
			return
		case m = <-p.up:
		}
		_, _, kind, _ := wire.ParseTopic(m.Topic)
		if kind != wire.TypeHello && kind != wire.TypeBatch {
			continue
		}
		payload, at, err := wire.Open(m.Payload, wire.Expect{Type: kind, Role: wire.RoleGateway, Address: place.Address(), Newest: wire.Formats}, gateway)
		if err != nil {
			panic(err)
		}
		a := wire.Ack{Window: 32}
		if kind == wire.TypeHello {
			h, err := wire.DecodeHello(at.Version, payload)
			if err != nil {
				panic(err)
			}
			nonce, a.Epoch = h.Nonce, h.Epoch
		} else {
			a.Epoch = take(trees, payload, gateway[0], place)
		}
		r := trees[a.Epoch]
		a.Nonce, a.Next, a.Root = nonce, r.Size(), wire.Hash(r.Root())
		a.Cosignature = checkpoint.Checkpoint{Address: place.Address(), Epoch: a.Epoch, Size: a.Next, Root: a.Root}.Cosign(k.witness, uint64(a.Time))
		body, err := wire.Encode(a)
		if err != nil {
			panic(err)
		}
		back := mqtt.Message{Topic: place.Down(wire.TypeAck), Payload: sign(wire.TypeAck, wire.RoleWitness, place.Address(), body, k.witness)}
		if p.way == 0 {
			p.down <- back
		} else {
			time.AfterFunc(2*p.way, func() { p.down <- back })
		}
	}
}

func take(trees map[uint64]tree.Range, payload []byte, gateway wire.Key, place wire.Place) uint64 {
	var b wire.Batch
	if err := wire.Decode(payload, &b); err != nil {
		panic(err)
	}
	leaves := make([]tlog.Hash, len(b.Headers))
	for i := range leaves {
		leaves[i] = tlog.RecordHash(b.Leaf(i))
	}
	r := trees[b.Epoch]
	if b.First != r.Size() {
		return b.Epoch
	}
	r = r.AddAll(leaves)
	c := checkpoint.Checkpoint{Address: place.Address(), Epoch: b.Epoch, Size: r.Size(), Root: wire.Hash(r.Root())}
	if c.Root != b.Root || !c.Verify(gateway.Public, b.Signature) {
		panic("batch does not verify")
	}
	trees[b.Epoch] = r
	return b.Epoch
}

// fill makes a journal of n entries in a directory, once.
func fill(b *testing.B, dir string, n int, o journal.Options) {
	o.Queue = n + 100
	j, err := journal.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		id := wire.ID{byte(i), byte(i >> 8), byte(i >> 16), 1}
		c := wire.CredentialID{1, byte(i)}
		j.Queue(granted(), wire.Who{Credential: &c, Grant: &id, Tenancy: &id})
	}
	run(b, j, func() {
		for j.Status().Queued > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// run does something while a journal runs.
func run(b *testing.B, j *journal.Journal, do func()) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := j.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	for j.Status().Epoch == 0 {
		time.Sleep(time.Millisecond)
	}
	do()
	stop()
	running.Wait()
}

// BenchmarkDrain sends the entries of a cold journal, who parts and all, until
// the last is confirmed, and reads and hashes them bare beside it. The other end
// verifies on the same cores and stores nothing.
func BenchmarkDrain(b *testing.B) {
	const total = 200_000
	dir := filepath.Join(b.TempDir(), "journal")
	w := &world{}
	o := journal.Options{Dir: dir, Clock: w.stamp, Ballast: -1, Uplink: true, Log: zerolog.Nop()}
	fill(b, dir, total, o)
	for _, c := range []struct {
		name  string
		batch int
		n     uint64
		way   time.Duration
	}{{"1", 1, 5_000, 0}, {"10", 10, 30_000, 0}, {"100", 100, total, 0}, {"300", 300, total, 0}, {"full", entries.BatchEntries, total, 0},
		{"full, 50 ms there and back", entries.BatchEntries, total, 25 * time.Millisecond}} {
		b.Run(c.name, func(b *testing.B) {
			var drained, bare time.Duration
			for b.Loop() {
				_ = os.Remove(filepath.Join(dir, "hints"))
				drained += drain(b, o, c.batch, c.n, c.way)
				bare += readBare(b, o, c.n)
			}
			n := float64(c.n) * float64(b.N)
			b.ReportMetric(n/drained.Seconds(), "entries/s")
			b.ReportMetric(n/bare.Seconds(), "entries/s-bare")
			b.ReportMetric(bare.Seconds()/drained.Seconds(), "of-bare")
		})
	}
}

func drain(b *testing.B, o journal.Options, batch int, n uint64, way time.Duration) (took time.Duration) {
	j, err := journal.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	k, place := makeKeys(), wire.Place{District: "d", Town: "t", Building: "b", Gateway: "g"}
	p := &pipe{up: make(chan mqtt.Message, 64), down: make(chan mqtt.Message, 64), way: way, same: make(chan struct{})}
	u, err := New(Options{Link: p, Place: place, Journal: j, Keyring: k.ring(place), Key: k.gateway, Clock: o.Clock, Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	u.o.Batch = batch
	run(b, j, func() {
		ctx, stop := context.WithCancel(context.Background())
		var ends sync.WaitGroup
		start := time.Now()
		ends.Go(func() { p.answer(ctx, k, place) })
		ends.Go(func() { _ = u.Run(ctx) })
		for u.Status().Stored.Sequence < n {
			time.Sleep(time.Millisecond)
		}
		took = time.Since(start)
		stop()
		ends.Wait()
	})
	return took
}

func readBare(b *testing.B, o journal.Options, n uint64) (took time.Duration) {
	j, err := journal.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	run(b, j, func() {
		start, at := time.Now(), j.Status().Oldest
		for r := (tree.Range{}); r.Size() < n; {
			list, next, err := j.Entries(context.Background(), at, entries.BatchEntries)
			if err != nil || len(list) == 0 {
				panic(fmt.Sprint("read: ", err))
			}
			leaves := make([]tlog.Hash, len(list))
			for i, e := range list {
				leaves[i] = tlog.RecordHash(e.Leaf())
			}
			r, at = r.AddAll(leaves), next
		}
		took = time.Since(start)
	})
	return took
}
