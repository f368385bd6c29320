package disclosure

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealed"
)

// uses are those of a mandate's reference on site at one gateway.
type uses struct {
	api.UsedOnSite
	gateway int64
}

// before is how much earlier than the mandate's own time a use is looked for: the clock of who signed it may
// be ahead of the front's.
const before = 24 * time.Hour

// onSite finds the uses of a mandate in the logs of its building's gateways, also of those that it does not
// name. Its reference, which nobody guesses, opens their sealed entries; all others stay shut. An entry that
// came twice, since a disk was set back, is one use. A paper that takes a mandate back has its own signature, and with that
// another sum than the mandate has that was used: what it takes back is the reference, under whichever paper.
func (d Desk) onSite(ctx context.Context, m mandate.Mandate, envelope []byte) (all []uses, err error) {
	sum, seen, opener := sha256.Sum256(envelope), map[[sha256.Size]byte]bool{}, sealed.NewOpener(m.Reference[:])
	for row, err := range store.Since(ctx, d.Store, m.Request.Building, time.Unix(int64(m.Issued), 0).Add(-before), wire.SealedSize) {
		if err != nil {
			return nil, err
		}
		var b wire.Batch
		if err := wire.Decode(row.Body, &b); err != nil {
			return nil, fmt.Errorf("stored batch of %s: %w", row.Place.Address(), err)
		}
		for _, header := range b.Headers {
			h, err := wire.DecodeHeader(header)
			if err != nil || h.Kind != wire.KindSealed || seen[sha256.Sum256(h.Detail)] {
				continue
			}
			r, ok := opener.Open(h.Detail)
			if !ok || r.What != sealed.Answer {
				continue
			}
			seen[sha256.Sum256(h.Detail)] = true
			all = addUse(all, row, m.Status != mandates.Withdrawn && !bytes.Equal(r.Mandate, sum[:]))
		}
	}
	return all, nil
}

// addUse adds one to those of its gateway.
func addUse(all []uses, row store.Batch, other bool) []uses {
	i := slices.IndexFunc(all, func(u uses) bool { return u.gateway == row.Gateway })
	if i < 0 {
		i, all = len(all), append(all, uses{gateway: row.Gateway, UsedOnSite: api.UsedOnSite{Place: api.Place{Building: row.Place.Building, Gateway: row.Place.Gateway}}})
	}
	u := &all[i]
	if row.Stored.After(u.Heard) {
		u.Heard = row.Stored.UTC()
	}
	if u.Uses++; other {
		u.Other++
	}
	return all
}

// counts are the uses of a mandate, here and on site.
type counts struct {
	used      int // that count for the gateway asked for
	onSite    []api.UsedOnSite
	elsewhere int
}

// usesOf counts what was used of a mandate: for a gateway its own uses, here and on site, and what the others
// have had beyond their share. So a paper that was copied, or split into several with one reference, gives
// no more answers than one has.
func (d Desk) usesOf(tx *store.Tx, q *question) (c counts, err error) {
	here, err := tx.Disclosures.Uses(q.mandate.Reference)
	if err != nil {
		return c, err
	}
	others, named := 0, map[int64]bool{}
	for _, g := range q.mandate.Request.Gateways {
		if known := d.Roster.Find(q.mandate.Request.Building + "/" + g.ID); known != nil {
			id, _, err := tx.Gateway(d.Roster.Look(known).Place)
			if err != nil {
				return c, err
			}
			named[id] = true
		}
	}
	for id, n := range here {
		if id == q.id {
			c.used += n
			continue
		}
		if others += n; !named[id] {
			c.elsewhere += n
		}
	}
	for _, u := range q.onSite {
		c.onSite = append(c.onSite, u.UsedOnSite)
		if u.gateway == q.id {
			c.used += u.Uses
		} else {
			others += u.Uses
		}
	}
	slices.SortFunc(c.onSite, func(a, b api.UsedOnSite) int { return strings.Compare(a.Place.Address(), b.Place.Address()) })
	c.used += max(0, others-int(q.mandate.Answers)*(len(q.mandate.Request.Gateways)-1))
	return c, nil
}
