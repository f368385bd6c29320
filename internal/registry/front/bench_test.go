package front

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

const (
	benchGateways = 8
	benchBatches  = 80  // of each
	benchEntries  = 300 // of each batch: what fits where every entry names somebody
	sealedWho     = 78  // bytes of each in the seal, and 1,136 once a batch
)

// load is what gateways that were away for long send: envelopes, in order.
type load struct {
	gateways  []*model
	topics    []string
	envelopes [][][]byte
	bytes     int
}

func (r *rig) load(t testing.TB, gateways, batches, entries int, epoch uint64, known []*model) *load {
	l := &load{gateways: known}
	for i := range gateways {
		if len(l.gateways) <= i {
			l.gateways = append(l.gateways, r.gateway("g"+string(rune('a'+i)), epoch))
		}
		g := l.gateways[i]
		*g = model{r: r, place: g.place, key: g.key, epoch: epoch, nonce: g.nonce, ranges: g.ranges[:1], boot: 1}
		g.fill(batches * entries)
		var all [][]byte
		for j := range batches {
			batch := g.batch(j*entries, entries)
			batch.Sealed = make([]byte, entries*sealedWho+1136)
			topic, envelope := g.say(wire.TypeBatch, batch)
			all = append(all, envelope)
			l.bytes += len(envelope)
			if j == 0 {
				l.topics = append(l.topics, topic)
			}
		}
		l.envelopes = append(l.envelopes, all)
	}
	return l
}

// drain sends the load with so many batches in flight a gateway, and returns
// when all is acked.
func (l *load) drain(link *memory, window, entries int) {
	sent, acked := make([]int, len(l.gateways)), make([]int, len(l.gateways))
	for left := len(l.gateways); left > 0; {
		for i, all := range l.envelopes {
			for sent[i] < len(all) && sent[i]-acked[i] < window {
				link.receive(l.topics[i], all[sent[i]])
				sent[i]++
			}
		}
		<-link.arrived
		link.mu.Lock()
		came := link.sent
		link.sent = nil
		link.mu.Unlock()
		for _, p := range came {
			for i, g := range l.gateways {
				if p.topic != g.place.Down(wire.TypeAck) {
					continue
				}
				before := acked[i]
				if a := g.ack(p.payload); a.Epoch == g.epoch {
					acked[i] = int(a.Next) / entries
				}
				if acked[i] == len(l.envelopes[i]) && before < acked[i] {
					left--
				}
			}
		}
	}
}

// unbounded is for gateways that send in seconds what others do in years.
func (r *rig) unbounded() Config {
	c := r.config()
	c.GatewayPerDay = 1 << 20
	return c
}

// BenchmarkIngest: envelopes of so many entries in, committed, acks out; beside it what SQLite
// takes of the same bytes without any of our work, and one row a commit.
func BenchmarkIngest(b *testing.B) {
	for _, entries := range []int{1, 10, 100, benchEntries} {
		b.Run(fmt.Sprint(entries), func(b *testing.B) { takeIn(b, entries) })
	}
}

func takeIn(b *testing.B, entries int) {
	r := newRig(b)
	link, make := newMemory()
	s := r.start(Options{Link: make, Config: r.unbounded()})
	l := r.load(b, benchGateways, 1, 1, 1, nil)
	if _, err := s.client.PutHouse(b.Context(), r.house(1, l.gateways...)); err != nil {
		b.Fatal(err)
	}
	total := benchGateways * benchBatches * entries
	var ours, bare, single time.Duration
	var rows int
	before, epoch := s.store.Size(), uint64(1)
	for b.Loop() {
		epoch++
		b.StopTimer()
		l = r.load(b, benchGateways, benchBatches, entries, epoch, l.gateways)
		b.StartTimer()
		began := time.Now()
		l.drain(link, 16, entries)
		ours += time.Since(began)
		b.StopTimer()
		bare += insertBare(b, l, 32)
		d, n := insertSingle(b, l)
		single, rows = single+d, rows+n
		b.StartTimer()
	}
	rate := float64(total*b.N) / ours.Seconds()
	b.ReportMetric(rate, "entries/s")
	b.ReportMetric(rate/(float64(total*b.N)/bare.Seconds()), "of-bare-insert")
	b.ReportMetric(rate/(float64(rows)/single.Seconds()), "x-single-row")
	b.ReportMetric(float64(s.store.Size()-before)/float64(total*b.N), "B/entry")
	b.ReportMetric(float64(ours.Nanoseconds())/float64(total*b.N), "ns/entry")
}

// insertBare stores the same bytes in rows, so many a transaction.
func insertBare(b *testing.B, l *load, perCommit int) time.Duration {
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "bare.db"), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	began := time.Now()
	n := 0
	for i, all := range l.envelopes {
		for j := 0; j < len(all); j += perCommit {
			err := db.Update(context.Background(), func(tx *store.Tx) error {
				for k := j; k < min(len(all), j+perCommit); k++ {
					n++
					if err := tx.AddBatch(store.Batch{Gateway: int64(i), Epoch: 1, First: uint64(n), Body: all[k]}, began); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	return time.Since(began)
}

// insertSingle stores entries as a registry without batches would: one row,
// one commit each.
func insertSingle(b *testing.B, l *load) (time.Duration, int) {
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "single.db"), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const rows = 300
	began := time.Now()
	for i := range rows {
		header := l.gateways[0].headers[i%len(l.gateways[0].headers)]
		if err := db.Update(context.Background(), func(tx *store.Tx) error {
			return tx.AddBatch(store.Batch{Gateway: 1, Epoch: 1, First: uint64(i), Body: header}, began)
		}); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began), rows
}

// BenchmarkLiveEntries: one entry a batch, as a quiet day brings them, of many
// gateways at a time; beside it one row a commit.
func BenchmarkLiveEntries(b *testing.B) {
	r := newRig(b)
	link, make := newMemory()
	s := r.start(Options{Link: make, Config: r.unbounded()})
	const gateways, entries = 16, 50
	l := r.load(b, gateways, 1, 1, 1, nil)
	if _, err := s.client.PutHouse(b.Context(), r.house(1, l.gateways...)); err != nil {
		b.Fatal(err)
	}
	epoch := uint64(1)
	var ours, single time.Duration
	var rows int
	for b.Loop() {
		epoch++
		b.StopTimer()
		l = r.load(b, gateways, entries, 1, epoch, l.gateways)
		b.StartTimer()
		began := time.Now()
		l.drain(link, 1, 1)
		ours += time.Since(began)
		b.StopTimer()
		d, n := insertSingle(b, l)
		single, rows = single+d, rows+n
		b.StartTimer()
	}
	rate := float64(gateways*entries*b.N) / ours.Seconds()
	b.ReportMetric(rate, "entries/s")
	b.ReportMetric(rate/(float64(rows)/single.Seconds()), "x-single-row")
}

// passagesAnHour is how many passages share a context of seals: those of a house in which 180 a day are
// spread over 18 hours.
const passagesAnHour = 10

// passages has what each gateway sends while people go in and out: of a passage at 0, 0, 1, 4 and 4
// seconds a batch of three entries, one of which names somebody, and one of two. Seals are in a context
// for passagesAnHour, of which only the first brings the key; with alone each is sealed by itself, as a
// gateway of before does it.
func (r *rig) passages(gateways, passages int, alone bool, epoch uint64, known []*model) *load {
	l := r.load(r.t, gateways, 0, 0, epoch, known)
	for i, g := range l.gateways {
		g.nonce = wire.Nonce{1, byte(epoch), byte(epoch >> 8)}
		l.topics, l.envelopes = append(l.topics, g.place.Up(wire.TypeBatch)), append(l.envelopes, nil)
		var context *whos.Context
		for n := range passages {
			first := len(g.headers)
			ref := &wire.Ref{Boot: g.boot, Counter: uint64(first)}
			at := wire.Header{Door: "front", BootTime: 123_456_789_012, Clock: wire.ClockNTP}
			for n, kind := range []wire.Kind{wire.KindAccess, wire.KindReleased, wire.KindOpened, wire.KindClosed, wire.KindSecured} {
				h := at
				if h.Kind = kind; n == 0 {
					h.Outcome, h.Reason, h.Source, h.Direction = wire.OutcomeGranted, wire.ReasonGranted, "reader-1", wire.DirectionIn
				} else if n < 3 {
					h.Ref = ref
				}
				g.add(h, n == 0)
			}
			in, out := g.batch(first, 3), g.batch(first+3, 2)
			in.Sealed, out.Sealed = make([]byte, sealedWho+1136), nil
			if !alone {
				context = r.sealIn(context, n, g, &in)
			}
			for _, b := range [...]wire.Batch{in, out} {
				_, envelope := g.say(wire.TypeBatch, b)
				l.envelopes[i], l.bytes = append(l.envelopes[i], envelope), l.bytes+len(envelope)+len(l.topics[i])
			}
		}
	}
	return l
}

// sealIn seals the who part of the first entry of a batch, of the n-th passage, in a context that it
// returns: another one for the first of an hour.
func (r *rig) sealIn(c *whos.Context, n int, g *model, b *wire.Batch) *whos.Context {
	var err error
	if n%passagesAnHour == 0 {
		c, err = whos.Begin(r.kem, g.place.Address(), b.Epoch)
		r.must(err)
		b.Context = c.Encapsulated()
	} else {
		id := c.ID()
		b.Context = id[:]
	}
	credential, grant, tenancy := wire.CredentialID{1}, wire.ID{2}, wire.ID{3}
	who, err := wire.Who{Credential: &credential, Grant: &grant, Tenancy: &tenancy, Method: wire.MethodCard}.Encode()
	r.must(err)
	b.Sealed, err = c.Seal(b.First, []whos.Part{{Who: who}})
	r.must(err)
	return c
}

// BenchmarkLivePassages: the passages of many gateways at a time, each of which sends a batch when the
// one before is acked. The processor's time is that of the whole process, with the other end, which
// reads acks and verifies nothing; beside it what the signatures of a batch alone take: one that is
// verified, and two of the ack.
func BenchmarkLivePassages(b *testing.B) { livePassages(b, false) }

// BenchmarkLivePassagesAlone: the same of gateways of before, each of whose batches has a seal of its own.
func BenchmarkLivePassagesAlone(b *testing.B) { livePassages(b, true) }

func livePassages(b *testing.B, alone bool) {
	r := newRig(b)
	link, make := newMemory()
	s := r.start(Options{Link: make, Config: r.unbounded()})
	const gateways, passages, entries = 16, 200, 5
	l := r.load(b, gateways, 1, 1, 1, nil)
	if _, err := s.client.PutHouse(b.Context(), r.house(1, l.gateways...)); err != nil {
		b.Fatal(err)
	}
	epoch, bytes := uint64(1), 0
	var took, used, bare time.Duration
	for b.Loop() {
		epoch++
		b.StopTimer()
		bare += r.signatures(l.gateways[0], 2*gateways*passages)
		l = r.passages(gateways, passages, alone, epoch, l.gateways)
		bytes += l.bytes
		l.greet(link)
		b.StartTimer()
		began, cpu := time.Now(), processTime(b)
		l.live(link)
		took, used = took+time.Since(began), used+processTime(b)-cpu
	}
	n := float64(gateways * passages * entries * b.N)
	if stored, _, err := s.store.Count(b.Context()); err != nil || float64(stored) != n {
		b.Fatalf("%d entries are stored, want %.0f: %v", stored, n, err)
	}
	s.stop()
	size, err := os.Stat(filepath.Join(r.dir, api.FileDatabase))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(n/took.Seconds(), "entries/s")
	b.ReportMetric(float64(used.Microseconds())/n, "us-CPU/entry")
	b.ReportMetric(float64(used)/float64(bare), "x-signatures")
	b.ReportMetric(float64(bytes)/n, "wire-B/entry")
	b.ReportMetric(float64(size.Size())/n, "stored-B/entry")
}

// signatures returns the processor's time of the signatures of n batches: of the envelope, of an ack
// and of its checkpoint.
func (r *rig) signatures(g *model, n int) time.Duration {
	message := make([]byte, 1024)
	signature := ed25519.Sign(g.key, message)
	before := processTime(r.t)
	for range n {
		if !ed25519.Verify(g.key.Public().(ed25519.PublicKey), message, signature) {
			r.t.Fatal("a signature does not verify")
		}
		ed25519.Sign(r.witness, message[:400])
		ed25519.Sign(r.witness, message[:120])
	}
	return processTime(r.t) - before
}

// greet says hello for each gateway, as one of today does, whose epochs are cosigned from then on.
func (l *load) greet(link *memory) {
	l.inTurn(link, func(i, n int) (string, []byte) {
		if n > 0 {
			return "", nil
		}
		return l.gateways[i].say(wire.TypeHello, wire.Hello2{Hello: l.gateways[i].hello(), Formats: []uint64{1, 2, 3}})
	})
}

// live sends the load, the next batch of a gateway when the one before is acked.
func (l *load) live(link *memory) {
	l.inTurn(link, func(i, n int) (string, []byte) {
		if n == len(l.envelopes[i]) {
			return "", nil
		}
		return l.topics[i], l.envelopes[i][n]
	})
}

// inTurn sends the n-th message of each gateway when the one before is acked, until there is none.
func (l *load) inTurn(link *memory, message func(i, n int) (string, []byte)) {
	byTopic, sent, left := map[string]int{}, make([]int, len(l.gateways)), len(l.gateways)
	send := func(i int) {
		topic, envelope := message(i, sent[i])
		if envelope == nil {
			left--
			return
		}
		sent[i]++
		link.receive(topic, envelope)
	}
	for i, g := range l.gateways {
		byTopic[g.place.Down(wire.TypeAck)] = i
		send(i)
	}
	for left > 0 {
		<-link.arrived
		link.mu.Lock()
		came := link.sent
		link.sent = nil
		link.mu.Unlock()
		for _, p := range came {
			if i, ok := byTopic[p.topic]; ok {
				send(i)
			}
		}
	}
}

// processTime returns the processor's time that this process has used.
func processTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
