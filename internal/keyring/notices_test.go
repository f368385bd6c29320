package keyring

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// machine is the own clock of a gateway, and what is sure to it.
type machine struct {
	own  time.Duration
	sure int64
}

// on gives an open keyring the clocks of a machine.
func (m *machine) on(k *Keyring) *Keyring {
	k.opts.Elapsed, k.opts.Sure = func() time.Duration { return m.own }, func() int64 { return m.sure }
	k.active.mu.Lock()
	defer k.active.mu.Unlock()
	k.active.refresh()
	return k
}

// tend does what Run does each minute.
func tend(k *Keyring) {
	k.active.mu.Lock()
	defer k.active.mu.Unlock()
	if k.active.age() {
		k.active.refresh()
	}
}

// TestNoticeRunsItsDays: a notice whose date a wrong clock has put into the past
// ends nobody before its days have passed on the machine's own clock, over a
// restart, over a new number, and with the image of a day before put back; at a
// sibling neither, since it heard of it.
func TestNoticeRunsItsDays(t *testing.T) {
	for _, by := range []string{"gate-a", "gate-b"} {
		k, _ := enrolled(t)
		m := &machine{own: 100 * day}
		m.on(k)
		apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1)))
		past := change(wire.OpNotice, 1, 20)
		past.Until = uint32(issuedAt.Add(-time.Hour).Unix())
		must(t, k.Records.Add(local(t, k, by, 5, 1, 9, past)))
		for range 2*24 + 23 {
			m.own += time.Hour
			tend(k)
			want(t, k, credential(1), wire.ReasonGranted)
		}
		k = m.on(restarted(t, k))
		want(t, k, credential(1), wire.ReasonGranted)
		listed := row(1, 1)
		listed.Until = past.Until
		apply(t, k, listOf(t, 2, issuedAt, seenBy(by, 1), 1, listed)) // the registry took the date as it stands
		want(t, k, credential(1), wire.ReasonGranted)
		if n := k.Status().Records.Overdue; len(n) != 0 {
			t.Errorf("a list has it, and it is overdue: %v", n)
		}
		must(t, k.Records.Add(local(t, k, by, 6, 1, 9, past))) // numbered anew it is no younger
		m.own -= day                                           // the machine's clock as an older image has it
		k = m.on(restarted(t, k))
		want(t, k, credential(1), wire.ReasonGranted)
		m.own += day + time.Hour
		tend(k)
		want(t, k, credential(1), wire.ReasonExpired)
	}
}

// TestNoticeEndsByTheRegistry: the registry has moved a notice's end to so many days
// after it heard of it. That end comes when a witness says so, though the machine was
// off for most of them; and not by any clock of the house, which the landlord holds.
func TestNoticeEndsByTheRegistry(t *testing.T) {
	k, _ := enrolled(t)
	m := &machine{own: 100 * day}
	m.on(k)
	g := newLog()
	g.set(1, 1)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	past, end := change(wire.OpNotice, 1, 20), issuedAt.Add(3*day)
	past.Until = uint32(issuedAt.Add(-365 * day).Unix())
	must(t, k.Records.Add(local(t, k, "gate-a", 5, 1, 9, past)))
	g.set(1, 1, until(end))
	g.seen = seenBy("gate-a", 1)
	g.registers = []wire.Register{{Grant: past.Grant, Op: wire.OpNotice, Proof: wire.ProofLandlord, At: past.At, Tenancy: past.Tenancy, Until: uint32(end.Unix()), Cause: past.Cause}}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	if registers, said := k.Registers(); len(registers) != 1 || !said {
		t.Fatalf("the list says %v, %v", registers, said)
	}
	m.own += day
	tend(k)
	ahead := access.Decide(k.Grants(), &access.Query{Credential: credential(1), Door: "front", Time: access.At(end.Add(365 * day).Unix())})
	if ahead.Reason != wire.ReasonGranted {
		t.Errorf("by a clock of the house: %v", ahead.Reason)
	}
	k.Time.RaiseFloor(end.Unix()-1, 0)
	tend(k)
	want(t, k, credential(1), wire.ReasonGranted)
	k.Time.RaiseFloor(end.Unix(), 0)
	tend(k)
	want(t, k, credential(1), wire.ReasonExpired)
	if n := len(k.Records.All()); n != 0 {
		t.Errorf("%d records are not settled", n)
	}
}

// TestListedNoticeRunsItsDays: a notice of which only the list tells, since its record
// did not come or is gone with an older image, has its days here since the list came,
// over restarts and lists, whatever the clocks of the house say; a witness who says
// that it is over ends them, and so does the list that takes it back.
func TestListedNoticeRunsItsDays(t *testing.T) {
	k, _ := enrolled(t)
	m := &machine{own: 100 * day}
	m.on(k)
	g, end := newLog(), issuedAt.Add(3*day)
	g.set(1, 1, until(end))
	g.set(2, 2, until(end)) // a term
	of := row(1, 1)
	g.registers = []wire.Register{{Grant: of.ID, Op: wire.OpNotice, Proof: wire.ProofLandlord, At: 20, Tenancy: of.Tenancy, Until: uint32(end.Unix()), Cause: wire.CauseLeaseOver}}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	ahead := func(card int) wire.Reason {
		return access.Decide(k.Grants(), &access.Query{Credential: credential(card), Door: "front", Time: access.At(end.Add(365 * day).Unix())}).Reason
	}
	for n := range 3 * 24 {
		tend(k)
		if got := ahead(1); got != wire.ReasonGranted || ahead(2) != wire.ReasonExpired {
			t.Fatalf("after %d h: %v, and a term %v", n, got, ahead(2))
		}
		if n%20 == 0 {
			k = m.on(restarted(t, k))
			g.set(3, 3, inState(wire.GrantSuspended))
			g.issue(t, wire.LogFormat)
			must(t, g.give(t, k))
		}
		m.own += time.Hour
	}
	if n := len(k.Records.All()); n != 0 {
		t.Errorf("%d records from nowhere", n)
	}
	tend(k)
	if got := ahead(1); got != wire.ReasonExpired {
		t.Errorf("after its days: %v", got)
	}
	k = m.on(restarted(t, k))
	if got := ahead(1); got != wire.ReasonExpired {
		t.Errorf("after its days and a restart: %v", got)
	}
	again := g.registers[0]
	again.At, again.Until = 30, uint32(end.Add(day).Unix())
	g.registers = []wire.Register{again}
	g.set(1, 1, until(end.Add(day)))
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	if got := ahead(1); got != wire.ReasonGranted {
		t.Errorf("another one: %v", got)
	}
	k.Time.RaiseFloor(end.Add(day).Unix(), 0)
	tend(k)
	want(t, k, credential(1), wire.ReasonExpired)
}

// TestNoticeIsNoLoss: a list that says what notices of the building said needs no
// second signature, though their days have not passed here.
func TestNoticeIsNoLoss(t *testing.T) {
	k, _ := enrolled(t)
	m := &machine{own: 100 * day, sure: issuedAt.Unix()}
	m.on(k)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(9, 0, nil)...))
	end := uint32(issuedAt.Add(3 * day).Unix())
	rows := tenants(9, 0, nil)
	for i := range 9 {
		c := change(wire.OpNotice, byte(i+1), 20)
		c.Grant, c.Tenancy, c.Until = rows[i].ID, rows[i].Tenancy, end
		must(t, k.Records.Add(local(t, k, "gate-a", 5, uint64(i)+1, byte(i)+1, c)))
		rows[i].Until = end
	}
	apply(t, k, listOf(t, 2, issuedAt, seenBy("gate-a", 9), 1, rows...))
}

// TestObjectionIsNoLoss: a list that names the terms of tenants who have objected to
// their notices, or whose landlord took them back, takes nothing from them, whether
// lists have named the notices before or not; the tenancy that it ends does count.
func TestObjectionIsNoLoss(t *testing.T) {
	term := issuedAt.Add(180 * day)
	for name, c := range map[string]struct {
		op     wire.Op
		listed bool // a list has named the notices
		young  bool // their days have not passed
	}{
		"disputed":                {wire.OpDispute, false, true},
		"disputed, listed":        {wire.OpDispute, true, true},
		"disputed, listed, aged":  {wire.OpDispute, true, false},
		"withdrawn":               {wire.OpWithdraw, false, true},
		"withdrawn, listed":       {wire.OpWithdraw, true, true},
		"withdrawn, listed, aged": {wire.OpWithdraw, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			k, rows := objected(t, c.op, c.listed, c.young, term)
			version := k.Status().Version
			rows[3].State = wire.GrantRevoked
			apply(t, k, listOf(t, version+1, issuedAt, seenBy("gate-a", 6), 1, rows...))
			if n := len(k.active.marks.recent(k.Time.Own())); n != 1 {
				t.Fatalf("%d tenancies have lost something", n)
			}
			early := slices.Clone(rows) // heard, and upheld before the term
			for i := range 3 {
				early[i].Until = uint32(term.Unix()) - 1
			}
			if err := k.Apply(listOf(t, version+2, issuedAt, seenBy("gate-a", 6), 1, early...)); !errors.Is(err, ErrSecondNeeded) {
				t.Fatalf("upheld: %v", err)
			}
		})
	}
}

// TestObjectedStillLose: tenants who have objected lose what a list takes from them
// otherwise, and by an end before the one that the active list names, also where the
// list says it in two steps.
func TestObjectedStillLose(t *testing.T) {
	term := issuedAt.Add(180 * day)
	end := func(at time.Time) func(*wire.Grant) { return func(g *wire.Grant) { g.Until = uint32(at.Unix()) } }
	for name, c := range map[string]struct {
		listed bool
		seen   uint64
		how    func(*wire.Grant)
	}{
		"revoked":                           {false, 6, revoke},
		"revoked, not heard":                {false, 0, revoke},
		"revoked, listed":                   {true, 6, revoke},
		"suspended, listed":                 {true, 6, inState(wire.GrantSuspended)},
		"upheld at once":                    {false, 6, end(issuedAt.Add(90 * day))},
		"upheld as the notice was":          {false, 6, end(issuedAt.Add(3 * day))},
		"ended before the notice":           {true, 6, end(issuedAt.Add(2 * day))},
		"ended before the notice, unheard":  {true, 3, end(issuedAt.Add(2 * day))},
		"ended before the notice, unheard2": {false, 0, end(issuedAt.Add(2 * day))},
	} {
		t.Run(name, func(t *testing.T) {
			k, rows := objected(t, wire.OpDispute, c.listed, true, term)
			for i := range rows[:4] {
				c.how(&rows[i])
			}
			if err := k.Apply(listOf(t, k.Status().Version+1, issuedAt, seenBy("gate-a", c.seen), 1, rows...)); !errors.Is(err, ErrSecondNeeded) {
				t.Fatal(err)
			}
		})
	}
}

// TestNoticeHeardBeforeObjection: a list that has heard of notices and not yet of the
// objections takes nothing.
func TestNoticeHeardBeforeObjection(t *testing.T) {
	k, rows := objected(t, wire.OpDispute, false, true, issuedAt.Add(180*day))
	for i := range 3 {
		rows[i].Until = uint32(issuedAt.Add(3 * day).Unix())
	}
	rows[3].State = wire.GrantRevoked
	apply(t, k, listOf(t, k.Status().Version+1, issuedAt, seenBy("gate-a", 3), 1, rows...))
	if n := len(k.active.marks.recent(k.Time.Own())); n != 1 {
		t.Fatalf("%d tenancies have lost something", n)
	}
}

// objected makes a keyring of nine tenants with a term. The first three have a notice,
// for three days on (records 1 to 3), and then an objection to it (4 to 6). It returns
// the rows by their terms.
func objected(t *testing.T, op wire.Op, listed, young bool, term time.Time) (*Keyring, []wire.Grant) {
	t.Helper()
	k, _ := enrolled(t)
	m := &machine{own: 100 * day, sure: issuedAt.Unix()}
	m.on(k)
	rows := tenants(9, 9, func(g *wire.Grant) { g.Until = uint32(term.Unix()) })
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, rows...))
	noticed := slices.Clone(rows)
	add := func(n uint64, i int, c wire.Change) {
		c.Grant, c.Tenancy = rows[i].ID, rows[i].Tenancy
		must(t, k.Records.Add(local(t, k, "gate-a", 5, n, byte(n), c)))
	}
	for i := range 3 {
		c := change(wire.OpNotice, 1, 20)
		c.Until = uint32(issuedAt.Add(3 * day).Unix())
		noticed[i].Until = c.Until
		add(uint64(i)+1, i, c)
	}
	if listed {
		apply(t, k, listOf(t, 2, issuedAt, seenBy("gate-a", 3), 1, noticed...))
	}
	if !young {
		m.own += 4 * day
		tend(k)
	}
	for i := range 3 {
		add(uint64(i)+4, i, change(op, 1, 30))
	}
	return k, rows
}

// TestThievesGainNoDays: whoever has the keys of witness and issuer can say that
// years have passed; the machine's own clock does not, so they take no more.
func TestThievesGainNoDays(t *testing.T) {
	k, _ := enrolled(t)
	m := &machine{own: 100 * day, sure: issuedAt.Unix()}
	m.on(k)
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, tenants(100, 0, nil)...))
	apply(t, k, listOf(t, 2, issuedAt, nil, 1, tenants(100, 10, revoke)...))
	for n := range uint64(30) {
		at := issuedAt.Add(time.Duration(n+1) * day)
		k.Time.RaiseFloor(at.Unix(), 0)
		if err := k.Apply(listOf(t, 3, at, nil, 1, tenants(100, 11, revoke)...)); !errors.Is(err, ErrSecondNeeded) {
			t.Fatalf("day %d of the thieves: %v", n+1, err)
		}
		m.own += time.Minute
	}
	m.own += day
	apply(t, k, listOf(t, 3, issuedAt.Add(31*day), nil, 1, tenants(100, 12, revoke)...))
}

// TestTimeTakenBack: what a false key's epoch has signed goes from the floor when
// the root says so, over a restart; what others signed stays.
func TestTimeTakenBack(t *testing.T) {
	k, dir := enrolled(t)
	k.Time.RaiseFloor(issuedAt.Unix(), 1)
	k.Time.RaiseFloor(issuedAt.Add(3650*day).Unix(), 2)
	k = restarted(t, k)
	if k.Time.Floor() != issuedAt.Add(3650*day).Unix() {
		t.Fatal("forgotten over a restart")
	}
	doc, _ := trust(t, 99, 1, 2)
	doc.False = []wire.RoleEpoch{{Role: wire.RoleWitness, Epoch: 2}}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "city", Version: wire.VersionOf(doc)},
		encoded(t, doc), issuerKey(rootSeed))
	must(t, err)
	must(t, k.Authority.SetTrust(envelope))
	for range 2 {
		if k.Time.Floor() != issuedAt.Unix() || k.Time.Witnessed() != issuedAt.Unix() {
			t.Fatalf("floor %d, witnessed %d", k.Time.Floor(), k.Time.Witnessed())
		}
		must(t, k.Close())
		k = openEnrolled(t, filepath.Clean(dir))
	}
}
