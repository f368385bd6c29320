package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/journal"
	"gatehouse/internal/journal/erasing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
	"gatehouse/sync/wire/erasures"
	"gatehouse/sync/wire/periods"
)

// remembers reports whether any byte of any file of the house speaks of somebody.
func (h *house) remembers(who wire.Who) bool {
	h.t.Helper()
	return h.onDisk(who.Tenancy[:]) || h.onDisk(who.Credential[:]) || h.onDisk([]byte(who.Tenancy.String()))
}

// onDisk reports whether any file of the house has these bytes.
func (h *house) onDisk(what []byte) (found bool) {
	h.t.Helper()
	must(h.t, filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // it went meanwhile, or is a socket
		}
		b, _ := os.ReadFile(path) // nothing, where it went meanwhile
		found = found || bytes.Contains(b, what)
		return nil
	}))
	return found
}

// TestForgetByOrder: the registry's order, and no other paper, has a gateway forget whom entries name of before it was
// made, in every file, without network; the landlord's views show nothing of it.
func TestForgetByOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.start()
	came := func(n byte) wire.Who {
		who := wire.Who{Credential: &wire.CredentialID{1, n, 77, n, 88, n, 99, n}, Tenancy: &wire.ID{n, 11, n, 22, n, 33, n, 44}}
		for range 5 {
			_, err := h.gateway.Journal.Append(t.Context(), wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front"}, who)
			must(t, err)
		}
		return who
	}
	one, other := came(1), came(2)
	made := uint32(time.Now().Unix())
	time.Sleep(time.Until(time.Unix(int64(made)+1, 0).Add(10 * time.Millisecond)))
	order := func(building string, key ed25519.PrivateKey) []byte {
		b, err := erasures.Order{Number: wire.ID{9}, Tenancy: *one.Tenancy, Made: made}.Sign(building, 0, key)
		must(t, err)
		return b
	}
	send := func(b []byte) error { return control.ForgetRequest{Order: b}.Send(t.Context(), h.client) }
	good := order(w.place.Building, h.issuer)
	_, stranger, err := ed25519.GenerateKey(nil)
	must(t, err)
	for why, paper := range map[string][]byte{"another building": order("lane-8", h.issuer), "is it of this house's registry": order(w.place.Building, stranger),
		"registryd forget TENANCY --order FILE": good[:len(good)-1]} {
		err := send(paper)
		var refused *control.Error
		if refused, _ = err.(*control.Error); refused == nil || !strings.Contains(refused.Hint, why) {
			t.Errorf("%s: %v", why, err)
		}
	}
	h.settles()
	if !h.remembers(one) || !h.remembers(other) {
		t.Fatal("the files speak of nobody")
	}
	look := h.watched()
	must(t, send(good))
	h.eventually("the person is forgotten", func() bool { return !h.remembers(one) })
	if !h.remembers(other) {
		t.Error("somebody else is forgotten")
	}
	look.stop()
	for view, answers := range look.seen {
		if len(answers) != 1 {
			t.Errorf("%s tells of it:\n%s", view, strings.Join(answers, "\n"))
		}
	}
	if k := h.kinds(); k["space forget"] != 1 || k["space who_parts_erased"] != 1 || k["front access granted granted"] != 10 {
		t.Errorf("the log has %v", k)
	}
	came(1) // and later entries are not for who has kept the order
	must(t, send(good))
	if _, err := os.Stat(filepath.Join(h.dir, "state", "journal", erasing.QueueName)); !errors.Is(err, fs.ErrNotExist) || !h.remembers(one) {
		t.Errorf("an order erases what came after it: %v", err)
	}
}

// childNumber is the made-up number of a document whose holder was born a year ago.
func childNumber() string {
	digits := "440000" + time.Now().AddDate(-1, 0, 0).Format("20060102") + "123"
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

// named counts the entries that name a tenancy.
func (h *house) named(tenancy wire.ID) (n int) {
	h.t.Helper()
	all, _, err := h.gateway.Journal.Entries(context.WithoutCancel(h.t.Context()), journal.Position{}, 1<<20)
	must(h.t, err)
	for _, e := range all {
		if len(e.Who) == 0 {
			continue
		}
		who, err := wire.DecodeWho(e.Who)
		must(h.t, err)
		if who.Tenancy != nil && *who.Tenancy == tenancy {
			n++
		}
	}
	return n
}

// TestPolicyOfTheRegistry: by a policy of 10 days the who parts go of a file that has been closed for 10 days, and for 30 more as no backup
// of the registry has it, although the site file says 30; and people are told of 10.
func TestPolicyOfTheRegistry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrolAt([]byte{0}, &periods.Periods{Whos: 10, Passages: 90})
	h.startWith(w.dial(nil))
	somebody, gone := wire.ID{8}, wire.ID{9}
	for _, id := range []wire.ID{somebody, gone} {
		_, err := h.gateway.Journal.Append(t.Context(), wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front"}, wire.Who{Tenancy: &id})
		must(t, err)
	}
	order, err := erasures.Order{Number: wire.ID{9}, Tenancy: gone, Made: uint32(time.Now().Unix()) + 60}.Sign(w.place.Building, 0, h.issuer)
	must(t, err)
	must(t, control.ForgetRequest{Order: order}.Send(t.Context(), h.client)) // so that the file is closed
	h.eventually("the file is closed", func() bool { return h.named(gone) == 0 })
	h.eventually("the registry has it", func() bool { return h.gateway.Journal.Acked() == h.gateway.Journal.Status().Position })
	if st, err := h.client.Status(t.Context()); err != nil || h.gateway.Site.Journal.WhoDays != 30 || st.Journal.WhoDays != 10 {
		t.Errorf("the site file says %d days, people are told of %d, %v", h.gateway.Site.Journal.WhoDays, st.Journal.WhoDays, err)
	}
	h.end()
	closed, err := filepath.Glob(filepath.Join(h.dir, "state", "journal", "*-00000000000000000000.db"))
	must(t, err)
	const days = (10 + 30) * 24 * time.Hour
	must(t, os.WriteFile(filepath.Join(h.dir, "state", "journal", erasing.AgedName), fmt.Appendf(nil, "%s %d %d false\n", filepath.Base(closed[0]), days.Milliseconds(), time.Now().Add(-days).UnixMilli()), 0o600))
	h.startWith(w.dial(nil))
	// Before the files are open the log has no entries at all; then one is erased already.
	h.eventually("it is erased who came", func() bool { return h.erased() >= 2 && h.named(somebody) == 0 })
}

// erased counts the entries whose who parts are gone.
func (h *house) erased() (n int) {
	h.t.Helper()
	all, _, err := h.gateway.Journal.Entries(context.WithoutCancel(h.t.Context()), journal.Position{}, 1<<20)
	must(h.t, err)
	for _, e := range all {
		if e.Erased {
			n++
		}
	}
	return n
}

// TestChildIsForgottenSooner: of a file that is closed for long enough for a child, and not for others, the who parts of the
// tenancy go that the desk has checked in with a child's number.
func TestChildIsForgottenSooner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.startWith(w.dial(nil))
	d, err := h.client.OpenDesk(t.Context(), control.DeskRequest{})
	must(t, err)
	_, _, err = h.gateway.Desk.Show(d.Session, false, cardOne(t))
	must(t, err)
	done, err := h.client.CheckIn(t.Context(), d.Session, control.CheckIn{Document: "resident_id", Number: childNumber(), Name: "Test Person", Flat: "3B", Basis: "consent", Informed: true})
	must(t, err)
	var child wire.ID
	must(t, child.UnmarshalText([]byte(done.Tenancy.ID)))
	h.forgetsSooner(w, child)
}

// TestSiblingForgetsAChildSooner: so does another gateway of the building, which has the registry's word alone that logs name the tenancy for a
// shorter time; also if it comes when the file was looked at already. A word of no issuer is none.
func TestSiblingForgetsAChildSooner(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"told before": true, "told after its file was looked at": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, child := newHouse(t), grantlist.NewID()
			w := h.enrol()
			_, stranger, err := ed25519.GenerateKey(nil)
			must(t, err)
			h.startWith(w.dial(nil))
			w.tell(stranger, wire.ID{8})
			if early {
				w.tell(h.issuer, child)
				h.eventually("it has heard", func() bool { return gateway.Brief(h.gateway).Has(child) })
			}
			if gateway.Brief(h.gateway).Has(wire.ID{8}) {
				t.Error("a stranger's word counts")
			}
			h.closeWith(w, child, wire.ID{8})
			if !early {
				h.eventually("the file was looked at", func() bool { return h.named(wire.ID{8}) == 1 })
				w.tell(h.issuer, child)
			}
			h.eventually("the child is forgotten, and nobody else", func() bool { return h.named(wire.ID{8}) == 1 && h.named(child) == 0 })
			for range 2 {
				if !gateway.Brief(h.gateway).Has(child) || !gateway.Brief(h.gateway).Heard() {
					t.Error("it is not known any more")
				}
				h.end()
				if h.onDisk(child[:]) { // of its entries; the list of whom logs name for a shorter time has it as text
					t.Error("its bytes are there")
				}
				h.startWith(w.dial(nil))
			}
		})
	}
}

// tell sends what logs name for a shorter time, by whoever's key.
func (w *town) tell(key ed25519.PrivateKey, tenancies ...wire.ID) {
	w.t.Helper()
	envelope, err := briefs.Of(tenancies).Sign(w.place.Building, 0, key)
	must(w.t, err)
	must(w.t, w.link.Publish(w.t.Context(), w.place.Down(briefs.Type), envelope))
}

// forgetsSooner: of a file that is closed for long enough for a child, and not for others, its who parts go.
func (h *house) forgetsSooner(w *town, child wire.ID) {
	h.t.Helper()
	h.closeWith(w, child, wire.ID{8})
	// Before the files are open the log has no entries at all.
	h.eventually("the child is forgotten, and nobody else", func() bool { return h.named(wire.ID{8}) == 1 && h.named(child) == 0 })
}

// closeWith has a file of the log closed that names two tenancies, long enough ago for a child, and not for others.
func (h *house) closeWith(w *town, child, other wire.ID) {
	t := h.t
	t.Helper()
	gone := wire.ID{9}
	for _, id := range []wire.ID{child, other, gone} {
		_, err := h.gateway.Journal.Append(t.Context(), wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front"}, wire.Who{Tenancy: &id})
		must(t, err)
	}
	order, err := erasures.Order{Number: wire.ID{9}, Tenancy: gone, Made: uint32(time.Now().Unix()) + 60}.Sign(w.place.Building, 0, h.issuer)
	must(t, err)
	must(t, control.ForgetRequest{Order: order}.Send(t.Context(), h.client)) // so that the file is closed
	h.eventually("the file is closed", func() bool { return h.named(gone) == 0 })
	h.eventually("the registry has it", func() bool { return h.gateway.Journal.Acked() == h.gateway.Journal.Status().Position })
	if h.named(child) == 0 || h.named(other) != 1 {
		t.Fatal("the log names nobody")
	}
	h.end()
	closed, err := filepath.Glob(filepath.Join(h.dir, "state", "journal", "*-00000000000000000000.db"))
	must(t, err)
	const days = 40 * 24 * time.Hour // 30 of them as no backup of the registry has it
	must(t, os.WriteFile(filepath.Join(h.dir, "state", "journal", erasing.AgedName), fmt.Appendf(nil, "%s %d %d false\n", filepath.Base(closed[0]), days.Milliseconds(), time.Now().Add(-days).UnixMilli()), 0o600))
	h.startWith(w.dial(nil))
}
