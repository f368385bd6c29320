package retention

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// issuer and officer are keys of the tests.
var issuer, officer = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), 1))

func public(k ed25519.PrivateKey) [32]byte { return [32]byte(k.Public().(ed25519.PublicKey)) }

// trusts is the trust document of the tests.
func trusts() wire.Trust {
	return wire.Trust{Registry: "city", Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Public: public(issuer)}}}
}

// order is one that is in order now, for the door of swipe, about its time; each has a reference of its own.
func (o *office) order(by ed25519.PrivateKey, change func(*mandates.Order)) api.Order {
	o.t.Helper()
	unix := func(t time.Time) uint32 { return uint32(t.Unix()) }
	certificate, err := mandates.Certificate{Public: public(by), Unit: "unit 1", Badge: "440000-1", District: place.District, Town: place.Town,
		From: unix(o.now.Add(-day)), Until: unix(o.now.Add(day))}.Sign("city", 0, issuer)
	o.must(err)
	order := mandates.Order{Gateway: place.Address(), Door: "front", From: unix(begin.Add(-time.Hour)), Until: unix(begin.Add(time.Hour)), Case: "case 1", Signed: unix(o.now), Certificate: certificate}
	_, err = rand.Read(order.Reference[:])
	o.must(err)
	if change != nil {
		change(&order)
	}
	envelope, err := order.Sign("city", by)
	o.must(err)
	return api.Order{Envelope: envelope}
}

// preserve wants an order to be taken.
func (o *office) preserve(order api.Order) api.Hold {
	o.t.Helper()
	p, err := o.eraser.Preserve(o.t.Context(), order)
	o.must(err)
	if p.Refusal != nil {
		o.t.Fatal(p.Refusal)
	}
	return *p.Hold
}

// TestPreserves: what an officer has preserved stays for a week, in front of its time and of who asks to be forgotten, also in
// a database that was put back; entries at other doors and times do not; then it goes by itself.
func TestPreserves(t *testing.T) {
	o := newOffice(t)
	other, unset, late := swipe, swipe, swipe
	other.Door, unset.Clock, late.Wall = "yard", wire.ClockUnset, begin.Add(2*time.Hour).UnixMilli()
	unset.Wall = 1000
	o.take(true, swipe, other, late, unset)
	o.take(false, swipe, swipe)
	copied := filepath.Join(t.TempDir(), "copy.db")
	o.must(o.store.Copy(t.Context(), copied))
	o.now = o.now.Add(179 * day)
	order := o.order(officer, nil)
	h := o.preserve(order)
	if again := o.preserve(order); again != h || !h.Ends.Equal(o.now.Add(7*day)) || len(o.eraser.Holds()) != 1 || h.Officer != "440000-1" || h.Case != "case 1" {
		t.Errorf("%+v, shown again %+v", h, again)
	}
	f, err := o.eraser.Forget(t.Context(), []api.Forget{{Gateway: place.Address(), Epoch: epoch, Sequences: []uint64{0, 1, 4}}})
	o.must(err)
	if f != (api.Forgotten{Erased: 1, Later: 2}) {
		t.Errorf("%+v", f)
	}
	o.want("to be forgotten", 0, 2, 3, 4, 5)
	o.after(2 * day)
	o.want("two days over their time", 0, 3, 4, 5)
	o.must(o.store.Close())
	b, err := os.ReadFile(copied)
	o.must(err)
	o.must(os.WriteFile(o.path("front.db"), b, 0o600))
	o.open()
	o.want("put back", 0, 3, 4, 5)
	o.after(4 * day)
	o.want("on the sixth day", 0, 3, 4, 5)
	o.after(2 * day)
	o.must(o.eraser.scrub(t.Context(), o.now))
	o.want("when the order is over")
	if b, err := os.ReadFile(o.path(api.FileErasures)); err != nil || len(o.eraser.Holds()) != 0 || strings.Contains(string(b), "440000-1") {
		t.Errorf("the order is still there: %s, %v", b, err)
	}
	counts := func() api.TownCounts {
		return o.eraser.Counts(begin, o.now.Add(day))[api.Town{District: place.District, Town: place.Town}]
	}
	if got := counts(); got.Preserved != 1 || got.Forgotten != 1 {
		t.Errorf("counted %+v", got)
	}
	o.after(countedFor)
	if got := counts(); got != (api.TownCounts{}) {
		t.Errorf("two years later %+v are still counted", got)
	}
}

// TestPreserveRefuses what is no order of an enrolled officer, too wide, or too much; a gateway that is not there is said to be.
func TestPreserveRefuses(t *testing.T) {
	o := newOffice(t)
	refused := func(order api.Order, want string) {
		t.Helper()
		if p, err := o.eraser.Preserve(t.Context(), order); err != nil || p.Refusal == nil || p.Refusal.Name != want {
			t.Errorf("%+v, %v, want %s", p, err, want)
		}
	}
	refused(api.Order{Envelope: []byte("no order")}, "order_unsigned")
	refused(o.order(officer, func(a *mandates.Order) { a.Until = a.From + 86401 }), "span_too_wide")
	refused(o.order(officer, func(a *mandates.Order) { a.Signed = a.From }), "span_future")
	refused(o.order(officer, func(a *mandates.Order) { a.Signed -= 3 * 86400; a.From, a.Until = a.Signed-60, a.Signed }), "order_old")
	if _, err := o.eraser.Preserve(t.Context(), o.order(officer, func(a *mandates.Order) { a.Gateway = "b1/g9" })); err == nil || hintOf(err) != "registryd gateways shows them" {
		t.Errorf("another gateway: %v", err)
	}
	for range perOfficer {
		o.preserve(o.order(officer, nil))
	}
	refused(o.order(officer, nil), "too_many_orders")
	o.preserve(o.order(issuer, nil)) // another officer
	o.after(8 * day)
	o.preserve(o.order(officer, nil))
	if n := len(o.eraser.Holds()); n != 1 {
		t.Errorf("%d are active", n)
	}
}

// TestProlonged: a mandate that covers what is preserved makes it last until the mandate expires, also in a ledger that is
// read again, and no longer; one that does not cover it, or ends before, changes nothing.
func TestProlonged(t *testing.T) {
	o := newOffice(t)
	o.take(true, swipe)
	o.now = o.now.Add(179 * day)
	h := o.preserve(o.order(officer, nil))
	covers := mandates.Mandate{Expires: uint32(o.now.Add(20 * day).Unix()), Request: mandates.Request{From: uint32(h.From.Unix()), Until: uint32(h.To.Unix()),
		Gateways: []mandates.Gateway{{ID: place.Gateway, Doors: []string{"front"}}}}}
	prolong := func(gateway string, change func(m *mandates.Mandate)) time.Time {
		t.Helper()
		m := covers
		change(&m)
		o.must(o.eraser.Prolong(t.Context(), gateway, m))
		if all := o.eraser.Holds(); len(all) == 1 && all[0].ID == h.ID {
			return all[0].Ends
		}
		t.Fatalf("%+v", o.eraser.Holds())
		return time.Time{}
	}
	for name, change := range map[string]func(m *mandates.Mandate){
		"another door": func(m *mandates.Mandate) {
			m.Request.Gateways = []mandates.Gateway{{ID: place.Gateway, Doors: []string{"yard"}}}
		},
		"begins later": func(m *mandates.Mandate) { m.Request.From++ },
		"ends sooner":  func(m *mandates.Mandate) { m.Request.Until-- },
		"expires soon": func(m *mandates.Mandate) { m.Expires = uint32(o.now.Add(day).Unix()) },
	} {
		if ends := prolong(place.Address(), change); !ends.Equal(h.Ends) {
			t.Errorf("%s: until %s", name, ends)
		}
	}
	if ends := prolong("b1/g2", func(*mandates.Mandate) {}); !ends.Equal(h.Ends) {
		t.Errorf("another gateway: until %s", ends)
	}
	for range 2 {
		if ends := prolong(place.Address(), func(*mandates.Mandate) {}); !ends.Equal(time.Unix(int64(covers.Expires), 0)) {
			t.Errorf("until %s", ends)
		}
	}
	o.must(o.store.Close())
	o.open()
	o.after(19 * day)
	o.want("on the nineteenth day", 0)
	o.after(2 * day)
	o.want("when the mandate has expired")
}

// TestPreserveDoor: an order for a door that the gateway does not have is refused, as the gateway does, and takes none of the
// officer's ten; where the doors are not known that is said.
func TestPreserveDoor(t *testing.T) {
	o := newOffice(t)
	show := func(door string) api.Preserved {
		t.Helper()
		p, err := o.eraser.Preserve(t.Context(), o.order(officer, func(a *mandates.Order) { a.Door = door }))
		o.must(err)
		return p
	}
	for range perOfficer {
		if p := show("nodoor"); p.Refusal == nil || p.Refusal.Name != "no_such_door" {
			t.Fatalf("%+v", p)
		}
	}
	if p := show("yard"); p.Hold == nil || p.DoorUnknown {
		t.Errorf("a door that is there: %+v", p)
	}
	o.doors = nil
	if p := show("nodoor"); p.Hold == nil || !p.DoorUnknown {
		t.Errorf("not known: %+v", p)
	}
}

func hintOf(err error) string {
	if e, ok := err.(*api.Error); ok {
		return e.Hint
	}
	return ""
}
