// Package adopt takes over what this database does not know and the registry has signed
// all the same: lists and House documents that gateways, the front or an operator have.
// A database that was put back does not know what was signed since. A list proves itself:
// one that an issuer trusted now has signed is taken over, its restrictions for good, and
// goes into the log, so that the next list proves that it descends from it.
//
// It refuses to take over what nobody trusted now has signed: that is offered to the
// operator. It refuses a list that has leapt out of the reach of other gateways.
package adopt

import (
	"fmt"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// held is what a gateway holds, put together from its signed parts.
type held struct {
	gateway                 string
	manifest, second, house []byte
	buckets                 [][]byte
	tombstones              []wire.ID
}

// assemble opens the parts of a holding by the gateway's key.
func assemble(b *building.Building, h api.Holding) (out held, err error) {
	out.gateway = h.Place.Gateway
	for n, envelope := range h.Parts {
		payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeHolding, Role: wire.RoleGateway, Address: b.ID + "/" + h.Place.Gateway}, b.Keyset(h.Place.Gateway))
		if err != nil {
			return out, err
		}
		var part wire.Holding
		if err := wire.Decode(payload, &part); err != nil {
			return out, err
		}
		if int(part.Part) != n || int(part.Parts) != len(h.Parts) {
			return out, fmt.Errorf("%w: part %d stands at %d", wire.ErrMalformed, part.Part, n)
		}
		if n == 0 {
			out.manifest, out.second = part.Manifest, part.Second
		}
		if len(part.House) > 0 {
			out.house = part.House
		}
		out.buckets = append(out.buckets, part.Buckets...)
		out.tombstones = append(out.tombstones, part.Tombstones...)
	}
	return out, nil
}

// Holding judges what a gateway holds. What proves itself is taken over; the rest is for
// the operator. What can't be read is logged: the gateway may say it again.
func Holding(c *ledger.Change, in api.Holding) error {
	b, err := c.Building(in.Place.Building)
	if err != nil || b == nil {
		return err
	}
	c.Touch(b)
	h, err := assemble(b, in)
	if err != nil {
		c.Log.Warn().Err(err).Str("gateway", in.Place.Address()).Msg("what a gateway holds can't be read")
		return nil
	}
	if len(h.house) > 0 {
		if err := adoptHouse(c, b, h.gateway, h.house); err != nil {
			return err
		}
	}
	if len(h.manifest) == 0 {
		return nil
	}
	l, trusted, err := lists.Read(b.ID, h.manifest, h.second, h.buckets, c.Keys.Issuers)
	if err != nil {
		c.Log.Warn().Err(err).Str("gateway", b.ID+"/"+h.gateway).Msg("the list that a gateway holds is not one")
		return nil
	}
	switch there, err := store.InLog(c, b.ID, l.Hash); {
	case err != nil:
		return err
	case there:
		b.CountAsk(h.gateway, &l)
	case !trusted:
		offer(c, b, h, l.Hash)
		return nil
	default:
		if err := List(c, b, h.gateway, l); err != nil {
			return err
		}
	}
	return offerTombstones(c, b, h)
}

// Front judges what the front has of a building.
func Front(c *ledger.Change, k api.Stored) error {
	b, err := findOrMake(c, k)
	if err != nil || b == nil {
		return err
	}
	c.Touch(b)
	if err := adoptHouse(c, b, "the front", k.House); err != nil {
		return err
	}
	if len(k.List.Manifest) == 0 {
		return nil
	}
	l, trusted, err := lists.Read(b.ID, k.List.Manifest, k.List.Second, k.List.Buckets, c.Keys.Issuers)
	if err != nil || !trusted {
		return nil // of an issuer that was replaced: gateways say what they have
	}
	// The list's own root tells whether the log that the front has is the one before it.
	if log, ok := lists.Proved(l.Manifest, k.List.Log); ok {
		store.AppendLog(c.Tx, b, log...)
	}
	l.SetOld(k.List.Old, k.List.OldSecond)
	return List(c, b, "the front", l)
}
