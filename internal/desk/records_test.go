package desk

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/keyring/record"
	"gatehouse/sync/wire"
)

// hear carries all own records of one desk to another.
func hear(t testing.TB, from, to *office) {
	t.Helper()
	own, _ := from.Unsettled()
	for _, envelope := range own {
		must(t, to.Hear(from.gateway, envelope))
	}
}

// TestSiblings: a card that was given at one gateway opens at the other, and a
// tenant may leave at either; forged records do nothing.
func TestSiblings(t *testing.T) {
	w := newTown(t)
	a, b := newOffice(t, w, "gw1"), newOffice(t, w, "gw2")
	_, err := a.arrive(em(1))
	must(t, err)
	_, err = a.arrive(em(2), func(a *tenancy.Arrival) { a.Flat = "4A" })
	must(t, err)
	own, have := a.Unsettled()
	if len(own) != 2 || len(have) != 0 {
		t.Fatalf("%d own, %d of siblings", len(own), len(have))
	}
	broken := append([]byte(nil), own[0]...)
	broken[len(broken)-1] ^= 1
	for name, err := range map[string]error{
		"spoilt": b.Hear("gw1", broken), "of another": b.Hear("gw3", own[0]), "garbage": b.Hear("gw1", []byte("x"))} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := a.Hear("gw2", own[0]); !errors.Is(err, wire.ErrWrongAddress) && !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("re-addressed: %v", err)
	}
	if err := a.Hear("gw1", own[0]); err != nil {
		t.Errorf("its own echo: %v", err)
	}
	b.wants("yard", em(1), wire.ReasonUnknown)
	for range 2 {
		hear(t, a, b)
		b.wants("yard", em(1), wire.ReasonGranted)
		b.restart()
	}
	if _, have := b.Unsettled(); len(have) != 2 {
		t.Errorf("holds %d of its sibling's", len(have))
	}
	v, err := b.Find("4A")
	must(t, err)
	if v.Label != "" || v.HasPIN || len(v.Cards) != 1 || v.Unstored != 1 {
		t.Errorf("what a sibling knows: %+v", v)
	}
	_, err = b.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "moved_out"}, cards(em(2)), nil)
	must(t, err)
	hear(t, b, a)
	hear(t, a, b) // the check-in again
	for _, o := range []*office{a, b} {
		o.wants("front", em(2), wire.ReasonRevoked)
		o.wants("front", em(1), wire.ReasonGranted)
		if v, err := o.Find(v.ID.String()); err != nil || v.State != tenancy.Ended {
			t.Errorf("%+v %v", v, err)
		}
	}
}

// TestRenew: where the registry's numbering is another, the unsettled records
// get new numbers and keep their ids, also after a crash in the middle.
func TestRenew(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	if line, n := o.Head(); line != 0 || n != 0 {
		t.Error("a line before the first record")
	}
	for n := range uint64(3) {
		_, err := o.arrive(em(n + 1))
		must(t, err)
	}
	line, _ := o.Head()
	o.Stored(line+1, 3) // another line's
	o.Safe(line, 1)
	o.Stored(line, 2)
	if p := o.Pending(); len(p) != 1 || p[0].Record.Number != 3 || len(p[0].Person) == 0 {
		t.Fatalf("pending %d", len(p))
	}
	ids := func() (all []wire.ID) {
		for _, l := range o.own() {
			all = append(all, l.Record.ID)
		}
		return all
	}
	before := ids()
	must(t, o.Renew(line, 9))
	fresh, n := o.Head()
	if fresh == line || fresh == 0 || n != 3 {
		t.Errorf("line %d, then %d with %d", line, fresh, n)
	}
	pending := o.Pending()
	if len(pending) != 3 || len(pending[0].Person) != 0 || len(pending[1].Person) == 0 || len(pending[2].Person) == 0 {
		t.Errorf("%d pending after the renewal", len(pending))
	}
	for i, p := range pending {
		if p.Record.Line != fresh || p.Record.Number != uint64(i)+1 || ids()[i] != before[i] {
			t.Errorf("record %d: %d/%d", i, p.Record.Line, p.Record.Number)
		}
	}
	// A crash while they are numbered anew: one is in another line.
	own := o.own()
	reg := o.keyring.Keys.Registry()
	own[2].Record.Line, own[2].Record.Number = 77, 1
	var err error
	own[2].Envelope, err = o.envelope(reg, own[2].Record)
	must(t, err)
	must(t, o.keyring.Records.Replace(own))
	o.restart()
	o.upkeep(t.Context())
	if p := o.Pending(); len(p) != 3 || p[0].Record.Number != 1 || p[2].Record.Number != 3 || p[0].Record.Line != p[2].Record.Line {
		t.Errorf("after the crash: %+v", p)
	}
	for n := range uint64(3) {
		o.wants("front", em(n+1), wire.ReasonGranted)
	}
}

// TestEnrolledAnew: what the key of before has signed and the registry has not got is
// signed by the new one, with the ids that it had: the registry refuses the old one.
func TestEnrolledAnew(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	for n := range uint64(2) {
		_, err := o.arrive(em(n + 1))
		must(t, err)
	}
	line, _ := o.Head()
	o.Stored(line, 1)
	before := o.own()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	o.town.gateways[o.gateway] = key
	o.restart()
	o.upkeep(t.Context())
	pending := o.Pending()
	if len(pending) == 0 || pending[0].Record.Number != 1 || pending[0].Record.Line == line {
		t.Fatalf("%d pending, and not from the first on in a new line", len(pending))
	}
	for i, p := range pending {
		_, signed, _ := wire.Open(p.Envelope, wire.Expect{}, nil)
		if signed.KeyID != wire.IDOf(key.Public().(ed25519.PublicKey)) {
			t.Errorf("record %d is signed by the key of before", p.Record.Number)
		}
		if o.own()[i].Record.ID != before[i].Record.ID {
			t.Errorf("record %d has another id", p.Record.Number)
		}
	}
	fresh, _ := o.Head()
	o.upkeep(t.Context())
	if again, _ := o.Head(); again != fresh {
		t.Error("they are numbered anew each minute")
	}
}

// TestBookLost: without tenancies.json, or with a damaged one, cards open and
// can be given back; label and PIN are gone.
func TestBookLost(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"gone":    os.Remove,
		"garbage": func(p string) error { return os.WriteFile(p, []byte(`{"tenancies":[null]}`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, newTown(t), "gw1")
			_, err := o.arrive(em(1))
			must(t, err)
			line, _ := o.Head()
			must(t, spoil(filepath.Join(o.dir, BookFile)))
			o.restart()
			o.wants("front", em(1), wire.ReasonGranted)
			v, err := o.Find("3B")
			must(t, err)
			if l, n := o.Head(); l != line || n != 1 || v.HasPIN || v.Label != "" || len(v.Cards) != 1 {
				t.Errorf("line %d of %d, %+v", l, n, v)
			}
			_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "pin", PIN: "4711", Tenancy: "3B", Cause: "agreed"}, nil, nil)
			refused(t, err, "no PIN")
			_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(1)), nil)
			must(t, err)
			o.wants("front", em(1), wire.ReasonRevoked)
			bad, _ := filepath.Glob(filepath.Join(o.dir, BookFile+".bad-*"))
			if want := name == "garbage"; want != (len(bad) == 1) || want != (o.journal.entries(wire.KindDamaged, wire.ReasonDamaged) == 1) {
				t.Errorf("set aside: %v", bad)
			}
		})
	}
}

// TestNumbers: whatever happens at the desk, and however often it is killed,
// the pending records are numbered without a gap from what the registry has.
func TestNumbers(t *testing.T) {
	w, most := newTown(t), 8
	if testing.Short() {
		most = 3
	}
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t, w, "gw1")
		stored, next := uint64(0), uint64(1)
		for range rapid.IntRange(1, most).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0, 1:
				if _, err := o.arrive(em(next), func(a *tenancy.Arrival) { a.PIN = "" }); err != nil {
					r.Fatal(err)
				}
				next++
			case 2:
				if next > 1 {
					card := em(rapid.Uint64Range(1, next-1).Draw(r, "card"))
					_, _ = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(card), nil) // or it has ended before
				}
			case 3:
				line, n := o.Head()
				if n > stored {
					stored = rapid.Uint64Range(stored, n).Draw(r, "stored")
					o.Stored(line, stored)
				}
			case 4:
				o.restart()
			case 5:
				line, n := o.Head()
				if err := o.Renew(line, n+1); err != nil {
					r.Fatal(err)
				}
				stored = 0
			}
			line, n := o.Head()
			pending := o.Pending()
			if uint64(len(pending)) != n-stored {
				r.Fatalf("%d pending of %d, %d stored", len(pending), n, stored)
			}
			for i, p := range pending {
				if p.Record.Line != line || p.Record.Number != stored+uint64(i)+1 {
					r.Fatalf("pending %d has number %d/%d", i, p.Record.Line, p.Record.Number)
				}
			}
		}
		_ = o.keyring.Close()
	})
}

// TestRun ends with its context, and writes the entries that are missing.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, newTown(t), "gw1")
		o.journal.sick = errors.New("no disk")
		_, err := o.arrive(em(1))
		must(t, err)
		o.journal.sick = nil
		o.restart()
		s, err := o.Begin(false)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		synctest.Wait() // it has nothing left to do
		if n := o.journal.entries(wire.KindTenancy, wire.ReasonCheckIn); n != 1 {
			t.Fatalf("%d entries of the check-in, want 1", n)
		}
		cancel()
		must(t, <-done)
		<-s.Over
		if l := o.keyring.Records.All(); len(l) != 1 || !l[0].Entered {
			t.Error("it is not noted that the entry is there")
		}
	})
}

// TestListOnly: a tenant whom only the registry's list names can leave by card.
func TestListOnly(t *testing.T) {
	w := newTown(t)
	a, b := newOffice(t, w, "gw1"), newOffice(t, w, "gw2")
	_, err := a.arrive(em(1))
	must(t, err)
	for _, l := range a.keyring.Records.All() { // past the desk, as a list comes
		must(t, b.keyring.Records.Add(record.Local{Gateway: l.Gateway, Record: l.Record, Envelope: l.Envelope, Change: l.Change}))
	}
	all := b.Tenancies()
	if len(all) != 1 || len(all[0].Cards) != 1 || all[0].Cards[0].State != tenancy.Active {
		t.Fatalf("%+v", all)
	}
	done, err := b.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "moved_out"}, cards(em(1)), nil)
	must(t, err)
	if done.Tenancy.State != tenancy.Ended || strings.Contains(b.log.String(), tenant) {
		t.Errorf("%+v", done.Tenancy)
	}
	b.wants("yard", em(1), wire.ReasonRevoked)
}

// FuzzBook: no bytes in tenancies.json stop the desk; what is taken can be
// shown, changed and written again.
func FuzzBook(f *testing.F) {
	f.Add([]byte(`{"line":"7","number":2,"stored":1,"tenancies":[{"id":"01010101010101010101010101010101","pin":{"rounds":-1},"cards":[{}]}]}`))
	f.Add([]byte(`{"tenancies":[null]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var b pages
		if json.Unmarshal(data, &b) != nil || !b.Sound() {
			return
		}
		for _, tt := range b.Tenancies {
			st := tt.Stand([]wire.Grant{{ID: wire.ID{1}, Credential: wire.CredentialID{1}}})
			_ = tt.Show(st, tenancy.Time{}, 0)
			s := tenancy.Situation{Tenancy: tt, Standing: st, Clock: tenancy.Time{Now: 1, Trusted: true}, Days: 3, Cause: 1, Proof: wire.ProofPIN}
			for _, action := range []string{tenancy.CheckOut, tenancy.Dispute, tenancy.Withdraw, tenancy.Suspend, tenancy.Resume, tenancy.Replace,
				tenancy.AddCard, tenancy.Confirm, tenancy.SetPIN} {
				changes, _ := s.Decide(action)
				for _, c := range changes {
					b.Tenancies.Apply(c)
				}
			}
		}
		again, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var same pages
		if err := json.Unmarshal(again, &same); err != nil || !same.Sound() {
			t.Fatalf("what was written is not taken: %v", err)
		}
	})
}

// TestRegistryBehind: a registry that was rolled back gets again what it had stored and
// not made safe, with the persons, in the line where it has the rest and in a new one where it has none of it. What is safe
// is erased here.
func TestRegistryBehind(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	for n := range uint64(4) {
		_, err := o.arrive(em(n + 1))
		must(t, err)
	}
	line, _ := o.Head()
	o.Safe(line, 1)
	o.Stored(line, 4)
	if o.Behind(line, 4) || len(o.Pending()) != 0 {
		t.Fatal("the registry has all")
	}
	o.restart()
	if o.Behind(line, 1) {
		t.Fatal("a new line, and all are here")
	}
	p := o.Pending()
	if len(p) != 3 || p[0].Record.Number != 2 || p[0].Record.Line != line || len(p[0].Person) == 0 || len(p[2].Person) == 0 {
		t.Fatalf("%d pending", len(p))
	}
	o.Stored(line, 4)
	if o.Behind(line, 0) { // the person of number 1 was safe, and is gone; no list has settled it
		t.Fatal("a new line, and all are here")
	}
	if p = o.Pending(); len(p) != 4 || len(p[0].Person) != 0 || len(p[1].Person) == 0 {
		t.Fatalf("%d pending", len(p))
	}
	o.Stored(line, 4)
	if !o.Behind(line+2, 7) {
		t.Fatal("a registry of another line has what is here")
	}
	must(t, o.Renew(line+2, 7))
	fresh, n := o.Head()
	p = o.Pending()
	if n != 4 || len(p) != 4 || p[3].Record.Number != 4 || p[3].Record.Line != fresh || len(p[3].Person) == 0 {
		t.Fatalf("%d pending of %d", len(p), n)
	}
	o.Stored(fresh, 4)
	o.Safe(fresh, 4)
	if kept := o.keyring.Kept.All(); len(kept) > 0 {
		t.Fatalf("%d are kept that are safe", len(kept))
	}
	if o.Behind(fresh, 4) || len(o.Pending()) > 0 {
		t.Fatal("pending again")
	}
}

// TestBookBytes: the file is written as it ever was.
func TestBookBytes(t *testing.T) {
	const file = `{"format":2,"line":"7","number":3,"stored":2,"tenancies":[{"id":"01000000000000000000000000000000","flat":"3B","label":"left door","doors":["front"],` +
		`"since":10,"until":20,"notice":18,"noticed":12,"objected":13,"withdrew":11,"cause":2,"against":"02000000000000000000000000000000","ended":15,"end_cause":1,"gone":16,` +
		`"was_told":true,"pin":{"salt":"AQ==","hash":"Ag==","rounds":100000,"wrong":1,"own":true},"cards":[{"grant":"02000000000000000000000000000000",` +
		`"credentials":["0101000000000000000000000000000000"],"since":10,"unproven":true,"word":12,"stopped":true,"reported":true,"stop":{"left":5,"used":true}}]},` +
		`{"id":"03000000000000000000000000000000"}]}`
	var p pages
	must(t, json.Unmarshal([]byte(file), &p))
	again, err := json.Marshal(p)
	must(t, err)
	if string(again) != file {
		t.Errorf("written\n%s\nwas\n%s", again, file)
	}
}
