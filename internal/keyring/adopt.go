package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/cardnumber"
	"gatehouse/sync/wire"
)

// Limits of the adopt list.
const (
	maxAdopted   = 500 // cards; more are not kept
	maxAdoptDays = 60
)

// Adopted is an unknown card that waits for somebody to say whose it is. It
// never opens by being here.
type Adopted struct {
	Credentials []wire.CredentialID // as it was read, then its derived forms
	Bits        int
	Lengths     []int               // of each form, in bits
	Holds       []int               // bits of the card's number in each form; 0: nobody knows
	Kin         []wire.CredentialID // Kin of the forms
	Door        string              // where it was seen last
	Source      string              // at which reader
	First, Last time.Time
	Count       uint64
}

// adopt keeps unknown cards for a landlord who adopts a house. It is safe for
// concurrent use: a door that notices a card waits for no disk, and nothing here waits
// for the keyring.
type adopt struct {
	opts     *Options
	identify func(device.Card) (wire.CredentialID, error)
	knows    func(wire.CredentialID) bool // the list in force does
	save     func(adoptRows) error

	disk  sync.Mutex // one save at a time; taken before mu
	mu    sync.Mutex // guards the rest, and is held for no disk
	rows  adoptRows
	dirty bool
}

// adoptRows is the list as it stands in its file.
type adoptRows struct {
	Until int64      `json:"until"` // unix s; 0: off
	Cards []adoptRow `json:"cards"`
}

type adoptRow struct {
	Credentials []wire.CredentialID `json:"credentials"`
	Bits        int                 `json:"bits"`
	Lengths     []int               `json:"lengths"`
	Holds       []int               `json:"holds"`
	Kin         []wire.CredentialID `json:"kin,omitempty"`
	Door        string              `json:"door"`
	Source      string              `json:"source"`
	First       int64               `json:"first"` // unix s
	Last        int64               `json:"last"`
	Count       uint64              `json:"count"`
}

// SetAdopt keeps unknown cards for so many days from now (at most 60); 0 stops
// it and erases them. Days are counted by Options.Now.
func (k *Keyring) SetAdopt(days int) error { return k.adopt.set(days) }

func (a *adopt) set(days int) error {
	if days < 0 || days > maxAdoptDays {
		return fmt.Errorf("adopt for %s: want 0 to %d", amount.Of(days, "day"), maxAdoptDays)
	}
	a.mu.Lock()
	if days == 0 {
		a.rows, a.dirty = adoptRows{}, false
	} else {
		a.rows.Until = a.now() + int64(days)*24*60*60
	}
	a.mu.Unlock()
	return a.write()
}

// Notice keeps an unknown card if adopt mode is on, in memory: Run writes it.
// It waits for no disk, so a door may call it. The caller says that the door
// did not know the card.
func (k *Keyring) Notice(card device.Card, door, source string) { k.adopt.notice(card, door, source) }

func (a *adopt) notice(card device.Card, door, source string) {
	row, err := a.row(card)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if now >= a.rows.Until || a.knows(row.Credentials[0]) {
		return
	}
	i := slices.IndexFunc(a.rows.Cards, func(r adoptRow) bool { return r.Credentials[0] == row.Credentials[0] })
	if i < 0 && len(a.rows.Cards) >= maxAdopted {
		return
	}
	if i < 0 {
		row.First = now
		i, a.rows.Cards = len(a.rows.Cards), append(a.rows.Cards, row)
	}
	kept := &a.rows.Cards[i]
	kept.Door, kept.Source, kept.Last, kept.Count = door, source, now, kept.Count+1
	a.dirty = true
}

// row has a card in the forms that readers here send: whose it is, is not known,
// so that it is kept out of no other's way.
func (a *adopt) row(card device.Card) (adoptRow, error) {
	row := adoptRow{Bits: card.Len()}
	shapes := a.opts.Shapes
	if len(shapes) == 0 {
		shapes = cardnumber.DerivedShapes()
	}
	forms := cardnumber.DeriveFor(card, shapes)
	for _, f := range forms {
		id, err := a.identify(f.Card)
		if err != nil {
			return row, err
		}
		row.Credentials = append(row.Credentials, id)
		row.Lengths, row.Holds = append(row.Lengths, f.Card.Len()), append(row.Holds, f.Bits)
	}
	n, _ := cardnumber.Of(card)
	for _, c := range n.Kin(forms) {
		id, err := a.identify(c)
		if err != nil {
			return row, err
		}
		row.Kin = append(row.Kin, id)
	}
	return row, nil
}

// Adopted returns until when unknown cards are kept (zero: they are not), and
// those that are, the one seen last first.
func (k *Keyring) Adopted() (until time.Time, cards []Adopted) { return k.adopt.all() }

func (a *adopt) all() (until time.Time, cards []Adopted) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now() >= a.rows.Until {
		return time.Time{}, nil
	}
	for _, r := range a.rows.Cards {
		c := Adopted{Bits: r.Bits, Lengths: slices.Clone(r.Lengths), Holds: slices.Clone(r.Holds), Door: r.Door, Source: r.Source, Count: r.Count,
			First: time.Unix(r.First, 0), Last: time.Unix(r.Last, 0)}
		for _, id := range r.Credentials {
			c.Credentials = append(c.Credentials, id)
		}
		for _, id := range r.Kin {
			c.Kin = append(c.Kin, id)
		}
		cards = append(cards, c)
	}
	slices.SortStableFunc(cards, func(a, b Adopted) int { return -cmp.Compare(a.Last.Unix(), b.Last.Unix()) })
	return time.Unix(a.rows.Until, 0), cards
}

// forgetBound erases the cards that the list in force names now, in the form in
// which they were read.
func (a *adopt) forgetBound() {
	a.mu.Lock()
	before := len(a.rows.Cards)
	a.rows.Cards = slices.DeleteFunc(a.rows.Cards, func(r adoptRow) bool {
		return len(r.Credentials) == 0 || a.knows(r.Credentials[0])
	})
	changed := len(a.rows.Cards) != before
	a.dirty = a.dirty || changed
	a.mu.Unlock()
	if changed {
		a.tend()
	}
}

// knows reports whether the grants in force name a credential.
func (k *Keyring) knows(id wire.CredentialID) bool {
	g := k.grants.Load()
	return g != nil && g.Knows(id)
}

// tend erases the list when its time is over and writes what changed.
func (a *adopt) tend() {
	a.mu.Lock()
	if a.rows.Until != 0 && a.now() >= a.rows.Until {
		a.rows, a.dirty = adoptRows{}, true
	}
	dirty := a.dirty
	a.mu.Unlock()
	if !dirty {
		return
	}
	if err := a.write(); err != nil {
		a.opts.Log.Error().Err(err).Msg("adopt list can't be written")
	}
}

// write writes a copy, so that no door waits for the disk.
func (a *adopt) write() error {
	a.disk.Lock()
	defer a.disk.Unlock()
	a.mu.Lock()
	now := a.rows
	now.Cards = slices.Clone(now.Cards)
	a.dirty = false
	a.mu.Unlock()
	err := a.save(now)
	if err != nil {
		a.mu.Lock()
		a.dirty = true
		a.mu.Unlock()
	}
	return err
}

func (a *adopt) now() int64 { return a.opts.Now().Unix() }
