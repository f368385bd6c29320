// Package inquiry answers a mandate from a log: it judges the paper, writes the entry that says so,
// and only then collects what the paper asks for into an evidence file that its recipient alone opens.
// An officer's order to preserve a part of the log is taken in the same way, and shows nothing.
//
// It refuses to answer before the entry is durable, to answer more often than the mandate says, and to
// leave in a file who somebody was of whom the mandate does not ask. It logs nothing and counts nothing
// that a landlord sees: refusals and answers are sealed entries among covers (package cover). How often a
// mandate was used stands in these entries alone, which the mandate's reference opens.
package inquiry

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/evidence"
	"gatehouse/internal/holds"
	"gatehouse/internal/inquiry/when"
	"gatehouse/internal/mandate"
	"gatehouse/internal/tree"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/sealing"
)

// Log is what is needed of a log; *journal.Journal is one.
type Log interface {
	// Append returns nil once the entry is durable.
	Append(context.Context, wire.Header, wire.Who) (wire.Ref, error)
	// Read gives up to n entries of one file to a Taker, and returns the position behind them.
	Read(ctx context.Context, from journaled.Position, n int, to journaled.Taker) (journaled.Position, error)
	Range(context.Context, journaled.Position) (tree.Range, error)
	// Head is where the log stands; of no epoch before its files are open.
	Head() journaled.Head
	// Changed returns a channel that is closed when the next entries are durable.
	Changed() <-chan struct{}
	Cosigned() string
}

// House is whose log it is, and who vouches for that.
type House struct {
	Place    wire.Place
	Root     ed25519.PublicKey
	Trust    wire.Trust
	Papers   [2][]byte          // envelopes of the trust document and the house document
	Key      ed25519.PrivateKey // of the gateway
	Doors    []evidence.Door    // ascending
	SiteFile wire.Hash
	Zone     *time.Location
	Software string
}

// Moment is what is known of the time.
type Moment struct {
	Wall     time.Time     // the likeliest
	BootTime time.Duration // CLOCK_BOOTTIME
	Quality  wire.ClockQuality
	Interval trueclock.Interval
}

// Sources are what answers are made from. The functions must be safe for concurrent use.
type Sources struct {
	Log   Log
	House func() House // as it is now; without a trust document nobody can ask
	Now   func() Moment
	Holds *holds.Book // of this gateway
	// Tenancies are those of flats, also of before, as far as the house remembers them.
	Tenancies func(flats []string) []wire.ID
	// Card waits for the card that an officer holds to a reader, and returns its ids.
	Card func(context.Context) ([]wire.CredentialID, error)
}

// Desk answers mandates, one at a time. Safe for concurrent use; make it with New.
type Desk struct {
	o    Sources
	turn sync.Mutex
	spare
}

// New makes a desk.
func New(o Sources) *Desk { return &Desk{o: o} }

// Answer is what a mandate gets.
type Answer struct {
	Use   uint64   // which use of the mandate, from 1
	Again bool     // the answer of a use that was counted before
	Files [][]byte // evidence files sealed to the recipient, one for each run of the log without a hole
	Sums  []wire.Hash
}

// Errors that are no refusal of the mandate.
var (
	// ErrNoAuthority means that nobody was named who may sign a mandate for this house.
	ErrNoAuthority = errors.New("this house has no registry, so nobody is named who may sign a mandate for it")
	// ErrNotDurable means that the entry which says that the log was queried is not on the disk. It may
	// get there later, and is the use then whose answer can be asked for again.
	ErrNotDurable = errors.New("the log can't be written, and without an entry there is no answer")
	// ErrNoUse means that nothing was answered under that number.
	ErrNoUse = errors.New("the mandate was not used so often here")
	// ErrBusy means that too much was shown in the last hour that is no mandate for this house, and no order that it takes.
	ErrBusy = errors.New("this is no mandate that an approver of this building has signed for it, nor an order that it takes, and too many of such were shown within the hour")
	// ErrNotHeld means that the log says that an order was taken, and the disk did not take the hold.
	ErrNotHeld = errors.New("nothing is preserved: the disk takes no hold")
	// ErrTooMany means that flats, tenancies and cards are more than an entry can name.
	ErrTooMany = errors.New("the flats, tenancies and cards of the mandate are too many for one query")
)

// durableWithin is how long the entry may take. A door's record on a sick disk takes as long.
const durableWithin = 10 * time.Second

// Ask answers a mandate. With a use it is the answer of that use again: the same, and nothing is counted.
// The error is a *mandate.Refusal where the mandate is refused.
func (d *Desk) Ask(ctx context.Context, envelope []byte, use uint64) (a Answer, err error) {
	house := d.o.House()
	if len(house.Trust.Records) == 0 || len(house.Key) == 0 {
		return a, ErrNoAuthority
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	q := query{Sources: d.o, house: house, envelope: envelope}
	if refusal := q.read(); refusal != nil {
		return a, d.turnAway(ctx, &q, refusal)
	}
	if err := q.opened(ctx); err != nil {
		return a, err
	}
	if err := q.findUses(ctx); err != nil {
		return a, err
	}
	if _, was := q.uses[use]; use != 0 && !was {
		return a, ErrNoUse
	}
	allowed, refusal := q.judge(use)
	if q.refused[mandate.Withdrawn.String()] {
		refusal = mandate.TakenBack(refusal)
	}
	if refusal != nil {
		return a, q.refuse(ctx, refusal)
	}
	var fixed sealed.Fixed
	if use == 0 {
		if fixed, err = q.count(ctx, allowed); err == nil {
			_ = d.o.Holds.Prolong(allowed.Mandate, allowed.Doors) // what it does not hold longer is answered all the same
		}
	} else {
		fixed, err = sealed.DecodeFixed(q.uses[use].Fixed)
	}
	if err != nil {
		return a, err
	}
	a = Answer{Use: uint64(allowed.Number), Again: use != 0}
	return a, q.collect(ctx, allowed, fixed, &a)
}

// query is one request.
type query struct {
	Sources
	house     House
	envelope  []byte
	reference []byte    // of a mandate that an approver of this house has signed for it; nil: of none
	asked     when.Span // of such a mandate
	uses      map[uint64]sealed.Record
	refused   map[string]bool // codes of the refusals that the log has of it
	found     *surveyed       // by the walk that found the uses; nil: the log was not walked yet
}

func (q *query) read() *mandate.Refusal {
	m, refusal := mandate.Held(q.envelope, q.house.Trust, q.house.Place)
	if refusal == nil {
		q.reference, q.asked = m.Reference[:], spanOf(m.Request)
	}
	return refusal
}

// judge asks whether the mandate allows the next use, or the one of that number again.
func (q *query) judge(use uint64) (mandate.Use, *mandate.Refusal) {
	used := uint64(0)
	for n := range q.uses {
		used = max(used, n)
	}
	if use != 0 {
		used = min(used, use-1)
	}
	return mandate.Judge(q.envelope, q.house.Trust, mandate.Question{Place: q.house.Place, Now: q.Now().Interval, Used: int(used)})
}

// opened waits until the log is open, as it soon is after a start. Before, a mandate looks as if it had never been used.
func (q *query) opened(ctx context.Context) error {
	changed := q.Log.Changed()
	if q.Log.Head().Epoch != 0 {
		return nil
	}
	late := time.NewTimer(durableWithin)
	defer late.Stop()
	select {
	case <-changed:
		return nil
	case <-late.C:
	case <-ctx.Done():
	}
	return fmt.Errorf("%w: it is not open", ErrNotDurable)
}

// findUses reads the sealed entries that the mandate's reference opens: how often it was used, and whether it was
// refused, as one that was taken back is for good. The log is long, so the same walk
// surveys it.
func (q *query) findUses(ctx context.Context) error {
	q.uses, q.refused, q.found = map[uint64]sealed.Record{}, map[string]bool{}, newSurvey(q.asked, q.Log.Head())
	opener := sealed.NewOpener(q.reference)
	return q.found.walk(ctx, q.Log, journaled.Position{}, func(e *journaled.Headed) error {
		if e.Kind != wire.KindSealed {
			return nil
		}
		switch r, ok := opener.Open(e.Detail); {
		case ok && r.What == sealed.Answer:
			q.uses[r.Use] = r
		case ok && r.What == sealed.Refusal:
			q.refused[r.Refusal] = true
		}
		return nil
	})
}

// count writes the entry of a use. Nil means that it is durable.
func (q *query) count(ctx context.Context, use mandate.Use) (sealed.Fixed, error) {
	fixed, err := q.fix(ctx, use)
	if err != nil {
		return fixed, err
	}
	text, err := fixed.Encode()
	if err != nil {
		return fixed, err
	}
	id := wire.IDOf(use.Approver.Public[:])
	return fixed, q.write(ctx, sealed.Record{What: sealed.Answer, Mandate: use.Sum[:], Reference: q.reference, Approver: id[:], Use: uint64(use.Number), Fixed: text})
}

// fix says what the answer is made from: the log as it is now, and whom the mandate is about.
func (q *query) fix(ctx context.Context, use mandate.Use) (f sealed.Fixed, err error) {
	asked := use.Mandate.Request
	f.Tenancies = append(append(f.Tenancies, asked.Tenancies...), q.Tenancies(asked.Flats)...)
	if f.Cards = append(f.Cards, asked.Cards...); asked.InHand {
		held, err := q.Card(ctx)
		if err != nil {
			return f, err
		}
		f.Cards = append(f.Cards, held...)
	}
	if len(f.Tenancies)+len(f.Cards) > sealed.MaxSubjects {
		return f, ErrTooMany
	}
	now, head := q.Now(), q.Log.Head()
	f.Epoch, f.Size, f.Root, f.Boot = head.Epoch, head.Sequence, head.Root, head.Boot
	f.Wall, f.BootTime, f.Clock, f.Earliest, f.Latest = now.Wall.UnixMilli(), uint64(now.BootTime), now.Quality, max(now.Interval.Lo, 0), min(now.Interval.Hi, when.LastSecond)
	f.Cosigned = q.cosigned(f)
	return f, nil
}

// write makes a sealed entry durable. It waits with no deadline of its context: a slow disk would be told
// to the landlord, who could ask what had waited for it.
func (q *query) write(ctx context.Context, r sealed.Record) error {
	reference := q.reference
	if reference == nil {
		reference = r.Mandate // of what nobody signed for this house there is no reference: the office alone reads of it
	}
	detail, err := sealed.Seal(q.house.Trust.Records, q.house.Place.Address(), reference, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(durableWithin, cancel).Stop()
	if _, err := q.Log.Append(ctx, wire.Header{Kind: wire.KindSealed, Detail: detail}, wire.Who{}); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	_ = q.Holds.Cover() // the next one of package cover tries again
	return nil
}

// turnAway refuses what nobody has signed who may sign for this house. No more of such refusals are given than covers hide,
// and a mandate that somebody may sign here has no part in their number: nobody keeps an officer out with papers of his own.
func (d *Desk) turnAway(ctx context.Context, q *query, refusal *mandate.Refusal) error {
	if !d.take(q.Now().BootTime) {
		return ErrBusy
	}
	return q.refuse(ctx, refusal)
}

// refuse writes the entry of a refusal and returns it; for one reason a mandate gets one entry, however often it is shown.
// A refusal holds nothing of the log, so it is given whether or not the disk takes the entry. That a mandate was taken
// back is known by its entry alone, so who brings the withdrawal hears of a disk that does not take it.
func (q *query) refuse(ctx context.Context, refusal *mandate.Refusal) error {
	if q.refused[refusal.Name] {
		return refusal
	}
	sum := sha256.Sum256(q.envelope)
	err := q.write(ctx, sealed.Record{What: sealed.Refusal, Mandate: sum[:], Reference: q.reference, Refusal: refusal.Name})
	if err != nil && (refusal.Code == mandate.Withdrawn || !errors.Is(err, ErrNotDurable)) {
		return err
	}
	return refusal
}

// spare is how many refusals of what is no mandate for this house are left: whoever may call could fill the log with them.
type spare struct {
	spent []time.Duration // CLOCK_BOOTTIME of the newest
}

// mostRefusals within an hour.
const mostRefusals = 12

// take is called by one at a time.
func (s *spare) take(now time.Duration) bool {
	if len(s.spent) == mostRefusals && now-s.spent[0] < time.Hour {
		return false
	}
	s.spent = append(s.spent, now)
	s.spent = s.spent[max(0, len(s.spent)-mostRefusals):]
	return true
}

// collect makes the files of an answer.
func (q *query) collect(ctx context.Context, use mandate.Use, fixed sealed.Fixed, a *Answer) error {
	found, err := q.survey(ctx, newScope(use, q.house.Place.Gateway, fixed), a.Again || use.Mandate.Request.InHand)
	if err != nil {
		return err
	}
	for _, run := range found.parts() {
		c, err := q.content(ctx, use, fixed, found, run)
		if err != nil {
			return err
		}
		var file bytes.Buffer
		file.Grow(int(run.end-run.first)*usualEntry + 1<<16) // else it is copied each time that it has doubled
		if err := evidence.Write(&file, c); err != nil {
			return err
		}
		out, err := sealing.Seal(use.Mandate.Delivery.Recipient, sealing.Answer, "", file.Bytes())
		if err != nil {
			return err
		}
		a.Files, a.Sums = append(a.Files, out), append(a.Sums, sha256.Sum256(file.Bytes()))
	}
	return nil
}

// usualEntry is how many bytes of a file an entry takes at most where each passage is told of.
const usualEntry = 128
