package issuer

import (
	"fmt"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// dropProved takes revoked grants off the list that every gateway of the
// building has proved to hold as revoked.
func (c *change) dropProved(b *building) error {
	for id := range b.droppable() {
		r := b.revoked[id]
		r.dropped = true
		b.revoked[id] = r
		if _, err := c.Exec(`UPDATE revoked SET dropped = 1 WHERE building = ? AND grant_id = ?`, b.id, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// nameAgain puts grants that were taken off the list back on it, as revoked,
// until every gateway has proved that anew: one that still holds a record of such
// a grant would go by it, since nothing in the list would say that it is over.
func (c *change) nameAgain(b *building, grants ...wire.ID) error {
	for _, id := range grants {
		if !b.revoked[id].dropped {
			continue
		}
		delete(b.revoked, id) // the list that names it gives it its version
		c.touched[b.id] = true
		if _, err := c.Exec(`DELETE FROM revoked WHERE building = ? AND grant_id = ?`, b.id, id[:]); err != nil {
			return err
		}
	}
	return nil
}

// droppedSince are the grants off the list that were not yet revoked in a version.
func (b *building) droppedSince(version uint64) (ids []wire.ID) {
	for id, r := range b.revoked {
		if r.dropped && r.version > version {
			ids = append(ids, id)
		}
	}
	return ids
}

// prove takes what the front has of a gateway's proofs. Where the disk was set
// back since, or the front has lost proofs, grants that were dropped on the
// strength of them are named again. A set-back counts although the gateway may
// have proved a newer list since: between the two it has skipped some.
func (c *change) prove(b *building, g api.Gateway) error {
	version := g.Applied
	if g.SetBacks != b.setBacks[g.Gateway] {
		version = min(version, g.SetBackTo)
		b.setBacks[g.Gateway] = g.SetBacks
		_, err := c.Exec(`INSERT INTO setbacks (building, gateway, number) VALUES (?,?,?)
			ON CONFLICT (building, gateway) DO UPDATE SET number = excluded.number`, b.id, g.Gateway, int64(g.SetBacks))
		if err != nil {
			return fmt.Errorf("keep set-back: %w", err)
		}
	}
	b.applied[g.Gateway] = g.Applied
	return c.nameAgain(b, b.droppedSince(version)...)
}

func (b *building) droppable() map[wire.ID]bool {
	proved := b.list.manifest.Version
	for _, g := range b.house.Gateways {
		proved = min(proved, b.applied[g.ID])
	}
	ids := make(map[wire.ID]bool)
	for id, r := range b.revoked {
		if !r.dropped && r.version <= proved {
			ids[id] = true
		}
	}
	return ids
}
