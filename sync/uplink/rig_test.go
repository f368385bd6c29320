package uplink

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/journal"
	"gatehouse/internal/keys"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealing"
)

// ring is a keyring in memory. It judges as little as it can: the real one has
// its own tests.
type ring struct {
	mu      sync.Mutex
	reg     *keys.Registry
	status  lists.State
	buckets map[wire.Hash]bool
	applied []uint64
	floor   int64
	undos   uint64
	issuer  []wire.Key
	taken   []byte

	holding, inherited lists.Holding
	unproved           int // so many lists will prove nothing
}

func (k *ring) Trust() wire.Trust  { k.mu.Lock(); defer k.mu.Unlock(); return k.reg.Trust }
func (k *ring) House() wire.House  { k.mu.Lock(); defer k.mu.Unlock(); return k.reg.House }
func (k *ring) Lists() lists.State { k.mu.Lock(); defer k.mu.Unlock(); return k.status }
func (k *ring) Floor() int64       { k.mu.Lock(); defer k.mu.Unlock(); return k.floor }
func (k *ring) RaiseFloor(unix int64, _ uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.floor = max(k.floor, unix)
}

// older is what a keyring says of something older than what is active.
func older() error {
	return &Judged{Err: errors.New("older than what is active"), Reason: wire.ReasonRolledBack}
}

func (k *ring) HighestSigned() wire.Floor {
	k.mu.Lock()
	defer k.mu.Unlock()
	f := wire.Floor{Unix: uint32(k.floor), Undos: k.undos}
	if k.floor > 0 {
		f.Role, f.Epoch = wire.RoleWitness, 1
	}
	return f
}

func (k *ring) Undo(envelope []byte) (wire.Floor, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, err := keys.OpenUndo(envelope, k.reg.Place, k.reg.Trust)
	if err == nil && (int64(f.Unix) != k.floor || f.Undos != k.undos) {
		err = older()
	}
	if err == nil {
		k.floor, k.undos = 0, k.undos+1
	}
	return f, err
}

func (k *ring) open(envelope []byte) (m wire.Manifest, hash wire.Hash, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: k.reg.Place.Building}, k.issuer)
	if err == nil {
		m, err = wire.DecodeManifest(payload)
	}
	if err == nil && m.Version < k.status.Version {
		err = older()
	}
	return m, sha256.Sum256(payload), err
}

func (k *ring) Missing(manifest []byte, _ lists.Proof) (list []wire.Hash, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, _, err := k.open(manifest)
	for _, h := range m.Buckets {
		if !k.buckets[h] {
			list = append(list, h)
		}
	}
	return list, err
}

func (k *ring) Apply(u lists.List) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, hash, err := k.open(u.Manifest)
	if err != nil || m.Version == k.status.Version {
		return err
	}
	if k.unproved > 0 {
		k.unproved--
		return &Judged{Err: errors.New("proves nothing"), Reason: wire.ReasonUnproved}
	}
	have := map[wire.Hash]bool{}
	for _, b := range u.Buckets {
		have[sha256.Sum256(b)] = true
	}
	for _, h := range m.Buckets {
		if !have[h] && !k.buckets[h] {
			return older()
		}
		have[h] = true
	}
	k.status.Version, k.status.Active, k.status.Hash, k.buckets = m.Version, m.Version, hash, have
	k.applied = append(k.applied, m.Version)
	return nil
}

func (k *ring) Holding() (lists.Holding, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.holding, nil
}

func (k *ring) Inherit(h lists.Holding) error {
	k.mu.Lock()
	k.inherited = h
	k.mu.Unlock()
	return k.Apply(lists.List{Manifest: h.Manifest, Buckets: h.Buckets})
}

func (k *ring) SetTrust(envelope []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	t, err := keys.OpenTrust(envelope, k.reg.Root, k.reg.Name)
	if err == nil && t.Version < k.reg.Trust.Version {
		err = older()
	}
	if err == nil {
		next := *k.reg
		next.Trust = t
		k.reg = &next
	}
	return err
}

func (k *ring) SetHouse(envelope []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := keys.OpenHouse(envelope, k.reg.Trust, k.reg.Place.Building)
	if err == nil && h.Version < k.reg.House.Version {
		err = older()
	}
	if err == nil {
		next := *k.reg
		next.House = h
		k.reg = &next
	}
	return err
}

func (k *ring) ShareBuildingKey(kem []byte, address string) ([]byte, error) {
	return sealing.Seal(kem, sealing.BuildingKey, address, []byte("building key"))
}

func (k *ring) TakeBuildingKey(sealed []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	plain, err := sealing.Unseal(k.reg.KEM, sealing.BuildingKey, k.reg.Place.Address(), sealed)
	if err == nil {
		k.taken, k.status.HasKey, k.status.KeyNumber = plain, true, 1
	}
	return err
}

// keys are made once: they are slow to make and nothing depends on which.
type rigKeys struct {
	root, gateway, witness, issuer ed25519.PrivateKey
	kem, kemPublic                 []byte
}

var makeKeys = sync.OnceValue(func() rigKeys {
	key := func(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(append(make([]byte, 31), n)) }
	k := rigKeys{root: key(1), gateway: key(2), witness: key(3), issuer: key(4)}
	var err error
	if k.kem, k.kemPublic, err = sealing.GenerateKey(); err != nil {
		panic(err)
	}
	return k
})

func (k rigKeys) trust(version uint64) wire.Trust {
	return wire.Trust{Version: version, Issued: 1, Registry: "registry", Keys: []wire.RoleKey{
		{Role: wire.RoleWitness, Public: [32]byte(publicOf(k.witness))}, {Role: wire.RoleIssuer, Public: [32]byte(publicOf(k.issuer))}},
		Records: k.kemPublic, Desk: k.kemPublic, Escrow: k.kemPublic, CAs: [][]byte{{1}}}
}

func (k rigKeys) house(version uint64, gateways ...wire.HouseGateway) wire.House {
	return wire.House{Version: version, Issued: 1, District: "d", Town: "t", Gateways: gateways}
}

func (k rigKeys) ring(place wire.Place) *ring {
	own := wire.HouseGateway{ID: place.Gateway, Public: [32]byte(publicOf(k.gateway)), KEM: k.kemPublic}
	return &ring{reg: &keys.Registry{Place: place, Name: "registry", Root: publicOf(k.root), Trust: k.trust(1), House: k.house(1, own), KEM: k.kem},
		status: lists.State{HasKey: true, KeyNumber: 1}, buckets: map[wire.Hash]bool{},
		issuer: []wire.Key{{Role: wire.RoleIssuer, Public: publicOf(k.issuer)}}}
}

// world is a gateway, a broker and a registry.
type world struct {
	t       *testing.T
	dir     string
	keys    rigKeys
	place   wire.Place
	broker  *faultnet.Broker
	reg     *registry
	ring    *ring
	records Records
	link    *faultnet.Link
	journal *journal.Journal
	uplink  *Uplink
	stop    func()
	clock   atomic.Int64
	sent    int // entries appended
	formats uint64
	gather  time.Duration
	spread  atomic.Int64 // as the link was told last, ns
}

func newWorld(t *testing.T, seed uint64) *world { return newWorldOn(t, faultnet.NewBroker(seed)) }

func newWorldOn(t *testing.T, broker *faultnet.Broker) *world {
	k := makeKeys()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "journal"), keys: k, place: wire.Place{District: "d", Town: "t", Building: "b", Gateway: "g"}, broker: broker}
	w.ring = k.ring(w.place)
	w.reg = &registry{broker: w.broker, place: w.place, gateway: wire.Key{Role: wire.RoleGateway, Public: publicOf(k.gateway)}, witness: k.witness, kem: k.kem,
		store: store{epochs: map[uint64][]leaf{}, records: map[uint64][]string{}}, window: 4, whos: map[string]bool{}, contexts: contexts{keys: map[string][]byte{}}, notices: map[string]int{}, arrived: map[string]time.Time{},
		buckets: map[wire.Hash][]byte{}, down: map[string][]byte{}, versions: [2]uint64{1, 1}}
	w.reg.start()
	w.startGateway()
	t.Cleanup(func() { w.stop(); w.reg.kill() })
	return w
}

func (w *world) stamp() journal.Stamp {
	n := w.clock.Add(1)
	return journal.Stamp{BootTime: uint64(n) * 1000, Wall: 1_795_392_000_000 + n, Quality: wire.ClockNTP, Trusted: true}
}

func (w *world) log() zerolog.Logger {
	if testing.Verbose() {
		return zerolog.New(zerolog.NewTestWriter(w.t)).Level(zerolog.WarnLevel)
	}
	return zerolog.Nop()
}

func (w *world) client(name string) *faultnet.Link {
	return w.broker.Connect(faultnet.Client{Name: name, Subscribe: []string{w.place.Down("+"), w.place.House("+")}})
}

func (w *world) startGateway() { w.startOn(w.client("g")) }

// startOn starts the gateway on a link, which may be down.
func (w *world) startOn(link *faultnet.Link) {
	var err error
	w.journal, err = journal.Open(journal.Options{Dir: w.dir, Clock: w.stamp, Ballast: -1, MaxEntries: 25, Uplink: true, Log: w.log()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.link = link
	w.uplink, err = New(Options{Link: w.link, Place: w.place, Registry: w.ring.reg.Name, Journal: w.journal, Keyring: w.ring, Records: w.records, Key: w.keys.gateway, Clock: w.stamp,
		Software: "test", Formats: w.formats, Gather: w.gather, Spread: func(d time.Duration) { w.spread.Store(int64(d)) }, Log: w.log()})
	if err != nil {
		w.t.Fatal(err)
	}
	var writer, talker sync.WaitGroup
	journalCtx, stopJournal := context.WithCancel(context.Background())
	uplinkCtx, stopUplink := context.WithCancel(context.Background())
	writer.Go(func() { _ = w.journal.Run(journalCtx) })
	talker.Go(func() { _ = w.uplink.Run(uplinkCtx) })
	w.stop = sync.OnceFunc(func() { stopUplink(); talker.Wait(); stopJournal(); writer.Wait() })
}

func granted() wire.Header {
	return wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "street", Direction: wire.DirectionIn}
}

func (w *world) append(n int) {
	for range n {
		w.sent++
		id := wire.ID{byte(w.sent), byte(w.sent >> 8), 1}
		who := wire.Who{Grant: &id}
		if w.sent%3 == 0 {
			who = wire.Who{}
		}
		w.journal.Queue(granted(), who)
	}
}

// all reads the journal from its oldest entry.
func (w *world) all() (list []journal.Entry) {
	var at journal.Position
	for {
		more, next, err := w.journal.Entries(context.Background(), at, 500)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(more) == 0 {
			return list
		}
		list, at = append(list, more...), next
	}
}

// settle waits until the registry has all, and no alarm is up. It looks only when
// nothing more happens by itself: what was queued has been seen by everybody.
func (w *world) settle(d time.Duration) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		synctest.Wait()
		s := w.uplink.Status()
		if s.State == StateInStep && s.Stored == journaled.Position(w.journal.Status().Position) && w.journal.Status().Queued == 0 && s.Problem == wire.ReasonNone && s.Records == 0 {
			return true
		}
	}
	return false
}

// same checks that the registry has exactly the journal's entries.
func (w *world) same() (fault string) {
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	if len(w.reg.faults) > 0 {
		return "the registry complains: " + w.reg.faults[0]
	}
	if w.reg.forks > 0 {
		return "batches that contradict what is stored"
	}
	ends := map[uint64]uint64{}
	for _, e := range w.all() {
		list := w.reg.store.epochs[e.Epoch]
		if e.Sequence >= uint64(len(list)) || list[e.Sequence].header != string(e.Header) {
			return "an entry of the journal is not at its place at the registry"
		}
		if len(e.Who) > 0 && !w.reg.whos[string(e.WhoHash[:])] {
			return "a who part did not come"
		}
		ends[e.Epoch] = e.Sequence + 1
	}
	head := w.journal.Status().Position
	if uint64(len(w.reg.store.epochs[head.Epoch])) != head.Sequence {
		return "the registry has more than the journal"
	}
	return ""
}

// headers counts entries by kind, outcome and reason.
func (w *world) count(match func(wire.Header) bool) (n int) {
	for _, e := range w.all() {
		if h, err := wire.DecodeHeader(e.Header); err == nil && match(h) {
			n++
		}
	}
	return n
}

func is(kind wire.Kind, outcome wire.Outcome, reason wire.Reason) func(wire.Header) bool {
	return func(h wire.Header) bool { return h.Kind == kind && h.Outcome == outcome && h.Reason == reason }
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) { f(newWorld(t, 1)) })
}

func copyDirectory(t testing.TB, from, to string) {
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }
