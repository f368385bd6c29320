package uplink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// wantMost is the longest pause between two requests for the same thing.
const wantMost = time.Minute

// proveEvery is how often a list that no disk has taken is looked at.
const proveEvery = time.Minute

// collection gathers what the registry has newer: the parts of a list, until
// it is whole, and the two documents.
type collection struct {
	newestList  version // that an ack named
	newestHouse uint64
	newestTrust uint64
	saidList    wire.Hash // that the newest hello named as in force
	lacking     time.Time // since when a newer list is known and not in force
	unproved    uint64    // version in force of which there is no entry yet; 0: none

	manifest []byte // of the list that is gathered; nil: none
	second   []byte
	proof    keyring.Proof
	lacks    map[wire.Hash]bool
	have     map[wire.Hash][]byte
	asked    int // buckets of the last request that have not come

	wantDue  time.Time
	wantWait time.Duration
}

// version is that of a list: the epoch of the issuer's role comes first. An ack of
// format 1 names none, which is 0.
type version struct{ epoch, number uint64 }

func (v version) before(o version) bool {
	return v.epoch < o.epoch || v.number < o.number && (v.epoch == o.epoch || o.epoch == 0)
}

func inForce(s keyring.Status) version { return version{s.InForceEpoch, s.InForce} }

// newest notes which versions an ack names.
func (a *actor) newest(k wire.Ack2, now time.Time) {
	list := version{k.ListEpoch, k.List}
	if !a.newestList.before(list) && k.House <= a.newestHouse && k.Trust <= a.newestTrust {
		return
	}
	if a.newestList.before(list) {
		a.newestList = list
	}
	a.newestHouse, a.newestTrust = max(k.House, a.newestHouse), max(k.Trust, a.newestTrust)
	a.fetchSoon(now)
}

// standing takes from the answer to a hello what the registry has now: one that was put
// back, or that began anew, has no more what an earlier ack named, and a list that nobody
// has any more is not waited for.
func (a *actor) standing(k wire.Ack2, now time.Time) {
	list := version{k.ListEpoch, k.List}
	if !list.before(a.newestList) && k.House >= a.newestHouse && k.Trust >= a.newestTrust {
		return
	}
	if list.before(a.newestList) { // its buckets with it
		a.manifest, a.second, a.proof, a.lacks, a.have, a.asked = nil, nil, keyring.Proof{}, nil, nil, 0
	}
	a.newestList, a.newestHouse, a.newestTrust = list, k.House, k.Trust
	a.fetchSoon(now)
}

func (a *actor) fetchSoon(now time.Time) { a.wantDue, a.wantWait = now, 0 }

// fetch asks for what the gateway lacks until it is there.
func (a *actor) fetch(ctx context.Context, now time.Time) time.Time {
	if !a.connection.up {
		return time.Time{}
	}
	if now.Before(a.wantDue) {
		return a.wantDue
	}
	w := a.want(now)
	if !w.List && !w.House && !w.Trust && len(w.Buckets) == 0 {
		if a.listsWait(now) {
			return earlier(a.agreeBy, a.borrowing.until)
		}
		return time.Time{}
	}
	a.outbox.say(ctx, message{kind: wire.TypeWant, body: w})
	a.asked = len(w.Buckets)
	a.wantWait = backoff(a.wantWait, firstWait, wantMost)
	a.wantDue = now.Add(a.wantWait)
	return a.wantDue
}

func (a *actor) want(now time.Time) (w wire.Want) {
	reg, list := a.o.Keyring.Registry(), a.o.Keyring.Status()
	lacks := inForce(list).before(a.newestList)
	w.House, w.Trust = reg.House.Version < a.newestHouse, reg.Trust.Version < a.newestTrust
	if !lacks || list.Unproved != nil && list.Unproved.Version == a.newestList.number { // it is here, and proves nothing
		a.lacking = time.Time{}
	} else if a.lacking.IsZero() {
		a.lacking = now
	}
	w.List = lacks && a.manifest == nil && !a.listsWait(now)
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
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeList, Role: wire.RoleWitness, Address: a.address, Newest: a.o.Formats},
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
	if len(part.Proof) > 0 {
		a.proof = keyring.Proof{Index: part.Index, Hashes: part.Proof}
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
	missing, err := a.o.Keyring.Missing(part.Manifest, keyring.Proof{Index: part.Index, Hashes: part.Proof})
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
	a.manifest, a.second, a.proof, a.lacks, a.have, a.asked = part.Manifest, nil, keyring.Proof{}, lacks, have, 0
	return nil
}

// apply puts a whole list in force and records it: that entry is the proof. One
// that proves nothing may have come with the proof of an earlier list of this
// gateway, so it is asked for again after a hello that names the one in force, and is
// an alarm once that is answered: what came before may have been sent before.
func (a *actor) apply() error {
	u := keyring.Update{Manifest: a.manifest, Second: a.second, Proof: a.proof}
	for _, b := range a.have {
		u.Buckets = append(u.Buckets, b)
	}
	a.manifest, a.second, a.proof, a.lacks, a.have = nil, nil, keyring.Proof{}, nil, nil
	before := a.o.Keyring.Status()
	err := a.o.Keyring.Apply(u)
	s := a.applied(before)
	if said := a.saidList == s.Hash && s.InForce == s.Version; errors.Is(err, keyring.ErrUnproved) && !(said && a.connection.agrees()) {
		if !said {
			a.greetAgain(time.Now())
		}
		a.fetchSoon(time.Now())
		return nil
	}
	return withoutDisk(a.o.Log, err)
}

// applied records that another list is in force than before.
func (a *actor) applied(before keyring.Status) keyring.Status {
	s := a.o.Keyring.Status()
	if inForce(s) != inForce(before) {
		a.o.Log.Info().Uint64("version", s.InForce).Msg("list of grants in force")
		a.unproved = s.InForce
		a.proveBy(time.Now())
		a.lacking = time.Time{}
		a.deliveries.soon()
		a.tellMasked(before.Masked, s.Masked)
	}
	return s
}

// maskedMost bounds the entries about what one list gives back.
const maskedMost = 16

// tellMasked records which grants a list gives back that are over.
func (a *actor) tellMasked(before, now []keyring.Masked) {
	n := 0
	for _, m := range now {
		if slices.Contains(before, m) {
			continue
		}
		if n++; n > maskedMost {
			return // the status has them all
		}
		grant, tenancy := m.Grant, m.Tenancy
		a.o.Journal.Queue(wire.Header{Kind: wire.KindRefused, Outcome: wire.OutcomeRefused, Reason: wire.ReasonGivenBack, Source: wire.TypeGrantList},
			wire.Who{Grant: &grant, Tenancy: &tenancy})
	}
}

func (a *actor) prove(_ context.Context, now time.Time) time.Time { return a.proveBy(now) }

// proveBy records the list in force once a disk holds it: before that a restart
// would undo what the entry proves.
func (a *actor) proveBy(now time.Time) time.Time {
	if a.unproved == 0 {
		return time.Time{}
	}
	s := a.o.Keyring.Status()
	if s.Version != a.unproved {
		return now.Add(proveEvery)
	}
	a.unproved = 0
	a.record(a.refusals.ofLists(now))
	a.o.Journal.Queue(wire.Header{Kind: wire.KindListApplied, Count: s.Version, Detail: s.Hash[:]}, wire.Who{})
	return time.Time{}
}
