// Package testbed is a building and its registry in one bubble of virtual time: the real
// programs of both ends, on machines, lines and a broker that are played.
package testbed

import (
	"context"
	"fmt"
	"path/filepath"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/simulate/virtual"

	"github.com/rs/zerolog"
)

// Flats of the building.
var Flats = []string{"1A", "1B", "2A", "2B", "3A", "3B"}

// Setup says what is to be built.
type Setup struct {
	Dir      string // of all files of the run
	Seed     uint64
	Gateways int
	Scans    bool           // there are scanners of codes at the doors
	OwnDisks bool           // each disk is a file system of its own, where this process may
	WhoDays  int            // for how long both ends keep who passed; 0: as ever
	CALeft   *time.Duration // after how long the registry's CA ends; nil: 20 years
}

// Bed is a building and its registry: the programs, and the machines they run on. One goroutine
// moves it; its programs have goroutines of their own.
type Bed struct {
	setup    Setup
	Dir      string
	Ctx      context.Context
	LAN      *virtual.LAN
	Broker   *faultnet.Broker
	Registry *Registry
	Gateways []*Gateway
	Annex    *Gateway // a standalone gateway, with no registry; nil: there is none
	rolls    map[string]*virtual.Chances
}

// NewBed returns what Start will start. Nothing runs before.
func NewBed(s Setup) *Bed {
	return &Bed{setup: s, Dir: s.Dir, Ctx: context.Background(), LAN: virtual.NewLAN(), Broker: faultnet.NewSlowBroker(s.Seed, 20*time.Millisecond), rolls: map[string]*virtual.Chances{}}
}

// Start makes registry and gateways, all new and well, and starts them.
func (t *Bed) Start() (err error) {
	if t.Registry, err = newRegistry(t); err != nil {
		return err
	}
	if err := t.Registry.StartFront(); err != nil {
		return err
	}
	if err := t.Registry.StartIssuer(); err != nil {
		return err
	}
	time.Sleep(time.Second)
	for n := range t.setup.Gateways {
		b := NewGateway(t, fmt.Sprintf("gw%d", n+1), fmt.Sprintf("door%d", n+1), n%2 == 0)
		b.scans = t.setup.Scans
		if t.setup.OwnDisks {
			b.Disk.Separate()
		}
		t.Gateways = append(t.Gateways, b)
		if err := b.enrol(false); err != nil {
			return err
		}
		if err := b.Start(); err != nil {
			return err
		}
	}
	time.Sleep(3 * time.Minute)
	synctest.Wait()
	return nil
}

// End stops everything.
func (t *Bed) End() {
	for _, b := range t.Gateways {
		b.Stop()
	}
	if t.Registry != nil {
		t.Registry.Issuer.End()
		t.Registry.StopFront()
	}
	if t.Annex != nil {
		t.Annex.Stop()
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	if t.Registry != nil {
		_, all := t.Disks()
		for _, d := range all {
			d.Release()
		}
	}
}

// WhoDays are for how long both ends keep who passed by their own settings; 0: as long as ever.
func (t *Bed) WhoDays() int { return t.setup.WhoDays }

// Path is that of a file of the run.
func (t *Bed) Path(name string) string { return filepath.Join(t.Dir, name) }

// chances are the waits by chance of a part.
func (t *Bed) chances(name string) *virtual.Chances {
	if t.rolls[name] == nil {
		t.rolls[name] = &virtual.Chances{Seed: t.setup.Seed, Name: name}
	}
	return t.rolls[name]
}

// Gateway is a gateway by its name; nil: there is none.
func (t *Bed) Gateway(name string) *Gateway {
	for _, b := range t.Gateways {
		if b.Name == name {
			return b
		}
	}
	return nil
}

// Running are the gateways whose daemon runs.
func (t *Bed) Running() (all []*Gateway) {
	for _, b := range t.Gateways {
		if b.life != nil {
			all = append(all, b)
		}
	}
	return all
}

// machineClock is the clock of one machine, with its name in words.
type machineClock struct {
	Name  string
	Clock *virtual.Clock
}

// Clocks are those of all machines, in a fixed order.
func (t *Bed) Clocks() []machineClock {
	all := []machineClock{{"the front", t.Registry.Front.Clock}, {"the issuer", t.Registry.Issuer.Clock}}
	for _, b := range t.Gateways {
		all = append(all, machineClock{b.Name, b.Clock})
	}
	if t.Annex != nil {
		all = append(all, machineClock{t.Annex.Name, t.Annex.Clock})
	}
	return all
}

// Disks are those of all machines, by name.
func (t *Bed) Disks() (names []string, all []*virtual.Disk) {
	for _, b := range t.Gateways {
		names, all = append(names, b.Name), append(all, b.Disk)
	}
	return append(names, "the front", "the issuer"), append(all, t.Registry.Front.Disk, t.Registry.Issuer.Disk)
}

func (t *Bed) dropLink(gateway string) {
	if b := t.Gateway(gateway); b != nil {
		b.dropLink()
	}
}

// log is where a part says what it does; nothing of it is a result.
func (t *Bed) log(string) zerolog.Logger { return zerolog.Nop() }
