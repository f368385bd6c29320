package issuer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// publish hands House document and list of a building to the front, if it has
// not got them. A list goes with the buckets that the front lacks; all of them
// where that is not known or was wrong.
func (i *Issuer) publish(ctx context.Context, id string) error {
	i.sending.Lock()
	defer i.sending.Unlock()
	i.mu.Lock()
	b, err := i.building(i.db, id)
	if err != nil || b == nil || !i.unsent[id] {
		i.mu.Unlock()
		return err
	}
	house, old, l, known, from, ended := b.houseEnvelope, b.houseOld, b.list, b.known, b.logSent, b.endedCount()
	i.mu.Unlock()
	if house != nil {
		if _, err := i.opts.Front.PutHouse(ctx, api.Document{Building: id, Envelope: house, Old: old}); err != nil {
			return fmt.Errorf("hand house document of %s to the front: %w", id, err)
		}
	}
	if l.manifest.Version > 0 {
		if err := i.putList(ctx, id, l, known, from, ended); err != nil {
			return fmt.Errorf("hand list %d of %s to the front: %w", l.manifest.Version, id, err)
		}
	}
	return i.markSent(id, house, l)
}

func (i *Issuer) putList(ctx context.Context, id string, l signedList, known map[wire.Hash]bool, from, ended uint64) error {
	out := api.List{Building: id, Manifest: l.envelope, Second: l.second, Old: l.old.envelope, OldSecond: l.old.second, Buckets: [][]byte{}, LogFrom: from, Ended: ended}
	for hash, bytes := range l.buckets {
		if !known[hash] {
			out.Buckets = append(out.Buckets, bytes)
		}
	}
	i.mu.Lock()
	log, err := logFrom(i.db, id, from)
	i.mu.Unlock()
	if err != nil {
		return err
	}
	out.Log = log
	_, err = i.opts.Front.PutList(ctx, out)
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status != 0 && (len(out.Buckets) < len(l.buckets) || from > 0) {
		return i.putList(ctx, id, l, nil, 0, ended) // the front may have lost its store
	}
	return err
}

func (i *Issuer) markSent(id string, house []byte, l signedList) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	b, err := i.building(i.db, id)
	if err != nil || b == nil {
		return err
	}
	b.known, b.logSent = make(map[wire.Hash]bool, len(l.buckets)), l.manifest.Earlier
	for hash := range l.buckets {
		b.known[hash] = true
	}
	if b.list.hash != l.hash || !slices.Equal(b.houseEnvelope, house) {
		return nil // a newer one has been made meanwhile, and waits
	}
	delete(i.unsent, id)
	i.sent[id] = true
	return nil
}

// storeSent keeps what was handed over, with whatever is stored next: without it
// the front gets the same once more after a restart.
func (c *change) storeSent() error {
	for id := range c.issuer.sent {
		if _, err := c.Exec(`UPDATE lists SET sent = 1 WHERE building = ? AND held = 0`, id); err != nil {
			return err
		}
		if _, err := c.Exec(`UPDATE buildings SET house_sent = 1 WHERE id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

// publishAll hands over what the front has not got. What it refuses is logged
// and tried again later; another error means that it is away.
func (i *Issuer) publishAll(ctx context.Context) error {
	i.mu.Lock()
	ids := make([]string, 0, len(i.unsent))
	for id := range i.unsent {
		ids = append(ids, id)
	}
	i.mu.Unlock()
	slices.Sort(ids)
	for _, id := range ids {
		if err := i.publishLogged(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (i *Issuer) publishLogged(ctx context.Context, id string) error {
	err := i.publish(ctx, id)
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status != 0 {
		if refused.Status == 409 { // it has a newer one, maybe
			i.mu.Lock()
			i.behind[id] = true
			i.mu.Unlock()
		}
		i.opts.Log.Error().Err(err).Str("hint", refused.Hint).Msg("the front refuses what is signed here")
		return nil
	}
	return err
}

// signerInUse names the key in use, with its epoch.
func (i *Issuer) signerInUse() int64 {
	id := wire.IDOf(i.keys.Public())
	return int64(binary.BigEndian.Uint64(id[:]) ^ i.keys.Epoch)
}

// signIfReplaced signs anew, once, what the key before has signed: lists by a key that
// is trusted no more are in force at no gateway that starts with them.
func (i *Issuer) signIfReplaced() error {
	now := i.signerInUse()
	i.mu.Lock()
	same := i.signer == now
	i.mu.Unlock()
	if same {
		return nil
	}
	if err := i.signAgain(); err != nil {
		return fmt.Errorf("sign anew with another key: %w", err)
	}
	return i.locked(func(c *change) error {
		i.signer = now
		_, err := c.Exec(`INSERT INTO state (key, value) VALUES ('signer', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, now)
		return err
	})
}

// signAgain makes new versions of what another key has signed: the issuer's was
// replaced.
func (i *Issuer) signAgain() error {
	return i.forBuildings("", func(b *building) error {
		house, list := i.mine(b, wire.TypeHouse, b.houseEnvelope), i.mine(b, wire.TypeGrantList, b.list.envelope)
		if house && list {
			return nil
		}
		return i.update(func(c *change) error {
			c.touch(b)
			c.touched[b.id] = !list
			if house {
				return nil
			}
			return c.signHouse(b, b.house.Gateways)
		})
	})
}

// mine reports whether the key in use signed an envelope, or there is none.
func (i *Issuer) mine(b *building, kind string, envelope []byte) bool {
	if envelope == nil {
		return true
	}
	own := wire.Key{Role: wire.RoleIssuer, Epoch: i.keys.Epoch, Public: i.keys.Public()}
	_, _, err := wire.Open(envelope, wire.Expect{Type: kind, Role: wire.RoleIssuer, Address: b.id}, []wire.Key{own})
	return err == nil
}

// firstFormat is the House document as every gateway reads it.
func (b *building) firstFormat() []byte {
	if b.houseOld != nil {
		return b.houseOld
	}
	return b.houseEnvelope
}

// endedCount is how many grants of the building were ended.
func (b *building) endedCount() (n uint64) {
	for _, g := range b.grants {
		if g.Ended {
			n++
		}
	}
	return n
}
