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
)

// house plays what a test says in a building of three gateways, the last of which
// runs the version before.
func house(t *testing.T, play func(w *world)) {
	repeatKeys(t, 1)
	dir, err := os.MkdirTemp(Folder(), "gatehouse-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		w, err := build(t, plan.Plan{Seed: 1, Gateways: 3}, dir)
		defer w.end()
		if err != nil {
			t.Fatal(err)
		}
		w.oldVersion([4]int{2})
		w.wait(5 * time.Minute)
		play(w)
		for _, b := range w.report.Breaches {
			t.Error(b)
		}
	})
}

func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// shown is a tenancy as a desk shows it.
func (b *box) shown(t *testing.T, id string) control.Tenancy {
	t.Helper()
	v, err := b.client.Tenancy(b.w.ctx, id)
	if err != nil {
		t.Fatal(b.name, err)
	}
	return v
}

// TestConfirmCard: a card that the landlord has added opens everywhere and proves
// nowhere, until the registry confirms it; then it is the tenant's word at every desk
// that reads format 2, and no more than before at one that does not.
func TestConfirmCard(t *testing.T) {
	house(t, func(w *world) {
		tenant := w.checkInAt(w.gateways[0], flats[0], w.model.card(), time.Time{})
		w.wait(10 * time.Minute)
		c := w.model.card()
		if err := w.change(w.gateways[0], tenant, control.Change{Action: "add", Proof: "landlord"}, nil, c); err != nil {
			t.Fatal(err)
		}
		w.wait(10 * time.Minute)
		proves := func(b *box) bool {
			return w.change(b, tenant, control.Change{Action: "pin", Proof: "card", NewPIN: "2580"}, c, nil) == nil
		}
		for _, b := range w.gateways {
			if !b.swipe(c.number) {
				t.Errorf("it does not open at %s: %s", b.name, b.lastReason())
			}
			if proves(b) || b.shown(t, tenant.id).Cards[1].Proves {
				t.Errorf("it proves at %s", b.name)
			}
		}
		grants, err := w.centre.op.Grants(w.ctx, building, tenant.id)
		if err != nil || len(grants) != 1 {
			t.Fatal(grants, err)
		}
		act := operator.Act{Act: operator.ActConfirm, Grant: grants[0].ID, Reason: "heard"}
		for _, card := range grants[0].Cards {
			if card.Unproven {
				act.Credential = card.Credential
			}
		}
		if _, err := w.centre.op.Do(w.ctx, act); err != nil {
			t.Fatal(err)
		}
		w.wait(5 * time.Minute)
		for n, b := range w.gateways {
			want := n < 2
			if got := proves(b); got != want || b.shown(t, tenant.id).Cards[1].Proves != want {
				t.Errorf("it proves at %s: %v, want %v", b.name, got, want)
			}
		}
		if _, err := w.centre.op.Do(w.ctx, act); err != nil { // a desk may have missed the first
			t.Error("confirmed again:", err)
		}
	})
}

// TestSuspendedAtTheRegistry: what the registry has suspended no desk brings back by the
// card, which may be a thief's, or by a PIN. Its refusal says what does, and that works.
func TestSuspendedAtTheRegistry(t *testing.T) {
	house(t, func(w *world) {
		b := w.gateways[0]
		tenant := w.checkInAt(b, flats[0], w.model.card(), time.Time{})
		w.wait(10 * time.Minute)
		c := tenant.cards[0]
		if _, err := w.centre.op.Do(w.ctx, operator.Act{Act: operator.ActSuspend, Tenancy: tenant.id, Reason: "stolen"}); err != nil {
			t.Fatal(err)
		}
		w.wait(5 * time.Minute)
		var no *control.Error
		err := w.change(b, tenant, control.Change{Action: "resume", Proof: "card"}, c, nil)
		hint := "registryd resume --tenancy " + tenant.id + " --reason found"
		if !errors.As(err, &no) || !strings.Contains(no.Hint, hint) || b.swipe(c.number) {
			t.Fatalf("whoever has the card gets: %v, opens now: %v", err, b.swipe(c.number))
		}
		if _, err := w.centre.op.Do(w.ctx, operator.Act{Act: operator.ActResume, Tenancy: tenant.id, Reason: "found"}); err != nil {
			t.Fatal(err)
		}
		w.wait(5 * time.Minute)
		if !b.swipe(c.number) {
			t.Errorf("what the refusal says does not help: %s", b.lastReason())
		}
	})
}

// TestDecisionInWords: what the registry decides on a disputed notice reads alike at
// the registry and at each desk that reads format 2; and the tenant of an upheld one is
// told at the doors.
func TestDecisionInWords(t *testing.T) {
	house(t, func(w *world) {
		desk := w.gateways[0]
		tenant := w.checkInAt(desk, flats[0], w.model.card(), time.Time{})
		notice := func() {
			t.Helper()
			for _, r := range []control.Change{{Action: "checkout", Proof: "landlord", Cause: "lease_over"}, {Action: "dispute", Proof: "pin", PIN: tenant.pin}} {
				if err := w.change(desk, tenant, r, nil, nil); err != nil {
					t.Fatal(err)
				}
				w.wait(10 * time.Minute)
			}
		}
		see := func(state, decided string) {
			t.Helper()
			all, err := w.centre.op.Tenancies(w.ctx, building)
			if err != nil || len(all) != 1 || all[0].State != state || all[0].Decided != decided {
				t.Errorf("the registry: %+v, %v", all, err)
			}
			for _, b := range w.gateways[:2] {
				if v := b.shown(t, tenant.id); v.State != state || v.Decided != decided {
					t.Errorf("%s: %s %q, want %s %q", b.name, v.State, v.Decided, state, decided)
				}
			}
		}
		w.wait(10 * time.Minute)
		notice()
		see("disputed", "")
		settle := operator.Act{Act: operator.ActReject, Tenancy: tenant.id, Reason: "heard"}
		if _, err := w.centre.op.Do(w.ctx, settle); err != nil {
			t.Fatal(err)
		}
		w.wait(5 * time.Minute)
		see("active", "rejected")
		notice()
		see("disputed", "")
		settle.Act, settle.Until = operator.ActUphold, time.Now().Add(4*plan.Day)
		if _, err := w.centre.op.Do(w.ctx, settle); err != nil {
			t.Fatal(err)
		}
		w.wait(5 * time.Minute)
		see("notice", "upheld")
		w.wait(4*plan.Day + time.Hour)
		see("ended", "upheld")
	})
}
