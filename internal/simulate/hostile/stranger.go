package hostile

import (
	"crypto/ed25519"
	"crypto/rand"
	"path/filepath"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/simulate/office"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/simulate/world"
	"gatehouse/internal/tree"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealing"
)

// Stranger is somebody who has the card of a gateway, and with it all its keys.
type Stranger struct {
	w      *world.World
	hints  *office.Hints
	of     *testbed.Gateway // nil: he has none
	key    ed25519.PrivateKey
	ring   *keyring.Keyring // opened on a copy of its card
	line   uint64           // of the records that he makes
	number uint64
	card   int // of his own, which he lets in
}

// NewStranger is one who has nothing yet.
func NewStranger(w *world.World, hints *office.Hints) *Stranger { return &Stranger{w: w, hints: hints} }

// Events are what he does, by the names that plans have for it.
func (s *Stranger) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"steal card":       s.steal,
		"remove gateway":   func([4]int) { s.comesOut() },
		"strange hello":    s.hello,
		"strange end":      s.end,
		"strange check-in": s.checkIn,
		"strange entries":  s.entries,
	}
}

// End closes what he has opened.
func (s *Stranger) End() {
	if s.ring != nil {
		_ = s.ring.Close()
	}
}

// steal copies a gateway's card; nobody notices.
func (s *Stranger) steal(n [4]int) {
	w := s.w
	b, ok := world.Pick(n[0], w.Bed.Running())
	if !ok || s.of != nil {
		return
	}
	w.Shown.Calm = false
	dir := w.Bed.Path("stolen card")
	if err := virtual.CopyTree(b.Disk.Path("state"), dir); err != nil {
		w.Report.Breach("plan", "the card can't be copied: %v", err)
		return
	}
	all, err := keys.LoadKeys(filepath.Join(dir, "keys"))
	if err != nil {
		w.Report.Breach("plan", "the stolen card can't be read: %v", err)
		return
	}
	ring, err := keyring.Open(keyring.Options{Dir: filepath.Join(dir, "grants"), Building: testbed.Building, Keys: all, Log: zerolog.Nop(),
		Now: time.Now, Sure: func() int64 { return time.Now().Unix() }, Elapsed: func() time.Duration { return time.Since(plan.Begin) }})
	if err != nil {
		w.Report.Breach("plan", "the stolen card can't be read: %v", err)
		return
	}
	s.of, s.key, s.ring, s.line, s.number, s.card = b, all.Gateway, ring, 4711, 0, w.Model.NewCard().Number
	w.Report.Say("a stranger copies the card of %s", b.Name)
}

// speaks reports whether he has a gateway's card, and it runs.
func (s *Stranger) speaks() bool { return s.of != nil && s.of.Running() }

// up says something in the name of the gateway.
func (s *Stranger) up(kind string, body wire.Payload) {
	p := testbed.PlaceOf(s.of.Name)
	if envelope := s.sealedBy(kind, body); envelope != nil {
		s.w.Bed.Broker.Inject(mqtt.Message{Topic: p.Up(kind), Payload: envelope})
	}
}

// sealedBy signs something with the gateway's key.
func (s *Stranger) sealedBy(kind string, body wire.Payload) []byte {
	payload, err := wire.Encode(body)
	if err == nil {
		payload, err = wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: testbed.PlaceOf(s.of.Name).Address(), Version: wire.VersionOf(body)},
			payload, s.key)
	}
	if err != nil {
		s.w.Report.Breach("plan", "the stranger can't sign a %s: %v", kind, err)
		return nil
	}
	return payload
}

// hello says in the gateway's name what is not so: a list far ahead,
// another one of the same number, a log that is longer or another one, more ended
// grants, another time.
func (s *Stranger) hello(n [4]int) {
	if !s.speaks() {
		return
	}
	var h wire.Hello2
	for _, m := range s.w.Bed.Broker.Seen() {
		payload, err := wire.PayloadOf(m.Payload)
		if _, p, _ := wire.Open(m.Payload, wire.Expect{}, nil); err == nil && m.Topic == testbed.PlaceOf(s.of.Name).Up(wire.TypeHello) {
			if said, err := wire.DecodeHello(p.Version, payload); err == nil {
				h = said
			}
		}
	}
	if len(h.Formats) < 2 {
		return
	}
	what := []func(){
		func() { h.List += 1 << 30 },
		func() { h.ListHash[0]++ },
		func() { h.Next += 1000; h.Root[0]++ },
		func() { h.Root[0]++ },
		func() { h.Removed += 1000; h.RemovedHash[0]++ },
		func() { h.Wall += int64(400 * plan.Day / time.Millisecond); h.Clock = wire.ClockNTP },
		func() { h.Records += 100; h.Line++ },
		func() { h.Trust += 100; h.House += 100 },
	}
	words := []string{"a list far ahead", "another list", "a longer log", "another log", "more ended grants", "a later time", "another line of records", "documents far ahead"}
	i := n[1] % len(what)
	what[i]()
	_, _ = rand.Read(h.Nonce[:])
	s.w.Report.Say("the stranger says hello as %s, with %s", s.of.Name, words[i])
	s.up(wire.TypeHello, h)
	time.Sleep(time.Minute)
	s.w.Look()
}

// record makes a tenancy record of the gateway's, and shows it to registry and
// siblings.
func (s *Stranger) record(c wire.Change) {
	plain, err := wire.Encode(c)
	reg, r := s.ring.Keys.Registry(), wire.Record{Line: s.line, Number: s.number + 1}
	if err == nil {
		r.House, err = s.ring.Keys.Building().SealRecord(c)
	}
	if err == nil {
		r.Desk, err = sealing.Seal(reg.Trust.Desk, sealing.Change, reg.Place.Address(), plain)
	}
	_, _ = rand.Read(r.ID[:])
	if err != nil {
		s.w.Report.Breach("plan", "the stranger can't make a record: %v", err)
		return
	}
	s.number++
	envelope := s.sealedBy(wire.TypeRecord, r)
	s.w.Bed.Broker.Inject(mqtt.Message{Topic: reg.Place.House(reg.Place.Gateway), Payload: envelope})
	s.up(wire.TypeDelivery, wire.Delivery{Record: envelope})
	time.Sleep(time.Minute)
	s.w.Look()
}

// end ends a tenancy, as if its tenant had checked out with a card.
func (s *Stranger) end(n [4]int) {
	if !s.speaks() {
		return
	}
	l, err := s.of.Client.List(s.w.Bed.Ctx)
	t, ok := s.w.Someone(n[0])
	if err != nil || !ok {
		return
	}
	for _, g := range grantsIn(l.Manifest, l.Buckets) {
		if g.Tenancy.String() == t.ID && g.State == wire.GrantActive {
			s.w.Report.Say("the stranger ends %s, in its name", t.Name())
			t.Robbed = true
			s.record(wire.Change{Op: wire.OpEnd, At: uint32(time.Now().Unix()), Clock: wire.ClockNTP, Proof: wire.ProofCard, Tenancy: g.Tenancy, Grant: g.ID, Cause: wire.CauseMovedOut})
			return
		}
	}
}

// checkIn makes the stranger a tenant of some flat.
func (s *Stranger) checkIn(n [4]int) {
	if !s.speaks() {
		return
	}
	id, err := s.ring.Identify(virtual.CardOf(s.card))
	if err != nil {
		return
	}
	flat, _ := world.Pick(n[0], testbed.Flats)
	c := wire.Change{Op: wire.OpCheckIn, At: uint32(time.Now().Unix()), Clock: wire.ClockNTP, Proof: wire.ProofLandlord, Credentials: []wire.CredentialID{id},
		Kind: wire.GrantResident, Doors: []string{s.of.Door}, Flat: flat, Basis: wire.BasisContract, Informed: true, Document: wire.DocumentPassport}
	_, _ = rand.Read(c.Tenancy[:])
	_, _ = rand.Read(c.Grant[:])
	s.w.Report.Say("the stranger checks himself in at %s, in flat %s", s.of.Name, flat)
	s.record(c)
}

// newestEpoch is the epoch of a gateway's log that has its newest entry, and the tree
// of that epoch; an empty one where entries of it are gone. Epochs have names by
// chance, so that their order says nothing.
func newestEpoch(b *testbed.Gateway) (epoch uint64, log tree.Range) {
	logs, size, newest := map[uint64]tree.Range{}, map[uint64]uint64{}, time.Time{}
	_ = journaltest.ReadCopies(b.Disk.Path("state", "journal"), b.Bed.Dir, func(e journaled.Entry) error {
		logs[e.Epoch] = logs[e.Epoch].Add(tlog.RecordHash(e.Stored.Leaf()))
		size[e.Epoch] = e.Sequence + 1
		if h, err := wire.DecodeHeader(e.Header); err == nil && !h.Time().Before(newest) {
			epoch, newest = e.Epoch, h.Time()
		}
		return nil
	})
	if logs[epoch].Size() != size[epoch] {
		return epoch, tree.Range{}
	}
	return epoch, logs[epoch]
}

// entries goes on with the gateway's log in its place.
func (s *Stranger) entries(n [4]int) {
	if !s.speaks() {
		return
	}
	b := s.of
	epoch, log := newestEpoch(b)
	if log.Size() == 0 {
		return // some were tidied away
	}
	batch := wire.Batch{Epoch: epoch, First: log.Size()}
	for i := range 1 + n[0]%4 {
		h, err := wire.Header{Boot: 1 << 40, Counter: uint64(i), Wall: time.Now().UnixMilli(), Clock: wire.ClockNTP, Kind: wire.KindAccess,
			Outcome: wire.OutcomeDenied, Reason: wire.ReasonUnknown, Door: b.Door, Source: "in"}.Encode()
		if err != nil {
			return
		}
		batch.Headers, batch.Whos = append(batch.Headers, h), append(batch.Whos, []byte{})
		log = log.Add(tlog.RecordHash(wire.LeafRecord(h, wire.Hash{})))
	}
	batch.Root, batch.Sealed = wire.Hash(log.Root()), []byte{}
	at := checkpoint.Checkpoint{Address: testbed.PlaceOf(b.Name).Address(), Epoch: epoch, Size: log.Size(), Root: batch.Root}
	batch.Signature = at.Sign(s.key)
	s.w.Report.Say("the stranger makes %s of %s", amount.Of(len(batch.Headers), "entry"), b.Name)
	s.up(wire.TypeBatch, batch)
	s.up(wire.TypeNotice, wire.Notice{Epoch: epoch, Sequence: log.Size() + 5, Header: batch.Headers[0]})
	time.Sleep(time.Minute)
	s.w.Look()
}

// comesOut lets people do what docs/keys.md says of a stolen card, and holds it to what
// that promises: his own card opens nowhere.
func (s *Stranger) comesOut() {
	if s.of == nil {
		return
	}
	time.Sleep(20 * time.Minute) // siblings bring its records first
	synctest.Wait()
	s.w.Look()
	s.hints.RemoveGateway(s.of)
	s.End()
	s.of, s.ring = nil, nil
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	for _, b := range s.w.Bed.Running() {
		if b.Swipe(s.card) {
			s.w.Report.Breach("W8", "the stranger's card still opens at %s", b.Name)
		}
	}
}

// grantsIn are all rows of a list.
func grantsIn(manifest []byte, buckets [][]byte) (all []wire.Grant) {
	payload, err := wire.PayloadOf(manifest)
	if err != nil {
		return nil
	}
	m, err := wire.DecodeManifest(payload)
	if err != nil {
		return nil
	}
	for i, b := range buckets {
		if some, err := m.DecodeBucket(i, b); err == nil {
			all = append(all, some...)
		}
	}
	return all
}
