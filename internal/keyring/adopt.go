package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
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

// adopt is the list as it stands in its file.
type adopt struct {
	Until int64      `json:"until"` // unix s; 0: off
	Cards []adoptRow `json:"cards"`
	dirty bool
}

type adoptRow struct {
	Credentials []hexCredential `json:"credentials"`
	Bits        int             `json:"bits"`
	Lengths     []int           `json:"lengths"`
	Holds       []int           `json:"holds"`
	Kin         []hexCredential `json:"kin,omitempty"`
	Door        string          `json:"door"`
	Source      string          `json:"source"`
	First       int64           `json:"first"` // unix s
	Last        int64           `json:"last"`
	Count       uint64          `json:"count"`
}

// SetAdopt keeps unknown cards for so many days from now (at most 60); 0 stops
// it and erases them. Days are counted by Options.Now.
func (k *Keyring) SetAdopt(days int) error {
	if days < 0 || days > maxAdoptDays {
		return fmt.Errorf("adopt for %s: want 0 to %d", amount.Of(days, "day"), maxAdoptDays)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.adoptMu.Lock()
	if days == 0 {
		k.adopt = adopt{}
	} else {
		k.adopt.Until = k.now() + int64(days)*24*60*60
	}
	k.adoptMu.Unlock()
	return k.saveAdopt()
}

// Notice keeps an unknown card if adopt mode is on, in memory: Run writes it.
// It waits for no disk, so a door may call it. The caller says that the door
// did not know the card.
func (k *Keyring) Notice(card device.Card, door, source string) {
	row, err := k.adoptRow(card)
	if err != nil {
		return
	}
	k.adoptMu.Lock()
	defer k.adoptMu.Unlock()
	now := k.now()
	if now >= k.adopt.Until || k.knows(wire.CredentialID(row.Credentials[0])) {
		return
	}
	i := slices.IndexFunc(k.adopt.Cards, func(r adoptRow) bool { return r.Credentials[0] == row.Credentials[0] })
	if i < 0 && len(k.adopt.Cards) >= maxAdopted {
		return
	}
	if i < 0 {
		row.First = now
		i, k.adopt.Cards = len(k.adopt.Cards), append(k.adopt.Cards, row)
	}
	kept := &k.adopt.Cards[i]
	kept.Door, kept.Source, kept.Last, kept.Count = door, source, now, kept.Count+1
	k.adopt.dirty = true
}

// adoptRow has a card in the forms that readers here send: whose it is, is not known,
// so that it is kept out of no other's way.
func (k *Keyring) adoptRow(card device.Card) (adoptRow, error) {
	row := adoptRow{Bits: card.Len()}
	shapes := k.opts.Shapes
	if len(shapes) == 0 {
		shapes = cardnumber.DerivedShapes()
	}
	forms := cardnumber.DeriveFor(card, shapes)
	for _, f := range forms {
		id, err := k.Identify(f.Card)
		if err != nil {
			return row, err
		}
		row.Credentials = append(row.Credentials, hexCredential(id))
		row.Lengths, row.Holds = append(row.Lengths, f.Card.Len()), append(row.Holds, f.Bits)
	}
	n, _ := cardnumber.Of(card)
	for _, c := range n.Kin(forms) {
		id, err := k.Identify(c)
		if err != nil {
			return row, err
		}
		row.Kin = append(row.Kin, hexCredential(id))
	}
	return row, nil
}

// Adopted returns until when unknown cards are kept (zero: they are not), and
// those that are, the one seen last first.
func (k *Keyring) Adopted() (until time.Time, cards []Adopted) {
	k.adoptMu.Lock()
	defer k.adoptMu.Unlock()
	if k.now() >= k.adopt.Until {
		return time.Time{}, nil
	}
	for _, r := range k.adopt.Cards {
		a := Adopted{Bits: r.Bits, Lengths: slices.Clone(r.Lengths), Holds: slices.Clone(r.Holds), Door: r.Door, Source: r.Source, Count: r.Count,
			First: time.Unix(r.First, 0), Last: time.Unix(r.Last, 0)}
		for _, id := range r.Credentials {
			a.Credentials = append(a.Credentials, wire.CredentialID(id))
		}
		for _, id := range r.Kin {
			a.Kin = append(a.Kin, wire.CredentialID(id))
		}
		cards = append(cards, a)
	}
	slices.SortStableFunc(cards, func(a, b Adopted) int { return -cmp.Compare(a.Last.Unix(), b.Last.Unix()) })
	return time.Unix(k.adopt.Until, 0), cards
}

// forgetBound erases the cards that the list in force names now, in the form in
// which they were read.
func (k *Keyring) forgetBound() {
	k.adoptMu.Lock()
	before := len(k.adopt.Cards)
	k.adopt.Cards = slices.DeleteFunc(k.adopt.Cards, func(r adoptRow) bool {
		return len(r.Credentials) == 0 || k.knows(wire.CredentialID(r.Credentials[0]))
	})
	changed := len(k.adopt.Cards) != before
	k.adopt.dirty = k.adopt.dirty || changed
	k.adoptMu.Unlock()
	if changed {
		k.tendAdopt()
	}
}

func (k *Keyring) knows(id wire.CredentialID) bool {
	g := k.grants.Load()
	return g != nil && g.Knows(access.CredentialID(id))
}

// tendAdopt erases the list when its time is over and writes what changed.
// Callers hold mu, which guards the files, and not adoptMu.
func (k *Keyring) tendAdopt() {
	k.adoptMu.Lock()
	if k.adopt.Until != 0 && k.now() >= k.adopt.Until {
		k.adopt = adopt{dirty: true}
	}
	dirty := k.adopt.dirty
	k.adoptMu.Unlock()
	if !dirty {
		return
	}
	if err := k.saveAdopt(); err != nil {
		k.opts.Log.Error().Err(err).Msg("adopt list can't be written")
	}
}

// saveAdopt writes a copy, so that no door waits for the disk.
func (k *Keyring) saveAdopt() error {
	k.adoptMu.Lock()
	now := k.adopt
	now.Cards = slices.Clone(now.Cards)
	k.adopt.dirty = false
	k.adoptMu.Unlock()
	err := k.save(adoptFile, now)
	if err != nil {
		k.adoptMu.Lock()
		k.adopt.dirty = true
		k.adoptMu.Unlock()
	}
	return err
}

func (k *Keyring) now() int64 { return k.opts.Now().Unix() }
