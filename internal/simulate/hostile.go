package simulate

import (
	"crypto/ed25519"
	"crypto/rand"
	mathrand "math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/faultnet"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/tree"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"
)

// stranger is somebody who has the card of a gateway, and with it all its keys.
type stranger struct {
	of     *testbed.Gateway
	key    ed25519.PrivateKey
	ring   *keyring.Keyring // opened on a copy of its card
	line   uint64           // of the records that he makes
	number uint64
	card   int // of his own, which he lets in
	ended  []*model.Tenancy
}

// stealCard copies a gateway's card; nobody notices.
func (w *world) stealCard(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok || w.stranger != nil {
		return
	}
	w.calm = false
	dir := w.bed.Path("stolen card")
	if err := virtual.CopyTree(b.Disk.Path("state"), dir); err != nil {
		w.report.Breach("plan", "the card can't be copied: %v", err)
		return
	}
	keys, err := keys.LoadKeys(filepath.Join(dir, "keys"))
	if err != nil {
		w.report.Breach("plan", "the stolen card can't be read: %v", err)
		return
	}
	ring, err := keyring.Open(keyring.Options{Dir: filepath.Join(dir, "grants"), Building: testbed.Building, Keys: keys, Log: zerolog.Nop(),
		Now: time.Now, Sure: func() int64 { return time.Now().Unix() }, Elapsed: func() time.Duration { return time.Since(plan.Begin) }})
	if err != nil {
		w.report.Breach("plan", "the stolen card can't be read: %v", err)
		return
	}
	w.stranger = &stranger{of: b, key: keys.Gateway, ring: ring, line: 4711, card: w.model.NewCard().Number}
	w.report.Say("a stranger copies the card of %s", b.Name)
}

// up says something in the name of the gateway.
func (w *world) up(kind string, body wire.Payload) {
	p := placeOf(w.stranger.of.Name)
	if envelope := w.sealedBy(kind, body); envelope != nil {
		w.bed.Broker.Inject(mqtt.Message{Topic: p.Up(kind), Payload: envelope})
	}
}

// sealedBy signs something with the gateway's key.
func (w *world) sealedBy(kind string, body wire.Payload) []byte {
	payload, err := wire.Encode(body)
	if err == nil {
		payload, err = wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: placeOf(w.stranger.of.Name).Address(), Version: wire.VersionOf(body)},
			payload, w.stranger.key)
	}
	if err != nil {
		w.report.Breach("plan", "the stranger can't sign a %s: %v", kind, err)
		return nil
	}
	return payload
}

// strangeHello: the stranger says of the gateway what is not so: a list far ahead,
// another one of the same number, a log that is longer or another one, more ended
// grants, another time.
func (w *world) strangeHello(n [4]int) {
	if w.stranger == nil || !w.stranger.of.Running() {
		return
	}
	var h wire.Hello2
	for _, m := range w.bed.Broker.Seen() {
		payload, err := wire.PayloadOf(m.Payload)
		if _, p, _ := wire.Open(m.Payload, wire.Expect{}, nil); err == nil && m.Topic == placeOf(w.stranger.of.Name).Up(wire.TypeHello) {
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
	w.report.Say("the stranger says hello as %s, with %s", w.stranger.of.Name, words[i])
	w.up(wire.TypeHello, h)
	time.Sleep(time.Minute)
	w.look()
}

// record makes a tenancy record of the gateway's, and shows it to registry and
// siblings.
func (w *world) record(c wire.Change) {
	s := w.stranger
	plain, err := wire.Encode(c)
	reg, r := s.ring.Keys.Registry(), wire.Record{Line: s.line, Number: s.number + 1}
	if err == nil {
		r.House, err = s.ring.Keys.Building().SealRecord(c)
	}
	if err == nil {
		r.Desk, err = wire.Seal(reg.Trust.Desk, wire.SealChange, reg.Place.Address(), plain)
	}
	_, _ = rand.Read(r.ID[:])
	if err != nil {
		w.report.Breach("plan", "the stranger can't make a record: %v", err)
		return
	}
	s.number++
	envelope := w.sealedBy(wire.TypeRecord, r)
	w.bed.Broker.Inject(mqtt.Message{Topic: reg.Place.House(reg.Place.Gateway), Payload: envelope})
	w.up(wire.TypeDelivery, wire.Delivery{Record: envelope})
	time.Sleep(time.Minute)
	w.look()
}

// strangeEnd: the stranger ends a tenancy, as if it had checked out with its card.
func (w *world) strangeEnd(n [4]int) {
	if w.stranger == nil || !w.stranger.of.Running() {
		return
	}
	l, err := w.stranger.of.Client.List(w.bed.Ctx)
	t, ok := w.someone(n[0])
	if err != nil || !ok {
		return
	}
	for _, g := range grantsIn(l.Manifest, l.Buckets) {
		if g.Tenancy.String() == t.ID && g.State == wire.GrantActive {
			w.report.Say("the stranger ends %s, in its name", t.Name())
			t.Robbed = true
			w.stranger.ended = append(w.stranger.ended, t)
			w.record(wire.Change{Op: wire.OpEnd, At: uint32(time.Now().Unix()), Clock: wire.ClockNTP, Proof: wire.ProofCard, Tenancy: g.Tenancy, Grant: g.ID, Cause: wire.CauseMovedOut})
			return
		}
	}
}

// strangeCheckIn: the stranger lets himself in, as a tenant of some flat.
func (w *world) strangeCheckIn(n [4]int) {
	if w.stranger == nil || !w.stranger.of.Running() {
		return
	}
	id, err := w.stranger.ring.Identify(virtual.CardOf(w.stranger.card))
	if err != nil {
		return
	}
	flat, _ := pick(n[0], testbed.Flats)
	c := wire.Change{Op: wire.OpCheckIn, At: uint32(time.Now().Unix()), Clock: wire.ClockNTP, Proof: wire.ProofLandlord, Credentials: []wire.CredentialID{id},
		Kind: wire.GrantResident, Doors: []string{w.stranger.of.Door}, Flat: flat, Basis: wire.BasisContract, Informed: true, Document: wire.DocumentPassport}
	_, _ = rand.Read(c.Tenancy[:])
	_, _ = rand.Read(c.Grant[:])
	w.report.Say("the stranger checks himself in at %s, in flat %s", w.stranger.of.Name, flat)
	w.record(c)
}

// newestEpoch is the epoch of a gateway's log that has its newest entry, and the tree
// of that epoch; an empty one where entries of it are gone. Epochs have names by
// chance, so that their order says nothing.
func newestEpoch(b *testbed.Gateway) (epoch uint64, log tree.Range) {
	logs, size, newest := map[uint64]tree.Range{}, map[uint64]uint64{}, time.Time{}
	_ = journaltest.ReadCopies(b.Disk.Path("state", "journal"), b.Bed.Dir, func(e segment.Entry) error {
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

// strangeEntries: the stranger goes on with the gateway's log in its place.
func (w *world) strangeEntries(n [4]int) {
	if w.stranger == nil || !w.stranger.of.Running() {
		return
	}
	b := w.stranger.of
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
	at := wire.Checkpoint{Address: placeOf(b.Name).Address(), Epoch: epoch, Size: log.Size(), Root: batch.Root}
	batch.Signature = at.Sign(w.stranger.key)
	w.report.Say("the stranger makes %s of %s", amount.Of(len(batch.Headers), "entry"), b.Name)
	w.up(wire.TypeBatch, batch)
	w.up(wire.TypeNotice, wire.Notice{Epoch: epoch, Sequence: log.Size() + 5, Header: batch.Headers[0]})
	time.Sleep(time.Minute)
	w.look()
}

// removeGateway is what docs/keys.md says of a stolen card: the gateway is taken out
// of the building, and enrolled anew on another machine. Whoever it has let in, or
// put out, is looked through with those who live in the house.
func (w *world) removeGateway([4]int) {
	s := w.stranger
	if s == nil {
		return
	}
	time.Sleep(20 * time.Minute) // siblings bring its records first
	synctest.Wait()
	w.look()
	_, err := w.bed.Registry.Op.RemoveGateway(w.bed.Ctx, testbed.Building, s.of.Name)
	w.report.Say("the operator: registryd gateway remove %s%s", s.of.Name, said(err))
	if err != nil {
		w.report.Breach("W4", "a stolen gateway can't be taken out: %v", err)
	}
	w.replaceBox(s.of)
	w.reviewTenancies()
	w.reinstateRobbed()
	w.stranger = nil
	s.staysOut(w)
}

// reviewTenancies ends what nobody in the house knows.
func (w *world) reviewTenancies() {
	all, err := w.bed.Registry.Op.Tenancies(w.bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	for _, o := range all {
		known := slices.ContainsFunc(w.model.Tenancies, func(t *model.Tenancy) bool { return t.ID == o.ID })
		if known || o.State == "ended" {
			continue
		}
		d, err := w.bed.Registry.Op.Do(w.bed.Ctx, operator.Act{Act: operator.ActEnd, Tenancy: o.ID, Reason: "mistake"})
		w.report.Say("the operator: end a tenancy of flat %s that nobody knows%s", o.Flat, said(err))
		if err == nil && d.Held {
			w.countersign()
		}
	}
}

// staysOut is what docs/keys.md promises of a gateway that was taken out.
func (s *stranger) staysOut(w *world) {
	_ = s.ring.Close()
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	for _, b := range w.bed.Running() {
		if b.Swipe(s.card) {
			w.report.Breach("W8", "the stranger's card still opens at %s", b.Name)
		}
	}
}

// inject lets the broker say again, elsewhere and broken, what it has heard.
func (w *world) inject(n [4]int) {
	w.calm = false
	dice, old := mathrand.New(mathrand.NewPCG(uint64(n[0]), uint64(n[1]))), w.bed.Broker.Seen()
	if len(old) == 0 {
		return
	}
	w.report.Say("the broker says old messages again, on other topics and broken")
	var topics []string
	for _, b := range w.bed.Gateways {
		p := placeOf(b.Name)
		for _, kind := range []string{wire.TypeAck, wire.TypeList, wire.TypeTrust, wire.TypeHouse, "nonsense"} {
			topics = append(topics, p.Down(kind))
		}
		for _, kind := range []string{wire.TypeHello, wire.TypeBatch, wire.TypeNotice, wire.TypeWant, wire.TypeDelivery, wire.TypeHolding} {
			topics = append(topics, p.Up(kind))
		}
		topics = append(topics, p.Status(), p.House(b.Name), p.House("nobody"))
	}
	for range 300 {
		m := old[dice.IntN(len(old))]
		m.Payload = slices.Clone(m.Payload)
		switch dice.IntN(4) {
		case 0:
			m.Topic = topics[dice.IntN(len(topics))]
		case 1:
			if len(m.Payload) > 0 {
				m.Payload[dice.IntN(len(m.Payload))] ^= byte(1 + dice.IntN(255))
			}
		case 2:
			m.Payload = m.Payload[:dice.IntN(len(m.Payload)+1)]
		}
		w.bed.Broker.Inject(m)
		if dice.IntN(10) == 0 {
			time.Sleep(time.Second)
		}
	}
	synctest.Wait()
	w.look()
}

// liesStored lets the thief, as witness, say "stored" of what the registry never got:
// batches are lost at the broker for some minutes, and he acknowledges each.
func (w *world) liesStored(n [4]int) {
	if w.thief == nil || w.thief.void {
		return
	}
	e := w.sitDown()
	w.report.Say("the thief, as witness, says of entries that they are stored, and keeps them from the registry")
	w.bed.Broker.Set(faultnet.Misdeeds{Deny: func(_ string, a faultnet.Access, topic string) bool {
		return a == faultnet.Publish && strings.HasSuffix(topic, "/"+wire.DirUp+"/"+wire.TypeBatch)
	}})
	// The access list drops what the enemy would hear: he takes it from the gateways' disks.
	for i := range 3 {
		if b, ok := pick(n[1]+i, w.bed.Running()); ok {
			w.someoneSwipes(b, n[2]+i)
			e.sayStored(w, b)
		}
	}
	time.Sleep(time.Minute)
	w.bed.Broker.Set(faultnet.Misdeeds{})
	w.look()
}

// sayStored acknowledges all that a gateway has entered.
func (e *enemy) sayStored(w *world, b *testbed.Gateway) {
	var log tree.Range
	var epoch uint64
	_ = journaltest.ReadCopies(b.Disk.Path("state", "journal"), w.bed.Dir, func(j segment.Entry) error {
		if j.Epoch != epoch {
			epoch, log = j.Epoch, tree.Range{}
		}
		log = log.Add(tlog.RecordHash(j.Stored.Leaf()))
		return nil
	})
	k, heard := e.lastOf(b.Name)
	if !heard || log.Size() == 0 {
		return
	}
	k.Time, k.Epoch, k.Next, k.Root = uint32(time.Now().Unix()), epoch, log.Size(), wire.Hash(log.Root())
	k.Safe, k.SafeRecords = k.Next, k.Records
	c := wire.Checkpoint{Address: placeOf(b.Name).Address(), Epoch: k.Epoch, Size: k.Next, Root: k.Root}
	k.Cosignature = c.Cosign(e.witness, uint64(k.Time))
	e.say(placeOf(b.Name), wire.TypeAck, k)
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
