package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/internal/keys"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/erasures"
	"gatehouse/sync/wire/journaled"
	"gatehouse/sync/wire/sealed"
)

// mine runs the tool for a resident, who holds the card up to the reader of the yard when the tool says so.
func (b *bench) mine(card uint64, args ...string) (status int, out, errOut string) {
	b.t.Helper()
	var o, e gatewaytest.Log
	done := make(chan int, 1)
	go func() {
		done <- run(b.t.Context(), append([]string{"--socket", b.path("sock")}, args...), strings.NewReader("471108\n"), &o, &e)
	}()
	b.eventually("the card is asked for", func() bool {
		return len(done) > 0 || strings.Contains(e.String(), "hold it up there again") || strings.Contains(e.String(), "再在同一个读卡器贴一下")
	})
	if len(done) == 0 {
		b.opens(card, "yard")
		b.eventually("the yard is secured", func() bool { _, on := b.board.Output("yard"); return !on })
		time.Sleep(1600 * time.Millisecond) // sooner it is the same presentation
		b.present(swipe{door: "yard", card: card}, "the card is read", func() bool {
			return len(done) > 0 || strings.Contains(e.String(), "the card is read") || strings.Contains(e.String(), "卡已读到")
		})
	}
	return <-done, o.String(), e.String()
}

// read is mine, and wants success.
func (b *bench) read(args ...string) string {
	b.t.Helper()
	status, out, errOut := b.mine(tenantCard, append([]string{"mine", "3b", "--reader", "yard"}, args...)...)
	if status != 0 {
		b.t.Fatalf("gatehouse mine %v: status %d: %s", args, status, errOut)
	}
	return out
}

// resident is a bench with a tenant of 3B who has chosen a PIN.
func resident(t *testing.T) (*bench, func()) {
	b := newBench(t)
	b.enrolled()
	stop := b.serve()
	b.ok("", "clock", "confirm")
	b.done(lines("resident-id", tenantNumber(), tenantName, "3B", "left door", "", "", "", "contract", "yes", "4711"),
		[]swipe{{door: "front", card: tenantCard}, {door: "yard", card: tenantCard}}, "checkin")
	b.done(lines("471108", "471108"), []swipe{{door: "yard", card: tenantCard, proof: true}}, "tenancy", "pin", "--by", "card", "--reader", "yard")
	return b, stop
}

// screen is what a landlord without root sees: log, tenancies, guest codes, status without what changes by itself.
func (b *bench) screen() string {
	b.t.Helper()
	st, err := b.client.Status(b.t.Context())
	must(b.t, err)
	return b.ok("", "log", "--all") + b.ok("", "tenancy", "list") + b.ok("", "guest", "list") + fmt.Sprintf("%+v %+v %+v", st.ToDo, st.Doors, st.Journal.WhoDays)
}

// TestMine: a resident reads, by flat, own PIN and the card held up, when that card opened which door and who did what, in
// both languages; the landlord who watches meanwhile sees nothing of it, and neither does a desk that waits for a proof
// at the same reader get one.
func TestMine(t *testing.T) {
	t.Parallel()
	b, stop := resident(t)
	before, log := b.screen(), b.log.String()
	d, err := b.client.OpenDesk(t.Context(), control.DeskRequest{})
	must(t, err)
	proof := make(chan control.DeskCard, 1)
	go func() {
		if c, err := b.client.ShowCard(t.Context(), d.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: "yard", Seconds: 300}, Proof: true}); err == nil {
			proof <- c
		}
	}()
	b.eventually("the desk waits", func() bool { return b.waits() > strings.Count(log, "a card is waited for") })
	log = b.log.String()
	out := b.read("--lang", "en")
	for _, want := range []string{"Card accepted · ", " · in", "Flat: 3B", "check-in · somebody at the gateway", "the tenant chose a PIN", "Entries were read with your card and PIN", "ask there", "after 30 to 37 days"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q: %s", want, out)
		}
	}
	zh := b.read("--lang", "zh")
	for _, want := range []string{"卡被接受 · ", " · 进", "房号：3B", "登记入住 · 在网关上的人", "请向登记中心询问", "30 到 37 天"} {
		if !strings.Contains(zh, want) {
			t.Errorf("it lacks %q: %s", want, zh)
		}
	}
	if len(proof) > 0 {
		t.Error("a card held up for the own entries proves something at the desk")
	}
	must(t, b.client.CloseDesk(t.Context(), d.Session))
	if n := b.entries(wire.KindTenancy, wire.ReasonOwnEntries); n != 2 {
		t.Errorf("%d readings are in the log", n)
	}
	if after := b.screen(); after != before {
		t.Errorf("the landlord saw\n%s\nand sees\n%s", before, after)
	}
	if said := strings.TrimPrefix(b.log.String(), log); strings.Contains(said, "mine") || strings.Contains(said, "waited for") {
		t.Errorf("the daemon tells of it: %s", said)
	}
	if status, _, said := b.tool("471109\n", "mine", "3B", "--lang", "zh"); status == 0 || !strings.Contains(said, "房号和密码对不上") {
		t.Errorf("a wrong PIN: %d, %s", status, said)
	}
	b.fails("471109\n", []string{"too many tries", "after a start of the gateway a flat has one try"}, "mine", "3B", "--lang", "en")
	b.fails("471109\n", []string{"试得太多了", "网关刚启动时只能试一次"}, "mine", "3B", "--lang", "zh")
	stop()
	b.nobody(out + zh)
}

// TestMineTakenAlong: the copy is a file of its own with all that is shown, as a table and for programs, and replaces none.
func TestMineTakenAlong(t *testing.T) {
	t.Parallel()
	b, stop := resident(t)
	defer stop()
	b.read("--export", b.path("mine.json"))
	raw, err := os.ReadFile(b.path("mine.json"))
	must(t, err)
	var m struct {
		control.Mine
		Told []string
	}
	must(t, json.Unmarshal(raw, &m))
	granted := 0
	for _, e := range m.Entries {
		if e.Kind == wire.KindAccess.String() && e.Outcome == "granted" && e.Door == "yard" {
			granted++
		}
	}
	if m.Tenancy.Flat != "3B" || len(m.Tenancy.Cards) != 1 || granted < 2 || len(m.Acts) < 3 || len(m.Told) < 5 {
		t.Errorf("%d passages: %s", granted, raw)
	}
	b.read("--export", b.path("mine.csv"), "--lang", "en")
	table, err := os.ReadFile(b.path("mine.csv"))
	must(t, err)
	if !strings.HasPrefix(string(table), "\ufeffPart,Time,") || strings.Count(string(table), "Entries of this card,") < 3 || !strings.Contains(string(table), "Flat: 3B") {
		t.Errorf("%s", table)
	}
	status, _, said := b.mine(tenantCard, "mine", "3B", "--reader", "yard", "--export", b.path("mine.csv"), "--lang", "en")
	if again, err := os.ReadFile(b.path("mine.csv")); err != nil || status == 0 || string(again) != string(table) || !strings.Contains(said, "is there already") {
		t.Errorf("a file that was there: %d, %s", status, said)
	}
}

// TestMineLooksFirst: what is wrong with text, door or file is said before the PIN is asked for, so it costs no try and no
// reading; and who takes a copy along and has something put right sees all the same what is held.
func TestMineLooksFirst(t *testing.T) {
	t.Parallel()
	b, stop := resident(t)
	defer stop()
	must(t, os.WriteFile(b.path("there"), nil, 0o600))
	for _, bad := range [][]string{
		{"so many digits", "这里连着的数字太多", "--correct", "call 13800000000"},
		{"no door cellar at this gateway\nhint: gatehouse status lists the doors", "没有“cellar”这扇门", "--reader", "cellar"},
		{"no door cellar at this gateway", "没有“cellar”这扇门", "--keypad", "cellar"},
		{"can't be written: no such file or directory\nhint: name with --export", "写不进去", "--export", b.path("none/mine.csv")},
		{"is there already", "已经存在", "--export", b.path("there")},
	} {
		b.fails("", []string{bad[0]}, append([]string{"mine", "3B", "--lang", "en"}, bad[2:]...)...)
		b.fails("", []string{bad[1]}, append([]string{"mine", "3B", "--lang", "zh"}, bad[2:]...)...)
	}
	out := b.read("--export", b.path("mine.csv"), "--about", "flat", "--correct", "it is another flat", "--lang", "en")
	if !strings.Contains(out, "Card accepted · ") || !strings.Contains(out, "Your request is in the log") {
		t.Errorf("a copy and a request: %s", out)
	}
}

// TestMineCorrected: a request to have something put right is a sealed entry, which the records key opens; the landlord
// sees nothing, and a number in it is refused.
func TestMineCorrected(t *testing.T) {
	t.Parallel()
	b, stop := resident(t)
	var m control.Mine
	must(t, json.Unmarshal([]byte(b.read("--json")), &m))
	before := b.screen()
	wrong := m.Entries[len(m.Entries)-1].ID
	var taken control.MineTaken
	must(t, json.Unmarshal([]byte(b.read("--json", "--entry", wrong, "--correct", "那时我不在家")), &taken))
	status, _, said := b.mine(tenantCard, "mine", "3B", "--reader", "yard", "--about", "flat", "--correct", "call 13800000000", "--lang", "en")
	if status == 0 || !strings.Contains(said, "so many digits") {
		t.Errorf("a number: %d, %s", status, said)
	}
	if after := b.screen(); after != before {
		t.Errorf("the landlord saw\n%s\nand sees\n%s", before, after)
	}
	stop()
	private, err := keys.LoadSealKey(b.path("state/keys/" + keys.SealKeyFile))
	must(t, err)
	var found []sealed.Correction
	must(t, journaltest.ReadCopies(b.path("state/journal"), b.dir, func(e journaled.Entry) error {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil || h.Kind != wire.KindSealed {
			return err
		}
		r, err := sealed.Open(private, "lane-7/gw1", h.Detail)
		if err != nil || r.What == sealed.Cover {
			return err
		}
		who, err := wire.DecodeWho(e.Who)
		if err != nil || fmt.Sprintf("%x", r.Reference[:4]) != taken.Number {
			t.Errorf("%v: %+v, number %s", err, r, taken.Number)
		}
		c, err := sealed.CorrectionOf(r, who)
		found = append(found, c)
		if c, err := sealed.CorrectionOf(r, wire.Who{}); !errors.Is(err, sealed.ErrErased) {
			t.Errorf("once its who part is erased: %+v, %v", c, err)
		}
		return err
	}))
	if len(found) != 1 || found[0].Text != "那时我不在家" || fmt.Sprintf("%016x:%d", found[0].Epoch, found[0].Sequence) != wrong || found[0].Tenancy.String() != m.Tenancy.ID {
		t.Errorf("%+v", found)
	}
	b.nobody("")
}

// asked returns the only request of a journal: the record that the records key opens, and what tells it from a cover.
func (b *bench) asked() (r sealed.Record, who []byte, root [32]byte) {
	b.t.Helper()
	private, err := keys.LoadSealKey(b.path("state/keys/" + keys.SealKeyFile))
	must(b.t, err)
	must(b.t, journaltest.ReadCopies(b.path("state/journal"), b.dir, func(e journaled.Entry) error {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil || h.Kind != wire.KindSealed {
			return err
		}
		one, err := sealed.Open(private, "lane-7/gw1", h.Detail)
		if one.What == sealed.Correct {
			r, who, root = one, e.Who, tree.LeafHash(e.Header, e.WhoHash[:])
		}
		return err
	}))
	return r, who, root
}

// TestMineForgotten: when the registry orders that a tenancy be forgotten, nobody can open its request any more, also with
// the records key: no byte of its key is left in a file of the gateway, and its leaf of the tree is the same.
func TestMineForgotten(t *testing.T) {
	t.Parallel()
	b, stop := resident(t)
	b.read("--about", "flat", "--correct", "那时我不在家")
	stop()
	before, part, leaf := b.asked()
	who, err := wire.DecodeWho(part)
	must(t, err)
	if _, err := sealed.CorrectionOf(before, who); err != nil || !b.has(who.Grant[:]) {
		t.Fatalf("before it is forgotten: %v", err)
	}
	order, err := erasures.Order{Number: wire.ID{9}, Tenancy: *who.Tenancy, Made: uint32(time.Now().Unix())}.Sign("lane-7", 0, b.issuer)
	must(t, err)
	must(t, os.WriteFile(b.path("order"), order, 0o600))
	stop = b.serve()
	b.ok("", "forget", b.path("order"))
	b.eventually("the key is gone", func() bool { return !b.has(who.Grant[:]) })
	stop()
	after, left, same := b.asked()
	if c, err := sealed.CorrectionOf(after, wire.Who{}); !errors.Is(err, sealed.ErrErased) || len(left) > 0 || same != leaf || b.has(who.Grant[:]) {
		t.Errorf("%+v, %v; %d bytes of its who part are left, its leaf is %x and was %x", c, err, len(left), same, leaf)
	}
}

// has reports whether a file of the gateway has these bytes.
func (b *bench) has(text []byte) (found bool) {
	b.t.Helper()
	must(b.t, filepath.WalkDir(b.path("state"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // it went meanwhile, or is no file
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, text)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
	return found
}
