// Package mine finds the entries of one card in a gateway's log, for the resident who has held it up.
//
// It shows those that name the card and its tenancy: who had the card before, and who shares the flat, have others. It
// judges nobody: the desk has found that card and PIN are right. What was erased names nobody and is not found.
package mine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/control"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Journal is the log; *journal.Journal is one.
type Journal interface {
	Entries(ctx context.Context, from journaled.Position, n int) ([]journaled.Entry, journaled.Position, error)
}

// batch is how many entries are read at a time, so that the writer is not held up.
const batch = 500

// Entries returns all that a log has of a card, by its forms, in a tenancy, oldest first, with times of a zone.
func Entries(ctx context.Context, log Journal, card []wire.CredentialID, tenancy wire.ID, zone *time.Location) ([]control.OwnEntry, error) {
	out := []control.OwnEntry{}
	for at := (journaled.Position{}); ; {
		entries, next, err := log.Entries(ctx, at, batch)
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		if len(entries) == 0 {
			return out, nil
		}
		at = next
		for _, e := range entries {
			own, err := one(e, card, tenancy, zone)
			if err != nil {
				return nil, fmt.Errorf("read the log: %w", err)
			}
			if own != nil {
				out = append(out, *own)
			}
		}
	}
}

// one returns an entry as its resident sees it; nil: it is of somebody else, or names nobody.
func one(e journaled.Entry, card []wire.CredentialID, tenancy wire.ID, zone *time.Location) (*control.OwnEntry, error) {
	if len(e.Who) == 0 {
		return nil, nil
	}
	who, err := wire.DecodeWho(e.Who)
	if err != nil || who.Credential == nil || who.Tenancy == nil || *who.Tenancy != tenancy || !slices.Contains(card, *who.Credential) {
		return nil, err
	}
	h, err := wire.DecodeHeader(e.Header)
	if err != nil {
		return nil, err
	}
	return &control.OwnEntry{Time: h.Time().In(zone), Clock: h.Clock.String(), Kind: h.Kind.String(), Outcome: h.Outcome.String(), Reason: h.Reason.String(),
		Door: h.Door, Direction: h.Direction.String(), Method: who.Method.String(), Count: h.Count}, nil
}
