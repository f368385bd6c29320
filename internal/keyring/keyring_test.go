package keyring

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

func TestLifeOfAGrant(t *testing.T) {
	k := open(t, t.TempDir())
	want(t, k, credential(1), wire.ReasonUnknown)
	e := edit(t, k)
	id := add(t, e, credential(1), credential(2))
	apply(t, k, sign(t, e))
	want(t, k, credential(1), wire.ReasonGranted)
	want(t, k, credential(2), wire.ReasonGranted)
	if k.Time.Floor() != issuedAt.Unix() {
		t.Fatalf("floor %d", k.Time.Floor())
	}
	for _, step := range []struct {
		change func(*grantlist.Editor) error
		first  wire.Reason
		second wire.Reason
	}{
		{func(e *grantlist.Editor) error { return e.SetCredential(id, credential(1), wire.GrantSuspended) }, wire.ReasonSuspended, wire.ReasonGranted},
		{func(e *grantlist.Editor) error { return e.SetCredential(id, credential(1), wire.GrantActive) }, wire.ReasonGranted, wire.ReasonGranted},
		{func(e *grantlist.Editor) error { return e.SetState(id, wire.GrantSuspended) }, wire.ReasonSuspended, wire.ReasonSuspended},
		{func(e *grantlist.Editor) error { return e.SetState(id, wire.GrantActive) }, wire.ReasonGranted, wire.ReasonGranted},
		{func(e *grantlist.Editor) error { return e.SetState(id, wire.GrantRevoked) }, wire.ReasonRevoked, wire.ReasonRevoked},
		{func(e *grantlist.Editor) error { return e.End(id) }, wire.ReasonUnknown, wire.ReasonUnknown},
	} {
		e := edit(t, k)
		if err := step.change(e); err != nil {
			t.Fatal(err)
		}
		apply(t, k, sign(t, e))
		want(t, k, credential(1), step.first)
		want(t, k, credential(2), step.second)
		k = reopen(t, k)
		want(t, k, credential(1), step.first)
	}
	if s := k.Status(); s.Version != 7 || s.Active.Grants != 0 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good || len(s.Files.Aside) > 0 {
		t.Fatalf("status %+v", s)
	}
}

func TestApplyRefuses(t *testing.T) {
	k := open(t, t.TempDir())
	bulk(t, k, 3)
	list, err := k.List()
	if err != nil {
		t.Fatal(err)
	}
	foreign := func(address string, n byte, epoch uint64) grantlist.Update {
		l, _, err := grantlist.NewDraft(address, wire.Manifest{Version: 7}, wire.Hash{}).Sign(nil, issuedAt, issuerKey(n), epoch)
		must(t, err)
		return grantlist.Update{Manifest: l.Manifest, Buckets: l.Buckets}
	}
	e := edit(t, k)
	add(t, e, credential(9))
	good := sign(t, e)
	with := func(f func(*grantlist.Update)) grantlist.Update {
		u := grantlist.Update{Manifest: slices.Clone(good.Manifest), Buckets: slices.Clone(good.Buckets)}
		f(&u)
		return u
	}
	for name, c := range map[string]struct {
		u     grantlist.Update
		class error
		cause error
	}{
		"other building":    {foreign("house-2", 1, 0), ErrRefused, wire.ErrWrongAddress},
		"other issuer":      {foreign(building, 2, 0), ErrRefused, wire.ErrUnknownKey},
		"other epoch":       {foreign(building, 1, 5), ErrRefused, wire.ErrUnknownKey},
		"no manifest":       {grantlist.Update{}, ErrRefused, wire.ErrMalformed},
		"changed signature": {with(func(u *grantlist.Update) { u.Manifest[len(u.Manifest)-1] ^= 1 }), ErrRefused, wire.ErrBadSignature},
		"bucket missing":    {with(func(u *grantlist.Update) { u.Buckets = nil }), ErrConflict, ErrConflict},
		"bucket changed":    {with(func(u *grantlist.Update) { u.Buckets[0] = append(slices.Clone(u.Buckets[0]), 0) }), ErrConflict, ErrConflict},
		"bucket too many":   {with(func(u *grantlist.Update) { u.Buckets = append(u.Buckets, []byte{0x80}) }), ErrRefused, ErrRefused},
		"number in a label": {with(func(u *grantlist.Update) { u.Labels = map[wire.ID]string{{1}: "tel 138001"} }), ErrRefused, ErrRefused},
	} {
		if err := k.Apply(c.u); !errors.Is(err, c.class) || !errors.Is(err, c.cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := k.List(); err != nil || !slices.Equal(after.Manifest, list.Manifest) {
		t.Fatal("a refused list changed the active one")
	}
	apply(t, k, good)
	want(t, k, credential(9), wire.ReasonGranted)
}

// TestConflict: of two edits of one list only the first is taken, and an old
// list never comes back.
func TestConflict(t *testing.T) {
	k := open(t, t.TempDir())
	ids := bulk(t, k, 3)
	one, two := edit(t, k), edit(t, k)
	old := sign(t, edit(t, k))
	if err := one.SetState(ids[0], wire.GrantRevoked); err != nil {
		t.Fatal(err)
	}
	add(t, two, credential(9))
	revoked := sign(t, one)
	apply(t, k, revoked)
	apply(t, k, revoked) // again: nothing changes, no error
	for _, u := range []grantlist.Update{sign(t, two), old} {
		if err := k.Apply(u); !errors.Is(err, ErrConflict) {
			t.Fatalf("taken: %v", err)
		}
	}
	want(t, k, credential(0), wire.ReasonRevoked)
}

// TestFullListOfAnotherLine: of a whole list with a higher version that was made
// from another one only what it takes counts; one that is not whole is not judged.
func TestFullListOfAnotherLine(t *testing.T) {
	k := open(t, t.TempDir())
	ids := bulk(t, k, 2000)
	far := editAs(t, k, func(m *wire.Manifest) { m.Version = 40 })
	add(t, far, credential(5000))
	must(t, far.SetState(ids[7], wire.GrantRevoked))
	must(t, far.End(ids[8]))
	u := sign(t, far)
	if err := k.Apply(u); !errors.Is(err, ErrConflict) {
		t.Fatalf("partial list of another line: %v", err)
	}
	all, _, err := far.Draft.Sign(far.Grants(), issuedAt, issuerKey(1), 0)
	must(t, err)
	u.Buckets = all.Buckets
	if err := k.Apply(u); !errors.Is(err, ErrUnproved) {
		t.Fatal(err)
	}
	for range 2 {
		apply(t, k, u) // again: no news
		want(t, k, credential(7), wire.ReasonRevoked)
		want(t, k, credential(8), wire.ReasonGranted)
		want(t, k, credential(5000), wire.ReasonUnknown)
		s := k.Status()
		if s.Version != 1 || s.Active.Grants != 2000 || s.Over.Grants != 1 || s.Unproved == nil || s.Unproved.Version != 41 || len(s.Unproved.Waiting) != 1 {
			t.Fatalf("status %+v", s)
		}
		k = reopen(t, k)
	}
	e := edit(t, k) // what the tool makes follows the active list
	add(t, e, credential(5001))
	apply(t, k, sign(t, e))
	want(t, k, credential(7), wire.ReasonRevoked)
	want(t, k, credential(5001), wire.ReasonGranted)
	if s := k.Status(); s.Version != 2 || s.Unproved != nil || len(s.Over.Masked) != 1 || s.Over.Masked[0].Grant != ids[7] {
		t.Fatalf("status %+v", s)
	}
}

func TestSharedBuckets(t *testing.T) {
	k := open(t, t.TempDir())
	ids := bulk(t, k, 2000)
	before := k.Grants()
	e := edit(t, k)
	if err := e.SetState(ids[0], wire.GrantRevoked); err != nil {
		t.Fatal(err)
	}
	apply(t, k, sign(t, e))
	after := k.Grants()
	changed := 0
	for i := range 1 << before.Bits() {
		if before.Bucket(i) != after.Bucket(i) {
			changed++
		}
	}
	if before.Bits() == 0 || before.Bits() != after.Bits() || changed != 1 {
		t.Fatalf("%d of %d buckets changed", changed, 1<<before.Bits())
	}
}

func TestWithoutKeys(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir)
	bulk(t, k, 3)
	k.Close()
	bare, err := Open(Options{Dir: dir, Building: building, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if bare.Grants() != nil || bare.Status().HasKey || len(bare.Status().Files.Aside) > 0 {
		t.Fatalf("grants without keys: %+v", bare.Status())
	}
	if err := bare.Apply(grantlist.Update{}); !errors.Is(err, ErrRefused) {
		t.Fatalf("applied without keys: %v", err)
	}
	bare.Close()
	want(t, open(t, dir), credential(0), wire.ReasonGranted)
}

// TestOtherIssuerIsNotDamage: a wrong issuer.pub is the installer's mistake, and
// may not cost the list.
func TestOtherIssuerIsNotDamage(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir)
	bulk(t, k, 3)
	k.Close()
	other, err := Open(Options{Dir: dir, Building: building, Keys: keys.Keys{Building: goldenKey(), Issuers: pinned(2)}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if s := other.Status(); other.Grants() != nil || len(s.Files.Aside) > 0 || !s.Lost || s.Files.Copies[0].Error == "" {
		t.Fatalf("status %+v", s)
	}
	other.Close()
	want(t, open(t, dir), credential(0), wire.ReasonGranted)
}

func TestMisuse(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	for name, o := range map[string]Options{
		"second process": {Dir: dir, Building: building},
		"no directory":   {Building: building},
		"no building":    {Dir: t.TempDir()},
	} {
		if k, err := Open(o); err == nil {
			k.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestLabels(t *testing.T) {
	k := open(t, t.TempDir())
	e := edit(t, k)
	id, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{credential(1)}, Label: "3rd floor left"})
	if err != nil {
		t.Fatal(err)
	}
	other := add(t, e, credential(2))
	apply(t, k, sign(t, e))
	k = reopen(t, k)
	if got := k.Labels.All(); len(got) != 1 || got[id] != "3rd floor left" {
		t.Fatalf("labels %v", got)
	}
	e = edit(t, k)
	if err := e.Label(other, "attic"); err != nil {
		t.Fatal(err)
	}
	if err := e.End(id); err != nil {
		t.Fatal(err)
	}
	apply(t, k, sign(t, e))
	k = reopen(t, k)
	if got := k.Labels.All(); len(got) != 1 || got[other] != "attic" {
		t.Fatalf("labels %v", got)
	}
	data, err := os.ReadFile(filepath.Join(k.opts.Dir, labelsFile))
	if err != nil || strings.Contains(string(data), "floor") {
		t.Fatal("the label of an ended grant is still in the file")
	}
	for _, bad := range []string{"tel 138001", "１２３４５６", "a\nb", strings.Repeat("x", 65), "\xff"} {
		if err := edit(t, k).Label(other, bad); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("label: %v", err)
		}
	}
}

func TestDiskThatFails(t *testing.T) {
	k := open(t, t.TempDir())
	ids := bulk(t, k, 3)
	mend := [2]func(){sicken(t, k, "grants-a.db"), sicken(t, k, "grants-b.db")}
	e := edit(t, k)
	if err := e.SetState(ids[0], wire.GrantRevoked); err != nil {
		t.Fatal(err)
	}
	if err := k.Apply(sign(t, e)); !errors.Is(err, ErrNotDurable) {
		t.Fatalf("got %v", err)
	}
	want(t, k, credential(0), wire.ReasonRevoked)
	if s := k.Status(); s.Files.Copies[0].Good || s.Files.Copies[1].Good || s.Files.Copies[0].Error == "" {
		t.Fatalf("status %+v", s)
	}
	mend[1]()
	e = edit(t, k)
	add(t, e, credential(9))
	apply(t, k, sign(t, e)) // one good file is enough
	mend[0]()
	k = reopen(t, k)
	want(t, k, credential(0), wire.ReasonRevoked)
	want(t, k, credential(9), wire.ReasonGranted)
	if s := k.Status(); !s.Files.Copies[0].Good || !s.Files.Copies[1].Good || s.Version != 3 || len(s.Files.Aside) > 0 {
		t.Fatalf("status %+v", s)
	}
}

func TestFloorNeverFalls(t *testing.T) {
	k := open(t, t.TempDir())
	bulk(t, k, 1)
	e := edit(t, k)
	add(t, e, credential(5))
	u, err := e.Sign(issuedAt.Add(-1000 * time.Hour)) // a tool in 2026 with a clock behind
	if err != nil {
		t.Fatal(err)
	}
	apply(t, k, u)
	if s := k.Status(); !s.Active.Issued.Equal(issuedAt) {
		t.Fatalf("issued %v, before the list it follows", s.Active.Issued)
	}
	if k.Time.Floor() != issuedAt.Unix() || reopen(t, k).Time.Floor() != issuedAt.Unix() {
		t.Fatal("the floor fell")
	}
}

// TestFewerDoorSets: a manifest that takes door sets away may not leave records
// that point at them, even in buckets that did not change.
func TestFewerDoorSets(t *testing.T) {
	k := open(t, t.TempDir())
	e := edit(t, k)
	for _, door := range []string{"front", "bikes"} {
		if _, err := e.Add(grantlist.NewGrant{Kind: wire.GrantStaff, Doors: []string{door}, Credentials: []wire.CredentialID{credential(len(door))}}); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, k, sign(t, e))
	e = edit(t, k)
	m, hash := k.active.state.List.Manifest, k.active.state.List.Hash
	m.DoorSets = m.DoorSets[:1]
	l, _, err := grantlist.NewDraft(building, m, hash).Sign(e.Grants(), issuedAt, issuerKey(1), 0)
	must(t, err)
	if err := k.Apply(grantlist.Update{Manifest: l.Manifest}); !errors.Is(err, ErrRefused) && !errors.Is(err, ErrConflict) {
		t.Fatalf("taken: %v", err)
	}
}

// TestLabelsWrittenAgain: labels that no disk took are told, and written as soon as one takes
// them: by Run, and by an orderly stop.
func TestLabelsWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		now := issuedAt
		k := openAt(t, dir, &now)
		give := func(n int, label string) {
			t.Helper()
			e := edit(t, k)
			if _, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{credential(n)}, Label: label}); err != nil {
				t.Fatal(err)
			}
			if err := k.Apply(sign(t, e)); err == nil || errors.Is(err, ErrNotDurable) {
				t.Fatalf("got %v", err)
			}
			if k.Status().Files.Labels == nil {
				t.Fatal("it is not told")
			}
		}
		mend := sicken(t, k, labelsFile)
		give(1, "attic")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		time.Sleep(time.Hour)
		mend()
		time.Sleep(retryWithin)
		if data := readFile(t, fileOf(k, labelsFile)); !strings.Contains(string(data), "attic") || k.Status().Files.Labels != nil {
			t.Errorf("file %q, status %v", data, k.Status().Files.Labels)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		mend = sicken(t, k, labelsFile)
		give(2, "cellar")
		mend()
		must(t, k.Close())
		if got := openAt(t, dir, &now).Labels.All(); len(got) != 2 {
			t.Errorf("after a stop: %d labels", len(got))
		}
	})
}

// retryWithin is the longest time between two attempts at a write.
const retryWithin = time.Minute + time.Second
