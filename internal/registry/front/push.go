package front

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// partRoom is what the manifest and the buckets of one ListPart may take: the
// rest is for its own frame, the envelope and room to spare.
const partRoom = wire.MaxMessage - 1024

// maxAnswer bounds the buckets of one answer, in bytes: what is left out is
// asked for again. A link that is slow would be cut off by more.
const maxAnswer = 2 << 20

// want is a gateway's question for what it lacks.
type want struct {
	g    *gateway
	want wire.Want
}

// takeWant queues a question; of one gateway at most one at a time.
func (f *Front) takeWant(g *gateway, payload []byte) error {
	w := want{g: g}
	if err := wire.Decode(payload, &w.want); err != nil {
		return err
	}
	if g.wanted.Swap(true) {
		return nil // it asks again
	}
	select {
	case f.wants <- w:
	default:
		g.wanted.Store(false)
		f.dropped.Add(1)
	}
	return nil
}

func (f *Front) wantLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-f.wants:
			if err := f.answerWant(ctx, w); err != nil && ctx.Err() == nil {
				f.o.Log.Error().Err(err).Str("gateway", w.g.address).Msg("a gateway can't be given what it lacks")
			}
			w.g.wanted.Store(false)
		}
	}
}

func (f *Front) answerWant(ctx context.Context, w want) error {
	f.mu.RLock()
	place, format := w.g.place, w.g.view.format
	var house []byte
	if b := f.buildings[place.Building]; b != nil {
		house = b.houseFor(w.g.view.format)
	}
	f.mu.RUnlock()
	if w.want.Trust {
		if a := f.authority.Load().read(format); a != nil {
			f.send(place.Down(wire.TypeTrust), a.envelope)
		}
	}
	if w.want.House && house != nil {
		f.send(place.Down(wire.TypeHouse), house)
	}
	if !w.want.List && len(w.want.Buckets) == 0 {
		return nil
	}
	l, err := f.store.List(ctx, place.Building)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	buckets, err := f.readBuckets(ctx, place.Building, w.want.Buckets)
	if err != nil {
		return err
	}
	out, err := f.outgoing(ctx, l)
	if err == nil {
		f.sendList(w.g, place, out, buckets, true)
	}
	return err
}

// readBuckets returns those that are there: an old hash is no error, since the
// answer names the newest list.
func (f *Front) readBuckets(ctx context.Context, building string, hashes []wire.Hash) (buckets [][]byte, err error) {
	size := 0
	for _, hash := range hashes {
		body, err := f.store.Bucket(ctx, building, hash)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		if size += len(body); size > maxAnswer {
			break
		}
		buckets = append(buckets, body)
	}
	return buckets, nil
}

// sendList sends the manifest with buckets. If they don't fit into one message
// they come in several, or, without split, not at all: the gateway asks. It
// reports whether the gateway is there to hear it.
func (f *Front) sendList(g *gateway, p wire.Place, l outgoing, buckets [][]byte, split bool) bool {
	f.mu.RLock()
	part := l.part(min(g.view.format, f.o.Formats), g.view.hello.ListHash)
	f.mu.RUnlock()
	if len(part.Manifest) == 0 {
		return false
	}
	room := partRoom - len(part.Manifest) - len(part.Second) - len(part.Proof)*(len(wire.Hash{})+2)
	size := 0
	for _, b := range buckets {
		size += len(b) + 5
	}
	if size > room && !split {
		buckets = nil
	}
	sent := false
	for first := true; first || len(buckets) > 0; first = false {
		n, used := 0, 0
		for n < len(buckets) && used+len(buckets[n])+5 <= room {
			used += len(buckets[n]) + 5
			n++
		}
		if n == 0 && len(buckets) > 0 {
			f.o.Log.Error().Str("gateway", g.address).Int("bytes", len(buckets[0])).Msg("a bucket does not fit beside its manifest")
			buckets = buckets[1:]
			continue
		}
		part.Buckets = append([][]byte{}, buckets[:n]...)
		sent = f.say(p, wire.TypeList, part) || sent
		buckets = buckets[n:]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if sent && g.view.online {
		g.view.sent = l.Version
	}
	return sent && g.view.online
}

// putList checks a new list, stores it and sends it to the building.
func (f *Front) putList(ctx context.Context, in api.List) (api.Pushed, error) {
	f.documents.Lock()
	defer f.documents.Unlock()
	m, head, err := f.authority.Load().openList(in)
	if err != nil {
		return api.Pushed{}, err
	}
	f.mu.Lock()
	have := f.buildingOf(in.Building).list
	f.mu.Unlock()
	again := head.Hash == have.Hash
	if !again && !head.after(have) {
		return api.Pushed{}, fmt.Errorf("list %d of %s: %w: version %d", m.Version, in.Building, errStale, have.Version)
	}
	if !again && have.Version > 0 && m.Version-min(m.Version, have.Version) > maxStep {
		return api.Pushed{}, fmt.Errorf("list %d of %s: %w %d", m.Version, in.Building, errStep, have.Version)
	}
	changed, err := f.lacking(ctx, in, m)
	if err != nil {
		return api.Pushed{}, err
	}
	log, err := logOf(in)
	if err != nil {
		return api.Pushed{}, err
	}
	l := head.List
	l.Manifest, l.Second, l.Old, l.OldSecond = in.Manifest, in.Second, in.Old, in.OldSecond
	now := f.o.Now()
	err = f.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := tx.PutLog(in.Building, in.LogFrom, log); err != nil {
			return err
		}
		if again {
			return tx.SetSecond(in.Building, in.Second, in.OldSecond)
		}
		return tx.PutList(l, changed, m.Buckets, now)
	})
	if err != nil {
		return api.Pushed{}, err
	}
	f.mu.Lock()
	b := f.buildingOf(in.Building)
	if b.list = head; !again {
		b.listAt = now
	}
	b.ended.known, b.ended.number = true, in.Ended
	f.forgetRefusals(b, in.Building)
	f.mu.Unlock()
	return f.pushList(ctx, l, changed)
}

// forgetRefusals forgets what gateways said of the list before. f.mu is held.
func (f *Front) forgetRefusals(b *building, id string) {
	for _, h := range b.house.Gateways {
		if g := f.gateways[id+"/"+h.ID]; g != nil {
			g.view.refuses = wire.ReasonNone
		}
	}
}

// maxStep is how far a list's version may be above the one before: gateways refuse
// more, since a thief's list could use up the numbers.
const maxStep = 1 << 20

var errStep = errors.New("it is too far above list")

// pushList sends a list to the gateways of its building.
func (f *Front) pushList(ctx context.Context, l store.List, buckets [][]byte) (api.Pushed, error) {
	pushed := api.Pushed{Version: l.Version}
	out, err := f.outgoing(ctx, l)
	if err != nil {
		return pushed, err
	}
	for _, g := range f.members(l.Building) {
		f.pushed(g, out.List)
		if f.sendList(g, f.placeOf(g), out, buckets, false) {
			pushed.Pushed++
		}
	}
	return pushed, nil
}

func (f *Front) placeOf(g *gateway) wire.Place {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return g.place
}

// errLacks means a list of which buckets are neither here nor were handed in.
var errLacks = errors.New("buckets of the list are missing")

// lacking returns the buckets of the list that the building did not have before,
// and refuses a list that would not be whole.
func (f *Front) lacking(ctx context.Context, in api.List, m wire.Manifest) (changed [][]byte, err error) {
	have, err := f.store.BucketHashes(ctx, in.Building)
	if err != nil {
		return nil, err
	}
	given := make(map[wire.Hash][]byte, len(in.Buckets))
	for _, b := range in.Buckets {
		given[sha256.Sum256(b)] = b
	}
	taken := make(map[wire.Hash]bool, len(m.Buckets))
	for i, hash := range m.Buckets {
		_, here := have[hash]
		body, came := given[hash]
		if taken[hash] {
			continue
		}
		taken[hash] = true
		switch {
		case here:
		case !came:
			return nil, fmt.Errorf("list %d of %s: bucket %d: %w", m.Version, in.Building, i, errLacks)
		default:
			if _, err := m.DecodeBucket(i, body); err != nil {
				return nil, fmt.Errorf("list %d of %s: %w", m.Version, in.Building, err)
			}
			changed = append(changed, body)
		}
	}
	return changed, nil
}

// putHouse checks a House document, stores it, sends it, and cuts off whoever
// is not of the building any more.
func (f *Front) putHouse(ctx context.Context, d api.Document) (api.Pushed, error) {
	f.documents.Lock()
	defer f.documents.Unlock()
	h, err := f.authority.Load().openHouse(d.Building, d.Envelope)
	if err == nil && len(d.Old) > 0 {
		var old wire.House
		if old, err = f.authority.Load().openHouse(d.Building, d.Old); err == nil && (old.Version != h.Version || len(old.Earlier) > 0) {
			err = fmt.Errorf("house document %d of %s: its first format is another document", h.Version, d.Building)
		}
	}
	if err != nil {
		return api.Pushed{}, err
	}
	f.mu.RLock()
	var have building
	if b := f.buildings[d.Building]; b != nil {
		have = *b
	}
	f.mu.RUnlock()
	if h.Version < have.house.Version || h.Version == have.house.Version && !bytes.Equal(have.envelope, d.Envelope) {
		return api.Pushed{}, fmt.Errorf("house document %d of %s: %w: version %d", h.Version, d.Building, errStale, have.house.Version)
	}
	if err := f.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := tx.PutOldHouse(d.Building, d.Old); err != nil {
			return err
		}
		return tx.PutHouse(d.Building, h.Version, d.Envelope)
	}); err != nil {
		return api.Pushed{}, err
	}
	f.mu.Lock()
	out := f.setHouse(d.Building, h, d.Envelope, d.Old)
	f.mu.Unlock()
	for _, p := range out {
		f.link.Disconnect(p)
		f.o.Log.Info().Str("gateway", p.Address()).Msg("a gateway is cut off: it is not of its building any more")
	}
	return api.Pushed{Version: h.Version, Pushed: f.sendHouse(d.Building)}, nil
}

// sendHouse sends a building's House document to those that may not have it.
func (f *Front) sendHouse(id string) (n int) {
	for _, g := range f.members(id) {
		f.mu.RLock()
		b := f.buildings[id]
		envelope, lacks := b.houseFor(min(g.view.format, f.o.Formats)), g.view.hello.House < b.house.Version
		f.mu.RUnlock()
		if lacks && f.send(f.placeOf(g).Down(wire.TypeHouse), envelope) && f.online(g) {
			n++
		}
	}
	return n
}

func (f *Front) sendAll(to []*gateway, kind string, envelope []byte) (n int) {
	for _, g := range to {
		if f.send(f.placeOf(g).Down(kind), envelope) && f.online(g) {
			n++
		}
	}
	return n
}

// putTrust checks a Trust document, stores it and sends it to all.
func (f *Front) putTrust(ctx context.Context, envelope []byte) (api.Pushed, error) {
	f.documents.Lock()
	defer f.documents.Unlock()
	next, err := openTrust(envelope, f.keys.root, f.keys.witnessPublic())
	if err != nil {
		return api.Pushed{}, err
	}
	have := f.authority.Load()
	both, err := have.follow(next)
	if err != nil {
		return api.Pushed{}, err
	}
	if err := f.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.PutTrust(next.trust.Version, envelope) }); err != nil {
		return api.Pushed{}, err
	}
	f.authority.Store(both)
	return api.Pushed{Version: next.trust.Version, Pushed: f.sendTrust(both)}, nil
}

// sendTrust sends every gateway the newest document that it reads.
func (f *Front) sendTrust(a *authority) (n int) {
	type to struct {
		g      *gateway
		format uint64
	}
	var all []to
	f.mu.RLock()
	for _, g := range f.gateways {
		if g.member {
			all = append(all, to{g, g.view.format})
		}
	}
	f.mu.RUnlock()
	for _, t := range all {
		if a := a.read(t.format); a != nil {
			n += f.sendAll([]*gateway{t.g}, wire.TypeTrust, a.envelope)
		}
	}
	return n
}
