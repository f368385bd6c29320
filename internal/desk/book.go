package desk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// BookFile is the desk's file in its folder, there from the first start on. It is
// rewritten whole: what is deleted from it is gone.
const BookFile = "tenancies.json"

// book is all that the desk keeps. It has no field for a name, a document or a
// card's number.
type book struct {
	Format    int        `json:"format"`      // bookFormat; below it nothing says on whose word cards and PINs came
	Line      uint64     `json:"line,string"` // of own records; 0: none made yet
	Number    uint64     `json:"number"`      // of the last one made
	Stored    uint64     `json:"stored"`      // the registry has them through this one
	Tenancies []*tenancy `json:"tenancies"`
}

// tenancy is one person in one flat. Times are unix s, 0 for none.
type tenancy struct {
	ID       wire.ID    `json:"id"`
	Flat     string     `json:"flat,omitempty"` // empty: checked in elsewhere
	Label    string     `json:"label,omitempty"`
	Doors    []string   `json:"doors,omitempty"`
	Since    uint32     `json:"since,omitempty"`
	Until    uint32     `json:"until,omitempty"`    // of the term
	Notice   uint32     `json:"notice,omitempty"`   // when the newest notice of the landlord ends it
	Noticed  uint32     `json:"noticed,omitempty"`  // when that was given; the newest of these three counts
	Objected uint32     `json:"objected,omitempty"` // when the tenant disputed
	Withdrew uint32     `json:"withdrew,omitempty"` // when the landlord took one back
	Cause    wire.Cause `json:"cause,omitempty"`    // of the notice
	Against  wire.ID    `json:"against,omitzero"`   // grant that the notice is about; zeros: an earlier program wrote it
	Ended    uint32     `json:"ended,omitempty"`
	EndCause wire.Cause `json:"end_cause,omitempty"`
	Gone     uint32     `json:"gone,omitempty"`     // since when the list in force names it no more
	Told     bool       `json:"was_told,omitempty"` // its tenant was told of the notice at a door
	PIN      *pin       `json:"pin,omitempty"`
	Cards    []card     `json:"cards,omitempty"`

	decided decision // by the list in force
}

// bookFormat is that of the files written now.
const bookFormat = 2

// card is the forms in which the readers see one card, under one grant.
type card struct {
	Grant       wire.ID             `json:"grant"`
	Credentials []wire.CredentialID `json:"credentials"`
	Since       uint32              `json:"since"`
	// Unproven: it came on the landlord's word and no tenant has confirmed it, so
	// it opens and proves nothing.
	Unproven bool   `json:"unproven,omitempty"`
	Word     uint32 `json:"word,omitempty"`     // when the newest word on it was given: an older one that comes late, or again, changes nothing
	Stopped  bool   `json:"stopped,omitempty"`  // suspended, on the landlord's word alone
	Reported bool   `json:"reported,omitempty"` // suspended by a desk's record; else by the registry
	Stop     *stop  `json:"stop,omitempty"`
}

// stop is a suspension that the landlord has asked for on his word alone. The
// card goes on opening until the days of a notice have passed, and for good if a
// door takes it meanwhile: then it is not lost.
type stop struct {
	Left uint32 `json:"left,omitempty"` // s that this gateway still has to run until then; 0: a sibling counts them
	Used bool   `json:"used,omitempty"` // a door here has taken the card since

	mark *atomic.Bool // likewise, set by the doors
}

func (d *Desk) path() string { return filepath.Join(d.p.Dir, BookFile) }

// load reads the book, and reports whether there was none yet.
func (d *Desk) load() (fresh bool) {
	data, err := os.ReadFile(d.path())
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		d.p.Log.Error().Err(err).Msg("tenancies can't be read; cards open all the same")
		return false
	}
	var b book
	if err := json.Unmarshal(data, &b); err == nil && b.sound() {
		b.upgrade()
		d.book = b
		return false
	}
	aside, err := durable.SetAside(d.path())
	d.p.Log.Error().Err(err).Str("file", aside).Msg("tenancies are damaged and were set aside; cards open all the same")
	d.p.Journal.Queue(wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonDamaged, Source: "grants", Detail: []byte(BookFile)}, wire.Who{})
	return false
}

// sound refuses what json takes and nothing here could work with.
func (b book) sound() bool {
	return b.Number >= b.Stored && !slices.Contains(b.Tenancies, nil)
}

// upgrade reads a file of before format 2. A tenancy's first card came with its
// check-in; on whose word the others came stands nowhere, nor who chose a PIN.
func (b *book) upgrade() {
	if b.Format < bookFormat {
		for _, t := range b.Tenancies {
			for i := range t.Cards {
				t.Cards[i].Unproven, t.Cards[i].Word = i > 0, t.Cards[i].Since
			}
		}
	}
	b.Format = bookFormat
}

// save writes the book. What it holds is told by the keyring's records too, but
// for labels and PINs, so a sick disk is a remark.
func (d *Desk) save() error {
	d.publish()
	data, err := json.Marshal(d.book)
	if err != nil {
		return fmt.Errorf("write tenancies: %w", err)
	}
	if err := durable.WriteFile(d.path(), data, 0o600); err != nil {
		d.p.Log.Error().Err(err).Msg("tenancies can't be written")
		return fmt.Errorf("write tenancies: %w", err)
	}
	return nil
}

// catchUp takes what is in force at the keyring and not yet in the book: a
// crash came between the two.
func (d *Desk) catchUp() {
	for _, l := range append(d.p.Keyring.Records.All(), d.p.Keyring.Records.Undelivered()...) {
		own := d.isOwn(l)
		if own && l.Record.Line == d.book.Line && l.Record.Number <= d.book.Number {
			continue
		}
		d.book.apply(l.Change)
		if !own {
			continue
		}
		if l.Record.Line != d.book.Line {
			d.book.Line, d.book.Number, d.book.Stored = l.Record.Line, 0, 0
		}
		d.book.Number = max(d.book.Number, l.Record.Number)
	}
}

// find returns the tenancy of that id, nil if the book has none.
func (b *book) find(id wire.ID) *tenancy {
	for _, t := range b.Tenancies {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// apply writes a change into the book. Changes of other gateways may come twice
// and out of order: an end stays an end, and of notices and their likes the
// newest counts.
func (b *book) apply(c wire.Change) {
	t := b.find(c.Tenancy)
	if t == nil {
		t = &tenancy{ID: c.Tenancy}
		b.Tenancies = append(b.Tenancies, t)
	}
	switch c.Op {
	case wire.OpCheckIn:
		t.Flat, t.Doors, t.Since, t.Until = c.Flat, c.Doors, c.At, c.Until
		t.bind(c)
	case wire.OpBind:
		t.bind(c)
	case wire.OpSuspend, wire.OpResume:
		t.stopOrBring(c)
	case wire.OpEnd:
		if t.Ended == 0 {
			t.Ended, t.EndCause = c.At, c.Cause
		}
		t.PIN = nil // there is nothing more to prove
	case wire.OpNotice:
		switch {
		case c.At == t.Noticed:
			t.Notice = c.Until // the registry has moved its end
		case c.At > t.Noticed:
			t.Notice, t.Noticed, t.Cause, t.Told, t.Against = c.Until, c.At, c.Cause, false, c.Grant
		}
	case wire.OpDispute:
		t.Objected = max(t.Objected, c.At)
	case wire.OpWithdraw:
		t.Withdrew = max(t.Withdrew, c.At)
	}
}

// notice is when the landlord's notice ends the tenancy, disputed or not; 0: no
// notice runs. What came last counts, in whatever order it was heard.
func (t *tenancy) notice() uint32 {
	if t.Noticed <= max(t.Withdrew, t.decided.rejected) {
		return 0
	}
	return t.Notice
}

// disputed reports whether the tenant objects to the notice that runs.
func (t *tenancy) disputed() bool { return t.notice() != 0 && t.Objected > t.Noticed }

// marked is the time of the newest of the three, and of what was decided on; the
// next one comes after it.
func (t *tenancy) marked() uint32 {
	return max(t.Noticed, t.Objected, t.Withdrew, t.decided.upheld, t.decided.rejected)
}

// bind adds a card. One that is there is named again: by the tenant's word it is
// confirmed, by the landlord's it will stop unless it is used.
func (t *tenancy) bind(c wire.Change) {
	landlord := c.Op == wire.OpBind && c.Proof == wire.ProofLandlord
	known := false
	for i := range t.Cards {
		k := &t.Cards[i]
		if !k.among(c.Credentials) {
			known = known || k.meets(c.Credentials)
			continue
		}
		known = true
		if c.Op == wire.OpCheckIn || c.At <= k.Word {
			continue
		}
		k.Word = c.At
		if k.Stop = nil; landlord {
			k.Stop = &stop{}
		} else {
			k.Unproven = false
		}
	}
	if known {
		return
	}
	k := card{Grant: c.Grant, Since: c.At, Word: c.At, Unproven: landlord}
	for _, id := range c.Credentials {
		k.Credentials = append(k.Credentials, id)
	}
	t.Cards = append(t.Cards, k)
}

// stopOrBring notes on whose word a card stopped. One that was reported lost by
// the tenant, and comes back by being held up, is in the hands of whoever found
// it: it proves nothing until it is confirmed.
func (t *tenancy) stopOrBring(c wire.Change) {
	for i := range t.Cards {
		k := &t.Cards[i]
		switch {
		case !k.meets(c.Credentials) || c.At <= k.Word:
			continue
		case c.Op == wire.OpSuspend:
			k.Stopped, k.Reported = c.Proof == wire.ProofLandlord, true
		default:
			k.Reported = false
			k.Unproven = k.Unproven || c.Proof == wire.ProofCard && !k.Stopped
			k.Stopped = false
		}
		k.Word = c.At
		if !k.Stopped || k.Stop == nil || !k.Stop.Used { // else the card was used here: the next look brings it back
			k.Stop = nil
		}
	}
}

// among reports whether all forms of the card are among ids, meets whether any is.
func (c *card) among(ids []wire.CredentialID) bool {
	return len(c.Credentials) > 0 && !slices.ContainsFunc(c.Credentials, func(id wire.CredentialID) bool { return !slices.Contains(ids, id) })
}

func (c *card) meets(ids []wire.CredentialID) bool {
	return slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(c.Credentials, id) })
}

// holding returns the card that has a credential, nil for none.
func (t *tenancy) holding(id wire.CredentialID) *card {
	for i := range t.Cards {
		if slices.Contains(t.Cards[i].Credentials, id) {
			return &t.Cards[i]
		}
	}
	return nil
}

func (t *tenancy) has(id wire.CredentialID) bool { return t.holding(id) != nil }
