package desk

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// registry makes the lists of a building from the records that it is given, as
// a registry does.
type registry struct {
	o         *office
	base      wire.Manifest
	hash      wire.Hash
	grants    []wire.Grant
	seen      []wire.Seen
	second    bool            // lists are of format 2, with registers
	registers []wire.Register // in order
}

// take puts all pending check-ins of the office into the next list.
func (r *registry) take() {
	r.o.t.Helper()
	for _, l := range r.o.keyring.Records.All() {
		for _, id := range l.Change.Credentials {
			r.grants = append(r.grants, wire.Grant{Credential: id, ID: l.Change.Grant, Tenancy: l.Change.Tenancy, Kind: l.Change.Kind,
				State: wire.GrantActive, From: l.Change.From, Until: l.Change.Until})
		}
		r.seen = []wire.Seen{{Gateway: l.Gateway, Line: l.Record.Line, Number: l.Record.Number}}
	}
}

// issue signs the list as it is and hands it to the office.
func (r *registry) issue() {
	r.o.t.Helper()
	d := grantlist.NewDraft("lane-7", r.base, r.hash)
	d.Seen = r.seen
	set, err := d.DoorSet([]string{"front", "yard"})
	must(r.o.t, err)
	for i := range r.grants {
		r.grants[i].DoorSet = set
	}
	slices.SortFunc(r.grants, func(a, b wire.Grant) int { return a.Compare(&b) })
	l, m, err := d.Sign(r.grants, time.Unix(r.o.clock.Now, 0), r.o.town.issuer, 0)
	must(r.o.t, err)
	if r.second {
		m.Format, m.Registers = wire.LogFormat, r.registers
	}
	b, err := m.Encode()
	must(r.o.t, err)
	if r.second {
		l.Manifest, err = wire.Sign(wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: "lane-7"}, b, r.o.town.issuer)
		must(r.o.t, err)
	}
	must(r.o.t, r.o.keyring.Apply(grantlist.Update{Manifest: l.Manifest, Buckets: l.Buckets}))
	r.base, r.hash = m, sha256.Sum256(b)
}

// TestSettled: what a list settles stays a tenancy; what the list names no more
// is over, and forgotten after 30 days, but not before the time is sure.
func TestSettled(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	r := &registry{o: o}
	if v, _ := o.Find("3B"); v.Unstored != 1 {
		t.Errorf("before the list: %+v", v)
	}
	r.take()
	r.issue()
	o.upkeep(t.Context())
	v, err := o.Find("3B")
	if err != nil || v.Unstored != 0 || v.State != tenancy.Active {
		t.Fatalf("after the list: %+v %v", v, err)
	}
	o.restart()
	pending := o.Pending()
	if len(pending) != 1 || len(pending[0].Person) == 0 {
		t.Fatalf("a sibling may have brought the record: the person must still be delivered: %+v", pending)
	}
	o.Stored(pending[0].Record.Line, pending[0].Record.Number)
	if len(o.Pending()) != 0 {
		t.Fatal("delivered, and still here")
	}
	o.noPerson()
	o.restart()
	o.wants("front", em(1), wire.ReasonGranted)
	if line, n := o.Head(); line == 0 || n != 1 {
		t.Errorf("numbering %d of %d after the list", n, line)
	}
	for i := range r.grants {
		r.grants[i].State = wire.GrantRevoked
	}
	r.issue()
	if v, _ := o.Find(v.ID.String()); v.State != tenancy.Ended {
		t.Errorf("revoked by the registry: %+v", v)
	}
	r.grants = nil
	r.issue()
	o.upkeep(t.Context())
	if v, err := o.Find(v.ID.String()); err != nil || v.State != tenancy.Ended || v.Ended != noon {
		t.Errorf("off the list: %+v %v", v, err)
	}
	o.clock.Trusted = false
	o.clock.Now += 40 * tenancy.DaySeconds
	o.upkeep(t.Context())
	if len(o.Tenancies()) != 1 {
		t.Error("forgotten by an unsure clock")
	}
	o.clock.Trusted = true
	o.upkeep(t.Context())
	if all := o.Tenancies(); len(all) != 0 {
		t.Errorf("not forgotten after 40 days: %+v", all)
	}
	o.restart()
	if all := o.Tenancies(); len(all) != 0 {
		t.Errorf("back after a restart: %+v", all)
	}
}

// TestOverBeforeTheTimeIsSure: a tenancy that ended while next to nothing was sure
// about the time is not forgotten as soon as it is.
func TestOverBeforeTheTimeIsSure(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	r := &registry{o: o}
	r.take()
	r.issue()
	r.grants = nil
	r.issue()
	o.apart, o.clock.Sure, o.clock.Latest = true, 64_800, noon
	o.upkeep(t.Context())
	o.apart = false
	o.clock.Now = noon + tenancy.DaySeconds
	o.upkeep(t.Context())
	if v, err := o.Find(done.Tenancy.ID.String()); err != nil || v.State != tenancy.Ended || v.Ended != noon {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestUpheld: what the registry decides on a disputed notice comes with the
// list: then the tenant is told of it at the doors, and nobody at the desk can
// set it aside. A rejected one stays disputed until the landlord takes it back.
func TestUpheld(t *testing.T) {
	for name, term := range map[string]uint32{"no term": 0, "a term": noon + 90*tenancy.DaySeconds} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, newTown(t), "gw1")
			done, err := o.arrive(em(1), func(a *tenancy.Arrival) { a.Until = term })
			must(t, err)
			id, r := done.Tenancy.ID, &registry{o: o}
			r.take()
			r.issue()
			_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3B", Proof: "landlord", Cause: "lease_over"}, nil, nil)
			must(t, err)
			_, err = o.ask(Request{Action: tenancy.Dispute, Tenancy: "3B", Proof: "card"}, cards(em(1)), nil)
			must(t, err)
			r.seen[0].Number = 3
			for range 2 { // the registry has heard of both, and has not decided or has rejected it
				if v, _ := o.Find("3B"); v.State != tenancy.Disputed || o.OnNotice(id) {
					t.Errorf("not decided: %+v", v)
				}
				r.issue()
				o.upkeep(t.Context())
			}
			end := uint32(noon + 30*tenancy.DaySeconds)
			for i := range r.grants {
				r.grants[i].Until = end
			}
			r.issue()
			o.upkeep(t.Context())
			for range 2 {
				if v, _ := o.Find("3B"); v.State != tenancy.OnNotice || v.Notice != end || v.Term.Until != term || !o.OnNotice(id) {
					t.Errorf("upheld: %+v, told at the doors: %v", v, o.OnNotice(id))
				}
				o.restart()
			}
			_, err = o.ask(Request{Action: tenancy.Dispute, Tenancy: "3B", Proof: "pin", PIN: "4711"}, nil, nil)
			refused(t, err, "only the registry can change it")
			_, err = o.ask(Request{Action: tenancy.Withdraw, Tenancy: "3B", Proof: "landlord"}, nil, nil)
			refused(t, err, "only the registry can change it")
			_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3B", Proof: "landlord", Cause: "agreed"}, nil, nil)
			refused(t, err, "runs already")
			o.wants("front", em(1), wire.ReasonGranted)
			o.clock.Now = int64(end)
			o.wants("front", em(1), wire.ReasonExpired)
			if v, _ := o.Find(id.String()); v.State != tenancy.Ended {
				t.Errorf("over: %+v", v)
			}
		})
	}
}

// TestHeldOpenByDoubt: a term that is over by some clock, and not surely, goes on,
// and shows; when it surely is, it has ended, and no date alone makes it forgotten:
// with the right time back it is there again.
func TestHeldOpenByDoubt(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1), func(a *tenancy.Arrival) { a.Until = noon + 10*tenancy.DaySeconds })
	must(t, err)
	for name, c := range map[string]struct {
		sure, latest int64 // days
		state        string
		doubtful     bool
	}{"sure": {1, 1, tenancy.Active, false}, "one clock is past it": {1, 20, tenancy.Active, true},
		"nobody can tell": {1, 1 << 30, tenancy.Active, true}, "over": {11, 11, tenancy.Ended, false}} {
		o.clock = tenancy.Time{Now: noon + tenancy.DaySeconds, Sure: noon + c.sure*tenancy.DaySeconds, Latest: noon + c.latest*tenancy.DaySeconds}
		if v, err := o.Find(o.Tenancies()[0].ID.String()); err != nil || v.State != c.state || v.Doubtful != c.doubtful {
			t.Errorf("%s: %+v %v", name, v, err)
		}
	}
	r := &registry{o: o}
	r.take()
	r.issue()
	o.clock = tenancy.Time{Now: noon + 500*tenancy.DaySeconds, Trusted: true}
	o.upkeep(t.Context())
	o.clock = tenancy.Time{Now: noon + tenancy.DaySeconds, Trusted: true}
	o.upkeep(t.Context())
	if all := o.Tenancies(); len(all) != 1 || all[0].State != tenancy.Active || !all[0].HasPIN {
		t.Errorf("after a year and a half by a clock that was wrong: %+v", all)
	}
}

// TestFromNow: a first day that has come is stored as from now on, so that a clock
// that is wrong later keeps nobody out; a later one stays.
func TestFromNow(t *testing.T) {
	for from, want := range map[uint32]uint32{noon - 3600: 0, noon: 0, noon + 86400: noon + 86400} {
		o := newOffice(t, newTown(t), "gw1")
		_, err := o.arrive(em(1), func(a *tenancy.Arrival) { a.From = from })
		must(t, err)
		if got := o.keyring.Records.All()[0].Change.From; got != want {
			t.Errorf("from %d: stored %d, want %d", from, got, want)
		}
	}
}
