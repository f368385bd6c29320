// Package status is the operator's view of the front: how it is, what is wrong and
// what to do, and how each gateway stands.
package status

import (
	"context"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
)

// Page is the operator's view; all fields are needed. Safe for concurrent use.
type Page struct {
	Store     *store.Store
	Roster    *roster.Roster
	Active    *document.Active
	Committer *commit.Committer
	Inbox     *inbox.Inbox
	Safety    *backup.Safety
	Clock     *agreed.Clock
	Now       func() time.Time
	Endings   *Endings
}

// Status completes what the front knows of itself (Registry to Queued of what is given)
// by what its parts know.
func (p *Page) Status(ctx context.Context, s api.Status) (api.Status, error) {
	var err error
	if s.Entries, s.Batches, err = p.Store.Count(ctx); err != nil {
		return s, err
	}
	if s.LastWork, err = p.Store.LastRecord(ctx); err != nil {
		return s, err
	}
	if s.Remarks, err = p.Store.Remarks(ctx); err != nil {
		return s, err
	}
	a := p.Active.Load()
	s.Registry, s.Trust, s.Bytes, s.Issuer = a.Trust.Registry, a.Trust.Version, p.Store.Size(), p.Inbox.Attended()
	for _, b := range p.Roster.Buildings() {
		if b.Document.Envelope != nil {
			s.Buildings++
		}
	}
	for _, g := range p.Roster.Gateways() {
		if of := p.Roster.Look(g); of.Member {
			s.Gateways++
			if of.View.Online {
				s.Online++
			}
		}
	}
	s.Backup, s.PutBack = when(p.Safety.Last()), when(p.Safety.PutBack())
	s.Problems = p.problems(s)
	return s, nil
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
