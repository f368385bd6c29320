package desk

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/caller"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Records are the signed changes of this gateway's desk and of its siblings': made,
// numbered, entered, delivered to the registry and to each other. It is safe for
// concurrent use.
type Records struct {
	book    *book
	keyring *keyring.Keyring
	journal Journal
	key     ed25519.PrivateKey
	classed func() bool
	log     zerolog.Logger
	heard   chan struct{}    // a sibling's record may need an answer
	queued  map[wire.ID]bool // records whose entry this run has queued, durable or not
}

func newRecords(b *book, j Journal, key ed25519.PrivateKey, classed func() bool) *Records {
	return &Records{book: b, keyring: b.keyring, journal: j, key: key, classed: classed, log: b.log, heard: make(chan struct{}, 1), queued: map[wire.ID]bool{}}
}

// Settle leaves nothing ahead of the desk's file, for who reads that alone: a backup, or a program from before.
func (r *Records) Settle() error { return r.book.settle() }

// registry returns the enrolment of the house, or why no tenancy can be changed here.
func (r *Records) registry() (*keys.Registry, error) {
	reg := r.keyring.Keys.Registry()
	switch {
	case reg == nil:
		return nil, tenancy.Refuse("give keys with gatehouse grant add, or enrol the house with gatehouse enrol", "this house has no registry, so it keeps no tenancies")
	case reg.Trust.Version == 0 || reg.House.Version == 0:
		return nil, tenancy.Refuse("see gatehouse status; gatehouse enrol brings them again", "what the registry signed for this house can't be read")
	case r.keyring.Keys.Building() == nil:
		return nil, tenancy.Refuse("wait until a sibling gateway is online, which sends it; gatehouse status says what to do where there is none", "the building's key has not come yet, so no card can be named")
	case r.key == nil:
		return nil, tenancy.Refuse("see gatehouse status", "the gateway's own key can't be read, so nothing can be signed")
	}
	return reg, nil
}

// catchUp adds records that are active in the keyring and not yet in the file: a crash came between
// the two.
func (r *Records) catchUp() {
	b := r.book
	for _, l := range append(r.keyring.Records.All(), r.keyring.Records.Undelivered()...) {
		own := r.isOwn(l)
		if own && l.Record.Line == b.Line && l.Record.Number <= b.Number {
			continue
		}
		b.Tenancies.Apply(l.Change)
		if !own {
			continue
		}
		if l.Record.Line != b.Line {
			b.Line, b.Number, b.Stored = l.Record.Line, 0, 0
		}
		b.Number = max(b.Number, l.Record.Number)
	}
}

// newLine returns the random name of a numbering; never 0.
func newLine() uint64 {
	id := grantlist.NewID()
	return binary.BigEndian.Uint64(id[:]) | 1
}

func (r *Records) isOwn(l record.Local) bool {
	reg := r.keyring.Keys.Registry()
	return reg != nil && l.Gateway == reg.Place.Gateway
}

// own returns the own records that are unsettled, or whose person the registry lacks, in order.
func (r *Records) own() []record.Local {
	own := slices.DeleteFunc(r.keyring.Records.All(), func(l record.Local) bool { return !r.isOwn(l) })
	return inOrder(append(own, r.keyring.Records.Undelivered()...))
}

func inOrder(all []record.Local) []record.Local {
	slices.SortFunc(all, func(a, b record.Local) int {
		return cmp.Or(cmp.Compare(a.Record.Line, b.Record.Line), cmp.Compare(a.Record.Number, b.Record.Number))
	})
	return all
}

// record makes a change active, then writes its entry. A change that stops something counts even if
// no disk takes it; a remark says so then.
func (r *Records) record(ctx context.Context, reg *keys.Registry, c wire.Change, person []byte) (remarks []string, err error) {
	line := r.book.Line
	if line == 0 {
		line = newLine()
	}
	l, err := r.sign(reg, line, r.book.Number+1, c, person)
	if err != nil {
		return nil, err
	}
	err = r.keyring.Records.Add(l)
	if errors.Is(err, keyring.ErrNotDurable) && (c.Op == wire.OpEnd || c.Op == wire.OpSuspend) {
		remarks = append(remarks, "this is active, but the disk has not taken it yet: it is tried again each minute. Mend the disk before the daemon is started anew")
	} else if err != nil {
		return nil, fmt.Errorf("record the %s: %w", c.Op, err)
	}
	r.book.Line, r.book.Number = line, r.book.Number+1
	r.book.Tenancies.Apply(c)
	if r.book.save() != nil {
		remarks = append(remarks, "label and PIN could not be written: see gatehouse status about the disk")
	}
	if !r.enter(ctx, l) {
		remarks = append(remarks, "its entry in the log waits for the disk")
	}
	return remarks, nil
}

// sign makes the record of a change: sealed for the siblings and for the issuer's desk, signed by
// the gateway. Whether logs name the tenancy for a shorter time only an issuer hears that has shown that it reads it:
// older ones, and siblings, could not take the record. It tells all gateways.
func (r *Records) sign(reg *keys.Registry, line, number uint64, c wire.Change, person []byte) (l record.Local, err error) {
	rec := wire.Record{Line: line, Number: number, ID: grantlist.NewID()}
	forIssuer := c
	forIssuer.Brief, c.Brief = c.Brief && r.classed(), false
	plain, err := wire.Encode(forIssuer)
	if err != nil {
		return l, err
	}
	if rec.House, err = r.keyring.Keys.Building().SealRecord(c); err != nil {
		return l, err
	}
	if rec.Desk, err = sealing.Seal(reg.Trust.Desk, sealing.Change, reg.Place.Address(), plain); err != nil {
		return l, err
	}
	if len(person) > 0 {
		rec.Person = sha256.Sum256(person)
	}
	l = record.Local{Gateway: reg.Place.Gateway, Record: rec, Change: c, Person: person}
	l.Envelope, err = r.envelope(reg, rec)
	return l, err
}

func (r *Records) envelope(reg *keys.Registry, rec wire.Record) ([]byte, error) {
	return wire.SignBody(wire.Protected{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: reg.Place.Address()}, rec, r.key)
}

// enterMost is how long a change waits for its entry to be durable.
const enterMost = 2 * time.Second

// enter writes the entry of a record and reports whether it is durable. If not, it is queued and
// written again after a restart; a duplicate does no harm.
func (r *Records) enter(ctx context.Context, l record.Local) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enterMost)
	defer cancel()
	detail := sha256.Sum256(l.Record.Desk)
	grant, tenancy := l.Change.Grant, l.Change.Tenancy
	_, err := r.journal.Append(ctx, wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeDone,
		Reason: reasonOf(l.Change.Op), Source: caller.Of(ctx).String(), Detail: detail[:]}, wire.Who{Grant: &grant, Tenancy: &tenancy})
	if err != nil {
		r.queued[l.Record.ID] = !errors.Is(err, journal.ErrDropped)
		r.log.Warn().Err(err).Str("change", l.Change.Op.String()).Msg("entry of a tenancy's change is not durable yet")
		return false
	}
	r.keyring.Records.Entered(l.Record.ID)
	return true
}

func reasonOf(o wire.Op) wire.Reason { return 600 + wire.Reason(o) }

// enterMissing writes the entries of records that have none yet.
func (r *Records) enterMissing(ctx context.Context) {
	r.book.Lock()
	defer r.book.Unlock()
	for _, l := range r.own() {
		if !l.Entered && !r.queued[l.Record.ID] && ctx.Err() == nil {
			r.enter(ctx, l)
		}
	}
}
