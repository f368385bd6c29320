package report

import (
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// Gateways are those of a building, or of all (""), that have a token or are enrolled.
func Gateways(l *ledger.Ledger, id string) ([]operator.Gateway, error) {
	out := []operator.Gateway{}
	err := l.Each(id, func(v ledger.View, b *building.Building) error {
		all, err := store.Gateways(v, b.ID)
		for _, kept := range all {
			g := operator.Gateway{Place: api.Place(b.Place(kept.ID)), Doors: []string{}, Proved: b.Gateways.Applied[kept.ID], Certificate: moment(uint32(kept.Certificate))}
			if member := b.House.Gateway(kept.ID); member != nil {
				g.Enrolled, g.Doors = moment(uint32(kept.Enrolled)), append(g.Doors, member.Doors...)
			}
			if !kept.Used && kept.Expires > int64(l.Clock.Unix()) {
				g.Token = moment(uint32(kept.Expires))
			}
			out = append(out, g)
		}
		return err
	})
	return out, err
}

// Lists are the newest lists of a building, or of all (""), and those that wait for a second signature.
func Lists(l *ledger.Ledger, id string) ([]operator.List, error) {
	out := []operator.List{}
	err := l.Each(id, func(v ledger.View, b *building.Building) error {
		if b.Lists.Newest.Manifest.Version > 0 {
			one := listView(b.Lists.Newest, b.ID, !v.Unsent(b.ID))
			removes, gateways := b.Asked()
			one.Doubted = b.Doubted()
			if id != "" { // who signs names the building; it is some kilobytes
				one.Trust = l.Keys.TrustEnvelope
			}
			if one.Asked = gateways; len(gateways) > 0 && b.Lists.Held == nil {
				showRemoved(b, &one, removes)
			}
			out = append(out, one)
		}
		if b.Lists.Held == nil {
			return nil
		}
		one := listView(*b.Lists.Held, b.ID, false)
		one.Held, one.Trust = true, l.Keys.TrustEnvelope
		showRemoved(b, &one, b.Removed(b.Lists.Held))
		out = append(out, one)
		return nil
	})
	return out, err
}

// showRemoved names the tenancies that lose something, and their flats.
func showRemoved(b *building.Building, l *operator.List, tenancies []wire.ID) {
	for _, tenancy := range tenancies {
		l.Removes = append(l.Removes, tenancy.String())
	}
	slices.Sort(l.Removes)
	l.Flats = b.Tenancies.FlatsOf(tenancies)
}

func listView(l lists.Signed, id string, sent bool) operator.List {
	out := operator.List{Building: id, Version: l.Manifest.Version, Hash: l.Hash[:], Sent: sent, Records: len(l.Grants),
		Issued: time.Unix(int64(l.Manifest.Issued), 0).UTC()}
	if l.Old.Envelope != nil {
		out.Old = l.Old.Hash[:]
	}
	return out
}

// Escrow is the sealed key of a building.
func Escrow(l *ledger.Ledger, id string) (e operator.Escrow, err error) {
	err = l.Each(id, func(v ledger.View, b *building.Building) (err error) {
		e.Number, e.Address = int(b.KeyNumber), b.Place(b.EscrowOf).Address()
		e.Sealed, err = store.Escrow(v, b.ID)
		return err
	})
	if err == nil && len(e.Sealed) == 0 {
		err = api.Hinted("its first gateway makes it when it enrols", "building %s has no key yet", id)
	}
	return e, err
}

// Audits are the last acts of operators, the newest first.
func Audits(l *ledger.Ledger) ([]operator.Audit, error) {
	return ledger.Read(l, func(v ledger.View) ([]operator.Audit, error) { return store.Audits(v) })
}
