package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/uart"
	"gatehouse/device/wiegand"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

func (h *house) wiegand(facility, card uint64) {
	h.t.Helper()
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: facility, Card: card, HasFacility: true})
	must(h.t, err)
	must(h.t, h.source.Send(c))
}

// TestSwipe: one card, two readers that see it in two forms, one grant.
func TestSwipe(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	if h.isReleased("front") || h.isReleased("yard") {
		t.Fatal("a door is released after the start")
	}
	h.wiegandOpens("the front door releases")
	h.serialOpens("the yard door releases")
	h.wiegand(123, 4568)
	h.eventually("entries", func() bool {
		k := h.kinds()
		return k["front access granted granted"] == 1 && k["yard access granted granted"] == 1 &&
			k["front access denied unknown_card"] == 1 && k["front released card"] == 1
	})
	h.eventually("the front door is secured again", func() bool { return !h.isReleased("front") })
}

// TestReasons: every reason of a denial comes out at the door under its name.
func TestReasons(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	now := time.Now()
	h.start()
	before := h.timesReleased("front")
	card := func(n uint64) []wire.CredentialID {
		c, err := h.client.Printed(t.Context(), control.PrintedRequest{Form: "3+5D", Number: fmt.Sprintf("200,%05d", n)})
		must(t, err)
		id, err := wire.ParseCredentialID(c.Credentials[0])
		must(t, err)
		return []wire.CredentialID{id}
	}
	front := []string{"front"}
	var suspended, revoked wire.ID
	h.edit(func(e *grantlist.Editor) (err error) {
		add := func(n uint64, g grantlist.NewGrant) wire.ID {
			g.Kind, g.Credentials = wire.GrantResident, card(n)
			id, err := e.Add(g)
			must(t, err)
			return id
		}
		add(1, grantlist.NewGrant{Doors: []string{"yard"}})
		add(2, grantlist.NewGrant{Doors: front, From: now.Add(401 * 24 * time.Hour)})
		add(3, grantlist.NewGrant{Doors: front, Until: now.Add(-24 * time.Hour)})
		suspended = add(4, grantlist.NewGrant{Doors: front})
		revoked = add(5, grantlist.NewGrant{Doors: front})
		if err := e.SetState(suspended, wire.GrantSuspended); err != nil {
			return err
		}
		return e.SetState(revoked, wire.GrantRevoked)
	})
	for n, reason := range map[uint64]string{1: "wrong_door", 2: "not_yet", 3: "expired", 4: "suspended", 5: "revoked", 6: "unknown_card"} {
		h.wiegand(200, n)
		h.eventually(reason, h.has("front access denied "+reason, 1))
		if h.timesReleased("front") != before {
			t.Fatalf("%s opened the door", reason)
		}
	}
	h.edit(func(e *grantlist.Editor) error { return e.SetState(suspended, wire.GrantActive) })
	time.Sleep(1600 * time.Millisecond) // the same card again sooner is the same presentation
	h.opens("front", "a suspended card comes back", func() { h.wiegand(200, 4) })
	err := h.tryEdit(func(e *grantlist.Editor) error { return e.SetState(revoked, wire.GrantActive) })
	if err == nil {
		t.Error("a revoked grant came back")
	}
}

// TestClockLeaps: a year forward and back, nobody expires.
func TestClockLeaps(t *testing.T) {
	t.Parallel()
	for name, leap := range map[string]time.Duration{"forward": 366 * 24 * time.Hour, "back": -200 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.start()
			printed, err := h.client.Printed(t.Context(), control.PrintedRequest{Form: "3+5D", Number: "200,00001"})
			must(t, err)
			id, err := wire.ParseCredentialID(printed.Credentials[0])
			must(t, err)
			h.edit(func(e *grantlist.Editor) error {
				_, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{id},
					From: time.Now().Add(-time.Hour), Until: time.Now().Add(30 * 24 * time.Hour)})
				return err
			})
			h.time.Leap(leap)
			h.opens("front", "still opens", func() { h.wiegand(200, 1) })
			st, err := h.client.Status(t.Context())
			must(t, err)
			if st.Clock.Trusted || !strings.Contains(strings.Join(st.Problems, " "), map[string]string{"forward": "only one source", "back": "nothing tells"}[name]) {
				t.Errorf("status does not tell of the leap: %+v %v", st.Clock, st.Problems)
			}
			if _, err := h.client.ConfirmClock(t.Context()); (err == nil) != (leap > 0) {
				t.Errorf("confirming the clock: %v", err)
			}
			time.Sleep(1600 * time.Millisecond) // the same card again sooner is the same presentation
			h.opens("front", "opens after it, too", func() { h.wiegand(200, 1) })
		})
	}
}

// TestRestartWithoutNetwork: known cards open at once after a restart.
func TestRestartWithoutNetwork(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.end()
	h.start()
	h.wiegandOpens("opens")
	h.eventually("entries", h.has("front access granted granted", 1))
	if k := h.kinds(); k["boot"] != 2 || k["stop"] != 1 {
		t.Errorf("entries %v; want two boots and a stop", k)
	}
}

// TestMissingParts: the daemon starts without chip and tty, says so, and takes
// them when they come.
func TestMissingParts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	must(t, h.serial.Unplug())
	h.start()
	h.eventually("the missing reader is an entry", h.has("yard offline missing", 1))
	st, err := h.client.Status(t.Context())
	must(t, err)
	if !strings.Contains(strings.Join(st.Problems, "\n"), "door yard: in is out of order") {
		t.Errorf("problems: %q", st.Problems)
	}
	must(t, h.serial.Replug())
	h.eventually("it came back", h.has("yard online", 1))
	var down func()
	h.opens("yard", "and reads", func() { down = h.holdUp(emNumber) }) // until it does
	down()
}

// TestNoChip: with no GPIO at all the daemon answers and retries.
func TestNoChip(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.site = strings.ReplaceAll(h.site, `"sim0"`, `"no-such-chip"`)
	h.start()
	h.eventually("missing lines are entries", func() bool {
		k := h.kinds()
		return k["front offline missing"] >= 1 && k["front fault output_refused"] >= 1
	})
	if err := h.ended(); err == nil || !strings.Contains(err.Error(), "no-such-chip") {
		t.Errorf("ended with %v; want that the relays could not be driven safe", err)
	}
}

// TestFaultsAtTheReaders: what is damaged is never a card, and says why.
func TestFaultsAtTheReaders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	f, _ := wiegand.Lookup("H10301")
	good, err := f.Encode(wiegand.Fields{Facility: 123, Card: 4567, HasFacility: true})
	must(t, err)
	bad := device.CardOf(good.Uint64(0, 26)^1, 26)
	must(t, h.source.Send(bad))
	h.eventually("wrong parity", h.has("front fault wrong_parity", 1))
	must(t, h.source.Send(device.CardOf(5, 20)))
	h.eventually("half a frame", h.has("front fault wrong_length", 1))
	must(t, h.source.SendSpoiled(good, spoilLost))
	h.eventually("lost edges", h.has("front fault lost_edges", 1))
	must(t, h.serial.Send([]byte("\x0201007B11D7BD\x03")))
	h.eventually("wrong checksum", h.has("yard fault wrong_checksum", 1))
	must(t, h.serial.Ghost(t.Context()))
	h.eventually("ghost", h.has("yard fault ghost_frame", 1))
	if k := h.kinds(); k["front access granted granted"]+k["yard access granted granted"] != 0 {
		t.Errorf("a damaged frame opened: %v", k)
	}
}

// TestFire: all doors release; the latch outlives a restart and yields only to
// a reset after the panel is idle.
func TestFire(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	must(t, h.board.Set("fire", true))
	both := func() bool { return h.isReleased("front") && h.isReleased("yard") }
	h.eventually("both doors release", both)
	h.eventually("and stay so", h.has("front fire active", 1)) // which a second look decides
	_, err := h.client.ResetFire(t.Context())
	var refused *control.Error
	if !errors.As(err, &refused) || refused.Hint == "" {
		t.Errorf("reset while active: %v", err)
	}
	must(t, h.board.Set("fire", false))
	h.eventually("the panel is idle", h.has("front fire idle", 1))
	h.end()
	h.start()
	h.eventually("still released after a restart", both)
	if _, err := h.client.ResetFire(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.eventually("secured", func() bool { return !h.isReleased("front") && !h.isReleased("yard") })
	h.eventually("the log says who did it", func() bool {
		by := map[string]int{}
		must(t, h.client.Log(t.Context(), control.LogQuery{Last: -1, Kinds: []string{"fire_reset"}}, func(e control.LogEntry) error {
			by[e.Outcome+" by "+e.By]++
			return nil
		}))
		return by["refused by operator"] == 1 && by["done by operator"] == 2 && len(by) == 2
	})
}

// TestResetShowsUp (refusal N11): who asks on the page to end an emergency is at a door, by its
// exit button or by a card that opens; what was pressed before does not count, and who goes away
// while the gateway waits has said nothing.
func TestResetShowsUp(t *testing.T) {
	h := newHouse(t)
	h.start()
	owner := caller.With(t.Context(), caller.Caller{Role: caller.Owner, Account: 402117})
	reset := func(ctx context.Context) chan error {
		done := make(chan error, 1)
		go func() { _, err := h.client.ResetFire(ctx); done <- err }()
		return done
	}
	alarm := func(n int) {
		must(t, h.board.Set("fire", true))
		h.eventually("the doors stay released", h.has("front fire active", n))
		if err := <-reset(owner); err == nil || !strings.Contains(err.Error(), "still active") {
			t.Errorf("reset while active: %v", err)
		}
		must(t, h.board.Set("fire", false))
		h.eventually("the panel is idle", func() bool { f, _ := h.gateway.Fire.Now(); return !f.Active && f.Latched })
	}
	must(t, h.board.Set("exit", true))
	h.eventually("it is pressed before", h.has("front exit active", 1))
	must(t, h.board.Set("exit", false))
	alarm(1)
	away, leave := context.WithCancel(owner)
	gone := reset(away)
	h.eventually("the gateway waits", h.has("fire_reset active", 1))
	leave()
	if err := <-gone; err == nil {
		t.Error("an emergency ended without anybody there")
	}
	shown := reset(owner)
	h.eventually("the gateway waits", h.has("fire_reset active", 2))
	h.wiegand(123, 4567)
	must(t, <-shown)
	h.eventually("secured", func() bool { return !h.isReleased("front") && !h.isReleased("yard") })
	alarm(2)
	shown = reset(owner)
	h.eventually("the gateway waits", h.has("fire_reset active", 3))
	must(t, h.board.Set("exit", true))
	must(t, <-shown)
	h.eventually("the log says who asked", func() bool {
		by := map[string]int{}
		must(t, h.client.Log(t.Context(), control.LogQuery{Last: -1, Kinds: []string{"fire_reset"}}, func(e control.LogEntry) error {
			by[e.Outcome+" by "+e.By]++
			return nil
		}))
		return by["done by owner-402117"] == 4 && by["refused by owner-402117"] == 2
	})
}

// TestUnreadableLatch: after doubt the doors stay released.
func TestUnreadableLatch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.end()
	for name, spoil := range map[string]func(string) error{
		"garbage": func(p string) error { return os.WriteFile(p, []byte("\x00\x00"), 0o600) },
		"gone":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			must(t, spoil(filepath.Join(h.dir, "state", "fire.latch")))
			h.start()
			h.eventually("released", func() bool { return h.isReleased("front") && h.isReleased("yard") })
			if _, err := h.client.ResetFire(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.eventually("secured", func() bool { return !h.isReleased("front") })
			h.end()
			h.start()
			h.eventually("secured after a restart", func() bool { return !h.isReleased("front") })
			h.end()
		})
	}
}

// TestRegistration: a swipe that somebody waits for opens nothing and brings
// the card's ids; an unknown card can be adopted, and never opens before.
func TestRegistration(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	front, yard := h.timesReleased("front"), h.timesReleased("yard")
	got := make(chan control.Card, 1)
	go func() {
		c, err := h.client.Swipe(t.Context(), control.SwipeRequest{Door: "yard", Seconds: 60})
		if err == nil {
			got <- c
		}
		close(got)
	}()
	h.eventually("somebody waits for a card", func() bool { return strings.Contains(h.log.String(), "a card is waited for") })
	down := h.holdUp(emNumber + 1) // nobody's
	card := <-got
	down()
	if len(card.Credentials) != 3 || card.Bits != 40 || len(card.Missing) != 0 || h.timesReleased("yard") != yard {
		t.Errorf("swipe gave %+v, yard released %v", card, h.timesReleased("yard") != yard)
	}
	if _, err := (control.Takeover{Daemon: h.client}).SetAdopt(t.Context(), control.AdoptRequest{Days: 14}); err != nil {
		t.Fatal(err)
	}
	h.wiegand(9, 99)
	var adopts control.AdoptState
	h.eventually("the unknown card asks", func() bool {
		a, err := control.Takeover{Daemon: h.client}.Adopts(t.Context())
		adopts = a
		return err == nil && len(a.Cards) == 1
	})
	if h.timesReleased("front") != front {
		t.Fatal("adopt mode opened the door")
	}
	id, err := wire.ParseCredentialID(adopts.Cards[0].Card.Credentials[0])
	must(t, err)
	h.edit(func(e *grantlist.Editor) error {
		_, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{id}, Label: "5A"})
		return err
	})
	time.Sleep(1600 * time.Millisecond) // the same card again sooner is the same presentation
	h.opens("front", "bound, it opens", func() { h.wiegand(9, 99) })
	if a, err := (control.Takeover{Daemon: h.client}).Adopts(t.Context()); err != nil || len(a.Cards) != 0 {
		t.Errorf("after binding: %+v, %v", a, err)
	}
}

// TestNoRawNumbers: nothing that leaves the process or reaches the disk holds
// the card's number, in any of the forms that people write it in.
func TestNoRawNumbers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.wiegandOpens("one card")
	h.serialOpens("the other")
	h.eventually("both cards", func() bool {
		k := h.kinds()
		return k["front access granted granted"] == 1 && k["yard access granted granted"] == 1
	})
	h.end()
	out := h.log.String()
	must(t, filepath.WalkDir(h.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		out += string(b)
		return err
	}))
	for _, raw := range []string{"01007B11D7", "01007b11d7", "\x01\x00\x7b\x11\xd7", "\xbd\x88\xeb\x80", "bd88eb80", "1234567", "0008065495"} {
		if strings.Contains(out, raw) {
			t.Errorf("the card's number stands somewhere as %q", raw)
		}
	}
	if found := shortNumber.FindString(out); found != "" {
		t.Errorf("the card's number stands somewhere as %q", found)
	}
}

// shortNumber is the printed number by itself: four digits in a row stand now and
// then in a hash or a time, too.
var shortNumber = regexp.MustCompile(`(?:^|[^0-9a-fA-F])0*4567(?:[^0-9a-fA-F]|$)`)

// TestOneDaemonOnly: a second daemon on the same state is refused, and the
// first goes on.
func TestOneDaemonOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	if err := h.second(); err == nil {
		t.Error("a second daemon started on the same state")
	}
	if _, err := h.client.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestReadersSettleMeanwhile: the lines of a Wiegand reader, on which nothing counts for 100 ms, are requested
// once the relays are safe and before the list is opened; a start that fails lets go of them.
func TestReadersSettleMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	grants := filepath.Join(h.dir, "state", "grants", "lock")
	early := false
	h.startWith(func(o *gateway.Options) {
		open := o.Hardware.Lines
		o.Hardware.Lines = func(c device.LinesConfig) (device.Lines, error) {
			if c.Consumer == "gatehouse-front-in" {
				early = !h.keyringIsOpen() && h.board.Requested("front-relay") && h.board.Requested("yard-relay")
			}
			return open(c)
		}
	})
	if !early {
		t.Error("the reader's lines were requested before the relays, or only when the list was open")
	}
	h.wiegandOpens("a card opens")
	h.end()
	lock, err := durable.TakeLock(grants)
	must(t, err)
	defer lock.Free()
	site, err := site.Parse([]byte(h.site))
	must(t, err)
	remote, disconnect := gatewaytest.Connect(h.board)
	defer disconnect()
	_, err = gateway.New(gateway.Options{Site: site, Time: h.time.Source(), Log: zerolog.New(h.log),
		Hardware: gateway.Hardware{Lines: remote.Lines, Output: remote.Output, Port: uart.Open}})
	if err == nil || h.board.Requested("d0") || h.board.Requested("front-relay") {
		t.Errorf("a start that failed with %v keeps lines", err)
	}
}

var spoilLost = devicetest.Spoil{Lost: []int{7}}
