package testbed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
	ctl "gatehouse/internal/control/server"
	"gatehouse/internal/enrol"
	"gatehouse/internal/faultnet"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/holds"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/site"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// PlaceOf is where a gateway stands.
func PlaceOf(gateway string) wire.Place {
	return wire.Place{District: "d", Town: "t", Building: Building, Gateway: gateway}
}

// Building is the one that there is.
const Building = "lane-7"

const siteText = `
building = "lane-7"
gateway = "%[1]s"
state = "%[2]s/state"
socket = "%[3]s"
time_zone = "Asia/Shanghai"
[[door]]
id = "%[4]s"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 2, pull = "down"}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "sim0"
d0 = 0
d1 = 1
formats = ["H10301"]
`

// scanner is what a door has besides where visitors come.
const scanner = `
[[door.reader]]
id = "qr"
type = "code"
port = "sim0"
`

// Gateway is the machine of one gateway, with the daemon on it.
type Gateway struct {
	Bed   *Bed
	Name  string
	Door  string
	Clock *virtual.Clock
	Disk  *virtual.Disk
	Board *virtual.Board
	// Formats are the wire formats that the daemon speaks; 0: all.
	Formats uint64
	scans   bool          // there is a scanner of codes at its door
	asked   map[Spot]bool // entries that LastReason has seen
	life    *life         // nil: the daemon does not run
	Client  *control.Client
}

// life is one run of the daemon.
type life struct {
	stop  context.CancelFunc
	ended sync.WaitGroup
	alive atomic.Bool // false: its machine is without power, and nothing it does counts
	link  *gatewayLink
	err   error
}

// NewGateway returns a machine that is not enrolled and not started.
func NewGateway(w *Bed, name, door string, battery bool) *Gateway {
	c := virtual.NewClock(battery)
	return &Gateway{Bed: w, Name: name, Door: door, Clock: c, Disk: &virtual.Disk{Root: w.Path(name)}, Board: virtual.NewBoard(c), asked: map[Spot]bool{}}
}

func (b *Gateway) socket() string { return b.Bed.Path(b.Name + ".sock") }

func (b *Gateway) parse() (*site.Site, error) {
	text := fmt.Appendf(nil, siteText, b.Name, b.Disk.Dir(), b.socket(), b.Door)
	if b.scans {
		text = append(text, scanner...)
	}
	if days := b.Bed.setup.WhoDays; days > 0 {
		text = fmt.Appendf(text, "[journal]\nwho_days = %d\n", days)
	}
	return site.Parse(text)
}

// enrol makes the gateway known to the registry. It is not running.
func (b *Gateway) enrol(replace bool) error {
	token, err := b.Token(replace)
	if err != nil {
		return err
	}
	parsed, err := wire.ParseToken(token)
	if err != nil {
		return err
	}
	_, err = enrol.Enrol(b.Bed.Ctx, enrol.Options{Token: parsed, Dir: b.Disk.Path("state", "keys"), Building: Building, Gateway: b.Name,
		Doors: []string{b.Door}, Software: "simulated", Now: b.Clock.Wall, Network: b.Bed.LAN.Sockets()})
	return err
}

// Token has the operator make a token for it.
func (b *Gateway) Token(replace bool) (string, error) {
	token, err := b.Bed.Registry.Op.AddGateway(b.Bed.Ctx, operator.NewGateway{Place: api.Place{District: "d", Town: "t", Building: Building, Gateway: b.Name},
		Flats: Flats, Replace: replace})
	return token.Text, err
}

// EnrolPatiently enrols a machine in the place of the one before, and tries again as
// the hint says: later.
func (b *Gateway) EnrolPatiently() error {
	err := b.enrol(true)
	for range 5 {
		if err == nil {
			break
		}
		time.Sleep(time.Minute)
		err = b.enrol(true)
	}
	return err
}

// covers is how long the next entry that says nothing is away: some a day, of a gateway that lives for years.
func (b *Gateway) covers() time.Duration {
	return time.Minute + b.Bed.chances(b.Name+" covers").UpTo(12*time.Hour)
}

// Start runs the daemon.
func (b *Gateway) Start() error {
	s, err := b.parse()
	if err != nil {
		return err
	}
	l := &life{}
	l.alive.Store(true)
	var armed atomic.Bool
	g, err := gateway.New(gateway.Options{Site: s, Version: "simulated", Log: b.Bed.log(b.Name), Hardware: b.Board.Hardware(l.alive.Load),
		Time: clock.Source{Wall: b.Clock.Wall, BootTime: b.Clock.Boot, Monotonic: b.Clock.Boot, Quality: b.Clock.Quality},
		Dial: func(c mqtt.Config) (gateway.Link, error) {
			will := c.Will
			n := b.Bed.Broker.Connect(faultnet.Client{Name: b.Name, Subscribe: c.Subscribe, Will: func() mqtt.Message {
				if !armed.Load() {
					return mqtt.Message{Topic: "nobody"}
				}
				return will()
			}})
			n.Stop()
			l.link = &gatewayLink{Link: n, name: b.Name, config: c, server: b.Bed.Registry, again: make(chan struct{}, 1), deaf: make(chan struct{}, 1), chance: b.Bed.chances(b.Name).UpTo}
			return l.link, nil
		},
		Sync: b.Disk.Wait, Formats: b.Formats, Network: b.Bed.LAN.Sockets(), Cadence: gateway.Cadence{Clock: time.Minute, Journal: 15 * time.Minute, Gather: time.Millisecond, Cover: b.covers, Decoys: b.Bed.chances(b.Name + " decoys").UpTo},
		Chance: b.Bed.chances(b.Name + " waits").UpTo})
	if err != nil {
		return fmt.Errorf("%s: %w", b.Name, err)
	}
	armed.Store(true)
	srv := ctl.New(g, ctl.Options{Version: "simulated", Network: b.Bed.LAN.Sockets(), Look: 24 * time.Hour, Watch: -1, Log: b.Bed.log(b.Name)})
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.ended.Go(func() { l.err = g.Run(ctx, srv.Serve) })
	b.life, b.Client = l, control.NewClientOver(b.Bed.LAN.Sockets(), b.socket())
	time.Sleep(200 * time.Millisecond) // readers count bits from then on
	synctest.Wait()
	return nil
}

// Stop ends the daemon in order.
func (b *Gateway) Stop() {
	if b.life == nil {
		return
	}
	b.life.stop()
	b.life.ended.Wait()
	b.life = nil
	align()
	synctest.Wait()
}

// CutPower ends the daemon as a power cut does: what it has on its disk at this
// moment stays, and nothing it does afterwards counts.
func (b *Gateway) CutPower() error {
	if b.life == nil {
		return nil
	}
	synctest.Wait()
	if err := b.Disk.Next(""); err != nil {
		return err
	}
	b.silence()
	b.Stop()
	b.Disk.Drop()
	return nil
}

// silence takes the old daemon from its lines and from the network.
func (b *Gateway) silence() {
	b.life.alive.Store(false)
	if l := b.life.link; l != nil {
		l.silent.Store(true)
		l.Cut()
	}
}

// CutLink ends its connection; it makes another one.
func (b *Gateway) CutLink() {
	if b.life != nil && b.life.link != nil {
		b.life.link.Cut()
	}
}

// dropLink ends the broker's end of a gateway's connection.
func (b *Gateway) dropLink() {
	if b.life != nil && b.life.link != nil {
		b.life.link.Drop()
	}
}

// SetBack puts an image of its card into the machine, after a power cut.
func (b *Gateway) SetBack(image string) error {
	if err := b.CutPower(); err != nil {
		return err
	}
	if err := b.Disk.Next(image); err != nil {
		return err
	}
	b.Disk.Drop()
	return nil
}

// Swipe holds a card up and says whether the lock was driven.
func (b *Gateway) Swipe(card int) bool {
	if b.life == nil {
		return false
	}
	return b.Opens(func() { b.Board.Show(virtual.CardOf(card)) })
}

// Opens does something at the door and says whether the lock was driven.
func (b *Gateway) Opens(do func()) bool {
	before := b.Board.Releases()
	do()
	time.Sleep(500 * time.Millisecond)
	synctest.Wait()
	opened := b.Board.Releases() > before
	time.Sleep(4 * time.Second) // it is secured again
	return opened
}

// Status asks the daemon how it is.
func (b *Gateway) Status() (control.Status, error) {
	if b.life == nil {
		return control.Status{}, ErrOff
	}
	return b.Client.Status(b.Bed.Ctx)
}

// ErrOff says that nobody answers.
var ErrOff = errors.New("the machine is off")

// Linked reports whether it has a connection, up or not.
func (b *Gateway) Linked() bool { return b.life != nil && b.life.link != nil }

// HalfOpen makes the connection half-open: nobody notices, and nothing passes.
func (b *Gateway) HalfOpen() { b.life.link.Blind() }

// Held reports whether a hold of the gateway's own keeps an entry: of an order, or one that nobody ordered.
func (b *Gateway) Held(e Entry) bool {
	now := time.Now()
	book, err := holds.OpenBook(holds.Options{Path: b.Disk.Path("state", "holds"), Now: func() holds.Moment {
		return holds.Moment{Wall: now, Boot: b.Clock.Boot(), Interval: trueclock.Interval{Sure: now.Unix(), Lo: now.Unix(), Hi: now.Unix()}}
	}})
	return err != nil || book.Held(wire.Header{Door: e.Door, Wall: e.Time.UnixMilli(), Clock: e.Clock})
}

// Running reports whether the daemon runs.
func (b *Gateway) Running() bool { return b.life != nil }
