package lists

import (
	"bytes"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

const (
	// wantMost is the longest pause between two requests for the same thing.
	wantMost = time.Minute
	// AgreeMost is how long lists wait for the first agreement. After that they are taken anyway: a
	// registry that answers nothing may still revoke.
	AgreeMost = 10 * time.Minute
)

// Fetching asks the registry for newer versions: the parts of a list, until it is whole, and the
// two documents.
type Fetching struct {
	keyring   Keyring
	address   string     // of this gateway
	formats   uint64     // this gateway speaks formats 1 to this one
	borrowing *Borrowing // lists of siblings come first

	named     named
	lacking   time.Time // since when a newer list is known and not active; zero: none is
	gathering gathering
	due       time.Time
	wait      time.Duration
	agreed    bool      // both ends agreed once in this run, or agreeBy has passed: lists may be taken
	agreeBy   time.Time // lists are taken without agreement after this
}

// Keyring is the part of the keyring that judges and holds lists.
type Keyring interface {
	Trust() wire.Trust
	House() wire.House
	Lists() State
	Missing(manifest []byte, p Proof) ([]wire.Hash, error)
	Holding() (Holding, error)
}

// NewFetching fetches for the gateway at an address that speaks formats 1 to formats.
func NewFetching(k Keyring, address string, formats uint64, b *Borrowing) Fetching {
	return Fetching{keyring: k, address: address, formats: formats, borrowing: b}
}

// Named returns the newest version of the list that the registry named.
func (f *Fetching) Named() Version { return f.named.list }

// Lacking returns since when a newer list is known and not active; zero: none is.
func (f *Fetching) Lacking() time.Time { return f.lacking }

// Applied notes that another list is active.
func (f *Fetching) Applied() { f.lacking = time.Time{} }

// named are the versions that the registry says it has.
type named struct {
	list         Version
	house, trust uint64
}

// exceeds reports whether n names anything newer than o.
func (n named) exceeds(o named) bool {
	return o.list.Before(n.list) || n.house > o.house || n.trust > o.trust
}

func namedBy(k wire.Ack2) named { return named{Version{k.ListEpoch, k.List}, k.House, k.Trust} }

// Connected restarts the requests after a connect; the first call starts the waits.
func (f *Fetching) Connected(borrow time.Duration, now time.Time) {
	if f.agreeBy.IsZero() {
		f.agreeBy, f.borrowing.until = now.Add(AgreeMost), now.Add(borrow)
	}
	f.Soon(now)
}

// Soon makes a request for what is lacking due now.
func (f *Fetching) Soon(now time.Time) { f.due, f.wait = now, 0 }

// MayTake ends the wait for the first agreement. A gateway whose disk was rolled back says which
// list it has in a hello of its new epoch, and numbers its records anew, before it takes a list: a
// list made with records that it lost would seem to include those that it made since.
func (f *Fetching) MayTake(now time.Time) {
	if !f.agreed {
		f.agreed = true
		f.Soon(now)
	}
}

// waits reports whether it is too early for a list of the registry.
func (f *Fetching) waits(now time.Time) bool {
	return !f.agreed && now.Before(f.agreeBy) || f.borrowing.waits(now)
}

// Hears takes the versions that an ack names.
func (f *Fetching) Hears(k wire.Ack2, now time.Time) {
	n := namedBy(k)
	if !n.exceeds(f.named) {
		return
	}
	if f.named.list.Before(n.list) {
		f.named.list = n.list
	}
	f.named.house, f.named.trust = max(n.house, f.named.house), max(n.trust, f.named.trust)
	f.Soon(now)
}

// Standing takes the versions of an answer to a hello, also lower ones: a registry that was rolled
// back or began anew does not have any more what an earlier ack named, and a list that nobody has
// is not waited for.
func (f *Fetching) Standing(k wire.Ack2, now time.Time) {
	n := namedBy(k)
	if !f.named.exceeds(n) {
		return
	}
	if n.list.Before(f.named.list) { // and its buckets
		f.gathering = gathering{}
	}
	f.named = n
	f.Soon(now)
}

// Fetch returns a request for what the gateway lacks, until it is here, and when to be called
// again.
func (f *Fetching) Fetch(now time.Time) (ask *wire.Want, next time.Time) {
	if now.Before(f.due) {
		return nil, f.due
	}
	w := f.want(now)
	if !w.List && !w.House && !w.Trust && len(w.Buckets) == 0 {
		if f.waits(now) {
			return nil, timing.Earlier(f.agreeBy, f.borrowing.until)
		}
		return nil, time.Time{}
	}
	f.gathering.asked = len(w.Buckets)
	f.wait = timing.Backoff(f.wait, timing.FirstWait, wantMost)
	f.due = now.Add(f.wait)
	return &w, f.due
}

func (f *Fetching) want(now time.Time) (w wire.Want) {
	list := f.keyring.Lists()
	lacks := list.Newest().Before(f.named.list)
	w.House, w.Trust = f.keyring.House().Version < f.named.house, f.keyring.Trust().Version < f.named.trust
	if !lacks || list.Unproved > 0 && list.Unproved == f.named.list.Number { // it is here, but without a proof
		f.lacking = time.Time{}
	} else if f.lacking.IsZero() {
		f.lacking = now
	}
	w.List = lacks && f.gathering.manifest == nil && !f.waits(now)
	w.Buckets = f.gathering.wanted()
	return w
}

// Take takes a part of a list and returns the list once it is whole; nil: it is not.
func (f *Fetching) Take(envelope []byte, now time.Time) (*List, error) {
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
		return nil, nil // it is requested when the hello is answered
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
		f.due, f.wait = now.Add(timing.FirstWait), 0 // the rest is on its way
	}
	return nil, nil
}
