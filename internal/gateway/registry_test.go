package gateway_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/internal/tree"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/periods"
)

// town is a registry in this process: it commits to memory and signs acks.
type town struct {
	t        *testing.T
	broker   *faultnet.Broker
	place    wire.Place
	gateway  wire.Key
	witness  ed25519.PrivateKey
	approver ed25519.PrivateKey // of mandates
	link     *faultnet.Link

	mu    sync.Mutex
	nonce wire.Nonce
	trees map[uint64]tree.Range
	kinds map[string]int
	epoch uint64   // that the newest ack named
	ack   wire.Ack // what each ack says besides
}

// enrol makes the house known to a registry, as gatehouse enrol does, and
// starts that.
func (h *house) enrol() *town { return h.enrolAt([]byte{0}, nil) }

// enrolAt does so at a registry with a CA; what is none is never over; and with a policy, or none.
func (h *house) enrolAt(ca []byte, policy *periods.Periods) *town {
	h.t.Helper()
	state := filepath.Join(h.dir, "state")
	witness, witnessKey, err := ed25519.GenerateKey(rand.Reader)
	must(h.t, err)
	approver, approverKey, err := ed25519.GenerateKey(rand.Reader)
	must(h.t, err)
	about := gatewaytest.Town{Issuer: h.issuer, CA: ca, Witness: witness, Approver: approver, Policy: policy, Doors: []string{"front", "yard"}}
	about.Enrol(h.t, state)
	h.clientCertificate(time.Now().AddDate(1, 0, 0))
	keyset, err := keys.LoadKeys(filepath.Join(state, "keys"))
	must(h.t, err)

	w := &town{t: h.t, broker: faultnet.NewBroker(1), place: about.Place(), gateway: wire.Key{Role: wire.RoleGateway, Public: keyset.Gateway.Public().(ed25519.PublicKey)}, witness: witnessKey, approver: approverKey,
		trees: map[uint64]tree.Range{}, kinds: map[string]int{}, ack: wire.Ack{Window: 4, House: 1, Trust: 1}}
	w.link = w.broker.Connect(faultnet.Client{Name: "town", Subscribe: []string{wire.UpFilter}})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-w.link.Messages():
				w.take(m)
			}
		}
	})
	h.t.Cleanup(func() { stop(); running.Wait() })
	return w
}

func (w *town) take(m mqtt.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _, kind, err := wire.ParseTopic(m.Topic)
	if err != nil {
		return
	}
	payload, p, err := wire.Open(m.Payload, wire.Expect{Type: kind, Role: wire.RoleGateway, Address: w.place.Address(), Newest: wire.Formats}, []wire.Key{w.gateway})
	if err != nil {
		w.t.Error(err)
		return
	}
	k := w.ack
	switch kind {
	case wire.TypeHello:
		h, err := wire.DecodeHello(p.Version, payload)
		if err != nil {
			w.t.Error(err)
		}
		w.nonce, k.Epoch = h.Nonce, h.CursorEpoch
		if k.Epoch == 0 {
			k.Epoch = h.Epoch
		}
	case wire.TypeBatch:
		k.Epoch = w.store(payload)
	case wire.TypeDelivery:
		w.ack.Line, w.ack.Records = w.stored(payload)
		k.Line, k.Records = w.ack.Line, w.ack.Records
		k.Epoch = w.epoch
	default:
		return
	}
	w.epoch = k.Epoch
	k.Nonce, k.Time = w.nonce, uint32(time.Now().Unix())
	k.Next, k.Root = w.trees[k.Epoch].Size(), wire.Hash(w.trees[k.Epoch].Root())
	k.Cosignature = checkpoint.Checkpoint{Address: w.place.Address(), Epoch: k.Epoch, Size: k.Next, Root: k.Root}.Cosign(w.witness, uint64(k.Time))
	w.say(wire.TypeAck, k)
}

// stored says through which of its tenancy records a gateway has been heard.
func (w *town) stored(payload []byte) (line, number uint64) {
	var d wire.Delivery
	if err := wire.Decode(payload, &d); err != nil {
		w.t.Error(err)
		return 0, 0
	}
	inner, _, err := wire.Open(d.Record, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: w.place.Address(), Newest: wire.Formats}, []wire.Key{w.gateway})
	if err != nil {
		w.t.Error(err)
		return 0, 0
	}
	var r wire.Record
	if err := wire.Decode(inner, &r); err != nil {
		w.t.Error(err)
	}
	return r.Line, r.Number
}

func (w *town) store(payload []byte) uint64 {
	var b wire.Batch
	if err := wire.Decode(payload, &b); err != nil {
		w.t.Error(err)
		return 0
	}
	r := w.trees[b.Epoch]
	for i := range b.Headers {
		if b.First+uint64(i) != r.Size() {
			continue
		}
		h, err := wire.DecodeHeader(b.Headers[i])
		if err != nil {
			w.t.Error(err)
		}
		w.kinds[strings.TrimSpace(h.Door+" "+h.Kind.String()+" "+h.Reason.String())]++
		r = r.Add(tlog.RecordHash(b.Leaf(i)))
	}
	w.trees[b.Epoch] = r
	return b.Epoch
}

func (w *town) say(kind string, p wire.Payload) {
	_ = w.link.Publish(context.Background(), w.place.Down(kind), gatewaytest.Sign(w.t, wire.Protected{Type: kind, Role: wire.RoleWitness, Address: w.place.Address()}, p, w.witness))
}

func (w *town) has(entry string) func() bool {
	return func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.kinds[entry] > 0 }
}

// memoryLink is a link of the broker in memory as a gateway takes it.
type memoryLink struct {
	*faultnet.Link
	publish func(ctx context.Context) error // nil: the broker's
}

func (l memoryLink) Run(ctx context.Context) error { <-ctx.Done(); l.Stop(); return nil }

func (memoryLink) Again()                     {}
func (memoryLink) Spread(time.Duration)       {}
func (memoryLink) Look(context.Context) error { return mqtt.ErrDown }

func (l memoryLink) Publish(ctx context.Context, topic string, payload []byte) error {
	if l.publish != nil {
		return l.publish(ctx)
	}
	return l.Link.Publish(ctx, topic, payload)
}

func (w *town) dial(publish func(context.Context) error) func(*gateway.Options) {
	return func(o *gateway.Options) {
		o.Dial = func(c mqtt.Config) (gateway.Link, error) {
			return memoryLink{w.broker.Connect(faultnet.Client{Name: "gw1", Subscribe: c.Subscribe}), publish}, nil
		}
	}
}

// TestRegistry: what happens at a door comes to the registry, a list that it
// pushes is active at once and proved, and status tells.
func TestRegistry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.startWith(w.dial(nil))
	h.wiegandOpens("the front door releases")
	h.eventually("the registry has it", w.has("front access granted"))

	l, err := h.client.List(t.Context())
	must(t, err)
	e, err := grantlist.NewEditor(grantlist.List{Manifest: l.Manifest, Buckets: l.Buckets}, "lane-7", h.issuer, 0)
	must(t, err)
	records, err := h.client.Keys(t.Context())
	must(t, err)
	var grant wire.ID
	_, err = hex.Decode(grant[:], []byte(records[0].Grant))
	must(t, err)
	must(t, e.SetState(grant, wire.GrantRevoked))
	u, err := e.Sign(time.Now())
	must(t, err)
	w.mu.Lock()
	w.ack.List = 2
	w.say(wire.TypeList, wire.ListPart{Manifest: u.Manifest, Buckets: u.Buckets})
	w.mu.Unlock()
	h.eventually("the list is proved", w.has("list_applied"))
	h.eventually("the front door is secured again", func() bool { return !h.isReleased("front") })
	time.Sleep(2 * time.Second) // a card that is held is no new one
	h.wiegand(123, 4567)
	h.eventually("the registry has the denial", w.has("front access revoked"))
	h.eventually("status says in step", func() bool {
		s, err := h.client.Status(t.Context())
		return err == nil && s.Registry == "town" && s.Uplink != nil && s.Uplink.State == "in step" && s.Uplink.List == 2
	})
}

// TestHungBroker: a broker that takes nothing for ever is nothing to the doors,
// and nothing to the end of the daemon.
func TestHungBroker(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	var hung sync.WaitGroup
	var waited atomic.Int32 // publishes that were not ended, and ended by themselves
	h.startWith(w.dial(func(ctx context.Context) error {
		hung.Add(1)
		defer hung.Done()
		<-ctx.Done()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			waited.Add(1)
		}
		return ctx.Err()
	}))
	h.wiegandOpens("the front door releases")
	h.serialOpens("the yard door releases")
	h.eventually("status answers", func() bool {
		s, err := h.client.Status(t.Context())
		return err == nil && s.Uplink != nil && s.Uplink.State == "greeting"
	})
	before := waited.Load()
	must(t, h.ended())
	hung.Wait()
	if waited.Load() != before {
		t.Error("the end of the daemon waited for the broker")
	}
}

// TestRegistryNone: an enrolled gateway whose site file says none dials nobody.
func TestRegistryNone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.enrol()
	h.site = `registry = "none"` + h.site
	h.startWith(func(o *gateway.Options) {
		o.Dial = func(mqtt.Config) (gateway.Link, error) { t.Error("dialled"); return nil, os.ErrNotExist }
	})
	s, err := h.client.Status(t.Context())
	must(t, err)
	if s.Uplink != nil || s.Registry != "none" {
		t.Errorf("registry %q, uplink %+v", s.Registry, s.Uplink)
	}
}
