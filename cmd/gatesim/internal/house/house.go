// Package house is a building without hardware: its site file and keys, a board, readers, and the people who
// have cards. What stays when a daemon goes is here; nothing here decides who comes in.
package house

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

	"gatehouse/cmd/gatesim/internal/ledger"
	"gatehouse/device/devicetest"
	"gatehouse/internal/keys"
	"gatehouse/internal/trueclock"
)

// siteText is the site file: directory, building. The longest budget keeps a busy
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
		{Name: ledger.FrontDoor + "-relay", Offset: 2, Output: true},
		{Name: "exit", Offset: 3, PullUp: true, ActiveLow: true},
		{Name: ledger.FrontDoor + "-contact", Offset: 4},
		{Name: ledger.YardDoor + "-relay", Offset: 5, Output: true},
		{Name: ledger.YardDoor + "-contact", Offset: 6},
		{Name: "fire", Offset: 7, PullUp: true, ActiveLow: true},
		{Name: ledger.GateDoor + "-relay", Offset: 8, Output: true},
		{Name: ledger.GateDoor + "-contact", Offset: 9},
	}
}

// keys are those that the landlord keeps, made here as `gatehouse init` does.
type houseKeys struct {
	Issuer   ed25519.PrivateKey
	Building *keys.BuildingKey
}

// MakeKeys writes the gateway's keys into its state directory, and the issuer's
// beside it.
func MakeKeys(dir string) (k houseKeys, err error) {
	public, issuer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return k, err
	}
	if k.Building, err = keys.GenerateBuildingKey(1); err != nil {
		return k, err
	}
	k.Issuer = issuer
	if _, err := keys.Install(filepath.Join(dir, "state", "keys"), public, k.Building); err != nil {
		return k, err
	}
	if err := HasRun(dir); err != nil {
		return k, err
	}
	return k, keys.SavePrivateKey(filepath.Join(dir, "issuer.key"), issuer)
}

// HasRun makes the gateway of a directory one that has been sure of the time for days:
// residents end by a clock only when it has been steady for one.
func HasRun(dir string) error {
	t := Time()
	at := t.BootTime()
	known, err := json.Marshal(trueclock.State{Boot: hex.EncodeToString(t.Boot[:]), At: at, Sure: time.Duration(t.Wall().UnixNano()) - at, Firm: true})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "state", "clock"), known, 0o600)
}

// House is everything that stays when the daemon goes.
type House struct {
	Dir    string
	Keys   houseKeys
	People *people
	World  *ledger.World
	Board  *devicetest.Board
	Front  *devicetest.WiegandSource
	Yard   *devicetest.SerialModule
	Gate   *GateReaders
}

// New wires a building in a directory. It has no keys yet.
func New(dir, building string) (*House, error) {
	h := &House{Dir: dir, People: newPeople(), World: ledger.NewWorld()}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of %s: %w", building, err)
	}
	if err := os.WriteFile(h.Config(), fmt.Appendf(nil, siteText, dir, building), 0o600); err != nil {
		return nil, fmt.Errorf("site file: %w", err)
	}
	var err error
	h.Board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: boardLines(), Changed: h.World.Moved})
	if err != nil {
		return nil, err
	}
	h.Front = &devicetest.WiegandSource{Board: h.Board, D0: "d0", D1: "d1", Interval: time.Millisecond, Pause: 80 * time.Millisecond}
	if h.Yard, err = devicetest.NewSerialTerminal(filepath.Join(dir, "tty-yard"), "rdm6300"); err != nil {
		return nil, err
	}
	h.Gate, err = newGateReaders(dir)
	return h, err
}

// FreePorts takes back all ports that a killed daemon had: whoever is not root
// could open none of them again.
func (h *House) FreePorts() error {
	return errors.Join(h.Yard.Free(), h.Gate.line.Free(), h.Gate.Code.Free())
}

// Config is the site file.
func (h *House) Config() string { return filepath.Join(h.Dir, "site.toml") }

// Log is the file in which the daemon logs.
func (h *House) Log() string { return filepath.Join(h.Dir, "daemon.log") }

// Socket is where the daemon answers.
func (h *House) Socket() string { return filepath.Join(h.Dir, "sock") }
