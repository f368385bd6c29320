package simulate

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
)

// house plays what a test says in a building of three gateways, the last of which
// runs the version before.
func house(t *testing.T, play func(r *run)) {
	repeatKeys(t, 1)
	dir, err := os.MkdirTemp(Directory(), "gatehouse-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		r := newRun(plan.Plan{Seed: 1, Gateways: 3}, dir)
		defer r.end()
		if err := r.start(); err != nil {
			t.Fatal(err)
		}
		r.events["old version"]([4]int{2})
		wait(5 * time.Minute)
		play(r)
		for _, b := range r.w.Report.Breaches {
			t.Error(b)
		}
	})
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// shown is a tenancy as a desk shows it.
func shown(t *testing.T, b *testbed.Gateway, id string) control.Tenancy {
	t.Helper()
	v, err := b.Client.Tenancy(b.Bed.Ctx, id)
	if err != nil {
		t.Fatal(b.Name, err)
	}
	return v
}

// TestConfirmCard: a card that the landlord has added opens everywhere and proves
// nowhere, until the registry confirms it; then it is the tenant's word at every desk
// that reads format 2, and no more than before at one that does not.
func TestConfirmCard(t *testing.T) {
	house(t, func(r *run) {
		tenant := r.desk.CheckIn(r.w.Bed.Gateways[0], testbed.Flats[0], r.w.Model.NewCard(), time.Time{})
		wait(10 * time.Minute)
		c := r.w.Model.NewCard()
		if err := r.desk.Change(r.w.Bed.Gateways[0], tenant, control.Change{Action: "add", Proof: "landlord"}, nil, c); err != nil {
			t.Fatal(err)
		}
		wait(10 * time.Minute)
		proves := func(b *testbed.Gateway) bool {
			return r.desk.Change(b, tenant, control.Change{Action: "pin", Proof: "card", NewPIN: "2580"}, c, nil) == nil
		}
		for _, b := range r.w.Bed.Gateways {
			if !b.Swipe(c.Number) {
				t.Errorf("it does not open at %s: %s", b.Name, b.LastReason())
			}
			if proves(b) || shown(t, b, tenant.ID).Cards[1].Proves {
				t.Errorf("it proves at %s", b.Name)
			}
		}
		grants, err := r.w.Bed.Registry.Op.Grants(r.w.Bed.Ctx, testbed.Building, tenant.ID)
		if err != nil || len(grants) != 1 {
			t.Fatal(grants, err)
		}
		act := operator.Act{Act: operator.ActConfirm, Grant: grants[0].ID, Reason: "heard"}
		for _, card := range grants[0].Cards {
			if card.Unproven {
				act.Credential = card.Credential
			}
		}
		if _, err := r.w.Bed.Registry.Op.Do(r.w.Bed.Ctx, act); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		for n, b := range r.w.Bed.Gateways {
			want := n < 2
			if got := proves(b); got != want || shown(t, b, tenant.ID).Cards[1].Proves != want {
				t.Errorf("it proves at %s: %v, want %v", b.Name, got, want)
			}
		}
		if _, err := r.w.Bed.Registry.Op.Do(r.w.Bed.Ctx, act); err != nil { // a desk may have missed the first
			t.Error("confirmed again:", err)
		}
	})
}

// TestSuspendedAtTheRegistry: what the registry has suspended no desk brings back by the
// card, which may be a thief's, or by a PIN. Its refusal says what does, and that works.
func TestSuspendedAtTheRegistry(t *testing.T) {
	house(t, func(r *run) {
		b := r.w.Bed.Gateways[0]
		tenant := r.desk.CheckIn(b, testbed.Flats[0], r.w.Model.NewCard(), time.Time{})
		wait(10 * time.Minute)
		c := tenant.Cards[0]
		if _, err := r.w.Bed.Registry.Op.Do(r.w.Bed.Ctx, operator.Act{Act: operator.ActSuspend, Tenancy: tenant.ID, Reason: "stolen"}); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		var no *control.Error
		err := r.desk.Change(b, tenant, control.Change{Action: "resume", Proof: "card"}, c, nil)
		hint := "registryd resume --tenancy " + tenant.ID + " --reason found"
		if !errors.As(err, &no) || !strings.Contains(no.Hint, hint) || b.Swipe(c.Number) {
			t.Fatalf("whoever has the card gets: %v, opens now: %v", err, b.Swipe(c.Number))
		}
		if _, err := r.w.Bed.Registry.Op.Do(r.w.Bed.Ctx, operator.Act{Act: operator.ActResume, Tenancy: tenant.ID, Reason: "found"}); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		if !b.Swipe(c.Number) {
			t.Errorf("what the refusal says does not help: %s", b.LastReason())
		}
	})
}

// TestDecisionInWords: what the registry decides on a disputed notice reads alike at
// the registry and at each desk that reads format 2; and the tenant of an upheld one is
// told at the doors.
func TestDecisionInWords(t *testing.T) {
	house(t, func(r *run) {
		desk := r.w.Bed.Gateways[0]
		tenant := r.desk.CheckIn(desk, testbed.Flats[0], r.w.Model.NewCard(), time.Time{})
		notice := func() {
			t.Helper()
			for _, change := range []control.Change{{Action: "checkout", Proof: "landlord", Cause: "lease_over"}, {Action: "dispute", Proof: "pin", PIN: tenant.PIN}} {
				if err := r.desk.Change(desk, tenant, change, nil, nil); err != nil {
					t.Fatal(err)
				}
				wait(10 * time.Minute)
			}
		}
		see := func(state, decided string) {
			t.Helper()
			all, err := r.w.Bed.Registry.Op.Tenancies(r.w.Bed.Ctx, testbed.Building)
			if err != nil || len(all) != 1 || all[0].State != state || all[0].Decided != decided {
				t.Errorf("the registry: %+v, %v", all, err)
			}
			for _, b := range r.w.Bed.Gateways[:2] {
				if v := shown(t, b, tenant.ID); v.State != state || v.Decided != decided {
					t.Errorf("%s: %s %q, want %s %q", b.Name, v.State, v.Decided, state, decided)
				}
			}
		}
		wait(10 * time.Minute)
		notice()
		see("disputed", "")
		settle := operator.Act{Act: operator.ActReject, Tenancy: tenant.ID, Reason: "heard"}
		if _, err := r.w.Bed.Registry.Op.Do(r.w.Bed.Ctx, settle); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		see("active", "rejected")
		notice()
		see("disputed", "")
		settle.Act, settle.Until = operator.ActUphold, time.Now().Add(4*plan.Day)
		if _, err := r.w.Bed.Registry.Op.Do(r.w.Bed.Ctx, settle); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		see("notice", "upheld")
		wait(4*plan.Day + time.Hour)
		see("ended", "upheld")
	})
}

// TestNoticeCountedOn: a gateway that was off for a part of a notice's days says, when its date has
// come, that they still count, and its door opens; once it has said its next hello, the tenancy is
// over there, too. Who can't wait for that ends it by registryd end.
func TestNoticeCountedOn(t *testing.T) {
	for name, ends := range map[string]bool{"waits": false, "ends": true} {
		t.Run(name, func(t *testing.T) {
			house(t, func(r *run) {
				first, second := r.w.Bed.Gateways[0], r.w.Bed.Gateways[1]
				tenant := r.desk.CheckIn(first, testbed.Flats[0], r.w.Model.NewCard(), time.Time{})
				wait(10 * time.Minute)
				if err := r.desk.Change(first, tenant, control.Change{Action: "checkout", Proof: "landlord", Cause: "lease_over"}, nil, nil); err != nil {
					t.Fatal(err)
				}
				wait(10 * time.Minute)
				second.Stop()
				wait(9 * time.Hour)
				if err := second.Start(); err != nil {
					t.Fatal(err)
				}
				wait(5 * time.Minute)
				wait(time.Until(*shown(t, second, tenant.ID).Notice) + time.Minute)
				see := func(b *testbed.Gateway, state string, counting bool) {
					t.Helper()
					v, opens := shown(t, b, tenant.ID), b.Swipe(tenant.Cards[0].Number)
					if v.State != state || v.Counting != counting || opens != counting {
						t.Errorf("%s: %s, counting %v, opens %v", b.Name, v.State, v.Counting, opens)
					}
				}
				see(first, "ended", false)
				see(second, "notice", true)
				soon := 4*time.Hour + 2*time.Minute
				if ends {
					soon = 2 * time.Minute
					if !r.op.Revoke(tenant) {
						t.Error("registryd end refuses")
					}
				}
				wait(soon)
				see(second, "ended", false)
			})
		})
	}
}
