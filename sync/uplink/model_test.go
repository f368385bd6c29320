package uplink

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/whos"
)

// leaf is an entry as the model registry stores it.
type leaf struct {
	header string
	who    string // hash
}

func (l leaf) hash() [32]byte {
	return sha256.Sum256(append(append([]byte{0}, l.header...), fmt.Sprintf("%s%s", l.who, make([]byte, 32-len(l.who)))...))
}

// merkle is the root of RFC 6962, section 2.1, word for word.
func merkle(hashes [][32]byte) [32]byte {
	switch len(hashes) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return hashes[0]
	}
	k := 1
	for 2*k < len(hashes) {
		k *= 2
	}
	l, r := merkle(hashes[:k]), merkle(hashes[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

// store is what the model registry has committed.
type store struct {
	epochs  map[uint64][]leaf
	order   []uint64
	line    uint64
	records map[uint64][]string // envelopes by line
}

func (s store) clone() store {
	c := store{epochs: map[uint64][]leaf{}, order: append([]uint64(nil), s.order...), line: s.line, records: map[uint64][]string{}}
	for e, list := range s.epochs {
		c.epochs[e] = append([]leaf(nil), list...)
	}
	for l, list := range s.records {
		c.records[l] = append([]string(nil), list...)
	}
	return c
}

// contexts are the encapsulated keys that the model registry has, by epoch and id.
type contexts struct {
	keys    map[string][]byte
	newest  wire.ID // that a batch named or brought; zero: none
	brought int     // how many batches brought one
	named   int     // how many named one
	lacked  int     // how many named one that it does not have
}

// registry is a model of the other end, made from docs/protocol.md and not
// from the code under test.
type registry struct {
	broker  *faultnet.Broker
	place   wire.Place
	gateway wire.Key
	witness ed25519.PrivateKey
	kem     []byte // private, of the records key

	mu       sync.Mutex
	store    store
	nonce    wire.Nonce
	said     map[wire.Nonce]bool // that it heard
	window   uint16
	retry    uint16
	silent   bool                                               // takes everything and answers nothing
	asks     bool                                               // for what the gateway holds
	held     []wire.Holding                                     // that came
	liar     bool                                               // confirms batches with another root
	other    bool                                               // answers everything with another root
	cosign   func(checkpoint.Checkpoint, uint32) wire.Signature // nil: as it should
	faults   []string                                           // what an honest gateway never does
	whos     map[string]bool
	notices  map[string]int
	forks    int
	list     wire.ListPart
	version  uint64
	listHash wire.Hash
	buckets  map[wire.Hash][]byte
	withheld bool
	down     map[string][]byte // documents by type
	versions [2]uint64         // house, trust
	batches  int
	arrived  map[string]time.Time // when the entry with these header bytes was stored
	helloAt  []time.Time
	formats  uint64 // that it reads; 0: all
	reads    bool   // the gateway reads format 3, by its newest hello
	contexts contexts
	safe     uint64        // entries that it says it can't lose
	claim    wire.Cosigned // of the newest hello
	hellos   []uint64      // formats in which it was greeted, whether it read them or not
	format   uint64        // of the newest hello that it read
	spread   uint16
	stop     context.CancelFunc
	done     sync.WaitGroup
}

func (r *registry) start() {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	link := r.broker.Connect(faultnet.Client{Name: "registry", Subscribe: []string{wire.UpFilter, wire.StatusFilter}})
	r.mu.Lock()
	r.nonce, r.said = wire.Nonce{}, map[wire.Nonce]bool{}
	r.mu.Unlock()
	r.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-link.Messages():
				r.take(link, m)
			}
		}
	})
}

// kill ends it; what was committed stays.
func (r *registry) kill() { r.stop(); r.done.Wait() }

func (r *registry) open(kind string, envelope []byte) []byte {
	expect := wire.Expect{Type: kind, Role: wire.RoleGateway, Address: r.place.Address()}
	if kind == wire.TypeHello || kind == wire.TypeBatch {
		expect.Newest = cmp.Or(r.formats, wire.Formats)
	}
	payload, p, err := wire.Open(envelope, expect, []wire.Key{r.gateway})
	if kind == wire.TypeHello {
		r.hellos = append(r.hellos, p.Version)
		if errors.Is(err, wire.ErrWrongVersion) {
			return nil
		}
		r.format = p.Version
	}
	if kind == wire.TypeBatch && r.format > 0 && errors.Is(err, wire.ErrWrongVersion) {
		return nil // it was set back to the version before
	}
	if err != nil {
		r.faults = append(r.faults, err.Error())
	}
	return payload
}

func (r *registry) take(link *faultnet.Link, m mqtt.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, dir, kind, err := wire.ParseTopic(m.Topic)
	if err != nil || dir != wire.DirUp {
		return
	}
	payload := r.open(kind, m.Payload)
	if payload == nil {
		return
	}
	epoch := uint64(0)
	if n := len(r.store.order); n > 0 {
		epoch = r.store.order[n-1]
	}
	switch kind {
	case wire.TypeHello:
		h, err := wire.DecodeHello(r.format, payload)
		r.decode(err)
		if r.said[h.Nonce] && h.Nonce != r.nonce {
			return // replayed, by whomever
		}
		r.said[h.Nonce] = true
		r.helloAt, r.claim = append(r.helloAt, time.Now()), h.Cosigned
		r.reads = slices.Contains(h.Formats, 3)
		r.nonce, epoch = h.Nonce, h.CursorEpoch
		if epoch == 0 {
			epoch = h.Epoch
		}
	case wire.TypeBatch:
		if epoch = r.batch(payload); r.liar {
			r.lie(link, epoch)
			return
		}
	case wire.TypeDelivery:
		r.delivery(payload)
	case wire.TypeNotice:
		var n wire.Notice
		r.decode(wire.Decode(payload, &n))
		r.notices[string(n.Header)]++
		return
	case wire.TypeWant:
		r.want(link, payload)
		return
	case wire.TypeHolding:
		var h wire.Holding
		r.decode(wire.Decode(payload, &h))
		r.held = append(r.held, h)
		return
	}
	switch {
	case r.other:
		r.lie(link, epoch)
	case !r.silent:
		r.answer(link, epoch)
	}
}

func (r *registry) decode(err error) {
	if err != nil {
		r.faults = append(r.faults, err.Error())
	}
}

func (r *registry) batch(payload []byte) uint64 {
	var b wire.Batch
	r.decode(wire.Decode(payload, &b))
	r.batches++
	if len(payload) > wire.MaxBatchSize || len(b.Headers) > 700 {
		r.faults = append(r.faults, fmt.Sprintf("batch of %d entries in %d bytes", len(b.Headers), len(payload)))
	}
	have := r.store.epochs[b.Epoch]
	if b.First > uint64(len(have)) {
		return b.Epoch // something before it is missing
	}
	next := append([]leaf(nil), have[:b.First]...)
	for i := range b.Headers {
		next = append(next, leaf{string(b.Headers[i]), string(b.Whos[i])})
	}
	for i := int(b.First); i < min(len(have), len(next)); i++ {
		if have[i] != next[i] {
			r.forks++
			return b.Epoch
		}
	}
	if len(next) <= len(have) {
		return b.Epoch
	}
	root := root(next)
	c := checkpoint.Checkpoint{Address: r.place.Address(), Epoch: b.Epoch, Size: uint64(len(next)), Root: root}
	if root != b.Root || !c.Verify(r.gateway.Public, b.Signature) {
		r.faults = append(r.faults, "batch with a wrong root or checkpoint")
		return b.Epoch
	}
	if !r.unseal(b) {
		return b.Epoch
	}
	for _, l := range next[len(have):] {
		r.arrived[l.header] = time.Now()
	}
	if have == nil {
		r.store.order = append(r.store.order, b.Epoch)
	}
	r.store.epochs[b.Epoch] = next
	return b.Epoch
}

// unseal opens the who parts as the holder of the records key would, and reports whether it has what that takes.
func (r *registry) unseal(b wire.Batch) bool {
	if len(b.Sealed) == 0 {
		return true
	}
	var parts []whos.Part
	var err error
	if len(b.Context) == 0 {
		parts, err = whos.Unseal(r.kem, r.place.Address(), b.Epoch, b.First, b.Sealed)
	} else {
		id := wire.ID(b.Context[:16])
		if r.contexts.named++; len(b.Context) > 16 {
			sum := sha256.Sum256(b.Context)
			id = wire.ID(sum[:16])
			r.contexts.keys[fmt.Sprintf("%x %x", b.Epoch, id)] = b.Context
			r.contexts.brought++
			r.contexts.named--
		}
		key := r.contexts.keys[fmt.Sprintf("%x %x", b.Epoch, id)]
		if key == nil {
			r.contexts.lacked++
			return false
		}
		r.contexts.newest = id
		var c *whos.Context
		if c, err = whos.Open(r.kem, r.place.Address(), b.Epoch, key); err == nil {
			parts, err = c.Unseal(b.First, b.Sealed)
		}
	}
	r.decode(err)
	for _, w := range parts {
		hash := wire.WhoHash(w.Salt, w.Who)
		if int(w.Index) >= len(b.Whos) || !bytes.Equal(b.Whos[w.Index], hash[:]) {
			r.faults = append(r.faults, "who part that is not the one in the leaf")
			continue
		}
		r.whos[string(hash[:])] = true
	}
	return true
}

func root(list []leaf) wire.Hash {
	hashes := make([][32]byte, len(list))
	for i, l := range list {
		hashes[i] = l.hash()
	}
	return merkle(hashes)
}

func (r *registry) delivery(payload []byte) {
	var d wire.Delivery
	r.decode(wire.Decode(payload, &d))
	var rec wire.Record
	r.decode(wire.Decode(r.open(wire.TypeRecord, d.Record), &rec))
	if rec.Number == uint64(len(r.store.records[rec.Line]))+1 {
		r.store.line = rec.Line
		r.store.records[rec.Line] = append(r.store.records[rec.Line], string(d.Record))
	}
}

func (r *registry) answer(link *faultnet.Link, epoch uint64) {
	list := r.store.epochs[epoch]
	k := wire.Ack{Nonce: r.nonce, Time: uint32(time.Now().Unix()), Epoch: epoch, Next: uint64(len(list)), Root: root(list),
		Window: r.window, RetryAfter: r.retry, List: r.version, ListHash: r.listHash, House: r.versions[0], Trust: r.versions[1],
		Line: r.store.line, Records: uint64(len(r.store.records[r.store.line]))}
	c := checkpoint.Checkpoint{Address: r.place.Address(), Epoch: epoch, Size: k.Next, Root: k.Root}
	if k.Cosignature = c.Cosign(r.witness, uint64(k.Time)); r.cosign != nil {
		k.Cosignature = r.cosign(c, k.Time)
	}
	if r.format >= 2 {
		k := wire.Ack2{Ack: k, Safe: r.safe, Spread: r.spread, Holding: r.asks}
		if r.reads && (r.formats == 0 || r.formats >= 3) {
			id := r.contexts.newest
			k.Context = &id
		}
		r.say(link, wire.TypeAck, k)
		return
	}
	r.say(link, wire.TypeAck, k)
}

func (r *registry) claimed() wire.Cosigned {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.claim
}

// lie confirms what is stored, under another root.
func (r *registry) lie(link *faultnet.Link, epoch uint64) {
	list := r.store.epochs[epoch]
	r.say(link, wire.TypeAck, wire.Ack{Nonce: r.nonce, Epoch: epoch, Next: uint64(len(list)), Root: wire.Hash{1}, Window: 4})
}

func (r *registry) say(link *faultnet.Link, kind string, p wire.Payload) {
	_ = link.Publish(context.Background(), r.place.Down(kind), r.sign(kind, p)) // a broker that is down
}

func (r *registry) sign(kind string, p wire.Payload) []byte {
	payload, err := wire.Encode(p)
	if err != nil {
		panic(err)
	}
	return signIn(wire.VersionOf(p), kind, wire.RoleWitness, r.place.Address(), payload, r.witness)
}

func sign(kind string, role wire.Role, address string, payload []byte, key ed25519.PrivateKey) []byte {
	return signIn(1, kind, role, address, payload, key)
}

func signIn(version uint64, kind string, role wire.Role, address string, payload []byte, key ed25519.PrivateKey) []byte {
	b, err := wire.Sign(wire.Protected{Type: kind, Role: role, Address: address, Version: version}, payload, key)
	if err != nil {
		panic(err)
	}
	return b
}

func (r *registry) want(link *faultnet.Link, payload []byte) {
	var w wire.Want
	r.decode(wire.Decode(payload, &w))
	if w.List && !r.withheld {
		r.say(link, wire.TypeList, wire.ListPart{Manifest: r.list.Manifest, Second: r.list.Second})
	}
	for _, h := range w.Buckets {
		if b := r.buckets[h]; b != nil && !r.withheld {
			r.say(link, wire.TypeList, wire.ListPart{Manifest: r.list.Manifest, Buckets: [][]byte{b}})
		}
	}
	for kind, asked := range map[string]bool{wire.TypeHouse: w.House, wire.TypeTrust: w.Trust} {
		if asked && r.down[kind] != nil {
			_ = link.Publish(context.Background(), r.place.Down(kind), r.down[kind])
		}
	}
}
