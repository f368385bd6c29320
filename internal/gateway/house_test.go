package gateway_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/uart"
	"gatehouse/internal/control"
	"gatehouse/internal/desk"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"

	"github.com/rs/zerolog"
)

// The one card of these tests: facility 123, card 4567. As an EM4100 card it has
// 40 bits, of which a W26 reader shows the low 24.
const emNumber = 0x01007B11D7

func em4567() string { return "\x0201007B11D7BC\x03" }

// giveKey makes the keys of building lane-7 in a state directory, and a list in
// which the card opens both doors. It returns the issuer's key.
func giveKey(t *testing.T, state string) ed25519.PrivateKey {
	t.Helper()
	issuer, _ := gatewaytest.Keys(t, state)
	keys, err := keys.LoadKeys(filepath.Join(state, "keys"))
	must(t, err)
	k, err := keyring.Open(keyring.Options{Dir: filepath.Join(state, "grants"), Building: "lane-7", Keys: keys, Log: zerolog.Nop()})
	must(t, err)
	defer k.Close()
	e, err := grantlist.NewEditor(grantlist.List{}, "lane-7", issuer, 0)
	must(t, err)
	ids, err := k.IdentifyAll(device.CardOf(emNumber, 40))
	must(t, err)
	_, err = e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front", "yard"}, Credentials: ids, Label: "3B"})
	must(t, err)
	u, err := e.Sign(time.Now())
	must(t, err)
	must(t, k.Apply(u))
	// As the first start of a gateway leaves it, before any list.
	must(t, os.WriteFile(filepath.Join(state, "grants", desk.BookFile), []byte(`{"format":2,"line":"0","number":0,"stored":0,"tenancies":null}`), 0o600))
	return issuer
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// house is a gateway in this process, on fake lines and a real pty.
type house struct {
	t      *testing.T
	dir    string
	site   string
	board  *devicetest.Board
	serial *devicetest.SerialModule
	source *devicetest.WiegandSource
	client *control.Client
	issuer ed25519.PrivateKey
	time   *gatewaytest.Clock
	log    *gatewaytest.Log

	gateway *gateway.Gateway // that ran last
	running *gatewaytest.Running

	mu       sync.Mutex
	releases map[string]int // how often each door was released
}

const houseSite = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
fire = {chip = "sim0", line = 7, active = "low"}
[[door]]
id = "front"
egress = "electric"
lock = "fail-safe"
release_seconds = 3
relay = {chip = "sim0", line = 2, pull = "down"}
exit = {chip = "sim0", line = 3}
contact = {chip = "sim0", line = 4, active = "high", bias = "pull-down"}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "sim0"
d0 = 0
d1 = 1
formats = ["H10301", "H10306"]
[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 5, pull = "down"}
contact = {chip = "sim0", line = 6, active = "high", bias = "pull-down"}
[[door.reader]]
id = "in"
type = "serial"
port = "%[1]s/tty"
`

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), log: &gatewaytest.Log{}, releases: map[string]int{}, time: gatewaytest.NewClock(time.Hour, wire.ClockNTP)}
	h.site = fmt.Sprintf(houseSite, h.dir)
	board := houseBoard()
	board.Changed = h.moved
	var err error
	h.board, err = devicetest.NewBoard(board)
	must(t, err)
	h.serial, err = devicetest.NewSerialTerminal(filepath.Join(h.dir, "tty"), "rdm6300")
	must(t, err)
	t.Cleanup(func() { _ = h.serial.Close() })
	h.source = &devicetest.WiegandSource{Board: h.board, D0: "d0", D1: "d1"}
	h.issuer = giveKey(t, filepath.Join(h.dir, "state"))
	knewTheTime(t, filepath.Join(h.dir, "state"))
	h.client = control.NewClient(filepath.Join(h.dir, "sock"))
	return h
}

// knewTheTime makes a gateway one that was sure of the time a moment ago: residents
// whose term is over end at once, and not after a day of looking.
func knewTheTime(t *testing.T, state string) {
	t.Helper()
	kept := append(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix())), 0) // as the first release kept it
	must(t, os.WriteFile(filepath.Join(state, "clock"), kept, 0o600))
}

// start runs the gateway until the test ends or stops it.
func (h *house) start() {
	h.t.Helper()
	h.startWith(nil)
}

func (h *house) startWith(change func(*gateway.Options)) {
	h.t.Helper()
	h.run(change)
	h.eventually("the gateway answers", func() bool {
		s, err := h.client.Status(h.t.Context())
		return err == nil && gatewaytest.Online(s) && s.Clock.Trusted // which needs a first look at it
	})
}

// run runs the gateway, and waits for nothing.
func (h *house) run(change func(*gateway.Options)) {
	h.t.Helper()
	site, err := site.Parse([]byte(h.site))
	must(h.t, err)
	h.running = gatewaytest.Run(h.t, gatewaytest.Setup{Site: site, Board: h.board, Clock: h.time, Log: h.log, Change: change, Once: true})
	h.gateway = h.running.Gateway()
}

func (h *house) end() {
	if err := h.ended(); err != nil {
		h.t.Errorf("gateway ended: %v", err)
	}
}

// ended stops the gateway and returns what Run returned; nil the second time.
func (h *house) ended() error { return h.running.Stop() }

func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	gatewaytest.Eventually(h.t, what, ok, func() string { return fmt.Sprintf("log:\n%s\nentries: %v", h.log, h.kinds()) })
}

// kinds counts the entries by door, kind, outcome and reason.
func (h *house) kinds() map[string]int {
	found := map[string]int{}
	all, _ := h.gateway.Headers(context.WithoutCancel(h.t.Context())) // asked again
	for _, e := range all {
		found[entryName(e)]++
	}
	return found
}

// standaloneEntries are the entries of a daemon of its own: what no view shows.
func standaloneEntries(dir, scratch string) (all []wire.Header, err error) {
	err = journaltest.ReadCopies(filepath.Join(dir, "state", "journal"), scratch, func(e journaled.Entry) error {
		h, err := wire.DecodeHeader(e.Header)
		all = append(all, h)
		return err
	})
	return all, err
}

// entryName is an entry in words: door, kind, outcome, reason.
func entryName(e wire.Header) string {
	return strings.Join(strings.Fields(e.Door+" "+e.Kind.String()+" "+e.Outcome.String()+" "+e.Reason.String()), " ")
}

func (h *house) has(entry string, n int) func() bool {
	return func() bool { return h.kinds()[entry] >= n }
}

// isReleased tells how a door stands: de-energised the front is released
// and the yard is secured.
func (h *house) isReleased(door string) bool {
	driven, on := h.board.Output(door + "-relay")
	return released(door, driven, on)
}

func released(door string, driven, on bool) bool {
	if door == "front" {
		return !driven || !on
	}
	return driven && on
}

// moved counts the releases: one of three seconds may be over before anybody looks.
func (h *house) moved(c devicetest.Change) {
	door := strings.TrimSuffix(c.Line, "-relay")
	if released(door, c.Driven, c.Active) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.releases[door]++
	}
}

func (h *house) timesReleased(door string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.releases[door]
}

// opens wants a secured door to release because of what is done.
func (h *house) opens(door, what string, do func()) {
	h.t.Helper()
	h.eventually(door+" is secured", func() bool { return !h.isReleased(door) })
	before := h.timesReleased(door)
	do()
	h.eventually(what, func() bool { return h.timesReleased(door) > before })
}

// wiegandOpens holds the one card up at the front door.
func (h *house) wiegandOpens(what string) {
	h.t.Helper()
	h.opens("front", what, func() { h.wiegand(123, 4567) })
}

// serialOpens holds the one card up at the yard.
func (h *house) serialOpens(what string) {
	h.t.Helper()
	h.opens("yard", what, h.serialAtOnce)
}

// serialAtOnce holds the one card up at the yard as the reader sees it for two frames,
// which come in one piece: however slow this machine is, the second is in time, so that
// the card is never taken for one that the module made up.
func (h *house) serialAtOnce() {
	h.t.Helper()
	must(h.t, h.serial.Send([]byte(em4567()+em4567())))
}

// holdUp leaves the one card on the yard's reader until it is taken down.
func (h *house) holdUp(card uint64) (down func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	var held sync.WaitGroup
	held.Go(func() { _ = h.serial.Present(ctx, devicetest.EM4100(card), time.Hour) })
	return func() { cancel(); held.Wait() }
}

func (h *house) edit(change func(*grantlist.Editor) error) {
	h.t.Helper()
	must(h.t, h.tryEdit(change))
}

func (h *house) tryEdit(change func(*grantlist.Editor) error) error {
	_, err := issue.Issuer{Client: h.client, Key: h.issuer}.Edit(h.t.Context(), change)
	return err
}

// second tries to start another gateway on the same state.
func (h *house) second() error {
	site, err := site.Parse([]byte(h.site))
	must(h.t, err)
	_, err = gateway.New(gateway.Options{Site: site, Time: h.time.Source(), Log: zerolog.New(h.log), Hardware: gateway.Hardware{
		Lines:  func(device.LinesConfig) (device.Lines, error) { return nil, os.ErrNotExist },
		Output: func(device.OutputConfig) (device.Output, error) { return nil, os.ErrNotExist },
		Port:   uart.Open}})
	return err
}

// houseBoard is the building that houseSite describes.
func houseBoard() devicetest.BoardConfig {
	return devicetest.BoardConfig{Chip: "sim0", Lines: []devicetest.Line{
		{Name: "d0", Offset: 0, PullUp: true, ActiveLow: true},
		{Name: "d1", Offset: 1, PullUp: true, ActiveLow: true},
		{Name: "front-relay", Offset: 2, Output: true},
		{Name: "exit", Offset: 3, PullUp: true, ActiveLow: true},
		{Name: "front-contact", Offset: 4},
		{Name: "yard-relay", Offset: 5, Output: true},
		{Name: "yard-contact", Offset: 6},
		{Name: "fire", Offset: 7, PullUp: true, ActiveLow: true},
	}}
}
