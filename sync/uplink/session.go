package uplink

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

const (
	firstWait = 5 * time.Second // for an answer; doubles
	// greetFirst is the same after a hello: the registry's own link may come back
	// a moment after the gateway's.
	greetFirst = time.Second
	longWait   = time.Minute
	// A nonce is said for nonceFirst, and where no answer came then, another one for
	// twice as long, up to nonceMost: a hello that was late makes the registry take an
	// older nonce for the newest, and the newest for one that is said again.
	nonceFirst = time.Minute
	nonceMost  = 8 * time.Minute
	// openEvery is how often a journal that is being opened is looked at.
	openEvery = 50 * time.Millisecond
	// forkFirst and forkMost keep a registry that answers nonsense from filling
	// the disk with epochs.
	forkFirst = time.Minute
	forkMost  = time.Hour
	// agreeMost is how long lists wait for the first agreement: a registry that
	// answers nothing may still revoke.
	agreeMost = 10 * time.Minute
)

// session is the talk since the last hello.
type session struct {
	nonce     wire.Nonce
	nonceAt   time.Duration // CLOCK_BOOTTIME when it was first sent
	nonceTill time.Time     // without an answer until then there will be another one
	nonceFor  time.Duration // how long that was
	answered  wire.Nonce    // the last one that was
	apart     bool          // the answer's time was against what the gateway knows
	named     uint64        // epoch that the answer must be of
	greetDue  time.Time     // the next hello
	greetWait time.Duration // after it; 0: it needs a new nonce
	format    uint64        // of the next hello
	spoken    uint64        // format of the newest ack of this connection; 0: none, or the newest is tried again
	lastAck   time.Time
	forkDue   time.Time // no new epoch before
	forkWait  time.Duration
	agreed    bool      // once in this run, or it was tried in vain: lists may be taken
	agreeBy   time.Time // then they are taken without
}

// linkIs begins again after each connect.
func (a *actor) linkIs(up bool, changed <-chan struct{}, now time.Time) {
	if !a.connection.is(up, changed, now) || !up {
		return
	}
	a.spoken = 0
	if a.agreeBy.IsZero() {
		a.agreeBy, a.borrowing.until = now.Add(agreeMost), now.Add(a.o.Borrow)
	}
	a.greetAgain(now)
	a.siblings.soon(now)
	a.fetchSoon(now)
	a.notices.again(now)
}

// greetAgain asks the registry anew where it stands. Acks for the hello before
// count no more.
func (a *actor) greetAgain(now time.Time) {
	a.connection.renew()
	a.sent, a.nonce = 0, wire.Nonce{}
	a.format = cmp.Or(a.spoken, a.o.Formats)
	a.greetDue, a.greetWait, a.nonceFor = now, 0, 0
}

// greet says hello until it is answered.
func (a *actor) greet(ctx context.Context, now time.Time) time.Time {
	if !a.connection.up {
		return time.Time{}
	}
	if now.Before(a.greetDue) {
		return a.greetDue
	}
	// A journal that is being opened has nothing to agree on yet. One that can't
	// be is no reason to do without the registry's lists.
	if a.o.Journal.Status().Epoch == 0 && now.Before(a.connection.since.Add(firstWait)) {
		a.greetDue = now.Add(openEvery)
		return a.greetDue
	}
	if a.connection.agrees() { // the hours are over
		a.spoken = 0
		a.greetAgain(now)
	}
	if a.greetWait == 0 || !now.Before(a.nonceTill) {
		a.nonce, a.nonceAt = a.u.newNonce(), a.bootTime()
		a.nonceFor = backoff(a.nonceFor, nonceFirst, nonceMost)
		a.nonceTill = now.Add(a.nonceFor)
	}
	a.sayHello(ctx)
	a.outbox.status(ctx, wire.Status{Nonce: a.nonce, Online: true})
	a.greetWait = backoff(a.greetWait, greetFirst, longWait)
	a.greetDue = now.Add(a.greetWait)
	return a.greetDue
}

// newNonce is the connection's half and a new one of this hello.
func (u *Uplink) newNonce() (n wire.Nonce) {
	rand.Read(n[8:]) // never fails: it ends the program instead
	u.mu.Lock()
	defer u.mu.Unlock()
	copy(n[:8], u.connection[:])
	return n
}

// Will is the last will of the next connection, which begins with the call: the
// link's configuration takes it. Without it the registry learns only by silence
// that a gateway is gone.
func (u *Uplink) Will() mqtt.Message {
	var n wire.Nonce
	rand.Read(n[:8])
	u.mu.Lock()
	copy(u.connection[:], n[:8])
	u.mu.Unlock()
	place := u.o.Keyring.Registry().Place
	payload, err := wire.Encode(wire.Status{Nonce: n})
	if err != nil {
		panic(err) // all fields are ours
	}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeStatus, Role: wire.RoleGateway, Address: place.Address()}, payload, u.o.Key)
	if err != nil {
		panic(err) // key and place were checked by New
	}
	return mqtt.Message{Topic: place.Status(), Payload: envelope}
}

// sayHello says it in one format, and in the next one when there is no answer: a
// registry that does not know the format says nothing.
func (a *actor) sayHello(ctx context.Context) {
	h := a.hello()
	var body wire.Payload = h
	if a.format == 1 {
		body = h.Hello
	}
	a.outbox.say(ctx, message{kind: wire.TypeHello, body: body})
	if a.format--; a.format == 0 {
		a.format = a.o.Formats
	}
}

func (a *actor) hello() wire.Hello2 {
	j, reg, list, stamp := a.o.Journal.Status(), a.o.Keyring.Registry(), a.o.Keyring.Status(), a.o.Clock()
	h := wire.Hello2{Hello: wire.Hello{Nonce: a.nonce, Boot: j.Boot, Epoch: j.Epoch, Next: j.Sequence, Root: wire.Hash(j.Root),
		List: list.Version, ListHash: list.Hash, House: reg.House.Version, Trust: reg.Trust.Version,
		Wall: stamp.Wall, Clock: stamp.Quality, Software: a.o.Software}}
	h.Cosigned, h.Zone = a.saver.newest(), a.o.Zone
	h.ListEpoch, h.Removed, h.RemovedHash = list.Epoch, uint64(list.Over), list.OverHash
	h.Floor = a.o.Keyring.HighestSigned()
	a.saidList = list.Hash
	for f := uint64(1); f <= a.o.Formats; f++ {
		h.Formats = append(h.Formats, f)
	}
	if a.cursor.Epoch == 0 {
		a.cursor = j.Oldest // what was delivered before the cursor was lost is named by the answer
	}
	if a.cursor.Epoch != j.Epoch || a.cursor.Sequence > 0 {
		h.CursorEpoch, h.CursorNext = a.cursor.Epoch, a.cursor.Sequence
	}
	a.named = a.cursor.Epoch
	h.Line, h.Records = a.o.Records.Head()
	return h
}

// settle compares the registry's answer to a hello with the journal. Until both
// agree the hello is repeated.
func (a *actor) settle(ctx context.Context, k wire.Ack2, now time.Time) {
	at := journal.Position{Epoch: k.Epoch, Sequence: k.Next}
	if at.Epoch == 0 || at.Epoch != a.named {
		a.takeLists(at.Epoch == 0, now)
		return // the journal is not open yet, or it answers something else
	}
	own, err := a.o.Journal.Range(ctx, at)
	switch {
	case errors.Is(err, journal.ErrAhead):
		a.fork(ctx, a.cursor, wire.ReasonAhead, k)
	case errors.Is(err, journal.ErrGone):
		a.skipGone(ctx, k, now)
	case err != nil:
		a.takeLists(true, now)
		a.o.Log.Error().Err(err).Msg("the registry's copy can't be compared with the journal; it is tried again")
	case wire.Hash(own.Root()) != k.Root:
		a.fork(ctx, a.cursor, wire.ReasonOtherRoot, k)
	case a.lostEpoch(at):
		a.beginAt(a.o.Journal.Status().Oldest, now)
	default:
		a.resume(ctx, at, own, now)
		a.connection.agree(now)
		a.takeLists(true, now)
		a.greetDue, a.greetWait = a.greetNext(now), 0
		a.saver.save(k)
	}
}

// takeLists ends the wait for the first agreement. A gateway whose disk was set
// back says which list it has in a hello of its new epoch, and numbers its records
// anew, before it takes a list: one that was made with records that it lost would
// seem to have seen those that it made since.
func (a *actor) takeLists(now bool, at time.Time) {
	if now && !a.agreed {
		a.agreed = true
		a.fetchSoon(at)
	}
}

// listsWait reports whether it is too early for a list of the registry.
func (a *actor) listsWait(now time.Time) bool {
	return !a.agreed && now.Before(a.agreeBy) || a.borrowing.waits(now)
}

// lostEpoch says whether the registry has nothing of an epoch of which it had
// something: it lost its store, and may lack the epochs before as well. Those
// come first, so the oldest is asked about; what is there is not taken twice.
func (a *actor) lostEpoch(at journal.Position) bool {
	return at.Sequence == 0 && a.cursor.Sequence > 0 && a.o.Journal.Status().Oldest.Epoch != at.Epoch
}

// skipGone goes on with the oldest entry, where the registry stands at a place
// that the journal does not have any more.
func (a *actor) skipGone(ctx context.Context, k wire.Ack2, now time.Time) {
	oldest := a.o.Journal.Status().Oldest
	if a.cursor == oldest {
		a.fork(ctx, oldest, wire.ReasonNone, k)
		return
	}
	a.beginAt(oldest, now)
}

// beginAt asks anew about another place, and packs from there.
func (a *actor) beginAt(at journal.Position, now time.Time) {
	a.stopPacking()
	a.cursor, a.flight, a.gap = at, nil, nil
	a.greetAgain(now)
}

// fork leaves the epoch in which the registry's copy and the journal differ,
// or between which entries are missing: everything from that place on goes into
// a new epoch that cites the registry's.
func (a *actor) fork(ctx context.Context, from journal.Position, why wire.Reason, k wire.Ack2) {
	now := time.Now()
	if why != wire.ReasonNone && !a.deliveries.leaveLine(k, a.o.Journal.Status().Epoch) {
		return
	}
	if now.Before(a.forkDue) {
		a.takeLists(true, now)
		return
	}
	a.forkWait = backoff(a.forkWait, forkFirst, forkMost)
	a.forkDue = now.Add(a.forkWait)
	a.stopPacking()
	_ = a.o.Journal.Ack(from) // so that a crash from here on repeats less; it may be there already, or farther
	cite := binary.BigEndian.AppendUint64(nil, k.Epoch)
	cite = append(binary.BigEndian.AppendUint64(cite, k.Next), k.Root[:]...)
	at, err := a.o.Journal.NewEpoch(ctx, from, cite)
	if errors.Is(err, journal.ErrGone) {
		at, err = a.o.Journal.NewEpoch(ctx, a.o.Journal.Status().Oldest, cite)
	}
	if err != nil {
		a.takeLists(true, now)
		a.o.Log.Error().Err(err).Msg("new epoch of the journal can't be made; it is tried again")
		return
	}
	a.o.Log.Warn().Str("reason", why.String()).Uint64("registry", k.Next).Msg("new epoch of the journal: the registry has another copy")
	if why != wire.ReasonNone {
		a.recordAlarm(a.alarm.differ(why))
	}
	a.notices.forget() // watch sees them again, at their new places
	a.beginAt(at, now)
}
