package downlink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

// Documents verifies, stores and sends what the issuer publishes. It is safe for concurrent use,
// and processes one document or list at a time.
type Documents struct {
	sender   *Sender
	unproved *Unproved
	roster   *roster.Roster

	mu sync.Mutex
}

// update runs a transaction that continues if the caller goes away.
func (d *Documents) update(ctx context.Context, f func(*store.Tx) error) error {
	return d.sender.o.Store.Update(context.WithoutCancel(ctx), f)
}

// maxStep is how far a list's version may be above the previous one. Gateways refuse more, since a
// thief's list could exhaust the versions.
const maxStep = 1 << 20

var errStep = errors.New("it is too far above list")

// PutList verifies a new list, stores it and sends it to the building.
func (d *Documents) PutList(ctx context.Context, in api.List) (api.Pushed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, head, err := d.sender.o.Active.Load().OpenList(in)
	if err != nil {
		return api.Pushed{}, err
	}
	have := d.roster.Building(in.Building).List
	again := head.Hash == have.Hash
	if !again && !head.After(have) {
		return api.Pushed{}, fmt.Errorf("list %d of %s: %w: version %d", m.Version, in.Building, document.ErrStale, have.Version)
	}
	if !again && have.Version > 0 && m.Version-min(m.Version, have.Version) > maxStep {
		return api.Pushed{}, fmt.Errorf("list %d of %s: %w %d", m.Version, in.Building, errStep, have.Version)
	}
	changed, err := d.lacking(ctx, in, m)
	if err != nil {
		return api.Pushed{}, err
	}
	if head.Stored = d.sender.o.Now(); again {
		head.Stored = have.Stored
	}
	l := head.List
	l.Manifest, l.Second, l.Old, l.OldSecond = in.Manifest, in.Second, in.Old, in.OldSecond
	err = d.update(ctx, func(tx *store.Tx) error {
		if err := tx.Documents.PutLog(in.Building, in.LogFrom, in.Log); err != nil {
			return err
		}
		if again {
			return tx.Documents.SetSecond(in.Building, in.Second, in.OldSecond)
		}
		return tx.Documents.PutList(l, changed, m.Buckets)
	})
	if err != nil {
		return api.Pushed{}, err
	}
	d.roster.SetList(head, &in.Ended)
	return d.pushList(ctx, l, changed)
}

// pushList sends a list to the gateways of its building.
func (d *Documents) pushList(ctx context.Context, l store.List, buckets [][]byte) (api.Pushed, error) {
	pushed := api.Pushed{Version: l.Version}
	out, err := d.sender.outgoing(ctx, l)
	if err != nil {
		return pushed, err
	}
	for _, g := range d.roster.Members(l.Building) {
		d.unproved.Sent(g, l)
		if d.sender.sendList(g, out, buckets, false) {
			pushed.Pushed++
		}
	}
	return pushed, nil
}

// ErrLacks means that buckets of a list are neither stored nor in the request.
var ErrLacks = errors.New("buckets of the list are missing")

// lacking returns the buckets of a list that were not stored before. It refuses an incomplete list.
func (d *Documents) lacking(ctx context.Context, in api.List, m wire.Manifest) (changed [][]byte, err error) {
	have, err := d.sender.o.Store.BucketHashes(ctx, in.Building)
	if err != nil {
		return nil, err
	}
	given := make(map[wire.Hash][]byte, len(in.Buckets))
	for _, b := range in.Buckets {
		given[sha256.Sum256(b)] = b
	}
	for i, hash := range m.Buckets {
		if have[hash] {
			continue
		}
		have[hash] = true
		body, came := given[hash]
		if !came {
			return nil, fmt.Errorf("list %d of %s: bucket %d: %w", m.Version, in.Building, i, ErrLacks)
		}
		if _, err := m.DecodeBucket(i, body); err != nil {
			return nil, fmt.Errorf("list %d of %s: %w", m.Version, in.Building, err)
		}
		changed = append(changed, body)
	}
	return changed, nil
}

// PutHouse verifies a house document and what is with it, stores and sends them, and disconnects gateways that no longer
// belong to the building.
func (d *Documents) PutHouse(ctx context.Context, in api.Document) (api.Pushed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.sender.o.Active.Load()
	h, err := a.OpenHouses(in)
	if err == nil && len(in.Briefs) > 0 {
		_, err = briefs.Open(in.Briefs, in.Building, a.Trust.Keyset(wire.RoleIssuer))
	}
	if err != nil {
		return api.Pushed{}, err
	}
	have := d.roster.Building(in.Building)
	if h.Version < have.House.Version || h.Version == have.House.Version && !bytes.Equal(have.Document.Envelope, in.Envelope) {
		return api.Pushed{}, fmt.Errorf("house document %d of %s: %w: version %d", h.Version, in.Building, document.ErrStale, have.House.Version)
	}
	if err := d.update(ctx, func(tx *store.Tx) error {
		return tx.Documents.PutHouse(store.House{Document: in, Mark: d.sender.o.Marks.Of(a, in)}, h.Version)
	}); err != nil {
		return api.Pushed{}, err
	}
	for _, p := range d.roster.SetHouse(h, in) {
		d.sender.o.Link.Disconnect(p)
		d.sender.o.Log.Info().Str("gateway", p.Address()).Msg("a gateway is cut off: it is not of its building any more")
	}
	pushed := api.Pushed{Version: h.Version}
	for _, g := range d.roster.Members(in.Building) {
		of := d.roster.Look(g)
		if of.View.Hello.House < of.Building.House.Version {
			d.push(&pushed, of, wire.TypeHouse, of.Building.HouseFor(d.sender.format(of)))
		}
		if !bytes.Equal(have.Document.Briefs, in.Briefs) {
			d.sender.Briefs(g, of.View.Hello)
		}
	}
	return pushed, nil
}

// push sends a document to a gateway and counts it if the gateway is online.
func (d *Documents) push(n *api.Pushed, to roster.State, kind string, envelope []byte) {
	if d.sender.Send(to.Place.Down(kind), envelope) && to.View.Online {
		n.Pushed++
	}
}

// PutTrust verifies a trust document, stores it and sends each gateway the newest one that it
// reads.
func (d *Documents) PutTrust(ctx context.Context, envelope []byte) (api.Pushed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next, err := document.OpenTrust(envelope, d.sender.o.Root, d.sender.o.Witness.Public().(ed25519.PublicKey))
	if err != nil {
		return api.Pushed{}, err
	}
	active, err := d.sender.o.Active.Load().Follow(next)
	if err != nil {
		return api.Pushed{}, err
	}
	if err := d.update(ctx, func(tx *store.Tx) error { return tx.Documents.PutTrust(next.Trust.Version, envelope) }); err != nil {
		return api.Pushed{}, err
	}
	d.sender.o.Active.Store(active)
	pushed := api.Pushed{Version: next.Trust.Version}
	for _, g := range d.roster.Gateways() {
		of := d.roster.Look(g)
		if a := d.sender.trustFor(of.View.Hello); of.Member && a != nil {
			d.push(&pushed, of, wire.TypeTrust, a.Envelope)
		}
	}
	return pushed, nil
}

// PutUndo stores and sends an undo, signed by two issuers, of the highest time that was signed to a
// gateway: a clock that ran ahead signed it, and the gateway uses it until a better source tells
// the time.
func (d *Documents) PutUndo(ctx context.Context, u api.Undo) (api.Pushed, error) {
	var of roster.State
	g := d.roster.Find(u.Building + "/" + u.Gateway)
	if g != nil {
		of = d.roster.Look(g)
	}
	if !of.Member {
		return api.Pushed{}, fmt.Errorf("undo: no gateway %s/%s", u.Building, u.Gateway)
	}
	floor, err := keys.OpenUndo(u.Envelope, of.Place, d.sender.o.Active.Load().Trust)
	if err != nil {
		return api.Pushed{}, fmt.Errorf("undo for %s: %w", g.Address(), err)
	}
	if floor != of.View.Hello.Floor {
		return api.Pushed{}, fmt.Errorf("undo for %s: %w", g.Address(), keys.ErrOtherFloor)
	}
	if err := d.update(ctx, func(tx *store.Tx) error { return tx.Documents.PutUndo(u) }); err != nil {
		return api.Pushed{}, err
	}
	d.roster.SetUndo(g, roster.Undo{Floor: floor, Envelope: u.Envelope})
	var pushed api.Pushed
	d.push(&pushed, of, wire.TypeUndo, u.Envelope)
	return pushed, nil
}
