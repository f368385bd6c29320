package uplink

import (
	"bytes"
	"time"

	"gatehouse/sync/wire"
)

const (
	// wantMost is the longest pause between two requests for the same thing.
	wantMost = time.Minute
	// agreeMost is how long lists wait for the first agreement: a registry that
	// answers nothing may still revoke.
	agreeMost = 10 * time.Minute
)

// fetching asks the registry for what it has newer: the parts of a list, until it is
// whole, and the two documents.
type fetching struct {
	keyring   fetchingKeyring
	address   string     // of this gateway
	formats   uint64     // that it speaks
	borrowing *borrowing // a list of siblings comes first

	named     named
	lacking   time.Time // since when a newer list is known and not in force; zero: none is
	gathering gathering
	due       time.Time
	wait      time.Duration
	agreed    bool      // once in this run, or it was tried in vain: lists may be taken
	agreeBy   time.Time // then they are taken without
}

// fetchingKeyring is the part of the keyring that judges what is fetched.
type fetchingKeyring interface {
	Trust() wire.Trust
	House() wire.House
	Lists() Lists
	Missing(manifest []byte, p Proof) ([]wire.Hash, error)
}

// named is what the registry says that it has.
type named struct {
	list         version
	house, trust uint64
}

// exceeds says whether something of it is newer than what o names.
func (n named) exceeds(o named) bool {
	return o.list.before(n.list) || n.house > o.house || n.trust > o.trust
}

func namedBy(k wire.Ack2) named { return named{version{k.ListEpoch, k.List}, k.House, k.Trust} }

// version is that of a list: the epoch of the issuer's role comes first. An ack of
// format 1 names none, which is 0.
type version struct{ epoch, number uint64 }

func (v version) before(o version) bool {
	return v.epoch < o.epoch || v.number < o.number && (v.epoch == o.epoch || o.epoch == 0)
}

func inForce(s Lists) version { return version{s.InForceEpoch, s.InForce} }

// connected begins again after a connect; the first one begins the waits.
func (f *fetching) connected(borrow time.Duration, now time.Time) {
	if f.agreeBy.IsZero() {
		f.agreeBy, f.borrowing.until = now.Add(agreeMost), now.Add(borrow)
	}
	f.soon(now)
}

func (f *fetching) soon(now time.Time) { f.due, f.wait = now, 0 }

// mayTake ends the wait for the first agreement. A gateway whose disk was set back
// says which list it has in a hello of its new epoch, and numbers its records anew,
// before it takes a list: one that was made with records that it lost would seem to
// have seen those that it made since.
func (f *fetching) mayTake(now time.Time) {
	if !f.agreed {
		f.agreed = true
		f.soon(now)
	}
}

// waits reports whether it is too early for a list of the registry.
func (f *fetching) waits(now time.Time) bool {
	return !f.agreed && now.Before(f.agreeBy) || f.borrowing.waits(now)
}

// hears which versions an ack names.
func (f *fetching) hears(k wire.Ack2, now time.Time) {
	n := namedBy(k)
	if !n.exceeds(f.named) {
		return
	}
	if f.named.list.before(n.list) {
		f.named.list = n.list
	}
	f.named.house, f.named.trust = max(n.house, f.named.house), max(n.trust, f.named.trust)
	f.soon(now)
}

// standing takes from the answer to a hello what the registry has now: one that was put
// back, or that began anew, has no more what an earlier ack named, and a list that nobody
// has any more is not waited for.
func (f *fetching) standing(k wire.Ack2, now time.Time) {
	n := namedBy(k)
	if !f.named.exceeds(n) {
		return
	}
	if n.list.before(f.named.list) { // its buckets with it
		f.gathering = gathering{}
	}
	f.named = n
	f.soon(now)
}

// fetch asks for what the gateway lacks until it is there.
func (f *fetching) fetch(now time.Time) (ask []message, next time.Time) {
	if now.Before(f.due) {
		return nil, f.due
	}
	w := f.want(now)
	if !w.List && !w.House && !w.Trust && len(w.Buckets) == 0 {
		if f.waits(now) {
			return nil, earlier(f.agreeBy, f.borrowing.until)
		}
		return nil, time.Time{}
	}
	f.gathering.asked = len(w.Buckets)
	f.wait = backoff(f.wait, firstWait, wantMost)
	f.due = now.Add(f.wait)
	return []message{{kind: wire.TypeWant, body: w}}, f.due
}

func (f *fetching) want(now time.Time) (w wire.Want) {
	list := f.keyring.Lists()
	lacks := inForce(list).before(f.named.list)
	w.House, w.Trust = f.keyring.House().Version < f.named.house, f.keyring.Trust().Version < f.named.trust
	if !lacks || list.Unproved > 0 && list.Unproved == f.named.list.number { // it is here, and proves nothing
		f.lacking = time.Time{}
	} else if f.lacking.IsZero() {
		f.lacking = now
	}
	w.List = lacks && f.gathering.manifest == nil && !f.waits(now)
	w.Buckets = f.gathering.wanted()
	return w
}

// take takes a part of a list, and returns the list once it is whole; nil: it is not.
func (f *fetching) take(envelope []byte, now time.Time) (*List, error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeList, Role: wire.RoleWitness, Address: f.address, Newest: f.formats},
		f.keyring.Trust().Keyset(wire.RoleWitness))
	if err != nil {
		return nil, err
	}
	var part wire.ListPart
	if err := wire.Decode(payload, &part); err != nil {
		return nil, err
	}
	if f.waits(now) {
		return nil, nil // it is asked for when the hello is answered
	}
	if f.gathering.manifest == nil || !bytes.Equal(part.Manifest, f.gathering.manifest) {
		missing, err := f.keyring.Missing(part.Manifest, Proof{Index: part.Index, Hashes: part.Proof})
		if err != nil {
			return nil, err
		}
		f.gathering.begin(part.Manifest, missing)
	}
	came := f.gathering.take(part)
	switch {
	case len(f.gathering.lacks) == 0:
		return f.gathering.whole(), nil
	case f.gathering.asked <= 0:
		f.due = now // the next ones
	case came:
		f.due, f.wait = now.Add(firstWait), 0 // the rest is on its way
	}
	return nil, nil
}
