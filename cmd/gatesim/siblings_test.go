package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/desk"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// noLink is a link that never comes up.
type noLink struct{}

func (noLink) Publish(context.Context, string, []byte) error { return os.ErrDeadlineExceeded }
func (noLink) Messages() <-chan mqtt.Message                 { return nil }
func (noLink) State() (bool, <-chan struct{})                { return false, nil }

// quick is a town in which proofs are asked for all the time.
func quick(tb testing.TB) *town {
	t := newTown(tb, false)
	t.tend = 200 * time.Millisecond
	t.start(tb)
	return t
}

// box enrols a gateway that speaks of its records all the time.
func (t *town) box(tb testing.TB, gateway string) *box {
	b := t.enrol(tb, "house", gateway)
	b.roll = 400 * time.Millisecond
	return b
}

// online runs a box that is connected to the broker.
func (b *box) online(tb testing.TB, broker string) (stop func()) {
	l, stopLink := b.linked(tb, broker, 0)
	stopBox := b.connect(tb, l, 0)
	return func() { stopBox(); stopLink() }
}

// image is a copy of a box's disk, while it stands still.
func (b *box) image(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// setBack puts the copy on the disk of a box that stands still.
func (b *box) setBack(tb testing.TB, image string) {
	tb.Helper()
	if err := b.keyring.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.RemoveAll(b.dir); err != nil {
		tb.Fatal(err)
	}
	if err := os.CopyFS(b.dir, os.DirFS(image)); err != nil {
		tb.Fatal(err)
	}
	var err error
	if b.keys, err = keys.LoadKeys(filepath.Join(b.dir, "keys")); err != nil { // a sibling may have sent the building's
		tb.Fatal(err)
	}
	b.keyring, err = keyring.Open(keyring.Options{Dir: filepath.Join(b.dir, "grants"), Building: "house", Keys: b.keys, Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
}

// answer is what the door of a box says to a card.
func (b *box) answer(tb testing.TB, card device.Card) wire.Reason {
	tb.Helper()
	id, err := b.keyring.Identify(card)
	if err != nil {
		tb.Fatal(err)
	}
	q := access.Query{Credential: id, Door: "front", Time: access.At(time.Now().Unix())}
	return access.Decide(b.keyring.Grants(), &q).Reason
}

func (b *box) lets(tb testing.TB, card device.Card) bool {
	return b.answer(tb, card) == wire.ReasonGranted
}

// settled reports whether the boxes have the newest list of the house, and hold
// nothing beside it.
func (t *town) settled(tb testing.TB, boxes ...*box) bool {
	tb.Helper()
	all, err := t.operator.Lists(tb.Context(), "house")
	if err != nil || len(all) == 0 {
		return false
	}
	for _, b := range boxes {
		if s := b.keyring.Status(); s.Version != all[0].Version || len(b.keyring.Records.All()) > 0 {
			return false
		}
	}
	return true
}

// checkOut ends a tenancy with its card.
func (b *box) checkOut(tb testing.TB, card device.Card) {
	tb.Helper()
	visit, err := b.desk.Begin(false)
	if err != nil {
		tb.Fatal(err)
	}
	defer b.desk.Leave(visit.ID)
	if _, _, err := b.desk.Show(visit.ID, true, card); err != nil {
		tb.Fatal(err)
	}
	_, err = b.desk.Change(tb.Context(), desk.Request{Session: visit.ID, Action: "checkout", Proof: "card", Cause: wire.CauseMovedOut.String()})
	if err != nil {
		tb.Fatal(err)
	}
}

// TestLostRecordComesFromASibling: a check-in is made while the registry is
// away; the sibling hears it, the maker's disk is rolled back to before it. The
// registry gets it from the sibling, whether or not the maker has given its
// number to another check-in meanwhile, and in the end both open everywhere.
func TestLostRecordComesFromASibling(t *testing.T) {
	for name, another := range map[string]bool{"and nothing else is made": false, "and its number is given away": true} {
		t.Run(name, func(t *testing.T) {
			town := quick(t)
			maker, sibling := town.box(t, "gw1"), town.box(t, "gw2")
			stopMaker, stopSibling := maker.online(t, town.broker), sibling.online(t, town.broker)
			eventually(t, "the key is shared", func() bool { return sibling.keyring.Status().HasKey })
			first, _ := maker.checkIn(t, 1)
			eventually(t, "the first is settled", func() bool { return town.settled(t, maker, sibling) && sibling.lets(t, first) })
			stopMaker()
			stopSibling()
			image := maker.image(t)
			stopMaker = maker.connect(t, noLink{}, 0)
			lost, _ := maker.checkIn(t, 2)
			own, _ := maker.desk.Records.Unsettled()
			stopMaker()
			stopSibling = sibling.online(t, town.broker)
			defer stopSibling()
			if err := sibling.desk.Records.Hear("gw1", own[0]); err != nil { // a broker of the house would bring it
				t.Fatal(err)
			}
			maker.setBack(t, image)
			cards := []device.Card{first, lost}
			stopMaker = maker.online(t, town.broker)
			defer func() { stopMaker() }()
			if another {
				card, _ := maker.checkIn(t, 3)
				cards = append(cards, card)
			}
			for _, card := range cards {
				eventually(t, "everybody is let in everywhere", func() bool { return maker.lets(t, card) && sibling.lets(t, card) })
			}
			eventually(t, "nothing is unsettled", func() bool { return town.settled(t, maker, sibling) })
			for _, card := range cards {
				if !maker.lets(t, card) || !sibling.lets(t, card) {
					t.Error("somebody was lost")
				}
			}
		})
	}
}

// TestDeadMaker: the gateway that made a check-in never comes back; its sibling
// brings the record, and later the maker's door in another machine opens too.
// If it was only away, it still delivers the person, which nobody else has.
func TestDeadMaker(t *testing.T) {
	for name, back := range map[string]bool{"never comes back": false, "was only away": true} {
		t.Run(name, func(t *testing.T) {
			town := quick(t)
			maker, sibling := town.box(t, "gw1"), town.box(t, "gw2")
			stopMaker := maker.online(t, town.broker)
			defer func() { stopMaker() }()
			stopSibling := sibling.online(t, town.broker)
			defer stopSibling()
			eventually(t, "the key is shared", func() bool { return sibling.keyring.Status().HasKey })
			maker.checkIn(t, 2) // with an active list the sibling, which is new, does not wait for the maker's
			eventually(t, "the first is settled", func() bool { return town.settled(t, maker, sibling) })
			stopMaker()
			stopMaker = maker.connect(t, noLink{}, 0)
			card, _ := maker.checkIn(t, 1)
			own, _ := maker.desk.Records.Unsettled()
			if err := sibling.desk.Records.Hear("gw1", own[0]); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the registry's list has it", func() bool { return town.settled(t, sibling) && sibling.lets(t, card) })
			work, err := town.front.Work(t.Context(), 0, 0)
			if err != nil || len(work.Deliveries) != 2 || work.Deliveries[1].Place.Gateway != "gw1" {
				t.Fatalf("%+v, %v", work, err)
			}
			person := work.Deliveries[1].PersonHash
			if _, err := town.front.Person(t.Context(), person); err == nil {
				t.Fatal("a person that nobody delivered")
			}
			if !back {
				return
			}
			stopMaker()
			stopMaker = maker.online(t, town.broker)
			eventually(t, "the person comes from the maker", func() bool {
				_, err := town.front.Person(t.Context(), person)
				return err == nil && town.settled(t, maker, sibling) && len(maker.desk.Records.Pending()) == 0
			})
			if !maker.lets(t, card) {
				t.Error("the tenant is locked out at the maker")
			}
		})
	}
}

// TestDeadCardStaysShut: a check-in, its end, a disk that is rolled back, while the
// registry has dropped the grant from its list: once gateway and registry have
// talked, the dead card opens no more, and nobody who came meanwhile is lost.
func TestDeadCardStaysShut(t *testing.T) {
	for name, c := range map[string]struct {
		settled  bool // the check-in is settled in the copy
		heard    bool // the copy is that of the sibling, which has heard of it
		newcomer bool // is checked in after the rollback, before the registry is heard
	}{
		"own, unsettled":               {},
		"own, unsettled, a newcomer":   {newcomer: true},
		"own, settled":                 {settled: true},
		"own, settled, a newcomer":     {settled: true, newcomer: true},
		"heard, unsettled":             {heard: true},
		"heard, unsettled, a newcomer": {heard: true, newcomer: true},
	} {
		t.Run(name, func(t *testing.T) { deadCard(t, c.settled, c.heard, c.newcomer) })
	}
}

func deadCard(t *testing.T, settled, heard, newcomer bool) {
	town := quick(t)
	maker, sibling := town.box(t, "gw1"), town.box(t, "gw2")
	stopMaker, stopSibling := maker.online(t, town.broker), sibling.online(t, town.broker)
	defer func() { stopMaker(); stopSibling() }()
	eventually(t, "the key is shared", func() bool { return sibling.keyring.Status().HasKey })
	victim, stopVictim := maker, &stopMaker
	if heard {
		victim, stopVictim = sibling, &stopSibling
	}
	stopMaker()
	stopSibling()
	stopMaker, stopSibling = maker.connect(t, noLink{}, 0), sibling.connect(t, noLink{}, 0)
	dead, _ := maker.checkIn(t, 1)
	if own, _ := maker.desk.Records.Unsettled(); heard {
		if err := sibling.desk.Records.Hear("gw1", own[0]); err != nil {
			t.Fatal(err)
		}
	}
	image := ""
	if !settled {
		(*stopVictim)()
		image = victim.image(t)
		*stopVictim = victim.connect(t, noLink{}, 0)
	}
	stopMaker()
	stopSibling()
	stopMaker, stopSibling = maker.online(t, town.broker), sibling.online(t, town.broker)
	eventually(t, "the check-in is settled", func() bool { return town.settled(t, maker, sibling) && sibling.lets(t, dead) })
	if settled {
		(*stopVictim)()
		image = victim.image(t)
		*stopVictim = victim.online(t, town.broker)
	}
	maker.checkOut(t, dead)
	eventually(t, "the grant has left the list", func() bool {
		return town.settled(t, maker, sibling) && maker.answer(t, dead) == wire.ReasonUnknown && sibling.answer(t, dead) == wire.ReasonUnknown
	})
	(*stopVictim)()
	victim.setBack(t, image)
	if !victim.lets(t, dead) {
		t.Fatal("the copy knows of the end: this test shows nothing")
	}
	*stopVictim = victim.connect(t, noLink{}, 0)
	var living []device.Card
	if newcomer {
		card, _ := victim.checkIn(t, 2)
		living = append(living, card)
	}
	(*stopVictim)()
	*stopVictim = victim.online(t, town.broker)
	eventually(t, "the dead card opens no more", func() bool { return town.settled(t, maker, sibling) && !victim.lets(t, dead) })
	card, _ := victim.checkIn(t, 3)
	living = append(living, card)
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if maker.lets(t, dead) || sibling.lets(t, dead) {
			t.Fatal("the dead card opens again")
		}
	}
	eventually(t, "all is settled, and the grant has left the list again", func() bool {
		return town.settled(t, maker, sibling) && victim.answer(t, dead) == wire.ReasonUnknown
	})
	for _, card := range living {
		if !maker.lets(t, card) || !sibling.lets(t, card) {
			t.Error("somebody who came meanwhile is locked out")
		}
	}
}
