package uplink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// wantMost is the longest pause between two requests for the same thing.
const wantMost = 5 * time.Minute

// proveEvery is how often a list that no disk has taken is looked at.
const proveEvery = time.Minute

// collection gathers what the registry has newer: the parts of a list, until
// it is whole, and the two documents.
type collection struct {
	newestList  uint64 // versions that an ack named
	newestHouse uint64
	newestTrust uint64
	lacking     time.Time // since when a newer list is known and not in force
	unproved    uint64    // version in force of which there is no entry yet; 0: none

	manifest []byte // of the list that is gathered; nil: none
	second   []byte
	lacks    map[wire.Hash]bool
	have     map[wire.Hash][]byte
	asked    int // buckets of the last request that have not come

	wantDue  time.Time
	wantWait time.Duration
}

// newest notes which versions an ack names.
func (a *actor) newest(k wire.Ack2, now time.Time) {
	if k.List > a.newestList || k.House > a.newestHouse || k.Trust > a.newestTrust {
		a.newestList, a.newestHouse, a.newestTrust = max(k.List, a.newestList), max(k.House, a.newestHouse), max(k.Trust, a.newestTrust)
		a.fetchSoon(now)
	}
}

func (a *actor) fetchSoon(now time.Time) { a.wantDue, a.wantWait = now, 0 }

// fetch asks for what the gateway lacks until it is there.
func (a *actor) fetch(ctx context.Context, now time.Time) time.Time {
	if !a.up {
		return time.Time{}
	}
	if now.Before(a.wantDue) {
		return a.wantDue
	}
	w := a.want(now)
	if !w.List && !w.House && !w.Trust && len(w.Buckets) == 0 {
		if a.listsWait(now) {
			return a.agreeBy
		}
		return time.Time{}
	}
	a.publish(ctx, wire.TypeWant, a.place.Up(wire.TypeWant), w)
	a.asked = len(w.Buckets)
	a.wantWait = backoff(a.wantWait, firstWait, wantMost)
	a.wantDue = now.Add(a.wantWait)
	return a.wantDue
}

func (a *actor) want(now time.Time) (w wire.Want) {
	reg, version := a.o.Keyring.Registry(), a.o.Keyring.Status().Version
	w.House, w.Trust = reg.House.Version < a.newestHouse, reg.Trust.Version < a.newestTrust
	if version >= a.newestList {
		a.lacking = time.Time{}
	} else if a.lacking.IsZero() {
		a.lacking = now
	}
	w.List = version < a.newestList && a.manifest == nil && !a.listsWait(now)
	for h := range a.lacks {
		if len(w.Buckets) == wire.MaxWanted {
			break
		}
		w.Buckets = append(w.Buckets, h)
	}
	return w
}

// list takes a part: a manifest, and some buckets of it. Each proves itself.
func (a *actor) list(envelope []byte) error {
	reg, now := a.o.Keyring.Registry(), time.Now()
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeList, Role: wire.RoleWitness, Address: a.address},
		reg.Trust.Keyset(wire.RoleWitness))
	if err != nil {
		return err
	}
	var part wire.ListPart
	if err := wire.Decode(payload, &part); err != nil {
		return err
	}
	if a.listsWait(now) {
		return nil // it is asked for when the hello is answered
	}
	if a.manifest == nil || !bytes.Equal(part.Manifest, a.manifest) {
		if err := a.gather(part); err != nil {
			return err
		}
	}
	if len(part.Second) > 0 {
		a.second = part.Second
	}
	came := false
	for _, b := range part.Buckets {
		if h := wire.Hash(sha256.Sum256(b)); a.lacks[h] {
			delete(a.lacks, h)
			a.have[h], came = b, true
			a.asked--
		}
	}
	switch {
	case len(a.lacks) == 0:
		return a.apply()
	case a.asked <= 0:
		a.wantDue = now // the next ones
	case came:
		a.wantDue, a.wantWait = now.Add(firstWait), 0 // the rest is on its way
	}
	return nil
}

// gather begins with a manifest; buckets that came for the one before and are
// of this one too stay.
func (a *actor) gather(part wire.ListPart) error {
	missing, err := a.o.Keyring.Missing(part.Manifest)
	if err != nil {
		return err
	}
	lacks, have := make(map[wire.Hash]bool, len(missing)), map[wire.Hash][]byte{}
	for _, h := range missing {
		if b := a.have[h]; b != nil {
			have[h] = b
		} else {
			lacks[h] = true
		}
	}
	a.manifest, a.second, a.lacks, a.have, a.asked = part.Manifest, nil, lacks, have, 0
	return nil
}

// apply puts a whole list in force and records it: that entry is the proof.
func (a *actor) apply() error {
	u := keyring.Update{Manifest: a.manifest, Second: a.second}
	for _, b := range a.have {
		u.Buckets = append(u.Buckets, b)
	}
	a.manifest, a.second, a.lacks, a.have = nil, nil, nil, nil
	before := a.o.Keyring.Status().Version
	err := a.o.Keyring.Apply(u)
	s := a.o.Keyring.Status()
	if s.Version != before {
		a.o.Log.Info().Uint64("version", s.Version).Msg("list of grants in force")
		a.unproved = s.Version
		a.proveBy(time.Now())
		a.lacking = time.Time{}
		a.recordsSoon()
	}
	return a.withoutDisk(err)
}

func (a *actor) prove(_ context.Context, now time.Time) time.Time { return a.proveBy(now) }

// proveBy records the list in force once a disk holds it: before that a restart
// would undo what the entry proves.
func (a *actor) proveBy(now time.Time) time.Time {
	if a.unproved == 0 {
		return time.Time{}
	}
	s := a.o.Keyring.Status()
	if s.Version == a.unproved && !s.Copies[0].Good && !s.Copies[1].Good {
		return now.Add(proveEvery)
	}
	a.unproved = 0
	a.o.Journal.Queue(wire.Header{Kind: wire.KindListApplied, Count: s.Version, Detail: s.Hash[:]}, wire.Who{})
	return time.Time{}
}
