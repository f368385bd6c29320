package gateway_test

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/evidence"
	"gatehouse/internal/gateway"
	"gatehouse/internal/journal"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealed"
	"gatehouse/sync/wire/sealing"
)

// officer has a mandate for the house, and the key that its answers are sealed to.
type officer struct {
	h       *house
	town    *town
	private []byte
	mandate mandates.Mandate
}

// officer has a mandate for two answers about flat 3B at the front door, and the hour before now.
func (h *house) officer(w *town) *officer {
	h.t.Helper()
	private, public, err := sealing.GenerateKey()
	must(h.t, err)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // what was until now is before now, in seconds
	now := uint32(time.Now().Unix())
	return &officer{h, w, private, mandates.Mandate{Reference: wire.ID{1, 2, 3}, Status: mandates.Active, Issued: now, Expires: now + 3600, Answers: 2,
		Request: mandates.Request{District: w.place.District, Town: w.place.Town, Building: w.place.Building, Gateways: []mandates.Gateway{{ID: w.place.Gateway, Doors: []string{"front"}}},
			Flats: []string{"3B"}, From: now - 3600, Until: now},
		Delivery: mandates.Delivery{Recipient: public, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "石桥派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "番禺分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "入室盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"}}}
}

// signed is the mandate as the approver has signed it.
func (o *officer) signed() []byte {
	o.h.t.Helper()
	envelope, err := mandates.Sign(o.mandate, "town", o.town.approver)
	must(o.h.t, err)
	return envelope
}

// ask shows a mandate at the socket.
func (o *officer) ask(envelope []byte, use uint64) (control.Inquiry, error) {
	return control.InquiryRequest{Mandate: envelope, Use: use}.Ask(o.h.t.Context(), o.h.client)
}

// refused wants a mandate to be refused.
func (o *officer) refused(envelope []byte, code string) {
	o.h.t.Helper()
	got, err := o.ask(envelope, 0)
	must(o.h.t, err)
	if got.Refusal == nil || got.Refusal.Code != code || got.Refusal.Reason.ZH == "" || got.Refusal.Do.EN == "" || len(got.Files) != 0 {
		o.h.t.Errorf("refused as %+v with %d files, want %s", got.Refusal, len(got.Files), code)
	}
}

// answered wants one file, and returns it and what it proves.
func (o *officer) answered(use, want uint64) ([]byte, evidence.Report) {
	t := o.h.t
	t.Helper()
	got, err := o.ask(o.signed(), use)
	must(t, err)
	if got.Refusal != nil || got.Use != want || got.Again != (use != 0) || len(got.Files) != 1 {
		t.Fatalf("use %d: %+v, use %d, again %v, %d files", use, got.Refusal, got.Use, got.Again, len(got.Files))
	}
	file, err := sealing.Unseal(o.private, sealing.Answer, "", got.Files[0].Sealed)
	must(t, err)
	reg, err := keys.LoadRegistry(filepath.Join(o.h.dir, "state", "keys"))
	must(t, err)
	report, err := evidence.Verify(file, evidence.Trust{Root: reg.Root})
	must(t, err)
	if !report.Anchored || wire.Hash(report.SHA256) != got.Files[0].SHA256 {
		t.Errorf("anchored %v, SHA-256 %x and %x", report.Anchored, report.SHA256, got.Files[0].SHA256)
	}
	return file, report
}

// sealedEntries are what the office reads in the log, covers left out, and where it stands.
func (h *house) sealedEntries() (all []sealed.Record, at []uint64) {
	h.t.Helper()
	private, err := keys.LoadSealKey(filepath.Join(h.dir, "state", "keys", keys.SealKeyFile)) // the town's records key, too
	must(h.t, err)
	list, _, err := h.gateway.Journal.Entries(context.WithoutCancel(h.t.Context()), journal.Position{}, 1<<20)
	must(h.t, err)
	for _, e := range list {
		head, err := wire.DecodeHeader(e.Header)
		must(h.t, err)
		if head.Kind != wire.KindSealed {
			continue
		}
		r, err := sealed.Open(private, "lane-7/gw1", head.Detail)
		must(h.t, err)
		if r.What != sealed.Cover {
			all, at = append(all, r), append(at, e.Sequence)
		}
	}
	return all, at
}

// TestInquiry: a mandate gets what it asks for and nothing more, after the entry that says so; as often
// as it says, and each answer as often as it is asked for, to the byte, also after a restart, as it refuses one that was taken back. An
// officer's order to preserve holds over a restart. Whoever looks at the house meanwhile sees nothing.
func TestInquiry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.startWith(w.dial(nil))
	time.Sleep(time.Second)
	h.tenantOnNotice(200, 1)
	time.Sleep(2 * time.Second) // the card that was held up is away
	h.opens("front", "the tenant comes home", func() { h.wiegand(200, 1) })
	h.opens("yard", "somebody else comes in at the yard", h.serialAtOnce)
	h.opens("front", "and in at the front", func() { h.wiegand(123, 4567) })
	h.eventually("all is secured", func() bool { return !h.isReleased("front") && !h.isReleased("yard") })
	h.eventually("the registry has it", w.has("yard access granted"))
	o := h.officer(w)
	h.settles()
	look := h.watched()

	forged := o.signed()
	forged[len(forged)-1] ^= 1
	o.refused(forged, "unsigned")
	first, report := o.answered(0, 1)
	o.scope(report)
	second, _ := o.answered(0, 2)
	o.refused(o.signed(), "used_up")
	if again, _ := o.answered(1, 1); string(again) != string(first) {
		t.Error("the first answer, asked for again, is another one")
	}
	if _, err := o.ask(o.signed(), 3); err == nil {
		t.Error("a use that there was not is answered")
	}
	o.preserves(false)
	time.Sleep(2500 * time.Millisecond)
	look.stop()
	for view, answers := range look.seen {
		if len(answers) != 1 {
			t.Errorf("%s tells of a query:\n%s", view, strings.Join(answers, "\n"))
		}
	}
	if len(look.seen) < 9 {
		t.Errorf("only %d views were looked at", len(look.seen))
	}
	o.journaled()
	back := *o // a mandate that is taken back
	back.mandate.Reference, back.mandate.Status, back.mandate.StatusReason = wire.ID{4, 5, 6}, mandates.Withdrawn, "案件撤销"
	back.refused(back.signed(), "withdrawn")
	back.mandate.Status, back.mandate.StatusReason = mandates.Active, ""
	h.end()
	h.startWith(w.dial(nil))
	if again, _ := o.answered(2, 2); string(again) != string(second) {
		t.Error("the second answer after a restart is another one")
	}
	o.refused(o.signed(), "used_up")
	back.refused(back.signed(), "withdrawn")
	o.preserves(true)
}

// order is an enrolled officer's, of the mandate's hour at the front door.
func (o *officer) order() []byte {
	t, r, place := o.h.t, o.mandate.Request, o.town.place
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c, err := mandates.Certificate{Public: [32]byte(key.Public().(ed25519.PublicKey)), Unit: "一队", Badge: "000001", District: place.District, Town: place.Town, From: r.From, Until: r.Until + 3600}.Sign("town", 0, o.h.issuer)
	must(t, err)
	envelope, err := mandates.Order{Reference: wire.ID{4}, Gateway: place.Address(), Door: "front", From: r.From, Until: r.Until, Case: "A440000-2026-1", Signed: r.Until, Certificate: c}.Sign("town", key)
	must(t, err)
	return envelope
}

// preserves wants the officer's order to be taken, or to have been taken; forged it is refused.
func (o *officer) preserves(again bool) {
	t := o.h.t
	t.Helper()
	got, err := control.PreserveRequest{Order: o.order()}.Ask(t.Context(), o.h.client)
	must(t, err)
	if got.Refusal != nil || got.Again != again || got.Seconds < 7*86400-600 || got.Until == nil || time.Until(*got.Until) < 7*24*time.Hour-10*time.Minute {
		t.Errorf("preserved: %+v", got)
	}
	if !o.h.gateway.Holds.Held(wire.Header{Kind: wire.KindAccess, Door: "front", Wall: int64(o.mandate.Request.From) * 1000, Clock: wire.ClockNTP}) {
		t.Error("nothing is held")
	}
	if again {
		return
	}
	forged := o.order()
	forged[len(forged)-1] ^= 1
	got, err = control.PreserveRequest{Order: forged}.Ask(t.Context(), o.h.client)
	must(t, err)
	if got.Refusal == nil || got.Refusal.Code != "order_unsigned" || got.Refusal.Reason.ZH == "" || got.Refusal.Do.EN == "" || got.Until != nil {
		t.Errorf("a forged order: %+v", got)
	}
}

// scope wants the tenant's passages at the front door, and nobody else's.
func (o *officer) scope(r evidence.Report) {
	t := o.h.t
	t.Helper()
	all := o.h.gateway.Desk.Tenancies()
	tenant := all[slices.IndexFunc(all, func(v tenancy.View) bool { return v.Flat == "3B" })].ID
	seen, withheld := 0, 0
	for _, e := range r.Entries {
		switch {
		case e.State == evidence.Named && (e.Who.Tenancy == nil || *e.Who.Tenancy != tenant || e.Header.Door != "front"):
			t.Errorf("entry %d, %s at %q, names %+v", e.Sequence, e.Header.Kind, e.Header.Door, e.Who)
		case e.State == evidence.Named && e.Header.Kind == wire.KindAccess:
			seen++
		case e.State == evidence.Withheld && e.Header.Kind == wire.KindAccess:
			withheld++
		}
	}
	if seen == 0 || withheld < 2 {
		t.Errorf("%d passages of the tenant, %d of others whose who parts are left out", seen, withheld)
	}
	if boots := r.Manifest.Boots; len(boots) == 0 || boots[0].Software != "test" {
		t.Errorf("the runs are %+v", boots)
	}
	if r.Manifest.Erased || !slices.Equal(r.Manifest.Scope.Doors, []string{"front"}) {
		t.Errorf("the file says %+v, scope %+v", r.Manifest.Counts, r.Manifest.Scope)
	}
}

// journaled wants an entry of each request but that for the same answer again, and that of an answer
// behind all entries of which it was made.
func (o *officer) journaled() {
	t := o.h.t
	t.Helper()
	all, at := o.h.sealedEntries()
	var said []string
	for i, r := range all {
		said = append(said, strings.TrimSpace(r.What.String()+" "+r.Refusal))
		if r.What != sealed.Answer {
			continue
		}
		f, err := sealed.DecodeFixed(r.Fixed)
		must(t, err)
		if f.Size > at[i] {
			t.Errorf("entry %d tells of an answer from %d entries", at[i], f.Size)
		}
	}
	if want := []string{"refusal unsigned", "answer", "answer", "refusal used_up", "preserved", "refusal order_unsigned"}; !slices.Equal(said, want) {
		t.Errorf("the office reads %q, want %q", said, want)
	}
}

// TestInquiryCardInHand: a card that was found, and that an officer holds to a reader, is the one that is asked
// for. No log line says that a card was waited for.
func TestInquiryCardInHand(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	dial := w.dial(nil)
	h.startWith(func(o *gateway.Options) {
		dial(o)
		o.Cadence.Rest = 100 * time.Millisecond
	})
	h.wiegandOpens("whose card it is comes home")
	h.eventually("it is secured", func() bool { return !h.isReleased("front") })
	o := h.officer(w)
	o.mandate.Request.Flats, o.mandate.Request.InHand = nil, true
	before := h.log.String()
	answered := make(chan evidence.Report, 1)
	go func() {
		_, report := o.answered(0, 1)
		answered <- report
	}()
	var report evidence.Report
	for report.Entries == nil { // the first time the door opens for it, the second time it is asked for
		h.wiegand(123, 4567)
		select {
		case report = <-answered:
		case <-time.After(4 * time.Second):
		}
	}
	named := 0
	for _, e := range report.Entries {
		if e.State == evidence.Named && e.Header.Kind == wire.KindAccess {
			named++
		}
	}
	if named == 0 {
		t.Errorf("%d entries, and no passage of the card in hand", len(report.Entries))
	}
	if said := strings.TrimPrefix(h.log.String(), before); strings.Contains(said, "waited") {
		t.Errorf("the log tells of it:\n%s", said)
	}
}

// TestInquiryWithoutItsEntry: while the entry can't be written there is no answer. Once it is, it is the
// use, and its answer can be had: what a power cut between entry and answer leaves, too.
func TestInquiryWithoutItsEntry(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	var disk sync.Mutex // held: it takes nothing
	dial := w.dial(nil)
	h.startWith(func(o *gateway.Options) {
		dial(o)
		o.Sync = func() {
			disk.Lock()
			defer disk.Unlock()
		}
	})
	h.wiegandOpens("somebody comes home")
	h.eventually("all is secured", func() bool { return !h.isReleased("front") })
	o := h.officer(w)
	o.mandate.Answers = 1
	time.Sleep(2 * time.Second) // what rides with the next sync is written
	disk.Lock()
	got, err := o.ask(o.signed(), 0)
	disk.Unlock()
	if err == nil {
		t.Errorf("answered without an entry: %+v, %d files", got.Refusal, len(got.Files))
	}
	h.eventually("the entry comes after all", func() bool { all, _ := h.sealedEntries(); return len(all) == 1 })
	o.refused(o.signed(), "used_up")
	o.answered(1, 1)
}
