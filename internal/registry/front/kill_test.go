package front

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

const (
	childEnv       = "GATEHOUSE_TEST_FRONT"  // its directory
	childBrokerEnv = "GATEHOUSE_TEST_BROKER" // set: with the embedded broker
)

// pipe is a link over standard input and output.
type pipe struct {
	receive func(string, []byte)
	mu      sync.Mutex
	out     *bufio.Writer
}

func (p *pipe) Connected() bool       { return true }
func (p *pipe) Disconnect(wire.Place) {}

func (p *pipe) Run(ctx context.Context) error {
	in := bufio.NewReader(os.Stdin)
	for ctx.Err() == nil {
		topic, payload, err := readFrame(in)
		if err != nil {
			os.Exit(0)
		}
		p.receive(topic, payload)
	}
	return nil
}

func (p *pipe) Publish(topic string, payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	writeFrame(p.out, topic, payload)
	return p.out.Flush()
}

func writeFrame(w io.Writer, topic string, payload []byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(topic)))
	b = binary.BigEndian.AppendUint32(append(b, topic...), uint32(len(payload)))
	_, _ = w.Write(append(b, payload...))
}

func readFrame(r io.Reader) (topic string, payload []byte, err error) {
	var parts [2][]byte
	for i := range parts {
		var n [4]byte
		if _, err = io.ReadFull(r, n[:]); err != nil {
			return
		}
		parts[i] = make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err = io.ReadFull(r, parts[i]); err != nil {
			return
		}
	}
	return string(parts[0]), parts[1], nil
}

// TestFrontChild is the process that TestAckedSurvivesKill kills, and that
// BenchmarkThousandGateways measures.
func TestFrontChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return // runs only as a child
	}
	c := Config{State: dir, EnrolListen: "127.0.0.1:0", MQTTListen: "127.0.0.1:0"}
	c.defaults(dir)
	link := &pipe{out: bufio.NewWriter(os.Stdout)}
	o := Options{Config: c, Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel),
		Ready: func(broker, _ string) { _ = link.Publish("ready", []byte(broker)) }}
	if os.Getenv(childBrokerEnv) == "" {
		o.Link = func(receive func(string, []byte)) (Link, error) { link.receive = receive; return link, nil }
	}
	f, err := New(o)
	if err == nil {
		err = f.Run(context.Background())
	}
	t.Fatal(err)
}

// child starts a front as a process of its own and returns its ends.
func (r *rig) child(env ...string) (cmd *exec.Cmd, in io.Writer, out *bufio.Reader, broker string) {
	r.t.Helper()
	self, err := os.Executable()
	r.must(err)
	cmd = exec.Command(self, "-test.run=^TestFrontChild$")
	cmd.Env = append(append(os.Environ(), childEnv+"="+r.dir), env...)
	cmd.Stderr = os.Stderr
	in, err = cmd.StdinPipe()
	r.must(err)
	stdout, err := cmd.StdoutPipe()
	r.must(err)
	r.must(cmd.Start())
	out = bufio.NewReader(stdout)
	topic, payload, err := readFrame(out)
	if err != nil || topic != "ready" {
		r.t.Fatalf("the child says %q, %v", topic, err)
	}
	return cmd, in, out, string(payload)
}

// TestAckedSurvivesKill: a process that is killed at any moment has kept everything
// that it acked, and takes the rest afterwards, each entry once.
func TestAckedSurvivesKill(t *testing.T) {
	kills := 12
	if testing.Short() {
		kills = 3
	}
	r := newRig(t)
	g := r.gateway("g1", 7)
	const n, per = 20_000, 100
	g.fill(n)
	db, err := store.Open(t.Context(), r.config().path(api.FileDatabase), zerolog.Nop())
	r.must(err)
	r.must(db.Update(t.Context(), func(tx *store.Tx) error { return tx.Documents.PutHouse(store.House{Document: r.house(1, g)}, 1) }))
	r.must(db.Close())
	acked := 0
	// What was stored and not acked before a kill is acked with the next batch.
	runs := 0
	for ; acked < n; runs++ {
		acked = r.killedRun(g, acked, n, per, runs < kills)
	}
	if runs < 2 {
		t.Fatal("nothing was killed: the run proves nothing")
	}
	t.Logf("killed %d times", runs-1)
	db, err = store.Open(t.Context(), r.config().path(api.FileDatabase), zerolog.Nop())
	r.must(err)
	defer db.Close()
	next := uint64(0)
	for b, err := range db.Batches(t.Context(), store.Filter{}) {
		r.must(err)
		if b.First != next {
			t.Fatalf("stored from %d, want %d", b.First, next)
		}
		next = b.Next
	}
	if next != n {
		t.Fatalf("%d entries are stored, want %d", next, n)
	}
}

// killedRun sends from acked on, with some batches in flight, until all is
// acked or, with kill, until a random moment some batches later. It returns what
// is acked.
func (r *rig) killedRun(g *model, acked, n, per int, kill bool) int {
	cmd, in, out, _ := r.child()
	last := acked + per*rand.IntN(12)
	room, done := make(chan struct{}, n/per), make(chan struct{})
	for range 16 { // batches in flight
		room <- struct{}{}
	}
	var sender sync.WaitGroup
	sender.Go(func() {
		for first := acked; first < n; first += per {
			select {
			case <-room:
			case <-done:
				return
			}
			topic, payload := g.say(wire.TypeBatch, g.batch(first, per))
			writeFrame(in, topic, payload)
		}
	})
	for began := time.Now(); acked < n && time.Since(began) < time.Minute; {
		if kill && acked >= last { // by progress: a child that is slow gets so far, one that is fast not to the end
			time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) // any moment of a commit
			_ = cmd.Process.Kill()
			kill = false
		}
		topic, payload, err := readFrame(out)
		if err != nil {
			break // killed
		}
		if topic != g.place.Down(wire.TypeAck) {
			continue
		}
		a := g.ack(payload)
		if int(a.Next) < acked || a.Root != wire.Hash(g.ranges[a.Next].Root()) {
			r.t.Fatalf("acked through %d before, through %d now", acked, a.Next)
		}
		for ; acked < int(a.Next); acked += per {
			room <- struct{}{}
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	close(done)
	sender.Wait()
	return acked
}
