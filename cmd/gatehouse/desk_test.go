package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/wiegand"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// The made-up tenant of these tests, whose number is of no area that was ever
// given out.
const (
	tenantName = "Testperson Eins"
	tenantCard = 0x01007B11D7 // 40 bits; the W26 reader sees 123,04567
)

func tenantNumber() string {
	digits, sum := "44000019900307123", 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

// enrolled writes the keys that enrolment would, for a house with both doors at
// this gateway.
func (b *bench) enrolled() {
	b.t.Helper()
	b.issuer, _ = gatewaytest.Keys(b.t, b.path("state"))
	town := gatewaytest.Town{Issuer: b.issuer, CA: []byte{0}, House: wire.House{Flats: []string{"3A", "3B"}, NoticeDays: 5}, Doors: []string{"front", "yard"}}
	town.Enrol(b.t, b.path("state"))
}

// swipe is what to do when the tool asks for a card at a door.
type swipe struct {
	door  string
	card  uint64 // 40 bits
	proof bool   // it is held up twice: the door opens for it the first time
}

// present holds a card up to the reader of a door until it was seen.
func (b *bench) present(s swipe, what string, seen func() bool) {
	b.t.Helper()
	if s.door == "front" { // which sees it at once
		must(b.t, b.source.Send(cardnumber.Derive(device.CardOf(s.card, 40))[1]))
		b.eventually(what, seen)
		return
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	var held sync.WaitGroup
	held.Go(func() { _ = b.serial.Present(ctx, devicetest.EM4100(s.card), time.Hour) })
	b.eventually(what, seen)
	cancel()
	held.Wait()
}

// with runs the tool and holds cards up as it asks for them.
func (b *bench) with(stdin string, swipes []swipe, args ...string) (status int, out, errOut string) {
	b.t.Helper()
	var o, e gatewaytest.Log // what the tool shows; a test waits for its words
	before := b.waits()
	done := make(chan int, 1)
	go func() {
		done <- run(b.t.Context(), append([]string{"--socket", b.path("sock")}, args...), strings.NewReader(stdin), &o, &e)
	}()
	for i, s := range swipes {
		b.eventually(fmt.Sprintf("card %d is asked for", i), func() bool { return len(done) > 0 || b.waits() > before+i })
		if len(done) > 0 {
			b.t.Fatalf("gatehouse %v never asked for card %d: %s", args, i, &e)
		}
		if s.proof {
			b.opens(s.card, s.door)
			b.eventually(s.door+" is secured", func() bool { _, on := b.board.Output(s.door); return !on })
		}
		time.Sleep(1600 * time.Millisecond) // sooner it is the same presentation
		b.present(s, "the card is read", func() bool { return len(done) > 0 || strings.Count(e.String(), "read at door") > i })
	}
	return <-done, o.String(), e.String()
}

// waits is how often the daemon has waited for a card by now: the tool asks for
// one before it does.
func (b *bench) waits() int { return strings.Count(b.log.String(), "a card is waited for") }

// done runs it and wants success.
func (b *bench) done(stdin string, swipes []swipe, args ...string) string {
	b.t.Helper()
	status, out, errOut := b.with(stdin, swipes, args...)
	if status != 0 {
		b.t.Fatalf("gatehouse %v: status %d: %s", args, status, errOut)
	}
	return out
}

func lines(answers ...string) string { return strings.Join(answers, "\n") + "\n" }

// TestCheckInAtOneDoor: a door that does not read the card yet is not among those that it opens now.
func TestCheckInAtOneDoor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enrolled()
	b.serve()
	b.ok("", "clock", "confirm")
	out := b.done(lines("resident-id", tenantNumber(), tenantName, "3B", "left door", "", "", "", "contract", "yes", "4711"),
		[]swipe{{door: "front", card: tenantCard}}, "checkin", "--once")
	if !strings.Contains(out, "its card opens front now;") || !strings.Contains(out, "note: door yard does not open for this card yet") {
		t.Errorf("checkin: %s", out)
	}
}

// TestDesk walks through the life of a tenancy with the tool alone, with no
// registry in reach, and finds nobody's name or number anywhere afterwards.
func TestDesk(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enrolled()
	stop := b.serve()
	b.ok("", "clock", "confirm")
	said := &strings.Builder{} // all that came out
	arrive := func(number, flat string) string {
		return lines("resident-id", number, tenantName, flat, "left door", "", "", "", "contract", "yes", "4711")
	}
	wrong := []byte(tenantNumber())
	wrong[9], wrong[8] = wrong[8], wrong[9]
	b.fails(arrive(string(wrong), "3B"), []string{"check digit", "read it again"}, "checkin")
	b.fails("resident_id\n", []string{"no answer to: number"}, "checkin")
	b.fails("{\"nmae\": 1}", []string{"JSON object"}, "checkin", "--answers", "-")

	b.fails(arrive(tenantNumber(), "9Z"), []string{`no flat "9Z"`, "3A, 3B"}, "checkin") // before a card is asked for
	out := b.done(arrive(tenantNumber(), "3B"), []swipe{{door: "front", card: tenantCard}, {door: "yard", card: tenantCard}}, "checkin")
	if !strings.Contains(out, "3B (left door): its card opens front, yard now") {
		t.Errorf("checkin: %s", out)
	}
	said.WriteString(out)
	b.opens(tenantCard, "front", "yard")
	b.fails("", []string{"unexpected argument"}, "checkin", tenantName)
	b.notice(said)
	b.lost(said)
	b.leave(said)
	_, shown, _ := b.tool("", "log", "--all")
	_, listed, _ := b.tool("", "--json", "tenancy", "list")
	said.WriteString(shown + listed)
	if !strings.Contains(shown, "tenancy") || strings.Contains(shown, "told") || strings.Contains(shown, "access") {
		t.Errorf("log:\n%s", shown)
	}
	stop()
	b.nobody(said.String())
}

// opens wants doors to open for a card.
func (b *bench) opens(card uint64, doors ...string) {
	b.t.Helper()
	time.Sleep(1600 * time.Millisecond) // sooner it is the same presentation
	for _, door := range doors {
		isOpen := func() bool { _, on := b.board.Output(door); return on }
		b.eventually(door+" is secured", func() bool { return !isOpen() })
		b.present(swipe{door: door, card: card}, door+" opens", isOpen)
	}
}

// entries counts those of a kind and reason in the journal's files: what no view
// shows.
func (b *bench) entries(kind wire.Kind, reason wire.Reason) (n int) {
	_ = journaltest.ReadCopies(b.path("state/journal"), b.dir, func(e journaled.Entry) error { // asked again
		h, err := wire.DecodeHeader(e.Header)
		if err == nil && h.Kind == kind && h.Reason == reason {
			n++
		}
		return err
	})
	return n
}

func (b *bench) tenancy(name string) (t control.Tenancy) {
	b.t.Helper()
	must(b.t, json.Unmarshal([]byte(b.ok("", "--json", "tenancy", "show", name)), &t))
	return t
}

// notice by the landlord alone: told at the door, disputed by PIN, withdrawn.
func (b *bench) notice(said *strings.Builder) {
	b.t.Helper()
	b.fails("rent\n", []string{"this is no cause", "moved_out"}, "checkout", "3B", "--by", "landlord")
	b.fails("", []string{"arrears of rent and permits are none"}, "checkout", "3B", "--by", "landlord", "--cause", "rent")
	out := b.ok("lease_over\n", "checkout", "3B", "--by", "landlord")
	if !strings.Contains(out, "notice runs") {
		b.t.Errorf("checkout by the landlord: %s", out)
	}
	v := b.tenancy("left door")
	if left := time.Until(*v.Notice); v.State != "notice" || left < 4*24*time.Hour || left > 5*24*time.Hour {
		b.t.Errorf("%+v", v)
	}
	b.opens(tenantCard, "front", "yard")
	b.eventually("the tenant was told at both doors", func() bool { return b.entries(wire.KindTold, wire.ReasonNotice) == 2 })
	if v := b.tenancy("3B"); v.Told != "" {
		b.t.Errorf("while the notice runs %q is said of the tenant's having been told", v.Told)
	}
	b.fails("0000\n", []string{"wrong PIN"}, "tenancy", "dispute", "3B", "--by", "pin")
	said.WriteString(b.ok("4711\n", "tenancy", "dispute", "3B", "--by", "pin"))
	if v := b.tenancy("3B"); v.State != "disputed" {
		b.t.Errorf("%+v", v)
	}
	said.WriteString(b.ok("", "tenancy", "withdraw", "3B"))
	said.WriteString(b.ok("", "tenancy", "show", "3B"))
}

// lost: the landlord alone stops no card at once, and has no card that speaks
// for the tenant; the tenant's word does at once.
func (b *bench) lost(said *strings.Builder) {
	b.t.Helper()
	const second = tenantCard + 2
	b.fails("", []string{"locked out", "gatehouse card replace"}, "card", "suspend", "3B", "--by", "landlord")
	out := b.done("", []swipe{{door: "yard", card: second}}, "card", "replace", "3B", "--by", "landlord", "--reader", "yard")
	if !strings.Contains(out, "1 active (to stop by the landlord's word, unless it is used), 2 active (proves nothing") || !strings.Contains(out, "stops after 5 days") {
		b.t.Errorf("card replace: %s", out)
	}
	b.opens(second, "front", "yard")
	b.opens(tenantCard, "front", "yard")
	status, _, errOut := b.with("", []swipe{{"front", second, true}}, "checkout", "3B", "--by", "card", "--cause", "agreed")
	if status == 0 || !strings.Contains(errOut, "proves nothing") || !strings.Contains(errOut, "gatehouse card confirm") {
		b.t.Errorf("the landlord's own card ends a tenancy: %s", errOut)
	}
	b.fails("4711\n", []string{"no PIN was chosen with a card", "gatehouse tenancy pin"}, "checkout", "3B", "--by", "pin", "--cause", "agreed")
	said.WriteString(b.done("2580\n", []swipe{{"front", tenantCard, true}}, "tenancy", "pin", "3B", "--by", "card"))
	out = b.ok("2580\n", "card", "confirm", "3B", "--by", "pin")
	if !strings.Contains(out, "2 active") || strings.Contains(out, "proves nothing") {
		b.t.Errorf("card confirm: %s", out)
	}
	said.WriteString(out + b.ok("", "card", "resume", "3B", "--by", "landlord", "--card", "1"))
	out = b.ok("2580\n1379\n", "tenancy", "pin", "3B", "--by", "pin")
	said.WriteString(out + b.ok("1379\n", "card", "suspend", "3B", "--by", "pin", "--card", "2"))
}

// leave: with the tenant's own card it ends at once.
func (b *bench) leave(said *strings.Builder) {
	b.t.Helper()
	out := b.done("", []swipe{{"front", tenantCard, true}}, "checkout", "--by", "card", "--cause", "moved_out")
	if !strings.Contains(out, "has ended") {
		b.t.Errorf("checkout: %s", out)
	}
	time.Sleep(1600 * time.Millisecond)
	b.present(swipe{door: "front", card: tenantCard}, "the card is told that it is over", func() bool { return b.entries(wire.KindAccess, wire.ReasonRevoked) > 0 })
	said.WriteString(out + b.ok("", "tenancy", "list"))
	if v := b.tenancy(b.first()); v.State != "ended" || v.Cause != "moved_out" {
		b.t.Errorf("%+v", v)
	}
}

func (b *bench) first() string {
	var all []control.Tenancy
	must(b.t, json.Unmarshal([]byte(b.ok("", "--json", "tenancy", "list")), &all))
	if len(all) != 1 {
		b.t.Fatalf("%d tenancies", len(all))
	}
	return all[0].ID
}

// nobody: neither what was said nor any file of the house names the tenant or
// the card.
func (b *bench) nobody(said string) {
	b.t.Helper()
	all := said
	must(b.t, filepath.WalkDir(b.path("state"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		all += string(data)
		return err
	}))
	format, _ := wiegand.Lookup("H10301")
	card, err := format.Encode(wiegand.Fields{Facility: 123, Card: 4567, HasFacility: true})
	must(b.t, err)
	for what, raw := range map[string]string{"name": tenantName, "first name": "Testperson", "number": tenantNumber(), "birthday": "19900307",
		"card": "\x01\x00\x7b\x11\xd7", "card in hex": "01007b11d7", "in capitals": "01007B11D7", "as W26": string(card.Bytes())} {
		if strings.Contains(all, raw) {
			b.t.Errorf("the tenant's %s stands somewhere", what)
		}
	}
}

// TestDeskOfTwo: the second at the desk hears so, and can take it over.
func TestDeskOfTwo(t *testing.T) {
	b := newBench(t)
	b.enrolled()
	b.serve()
	d, err := b.client.OpenDesk(t.Context(), control.DeskRequest{})
	must(t, err)
	b.fails("", []string{"somebody has been at the desk for", "--take-over"}, "tenancy", "withdraw", "3B")
	waiting := make(chan error, 1)
	go func() {
		_, err := b.client.ShowCard(t.Context(), d.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: "front"}})
		waiting <- err
	}()
	b.eventually("the first one is asked for a card", func() bool { return b.waits() == 1 })
	b.fails("", []string{`no tenancy "3B"`}, "tenancy", "withdraw", "3B", "--take-over")
	if err := <-waiting; err == nil || !strings.Contains(err.Error(), "took the desk over") {
		t.Errorf("the first one hears: %v", err)
	}
}

// TestDeskAlone: a standalone house is told what to use.
func TestDeskAlone(t *testing.T) {
	b := newBench(t)
	b.ok("", "init", "--config", b.path("site.toml"), "--key", b.path("issuer.key"))
	b.serve()
	b.fails("", []string{"no registry", "gatehouse grant add"}, "checkin")
	if out := b.ok("", "tenancy", "list"); !strings.Contains(out, "no tenancies yet") {
		t.Errorf("list: %s", out)
	}
}
