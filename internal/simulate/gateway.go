package simulate

import (
	"context"
	"errors"
	"fmt"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/virtual"
	"os"
	"strings"
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
	"gatehouse/internal/journal"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

const building = "lane-7"

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

// box is the machine of one gateway, with the daemon on it.
type box struct {
	w     *world
	name  string
	door  string
	clock *virtual.Clock
	disk  *virtual.Disk
	board *virtual.Board
	// formats are the wire formats that the daemon speaks; 0: all.
	formats uint64
	scans   bool          // there is a scanner of codes at its door
	asked   map[spot]bool // entries that lastReason has seen
	life    *life         // nil: the daemon does not run
	client  *control.Client
}

// life is one run of the daemon.
type life struct {
	stop  context.CancelFunc
	ended sync.WaitGroup
	alive atomic.Bool // false: its machine is without power, and nothing it does counts
	link  *gatewayLink
	err   error
}

func newBox(w *world, name, door string, battery bool) *box {
	c := virtual.NewClock(battery)
	return &box{w: w, name: name, door: door, clock: c, disk: &virtual.Disk{Root: w.path(name)}, board: virtual.NewBoard(c), asked: map[spot]bool{}}
}

func (b *box) socket() string { return b.w.path(b.name + ".sock") }

func (b *box) parse() (*site.Site, error) {
	text := fmt.Appendf(nil, siteText, b.name, b.disk.Dir(), b.socket(), b.door)
	if b.scans {
		text = append(text, scanner...)
	}
	return site.Parse(text)
}

// enrol makes the gateway known to the registry. It is not running.
func (b *box) enrol(replace bool) error {
	token, err := b.w.centre.op.AddGateway(b.w.ctx, operator.NewGateway{Place: api.Place{District: "d", Town: "t", Building: building, Gateway: b.name},
		Flats: flats, Replace: replace})
	if err != nil {
		return err
	}
	parsed, err := wire.ParseToken(token.Text)
	if err != nil {
		return err
	}
	_, err = enrol.Enrol(b.w.ctx, enrol.Options{Token: parsed, Dir: b.disk.Path("state", "keys"), Building: building, Gateway: b.name,
		Doors: []string{b.door}, Software: "simulated", Now: b.clock.Wall, Network: b.w.lan.Sockets()})
	return err
}

// start runs the daemon.
func (b *box) start() error {
	s, err := b.parse()
	if err != nil {
		return err
	}
	l := &life{}
	l.alive.Store(true)
	var armed atomic.Bool
	g, err := gateway.New(gateway.Options{Site: s, Version: "simulated", Log: b.w.log(b.name), Hardware: b.board.Hardware(l.alive.Load),
		Time: clock.Source{Wall: b.clock.Wall, BootTime: b.clock.Boot, Monotonic: b.clock.Boot, Quality: b.clock.Quality},
		Dial: func(c mqtt.Config) (gateway.Link, error) {
			will := c.Will
			n := b.w.broker.Connect(faultnet.Client{Name: b.name, Subscribe: c.Subscribe, Will: func() mqtt.Message {
				if !armed.Load() {
					return mqtt.Message{Topic: "nobody"}
				}
				return will()
			}})
			n.Stop()
			l.link = &gatewayLink{Link: n, name: b.name, config: c, server: b.w.centre, again: make(chan struct{}, 1), deaf: make(chan struct{}, 1), chance: b.w.chances(b.name).UpTo}
			return l.link, nil
		},
		Sync: b.disk.Wait, Formats: b.formats, Network: b.w.lan.Sockets(), Cadence: gateway.Cadence{Clock: time.Minute, Journal: 15 * time.Minute, Gather: time.Millisecond},
		Chance: b.w.chances(b.name + " waits").UpTo})
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	armed.Store(true)
	srv := ctl.New(g, ctl.Options{Version: "simulated", Network: b.w.lan.Sockets(), Look: 24 * time.Hour, Log: b.w.log(b.name)})
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.ended.Go(func() { l.err = g.Run(ctx, srv.Serve) })
	b.life, b.client = l, control.NewClientOver(b.w.lan.Sockets(), b.socket())
	time.Sleep(200 * time.Millisecond) // readers count bits from then on
	synctest.Wait()
	return nil
}

// stop ends the daemon in order.
func (b *box) stop() {
	if b.life == nil {
		return
	}
	b.life.stop()
	b.life.ended.Wait()
	b.life = nil
	align()
	synctest.Wait()
}

// cutPower ends the daemon as a power cut does: what it has on its disk at this
// moment stays, and nothing it does afterwards counts.
func (b *box) cutPower() error {
	if b.life == nil {
		return nil
	}
	synctest.Wait()
	if err := b.disk.Next(""); err != nil {
		return err
	}
	b.silence()
	b.stop()
	b.disk.Drop()
	return nil
}

// silence takes the old daemon from its lines and from the network.
func (b *box) silence() {
	b.life.alive.Store(false)
	if l := b.life.link; l != nil {
		l.silent.Store(true)
		l.Cut()
	}
}

func (b *box) cutLink() {
	if b.life != nil && b.life.link != nil {
		b.life.link.Cut()
	}
}

// dropLink ends the broker's end of a gateway's connection.
func (b *box) dropLink() {
	if b.life != nil && b.life.link != nil {
		b.life.link.Drop()
	}
}

func (w *world) dropLink(gateway string) {
	if b := w.box(gateway); b != nil {
		b.dropLink()
	}
}

// setBack puts an image of its card into the machine, after a power cut.
func (b *box) setBack(image string) error {
	if err := b.cutPower(); err != nil {
		return err
	}
	if err := b.disk.Next(image); err != nil {
		return err
	}
	b.disk.Drop()
	return nil
}

// swipe holds a card up and says whether the lock was driven.
func (b *box) swipe(card int) bool {
	if b.life == nil {
		return false
	}
	return b.opens(func() { b.board.Show(virtual.CardOf(card)) })
}

// opens does something at the door and says whether the lock was driven.
func (b *box) opens(do func()) bool {
	before := b.board.Releases()
	do()
	time.Sleep(500 * time.Millisecond)
	synctest.Wait()
	opened := b.board.Releases() > before
	time.Sleep(4 * time.Second) // it is secured again
	return opened
}

// status asks the daemon how it is.
func (b *box) status() (control.Status, error) {
	if b.life == nil {
		return control.Status{}, errOff
	}
	return b.client.Status(b.w.ctx)
}

var errOff = errors.New("the machine is off")

// entry is one of a journal, as it lies on the disk.
type entry struct {
	at    spot
	time  time.Time
	kind  string
	words string
	why   string // its reason
}

// spot is the place of an entry in a gateway's log.
type spot struct {
	epoch string
	n     uint64
}

// entries are those that are on the gateway's disk: nobody in the house sees them
// all, and so the daemon is not asked.
func (b *box) entries() (all []entry) {
	_ = journal.ReadCopies(b.disk.Path("state", "journal"), b.w.dir, func(e journal.Entry) error {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			return nil // what can't be read is no entry
		}
		words := strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s", h.Kind, h.Outcome, h.Reason, h.Door, h.Source)), " ")
		all = append(all, entry{spot{fmt.Sprintf("%016x", e.Epoch), e.Sequence}, h.Time(), h.Kind.String(), words, h.Reason.String()})
		return nil
	})
	return all
}

// lastReason is the reason of the newest swipe in the log since it was asked last.
// Epochs have names by chance, so that time alone is an order.
func (b *box) lastReason() string {
	reason, newest := "no entry", time.Time{}
	for _, e := range b.entries() {
		if b.asked[e.at] {
			continue
		}
		b.asked[e.at] = true
		if e.kind == "access" && !e.time.Before(newest) {
			reason, newest = e.why, e.time
		}
	}
	return reason
}

// harm deletes a file or a directory of the state directory, or empties or spoils a file.
func (b *box) harm(file string, how plan.Harm) error {
	path := b.disk.Path(file)
	switch how {
	case plan.Deleted:
		return os.RemoveAll(path)
	case plan.Emptied:
		return os.Truncate(path, 0)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i := range raw {
		raw[i] ^= byte(i*37 + 11)
	}
	return os.WriteFile(path, raw, 0o600)
}
