package merge

import (
	"slices"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// View is what opens.
type View struct {
	Grants *access.Grants
	Doors  grantlist.Doors
}

// viewOf returns the view of a list; nil: no list.
func viewOf(l *signedlist.List) View {
	if l == nil {
		return View{}
	}
	return View{l.Grants, grantlist.DoorsOf(&l.Manifest)}
}

// Contents returns what opens in order, in some buckets (nil: in all).
func (v View) Contents(in func(i int) bool) grantlist.Contents {
	c := grantlist.Contents{Doors: v.Doors}
	for i := range 1 << v.Grants.Bits() {
		if in == nil || in(i) {
			c.Grants = append(c.Grants, v.Grants.Bucket(i).Records()...)
		}
	}
	return c
}

// Named returns the grants that have a row.
func (v View) Named() map[wire.ID]bool {
	named := make(map[wire.ID]bool)
	for r := range v.Grants.All() {
		named[r.ID] = true
	}
	return named
}

// row returns the row of a credential under a grant; nil: there is none.
func (v View) row(like *wire.Grant) *wire.Grant {
	if v.Grants == nil {
		return nil
	}
	rows := v.Grants.Find(like.Credential)
	if i := slices.IndexFunc(rows, func(r wire.Grant) bool { return r.ID == like.ID }); i >= 0 {
		return &rows[i]
	}
	return nil
}

// with returns the view with some rows replacing those of the same credential and grant, if any.
// Untouched buckets are shared.
func (v View) with(changed []wire.Grant) (View, error) {
	bits, buckets := uint8(0), make([]*access.Bucket, 1)
	if v.Grants != nil {
		bits = v.Grants.Bits()
		buckets = make([]*access.Bucket, 1<<bits)
		for i := range buckets {
			buckets[i] = v.Grants.Bucket(i)
		}
	}
	slices.SortFunc(changed, func(a, b wire.Grant) int { return a.Compare(&b) })
	err := replaceRows(buckets, bits, changed)
	if err == nil {
		v.Grants, err = access.NewGrants(access.Doors(v.Doors), bits, buckets)
	}
	return v, err
}

// replaceRows replaces the rows of the same credential and grant; changed is in order.
func replaceRows(buckets []*access.Bucket, bits uint8, changed []wire.Grant) (err error) {
	for len(changed) > 0 { // bucket by bucket
		i, n := changed[0].Credential.Bucket(bits), 1
		for n < len(changed) && changed[n].Credential.Bucket(bits) == i {
			n++
		}
		if buckets[i], err = access.NewBucket(bits, replaced(buckets[i].Records(), changed[:n])); err != nil {
			return err
		}
		changed = changed[n:]
	}
	return nil
}

// replaced merges two sorted lists of rows; by replaces equal ones.
func replaced(rows, by []wire.Grant) []wire.Grant {
	out := make([]wire.Grant, 0, len(rows)+len(by))
	for len(rows) > 0 && len(by) > 0 {
		switch c := rows[0].Compare(&by[0]); {
		case c < 0:
			out, rows = append(out, rows[0]), rows[1:]
		case c == 0:
			rows = rows[1:]
		default:
			out, by = append(out, by[0]), by[1:]
		}
	}
	return append(append(out, rows...), by...)
}
