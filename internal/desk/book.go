package desk

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/desk/bookfile"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/durable"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// BookFile is the desk's file in its directory.
const BookFile = bookfile.Name

// lock is a mutex made of a channel. The desk holds it while an entry waits for a slow disk, and in
// tests virtual time advances only where nobody waits for a sync.Mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }

// book is the tenancies of a gateway: its file, and what the active list says of them. Its lock
// guards all state of desk and records; callers of its methods hold it.
type book struct {
	lock
	pages
	file    *bookfile.File
	path    string // of it
	keyring *keyring.Keyring
	doors   *Doors
	log     zerolog.Logger

	decisions tenancy.Decisions // of the active list
	retry     backoff.Retry
	unwritten error // why the file does not have the pages; nil: it has
}

type pages = bookfile.Pages

func newBook(dir string, k *keyring.Keyring, doors *Doors, log zerolog.Logger) *book {
	return &book{lock: make(lock, 1), pages: pages{Format: bookfile.Format}, file: bookfile.In(dir), path: filepath.Join(dir, BookFile),
		keyring: k, doors: doors, log: log, retry: backoff.NewRetry()}
}

// load reads the file, and reports whether there was none yet.
func (b *book) load(j Journal) (fresh bool) {
	damaged := func(name string) {
		j.Queue(wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonDamaged, Source: "grants", Detail: []byte(name)}, wire.Who{})
	}
	p, err := b.file.Read()
	switch {
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, bookfile.ErrAhead):
		return true
	case err == nil:
		b.pages = p
	case errors.Is(err, bookfile.ErrAhead):
		b.pages = p
		b.log.Error().Err(err).Msg("the last labels and PINs are lost; cards open all the same")
		damaged(bookfile.AheadName)
	case errors.Is(err, durable.ErrDamaged):
		aside, err := durable.SetAside(b.path)
		b.log.Error().Err(err).Str("file", aside).Msg("tenancies are damaged and were set aside; cards open all the same")
		damaged(BookFile)
	default:
		b.log.Error().Err(err).Msg("tenancies can't be read; cards open all the same")
	}
	return false
}

// save writes the file and publishes to the doors. Except for labels and PINs its content is also
// in the keyring's records, so a sick disk is only a remark; Run writes it again until it is
// written.
func (b *book) save() error {
	b.publish()
	if b.unwritten = b.file.Write(&b.pages); b.unwritten != nil {
		b.log.Error().Err(b.unwritten).Msg("tenancies can't be written")
		b.retry.Failed()
	}
	return b.unwritten
}

// settle leaves nothing ahead of the file.
func (b *book) settle() error {
	b.Lock()
	defer b.Unlock()
	if b.Ahead == nil && b.unwritten == nil {
		return nil
	}
	if b.unwritten = b.file.Settle(&b.pages); b.unwritten != nil {
		b.log.Error().Err(b.unwritten).Msg("tenancies can't be written")
	}
	return b.unwritten
}

// isOver reports whether a tenancy is here and over.
func (b *book) isOver(id wire.ID) bool {
	t := b.Tenancies.Find(id)
	return t != nil && t.Over() != 0
}

// saveAgain writes the file if the last write failed.
func (b *book) saveAgain() error {
	b.Lock()
	defer b.Unlock()
	if b.unwritten != nil {
		b.unwritten = b.file.Write(&b.pages)
	}
	return b.unwritten
}

// held returns what tenancies hold by the active snapshot, and updates the file to it, so that the
// desk is never behind the doors.
func (b *book) held() map[wire.ID][]wire.Grant {
	all := tenancy.Holdings(b.keyring.Grants())
	b.follow(all)
	return all
}

// heldHere is as held, for the tenancies of the file and those of which the list has registers: all that
// the desk's upkeep needs of many thousands.
func (b *book) heldHere() map[wire.ID][]wire.Grant {
	here := slices.Clone(b.Tenancies)
	registers, _ := b.keyring.Registers()
	for i := range registers {
		here = append(here, &tenancy.Tenancy{ID: registers[i].Tenancy})
	}
	held := here.Holdings(b.keyring.Grants())
	b.follow(held)
	return held
}

// follow updates the file to what tenancies hold.
func (b *book) follow(held map[wire.ID][]wire.Grant) {
	changed := b.hear(held)
	b.decide()
	for _, t := range b.Tenancies {
		changed = t.Follow(held[t.ID]) || changed
	}
	if changed {
		_ = b.save() // logged there; it is found again
	}
}

// hear applies the registers of the list that this desk has missed, and reports whether there were any.
func (b *book) hear(held map[wire.ID][]wire.Grant) (heard bool) {
	registers, _ := b.keyring.Registers()
	for i := range registers {
		if w := &registers[i]; held[w.Tenancy] != nil && b.Tenancies.Lacks(w) {
			b.Tenancies.Apply(wire.Change{Op: w.Op, Proof: w.Proof, At: w.At, Tenancy: w.Tenancy, Grant: w.Grant, Until: w.Until, Cause: w.Cause, Credentials: slices.Clone(w.Cards)})
			heard = true
		}
	}
	return heard
}

// decide notes what the registry has decided by the active list.
func (b *book) decide() {
	b.decisions = tenancy.DecisionsOf(b.keyring.Registers())
	for _, t := range b.Tenancies {
		t.Decided = b.decisions.On(t.ID)
	}
}

// publish tells the doors which tenancies have a PIN and which are on notice.
func (b *book) publish() {
	b.decide()
	b.doors.publish(b.Tenancies, b.onNotice(), b.decisions.Barred)
}

// onNotice returns the tenancies whose tenants have to be told of a notice, including those who
// objected to one that the registry has upheld, as the active list shows.
func (b *book) onNotice() map[wire.ID]bool {
	all := map[wire.ID]bool{}
	for _, id := range b.decisions.Upheld() {
		if b.Tenancies.Find(id) == nil {
			all[id] = true
		}
	}
	held := b.Tenancies.Holdings(b.keyring.Grants())
	for _, t := range b.Tenancies {
		if st := t.Stand(held[t.ID]); t.Over() == 0 && (t.OnNotice() != 0 && !t.Disputed() || st.Tells()) {
			all[t.ID] = true
		}
	}
	return all
}

// foldUses copies the doors' marks into the file.
func (b *book) foldUses() {
	for _, t := range b.Tenancies {
		for _, k := range t.Cards {
			if k.Stop != nil && b.doors.used(k.Stop) {
				k.Stop.Used = true
			}
		}
	}
}

// tenancy returns the tenancy of an id from the file, or a blank one if only the list names it.
func (b *book) tenancy(id wire.ID) *tenancy.Tenancy {
	if t := b.Tenancies.Find(id); t != nil {
		return t
	}
	return b.decisions.Blank(id)
}

// everyone returns the tenancies of the file and those that only the list names.
func (b *book) everyone(held map[wire.ID][]wire.Grant) tenancy.List {
	out := slices.Clone(b.Tenancies)
	for id := range held {
		if b.Tenancies.Find(id) == nil {
			out = append(out, b.decisions.Blank(id))
		}
	}
	return out
}

// lookup finds a tenancy by id, flat or label; an id also finds one that is over.
func (b *book) lookup(text string, held map[wire.ID][]wire.Grant, clock tenancy.Time) (*tenancy.Tenancy, error) {
	return b.everyone(held).Lookup(text, func(t *tenancy.Tenancy) bool {
		return t.State(b.standing(t, held[t.ID]), clock.Surely()) == tenancy.Ended
	})
}

// standing returns how a tenancy stands by what it holds. A tenancy that no list names any more has
// been ended by the registry, whatever the clock says.
func (b *book) standing(t *tenancy.Tenancy, held []wire.Grant) tenancy.Standing {
	s := t.Stand(held)
	s.Bar(b.decisions.Barred)
	if len(s.Cards) > 0 && s.Gone() {
		list := b.keyring.Status()
		s.Unnamed = list.Version != 0 && !list.Lost
	}
	return s
}

func (b *book) stands(t *tenancy.Tenancy) tenancy.Standing {
	return b.standing(t, tenancy.List{t}.Holdings(b.keyring.Grants())[t.ID])
}

// show returns all tenancies for people, by id.
func (b *book) show(clock tenancy.Time) (all []tenancy.View) {
	held, unstored := b.held(), b.unstored()
	for _, t := range b.everyone(held) {
		all = append(all, t.Show(b.standing(t, held[t.ID]), clock, unstored[t.ID]))
	}
	slices.SortFunc(all, func(a, b tenancy.View) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all
}

// unstored counts the changes of each tenancy that the registry's list does not include.
func (b *book) unstored() map[wire.ID]int {
	n := map[wire.ID]int{}
	for _, l := range b.keyring.Records.All() {
		if !l.Aging {
			n[l.Change.Tenancy]++
		}
	}
	return n
}

// forgetAfter is how long a tenancy that is over is still shown, s.
const forgetAfter = 30 * tenancy.DaySeconds

// tidy marks the tenancies that the active list names no more, and drops those that have been over
// for 30 days. Without a list, or without the time, it drops none.
func (b *book) tidy(clock tenancy.Time) {
	held := b.heldHere()
	b.publish() // a list may have decided on a notice
	status := b.keyring.Status()
	if len(b.Tenancies) == 0 || !clock.Trusted || status.Version == 0 || status.Lost {
		return
	}
	unstored, now := b.unstored(), clock.Surely()
	changed := false
	b.Tenancies = slices.DeleteFunc(b.Tenancies, func(t *tenancy.Tenancy) bool {
		was := t.End.Gone
		if st := t.Stand(held[t.ID]); !st.Gone() || unstored[t.ID] != 0 {
			t.End.Gone = 0
		} else if t.End.Gone == 0 || t.End.Gone > clock.NotBefore() {
			// By the likeliest time: the certain time may be long before it, and the 30 days would
			// pass when the time becomes certain.
			t.End.Gone = clock.NotBefore()
		}
		over := t.Over()
		old := over != 0 && now > over && now-over > forgetAfter && unstored[t.ID] == 0
		changed = changed || old || was != t.End.Gone
		return old
	})
	if changed {
		_ = b.save() // logged there, tried again in a minute
	}
}
