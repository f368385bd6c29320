package keyring

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/mod/sumdb/tlog"
)

// listLog is what a registry of the tests knows of a building: the log of its
// lists, and the grants.
type listLog struct {
	hashes    []wire.Hash
	version   uint64
	epoch     uint64
	key       byte
	rows      map[wire.ID]wire.Grant
	newest    grantlist.Update
	seen      []wire.Seen
	registers []wire.Register
}

func newLog() *listLog {
	return &listLog{epoch: 1, key: 1, rows: make(map[wire.ID]wire.Grant)}
}

func (g *listLog) copy() *listLog {
	c := *g
	c.hashes, c.rows = slices.Clone(g.hashes), maps.Clone(g.rows)
	return &c
}

func leavesOf(hashes []wire.Hash) []tlog.Hash {
	leaves := make([]tlog.Hash, len(hashes))
	for i, h := range hashes {
		leaves[i] = tree.LeafHash(h[:], nil)
	}
	return leaves
}

// issue signs the next list, in format 2 or 1.
func (g *listLog) issue(t testing.TB, format uint64) grantlist.Update {
	t.Helper()
	rows := slices.SortedFunc(maps.Values(g.rows), func(a, b wire.Grant) int { return a.Compare(&b) })
	g.version++
	bucket, err := wire.EncodeBucket(rows)
	must(t, err)
	m := wire.Manifest{Format: format, Version: g.version, Issued: uint32(issuedAt.Unix()), Buckets: []wire.Hash{sha256.Sum256(bucket)},
		Doors: []string{"front", "bikes"}, DoorSets: [][]uint16{{0}, {0, 1}, {1}}, Seen: g.seen}
	if n := len(g.hashes); n > 0 {
		m.Previous = g.hashes[n-1]
	}
	if format == wire.LogFormat {
		m.Registers = g.registers
		m.Earlier, m.Log = uint64(len(g.hashes)), wire.Hash(tree.Range{}.AddAll(leavesOf(g.hashes)).Root())
	}
	payload, err := m.Encode()
	must(t, err)
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: g.epoch, Address: building}, payload, issuerKey(g.key))
	must(t, err)
	hash := sha256.Sum256(payload)
	g.hashes = append(g.hashes, hash)
	g.newest = grantlist.Update{Manifest: envelope, Buckets: [][]byte{bucket}}
	g.newest.Second = signed(t, wire.TypeSecond, wire.RoleIssuer, building, hash[:], 2)
	return g.newest
}

// proofFor returns the newest list with the proof for a gateway that has a list.
func (g *listLog) proofFor(t testing.TB, has wire.Hash) grantlist.Update {
	t.Helper()
	u := g.newest
	earlier := g.hashes[:len(g.hashes)-1]
	if at := slices.Index(earlier, has); at >= 0 {
		proof, err := tree.Inclusion(leavesOf(earlier), at)
		must(t, err)
		u.Proof.Index = uint64(at)
		for _, h := range proof {
			u.Proof.Hashes = append(u.Proof.Hashes, wire.Hash(h))
		}
	}
	return u
}

func (g *listLog) set(grant byte, card int, changes ...func(*wire.Grant)) {
	r := row(grant, card, changes...)
	g.rows[r.ID] = r
}

// give hands the newest list to a gateway, with the proof of what it says it has.
func (g *listLog) give(t testing.TB, k *Keyring) error {
	t.Helper()
	return k.Apply(g.proofFor(t, k.Status().Hash))
}

func until(at time.Time) func(*wire.Grant) {
	return func(g *wire.Grant) { g.Until = uint32(at.Unix()) }
}

func atDoors(set uint16) func(*wire.Grant) { return func(g *wire.Grant) { g.DoorSet = set } }

// TestRestoredRegistry is the worst day: a registry from before a revocation issues
// on. The next revocation is active at once, and the first one stays.
func TestRestoredRegistry(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	for i := byte(1); i <= 6; i++ {
		g.set(i, int(i))
	}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	yesterday := g.copy()
	g.set(1, 1, revoke)
	g.set(2, 2, inState(wire.GrantSuspended))
	g.set(9, 9) // checked in since
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	today := g

	g = yesterday
	g.set(3, 3, revoke)
	g.version++ // it heard of the gateway's
	g.issue(t, wire.LogFormat)
	if err := g.give(t, k); !errors.Is(err, ErrUnproved) {
		t.Fatalf("a list of another line: %v", err)
	}
	for range 2 {
		want(t, k, credential(1), wire.ReasonRevoked)
		want(t, k, credential(2), wire.ReasonSuspended)
		want(t, k, credential(3), wire.ReasonRevoked)
		want(t, k, credential(4), wire.ReasonGranted)
		want(t, k, credential(9), wire.ReasonGranted)
		s := k.Status()
		if s.Version != 2 || s.Hash != today.hashes[1] || s.Over.Grants != 2 || s.Unproved == nil || s.Unproved.Version != 3 ||
			!slices.Equal(s.Unproved.Waiting, []wire.ID{{2}}) {
			t.Fatalf("status %+v", s)
		}
		must(t, g.give(t, k)) // again: no news
		k = restarted(t, k)
	}

	// It learned of the active list and issues on with it in its log; the operator
	// has not said that 1 is revoked, nor that 9 is there.
	g.hashes = append(g.hashes, today.hashes[1])
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	for range 2 {
		want(t, k, credential(1), wire.ReasonRevoked)
		want(t, k, credential(2), wire.ReasonGranted) // its word counts now
		want(t, k, credential(3), wire.ReasonRevoked)
		want(t, k, credential(9), wire.ReasonUnknown)
		s := k.Status()
		if s.Version != 4 || s.Unproved != nil || !slices.Equal(s.Over.Masked, []merge.Masked{{Grant: wire.ID{1}, Tenancy: wire.ID{1, 1}}}) || s.Over.Grants != 3 {
			t.Fatalf("status %+v", s)
		}
		k = restarted(t, k)
	}
}

// TestMissedLists: a gateway that was away for 1 to 1,000 lists takes the newest
// one by its proof, and nobody is alarmed.
func TestMissedLists(t *testing.T) {
	for _, missed := range []int{0, 1, 2, 3, 7, 64, 1000} {
		k, _ := enrolled(t)
		g := newLog()
		g.set(1, 1)
		g.issue(t, wire.LogFormat)
		must(t, g.give(t, k))
		for range missed {
			g.issue(t, wire.LogFormat)
		}
		g.set(1, 1, revoke)
		g.set(2, 2)
		g.issue(t, wire.LogFormat)
		must(t, g.give(t, k))
		want(t, k, credential(1), wire.ReasonRevoked)
		want(t, k, credential(2), wire.ReasonGranted)
		if s := k.Status(); s.Unproved != nil || s.Version != uint64(missed)+2 {
			t.Fatalf("after %d missed: %+v", missed, s)
		}
	}
}

// TestFalseProof: a proof of another list, of another place or of another tree is
// none.
func TestFalseProof(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	for range 5 {
		g.issue(t, wire.LogFormat)
	}
	must(t, g.give(t, k))
	for range 4 {
		g.issue(t, wire.LogFormat)
	}
	good := g.proofFor(t, k.Status().Hash)
	other := g.proofFor(t, g.hashes[3])
	for name, p := range map[string]grantlist.Proof{"none": {}, "of another list": other.Proof, "elsewhere": {Index: good.Proof.Index + 1, Hashes: good.Proof.Hashes},
		"cut": {Index: good.Proof.Index, Hashes: good.Proof.Hashes[1:]}, "at the end": {Index: 1 << 62, Hashes: good.Proof.Hashes}} {
		u := good
		u.Proof = p
		if k.descends(headOf(t, k, u), p) {
			t.Errorf("proof %s is taken", name)
		}
	}
	must(t, k.Apply(good))
}

func headOf(t testing.TB, k *Keyring, u grantlist.Update) *signedlist.List {
	t.Helper()
	l, err := k.open(u.Manifest, k.Keys.Issuers())
	must(t, err)
	return l
}

// TestThiefsNumber: nobody can use up the numbers, and what was used up before is
// below the root's next epoch.
func TestThiefsNumber(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	g.set(1, 1)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	thief := g.copy()
	thief.set(66, 66)
	for _, number := range []uint64{1<<64 - 1, 1 + signedlist.MaxStep + 1} {
		thief.version = number - 1
		thief.issue(t, wire.LogFormat)
		if err := thief.give(t, k); !errors.Is(err, ErrRefused) || !errors.Is(err, ErrTooFar) {
			t.Fatalf("number %d: %v", number, err)
		}
		if r := k.Status().Refusal; r == nil || r.Version != number || !errors.Is(r.Why, ErrTooFar) {
			t.Fatalf("refusal %+v", r)
		}
	}
	thief = g.copy()
	thief.set(66, 66)
	thief.version = signedlist.MaxStep
	thief.issue(t, wire.LogFormat)
	must(t, thief.give(t, k)) // he has the key, and goes on from its list
	want(t, k, credential(66), wire.ReasonGranted)

	_, envelope := trustOfEpoch(t, 2, 4, 2)
	must(t, k.Authority.SetTrust(envelope))
	g.epoch, g.key = 2, 4
	g.set(1, 1, revoke)
	g.issue(t, wire.LogFormat)
	g.newest.Second = nil
	must(t, g.give(t, k))
	for range 2 {
		want(t, k, credential(66), wire.ReasonUnknown)
		want(t, k, credential(1), wire.ReasonRevoked)
		if s := k.Status(); s.Version != 2 || s.Epoch != 2 {
			t.Fatalf("status %+v", s)
		}
		if err := thief.give(t, k); err == nil {
			t.Fatal("the thief's list is back")
		}
		k = restarted(t, k)
	}
}

// trustOfEpoch names one issuer, in an epoch of the role.
func trustOfEpoch(t testing.TB, version uint64, issuer byte, epoch uint64) (wire.Trust, []byte) {
	doc, _ := trust(t, version, issuer)
	doc.Keys[0].Epoch = epoch
	return doc, signed(t, wire.TypeTrust, wire.RoleRoot, "city", encoded(t, doc), rootSeed)
}

// TestTermOver: a list that drops a grant whose term has been over for 30 days, by
// the time that is surely past, ends nobody for good; one that drops another does.
func TestTermOver(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	for i, end := range []time.Duration{-31 * day, -29 * day, 5 * day} {
		g.set(byte(i)+1, i+1, until(issuedAt.Add(end)), func(r *wire.Grant) { r.From = 1 })
	}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	rows := g.rows
	g.rows = make(map[wire.ID]wire.Grant)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	if s := k.Status(); s.Over.Grants != 2 {
		t.Fatalf("%d over, want 2", s.Over.Grants)
	}
	for id, r := range rows {
		r.Until = 0
		rows[id] = r
	}
	g.rows = rows
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	want(t, k, credential(1), wire.ReasonGranted) // let again
	want(t, k, credential(2), wire.ReasonRevoked)
	want(t, k, credential(3), wire.ReasonRevoked)
	if s := k.Status(); len(s.Over.Masked) != 2 {
		t.Fatalf("masked %+v", s.Over.Masked)
	}
}

// TestFormats: a gateway whose format 2 is off refuses what it can't judge, and
// goes on by what it can; the next list in format 1 is taken. A gateway that reads
// both goes from one to the other by the hash of the one before or by a proof.
func TestFormats(t *testing.T) {
	k, dir := enrolled(t)
	g := newLog()
	g.set(1, 1)
	g.issue(t, wire.ListFormat)
	must(t, g.give(t, k))
	must(t, k.Close())
	old := openWith(t, dir, func(o *Options) { o.Formats = 1 })
	g.set(2, 2)
	two := g.copy()
	two.issue(t, wire.LogFormat)
	if err := two.give(t, old); !errors.Is(err, ErrRefused) || !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("format 2: %v", err)
	}
	want(t, old, credential(1), wire.ReasonGranted)
	want(t, old, credential(2), wire.ReasonUnknown)
	g.issue(t, wire.ListFormat)
	g.issue(t, wire.ListFormat) // one was missed
	must(t, g.give(t, old))
	want(t, old, credential(2), wire.ReasonGranted)
	must(t, old.Close())

	k = openEnrolled(t, dir)
	g.set(3, 3)
	g.issue(t, wire.LogFormat)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k)) // a proof of a list of format 1
	want(t, k, credential(3), wire.ReasonGranted)
	g.set(4, 4)
	g.issue(t, wire.ListFormat)
	must(t, g.give(t, k)) // the one after
	want(t, k, credential(4), wire.ReasonGranted)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	g.set(4, 4, revoke)
	g.set(5, 5)
	g.issue(t, wire.ListFormat)
	g.issue(t, wire.ListFormat)
	if err := g.give(t, k); !errors.Is(err, ErrUnproved) { // format 1 after a gap proves nothing
		t.Fatal(err)
	}
	want(t, k, credential(4), wire.ReasonRevoked)
	want(t, k, credential(5), wire.ReasonUnknown)
}

// TestUnprovedWithinTheLimit: a list that proves nothing takes no more than one
// issuer may, and says why it waits.
func TestUnprovedWithinTheLimit(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	for i := byte(1); i <= 20; i++ {
		g.set(i, int(i), atDoors(1))
	}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	other := newLog()
	for i := byte(1); i <= 4; i++ {
		other.set(i, int(i), []func(*wire.Grant){revoke, inState(wire.GrantSuspended), until(issuedAt.Add(time.Second)), atDoors(2)}[i-1])
	}
	other.version = 1
	u := other.issue(t, wire.LogFormat)
	u.Second = nil
	if err := k.Apply(u); !errors.Is(err, ErrSecondNeeded) {
		t.Fatal(err)
	}
	for i := 1; i <= 4; i++ {
		want(t, k, credential(i), wire.ReasonGranted)
	}
	if r := k.Status().Refusal; r == nil || !errors.Is(r.Why, ErrSecondNeeded) {
		t.Fatalf("refusal %+v", r)
	}
	if err := k.Apply(other.newest); !errors.Is(err, ErrUnproved) { // two have signed
		t.Fatal(err)
	}
	for range 2 {
		for i, why := range map[int]wire.Reason{1: wire.ReasonRevoked, 2: wire.ReasonSuspended, 3: wire.ReasonExpired, 4: wire.ReasonWrongDoor, 5: wire.ReasonGranted} {
			want(t, k, credential(i), why)
		}
		k = restarted(t, k)
	}
}

// TestLaterThanRestraint: a card that was found again at the building after a list
// suspended it opens, and a disputed notice ends nobody; a record that the list has
// seen is not later, and what it revoked stays so.
func TestLaterThanRestraint(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	for i := byte(1); i <= 4; i++ {
		g.set(i, int(i))
	}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	must(t, k.Records.Add(local(t, k, "gate-a", 5, 1, 1, change(wire.OpResume, 1, 20, 1))))
	must(t, k.Records.Add(local(t, k, "gate-a", 5, 2, 2, change(wire.OpResume, 2, 20, 2))))

	other := newLog()
	other.version = 1
	other.set(1, 1, inState(wire.GrantSuspended))
	other.set(2, 2, revoke)
	other.set(3, 3, inState(wire.GrantSuspended))
	other.set(4, 4, until(issuedAt))
	u := other.withSeen(t, seenBy("gate-a", 2))
	if err := k.Apply(u); !errors.Is(err, ErrUnproved) {
		t.Fatal(err)
	}
	want(t, k, credential(1), wire.ReasonSuspended)
	want(t, k, credential(3), wire.ReasonSuspended)
	want(t, k, credential(4), wire.ReasonExpired)
	must(t, k.Records.Add(local(t, k, "gate-a", 5, 3, 3, change(wire.OpResume, 2, 30, 2))))
	must(t, k.Records.Add(local(t, k, "gate-a", 5, 4, 4, change(wire.OpResume, 3, 30, 3))))
	must(t, k.Records.Add(local(t, k, "gate-a", 5, 5, 5, change(wire.OpDispute, 4, 30))))
	for range 2 {
		want(t, k, credential(1), wire.ReasonSuspended)
		want(t, k, credential(2), wire.ReasonRevoked)
		want(t, k, credential(3), wire.ReasonGranted)
		want(t, k, credential(4), wire.ReasonGranted)
		k = restarted(t, k)
	}
}

// withSeen signs the next list, made with some records.
func (g *listLog) withSeen(t testing.TB, seen []wire.Seen) grantlist.Update {
	t.Helper()
	rows := slices.SortedFunc(maps.Values(g.rows), func(a, b wire.Grant) int { return a.Compare(&b) })
	u := listOf(t, g.version+1, issuedAt, seen, 1, rows...)
	payload, err := wire.PayloadOf(u.Manifest)
	must(t, err)
	m, err := wire.DecodeManifest(payload)
	must(t, err)
	m.Format, m.Previous, m.Earlier, m.Log = wire.LogFormat, wire.Hash{7}, 3, wire.Hash{8}
	payload, err = m.Encode()
	must(t, err)
	u.Manifest, err = wire.Sign(wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: 1, Address: building}, payload, issuerKey(1))
	must(t, err)
	hash := sha256.Sum256(payload)
	u.Second = signed(t, wire.TypeSecond, wire.RoleIssuer, building, hash[:], 2)
	return u
}

// TestInherit: a new gateway that has its sibling's list and what is over lets
// nobody in whom a registry from yesterday gives back; what the sibling says of
// grants that its own list lets open is not believed, and a list that no issuer
// signed brings nothing.
func TestInherit(t *testing.T) {
	old, _ := enrolled(t)
	g := newLog()
	g.set(1, 1)
	g.set(2, 2)
	g.set(3, 3)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, old))
	yesterday := g.copy()
	g.set(1, 1, revoke)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, old))
	delete(g.rows, wire.ID{1})
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, old))
	h, err := old.Holding()
	must(t, err)
	if len(h.Over) != 1 || len(h.Second) == 0 || len(h.House) == 0 {
		t.Fatalf("held: %d over, %d bytes of a second signature, %d of the house", len(h.Over), len(h.Second), len(h.House))
	}
	old = restarted(t, old)
	if again, err := old.Holding(); err != nil || !slices.Equal(again.Second, h.Second) || !slices.Equal(again.Over, h.Over) {
		t.Fatalf("after a restart other things are held: %v", err)
	}

	k, _ := enrolled(t)
	bad := h
	bad.Manifest = append(slices.Clone(h.Manifest[:len(h.Manifest)-1]), 0)
	if err := k.Inherit(bad); !errors.Is(err, ErrRefused) || k.Status().Over.Grants > 0 {
		t.Fatalf("a list that nobody signed: %v", err)
	}
	h.Over = append(h.Over, wire.ID{2})
	must(t, k.Inherit(h))
	yesterday.version = 3
	yesterday.issue(t, wire.LogFormat)
	if err := yesterday.give(t, k); !errors.Is(err, ErrUnproved) {
		t.Fatal(err)
	}
	for range 2 {
		want(t, k, credential(1), wire.ReasonUnknown)
		want(t, k, credential(2), wire.ReasonGranted)
		if s := k.Status(); s.Over.Grants != 1 || s.Version != 3 {
			t.Fatalf("status %+v", s)
		}
		k = restarted(t, k)
	}
	other, err := old.Holding()
	must(t, err)
	other.Over = []wire.ID{{77}}
	must(t, k.Inherit(other)) // it has a list
	if k.Status().Over.Grants != 1 {
		t.Fatal("a gateway with a list has taken what a sibling says")
	}
}

// TestNewerFormat: a list of a format that this program does not read is refused, and
// status tells its number, until one that it reads is active.
func TestNewerFormat(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	g.set(1, 1)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	// Another format has the first two fields, and whatever else it likes.
	later, err := cbor.Marshal(map[int]any{1: 3, 2: 9, 40: "new"})
	must(t, err)
	for name, manifest := range map[string][]byte{"to come": signed(t, wire.TypeGrantList, wire.RoleIssuer, building, later, 1),
		"switched off": g.copy().issue(t, wire.LogFormat).Manifest} {
		want := uint64(9)
		if name == "switched off" {
			k.opts.Formats, want = wire.ListFormat, 2
		}
		_, missing := k.Missing(manifest, grantlist.Proof{})
		for what, err := range map[string]error{"missing": missing, "apply": k.Apply(grantlist.Update{Manifest: manifest})} {
			if !errors.Is(err, ErrRefused) || !errors.Is(err, signedlist.ErrNewerFormat) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		if r := k.Status().Refusal; r == nil || r.Version != want || !errors.Is(r.Why, signedlist.ErrNewerFormat) {
			t.Errorf("%s: refusal %+v", name, r)
		}
		k.opts.Formats = wire.LogFormat
	}
	garbage := signed(t, wire.TypeGrantList, wire.RoleIssuer, building, []byte{0x61}, 1)
	if err := k.Apply(grantlist.Update{Manifest: garbage}); errors.Is(err, signedlist.ErrNewerFormat) {
		t.Error("what is no manifest is one of another format")
	}
	g.set(2, 2)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	if r := k.Status().Refusal; r != nil {
		t.Errorf("after a list that it reads: %+v", r)
	}
}
