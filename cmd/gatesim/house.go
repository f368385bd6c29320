package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/wiegand"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
)

// The doors of the building.
const (
	frontDoor = "front" // electric egress, fail-safe lock, Wiegand reader, exit button
	yardDoor  = "yard"  // a handle on the inside, fail-secure lock, serial reader
	gateDoor  = "gate"  // likewise, with an OSDP reader that has keys, and a scanner of codes
)

// siteText is the site file: folder, building. The longest budget keeps a busy
// machine from looking like a sick disk.
const siteText = `building = "%[2]s"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
journal = {budget_ms = 2000}
fire = {chip = "sim0", line = 7, active = "low"}

[[door]]
id = "front"
egress = "electric"
lock = "fail-safe"
release_seconds = 3
relay = {chip = "sim0", line = 2, pull = "down"}
exit = {chip = "sim0", line = 3}
contact = {chip = "sim0", line = 4, active = "high", bias = "pull-down", filter_ms = 50}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "sim0"
d0 = 0
d1 = 1
formats = ["H10301"]

[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 5, pull = "down"}
contact = {chip = "sim0", line = 6, active = "high", bias = "pull-down", filter_ms = 50}
[[door.reader]]
id = "in"
type = "serial"
port = "%[1]s/tty-yard"

[[door]]
id = "gate"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 8, pull = "down"}
contact = {chip = "sim0", line = 9, active = "high", bias = "pull-down", filter_ms = 50}
[[door.reader]]
id = "in"
type = "osdp"
port = "%[1]s/tty-gate"
address = 3
pin = "with-card"
[[door.reader]]
id = "qr"
type = "code"
port = "%[1]s/tty-qr"
`

// boardLines is the board that siteText describes.
func boardLines() []devicetest.Line {
	return []devicetest.Line{
		{Name: "d0", Offset: 0, PullUp: true, ActiveLow: true},
		{Name: "d1", Offset: 1, PullUp: true, ActiveLow: true},
		{Name: frontDoor + "-relay", Offset: 2, Output: true},
		{Name: "exit", Offset: 3, PullUp: true, ActiveLow: true},
		{Name: frontDoor + "-contact", Offset: 4},
		{Name: yardDoor + "-relay", Offset: 5, Output: true},
		{Name: yardDoor + "-contact", Offset: 6},
		{Name: "fire", Offset: 7, PullUp: true, ActiveLow: true},
		{Name: gateDoor + "-relay", Offset: 8, Output: true},
		{Name: gateDoor + "-contact", Offset: 9},
	}
}

// person is somebody with a card. Names are made up, as are the numbers: an
// EM4100 card of 40 bits, of which a 26-bit reader sees the low 24.
type person struct {
	name    string
	card    uint64
	grant   wire.ID
	tenancy wire.ID // in the house by itself
}

// firstCard is the number of the first resident's card; strangers begin at
// firstStranger.
const (
	firstCard     = 0x01_00_2A_00_10
	firstStranger = 0x01_00_63_10_00
)

func stranger(i int) *person { return &person{name: "a stranger", card: firstStranger + uint64(i)} }

// atFront is the card as the 26-bit reader at the front door sends it.
func (p *person) atFront() (device.Card, error) {
	f, ok := wiegand.Lookup("H10301")
	if !ok {
		return device.Card{}, errors.New("no format H10301")
	}
	return f.Encode(wiegand.Fields{Facility: p.card >> 16 & 0xFF, Card: p.card & 0xFFFF, HasFacility: true})
}

// keys are those that the landlord keeps, made here as `gatehouse init` does.
type houseKeys struct {
	issuer   ed25519.PrivateKey
	building *keys.BuildingKey
}

// makeKeys writes the gateway's keys into its state folder, and the issuer's
// beside it.
func makeKeys(dir string) (k houseKeys, err error) {
	public, issuer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return k, err
	}
	if k.building, err = keys.GenerateBuildingKey(1); err != nil {
		return k, err
	}
	k.issuer = issuer
	if _, err := keys.Install(filepath.Join(dir, "state", "keys"), public, k.building); err != nil {
		return k, err
	}
	if err := hasRun(dir); err != nil {
		return k, err
	}
	return k, keys.SavePrivateKey(filepath.Join(dir, "issuer.key"), issuer)
}

// hasRun makes the gateway of a folder one that has been sure of the time for days:
// residents end by a clock only when it has been steady for one.
func hasRun(dir string) error {
	t := demoTime()
	at := t.BootTime()
	known, err := json.Marshal(trueclock.State{Boot: hex.EncodeToString(t.Boot[:]), At: at, Sure: time.Duration(t.Wall().UnixNano()) - at, Firm: true})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "state", "clock"), known, 0o600)
}

// people are all who have a key.
type people struct {
	residents                              []*person
	visitor, lost, moved, gardener, tenant *person
}

// newPeople names the people of the house; tenant is the resident who moves
// out during the day.
func newPeople() *people {
	all := &people{}
	next := uint64(firstCard)
	with := func(name string) *person {
		next += 0x0101
		return &person{name: name, card: next}
	}
	for i := range 20 {
		all.residents = append(all.residents, with(fmt.Sprintf("flat %d%c", 1+i/4, 'A'+i%4)))
	}
	all.tenant = all.residents[19]
	all.visitor, all.lost, all.moved = with("visitor of flat 2A"), with("the lost card of flat 5A"), with("the tenant before, flat 3C")
	all.gardener = with("the gardener")
	return all
}

// enrol puts everybody on the list. The same card is two credentials of one
// grant: 26 bits at the front, 40 at the yard and the gate.
func (all *people) enrol(e *grantlist.Editor, k *keys.BuildingKey, now time.Time) error {
	all3 := []string{frontDoor, yardDoor, gateDoor}
	add := func(p *person, g grantlist.NewGrant) error {
		w26, err := p.atFront()
		if err != nil {
			return err
		}
		_, _ = rand.Read(p.tenancy[:]) // never fails
		g.Label, g.Tenancy = p.name, p.tenancy
		g.Credentials = []wire.CredentialID{k.Identify(w26), k.Identify(device.CardOf(p.card, 40))}
		p.grant, err = e.Add(g)
		return err
	}
	day := 24 * time.Hour
	var errs []error
	for _, p := range all.residents {
		errs = append(errs, add(p, grantlist.NewGrant{Kind: wire.GrantResident, Doors: all3, From: now.Add(-30 * day), Until: now.Add(300 * day)}))
	}
	errs = append(errs,
		add(all.visitor, grantlist.NewGrant{Kind: wire.GrantVisitor, Doors: all3, From: now.Add(-time.Hour), Until: now.Add(day)}),
		add(all.lost, grantlist.NewGrant{Kind: wire.GrantResident, Doors: all3}),
		add(all.moved, grantlist.NewGrant{Kind: wire.GrantResident, Doors: all3, From: now.Add(-60 * day), Until: now.Add(-day)}),
		add(all.gardener, grantlist.NewGrant{Kind: wire.GrantStaff, Doors: []string{yardDoor}}))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return e.SetState(all.lost.grant, wire.GrantSuspended)
}

// house is everything that stays when the daemon goes.
type house struct {
	dir    string
	keys   houseKeys
	people *people
	world  *world
	board  *devicetest.Board
	front  *devicetest.WiegandSource
	yard   *devicetest.SerialModule
	gate   *gateReaders
}

// newHouse wires a building in a folder. It has no keys yet.
func newHouse(dir, building string) (*house, error) {
	h := &house{dir: dir, people: newPeople(), world: newWorld()}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of %s: %w", building, err)
	}
	if err := os.WriteFile(h.config(), fmt.Appendf(nil, siteText, dir, building), 0o600); err != nil {
		return nil, fmt.Errorf("site file: %w", err)
	}
	var err error
	h.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: boardLines(), Changed: h.world.moved})
	if err != nil {
		return nil, err
	}
	h.front = &devicetest.WiegandSource{Board: h.board, D0: "d0", D1: "d1", Interval: time.Millisecond, Pause: 80 * time.Millisecond}
	if h.yard, err = devicetest.NewSerialTerminal(filepath.Join(dir, "tty-yard"), "rdm6300"); err != nil {
		return nil, err
	}
	h.gate, err = newGateReaders(dir)
	return h, err
}

// freePorts takes back all ports that a killed daemon had: whoever is not root
// could open none of them again.
func (h *house) freePorts() error {
	return errors.Join(h.yard.Free(), h.gate.line.Free(), h.gate.code.Free())
}

func (h *house) config() string { return filepath.Join(h.dir, "site.toml") }
func (h *house) log() string    { return filepath.Join(h.dir, "daemon.log") }
func (h *house) socket() string { return filepath.Join(h.dir, "sock") }
