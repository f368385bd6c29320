package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/control"
	"gatehouse/internal/faultnet"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

// sdCard is an ext4 of its own on a loop device, of which the kernel counts what is
// written and how often it is told to make it last.
type sdCard struct{ dir, stat string }

// The mount options of a card. ext4 commits by itself what changed 5 s ago, the times of files
// among it: to see what a program alone asks for, it is told to wait.
const (
	byDefault = ""
	waits     = "commit=600"
)

// newSDCard makes one in a file below TMPDIR. The file system has no work left of its making.
func newSDCard(b *testing.B, options string) *sdCard {
	b.Helper()
	if os.Getuid() != 0 {
		lacks(b, "root", "a file system is mounted")
	}
	need(b, "loop", "losetup")
	need(b, "loop", "mkfs.ext4")
	image := filepath.Join(b.TempDir(), "card")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 512<<20)); err != nil {
		b.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	if err != nil {
		lacks(b, "loop", "no loop device is free")
	}
	loop := strings.TrimSpace(string(out))
	b.Cleanup(func() { _ = exec.Command("losetup", "--detach", loop).Run() })
	if out, err := exec.Command("mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", loop).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	c := &sdCard{dir: b.TempDir(), stat: filepath.Join("/sys/block", filepath.Base(loop), "stat")}
	if err := unix.Mount(loop, c.dir, "ext4", 0, options); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := unix.Unmount(c.dir, 0); err != nil {
			b.Error(err)
		}
	})
	return c
}

// written is what went to a card: bytes, and flushes of its cache.
type written struct{ bytes, flushes float64 }

// sync has the file system write what it still holds back.
func (c *sdCard) sync(b *testing.B) {
	b.Helper()
	dir, err := os.Open(c.dir)
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		b.Fatal(err)
	}
}

// count is what went to the card since it was made.
func (c *sdCard) count(b *testing.B) written {
	b.Helper()
	text, err := os.ReadFile(c.stat)
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text))
	number := func(i int) float64 {
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return written{number(6) * 512, number(15)} // sectors written, flushes: Documentation/block/stat.rst
}

// during is what f had written, for each of n: nothing that the file system held back before, and
// nothing that it still holds back.
func (c *sdCard) during(b *testing.B, n int, f func()) written {
	b.Helper()
	c.sync(b)
	before := c.count(b)
	f()
	after := c.count(b)
	return written{(after.bytes - before.bytes) / float64(n), (after.flushes - before.flushes) / float64(n)}
}

func (w written) report(b *testing.B, what string) {
	b.ReportMetric(w.bytes/1000, "KB_"+what)
	b.ReportMetric(w.flushes, "flushes_"+what)
}

// newZeroedOn is a file on a card with all its blocks in place; the function that is returned
// makes n more bytes in it last, the least that a disk can be asked for.
func newZeroedOn(b *testing.B, c *sdCard) func(n int) {
	b.Helper()
	f, err := os.Create(filepath.Join(c.dir, "zeroed"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	_, err = f.Write(make([]byte, 512<<10))
	if err := errors.Join(err, f.Sync()); err != nil {
		b.Fatal(err)
	}
	at := int64(0)
	return func(n int) {
		_, err := f.WriteAt(make([]byte, n), at)
		if err := errors.Join(err, unix.Fdatasync(int(f.Fd()))); err != nil {
			b.Fatal(err)
		}
		at += int64(n)
	}
}

const entryBytes = 190 // of a granted card in the log, about

// BenchmarkSDCardEntry counts what a lone durable entry costs the card of a gateway: blocks
// and flushes, which another load does not change. Beside it the bare write and sync of as many bytes.
func BenchmarkSDCardEntry(b *testing.B) {
	c := newSDCard(b, waits)
	g := &box{dir: filepath.Join(c.dir, "state")}
	j := g.openJournal(b)
	stop := background(b, "journal", j.Run)
	defer stop()
	bare := newZeroedOn(b, c)
	g.journal = j
	g.granted(b)
	time.Sleep(time.Second)
	const pause = 5 * time.Millisecond // each is alone
	ours := c.during(b, b.N, func() {
		for range b.N {
			g.granted(b)
			time.Sleep(pause)
		}
	})
	limit := c.during(b, b.N, func() {
		for range b.N {
			bare(entryBytes)
			time.Sleep(pause)
		}
	})
	ours.report(b, "entry")
	limit.report(b, "limit")
	b.ReportMetric(0, "ns/op")
}

// granted appends the entry of a card.
func (b *box) granted(tb testing.TB) {
	tb.Helper()
	_, err := b.journal.Append(tb.Context(), wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "in",
		Direction: wire.DirectionIn}, wire.Who{Credential: &wire.CredentialID{1}, Grant: &wire.ID{1}, Tenancy: &wire.ID{1}})
	if err != nil {
		tb.Fatal(err)
	}
}

// passageSite is a house of one door: directory of what is beside the card, that of the card,
// where the broker is reached.
const passageSite = `
building = "house"
gateway = "gw1"
registry = "mqtts://%[3]s"
state = "%[2]s/state"
socket = "%[1]s/sock"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 8
relay = {chip = "sim0", line = 0, pull = "down"}
contact = {chip = "sim0", line = 1, active = "high", bias = "pull-down", filter_ms = 50}
[[door.reader]]
id = "in"
type = "serial"
port = "%[1]s/tty"
`

// entrance is a whole gateway on a card, and its one door.
type entrance struct {
	b      *testing.B
	card   *sdCard
	box    *box
	held   device.Card // opens the door
	board  *devicetest.Board
	reader *devicetest.SerialModule
	moved  chan bool // the relay: released or not
	log    *gatewaytest.Log
	wire   *faultnet.Proxy
	stop   func()
}

// BenchmarkSDCardPassage counts what a passage costs: somebody holds a card up, opens the
// door after 1 s and closes it after 4 s. It counts a whole gateway that is enrolled with a
// registry, and all that follows within the 12 s until the next one: on line, off line, and
// five bare syncs in a file at the same times. The registry is on another disk. "wire" is what TLS
// carries, pings and acks among it. "quiet" is five minutes after them on line with nobody at
// the door, in which falls what may wait; "full_stop" an orderly stop with 450 entries, half
// a day's, that came in one run.
func BenchmarkSDCardPassage(b *testing.B) {
	b.Run("ext4=waits", func(b *testing.B) { passages(b, waits) })
	b.Run("ext4=default", func(b *testing.B) { passages(b, byDefault) })
}

const (
	passagesCounted = 8
	passageEvery    = 12 * time.Second
	quietFor        = 5*time.Minute + passageEvery
	settlesIn       = 75 * time.Second // once, a minute after its start, a gateway tends to what was checked in
)

func passages(b *testing.B, options string) {
	for range b.N {
		t := newTown(b, false)
		stopTown := t.start(b)
		e := newEntrance(b, t, options)
		bare := newZeroedOn(b, e.card)
		time.Sleep(settlesIn)
		e.passages(1) // so that nothing is done for the first time
		there, back := e.wire.Traffic()
		online := e.card.during(b, passagesCounted, func() { e.passages(passagesCounted) })
		thereAfter, backAfter := e.wire.Traffic()
		quiet := e.card.during(b, 1, func() { time.Sleep(quietFor) })
		stopTown()
		time.Sleep(passageEvery)
		offline := e.card.during(b, passagesCounted, func() { e.passages(passagesCounted) })
		e.stop()
		limit := e.card.during(b, passagesCounted, func() {
			for range passagesCounted {
				barePassage(bare)
			}
		})
		full := e.fullStop()
		for name, w := range map[string]written{"online": online, "offline": offline, "limit": limit, "quiet": quiet, "full_stop": full} {
			w.report(b, name)
		}
		b.ReportMetric(year(online.bytes+quiet.bytes, full.bytes), "GB_year_online")
		b.ReportMetric(year(limit.bytes, 0), "GB_year_limit")
		b.ReportMetric(float64(thereAfter-there)/passagesCounted, "B_wire_up")
		b.ReportMetric(float64(backAfter-back)/passagesCounted, "B_wire_down")
		b.ReportMetric(0, "ns/op")
	}
}

// passagesADay is the mean of a house.
const passagesADay = 180

// year is how many GB a card takes in a year, by the bytes of a passage with the quiet time after
// it, and of putting half a day's log in order.
func year(passage, halfDay float64) float64 { return 365 * (passagesADay*passage + 2*halfDay) / 1e9 }

// barePassage is five lone syncs when the five entries of a passage come.
func barePassage(sync func(n int)) {
	began := time.Now()
	for _, at := range []time.Duration{0, 0, time.Second, 4 * time.Second, 4 * time.Second} {
		time.Sleep(time.Until(began.Add(at)))
		sync(entryBytes)
	}
	time.Sleep(time.Until(began.Add(passageEvery)))
}

func newEntrance(b *testing.B, t *town, options string) *entrance {
	b.Helper()
	e := &entrance{b: b, card: newSDCard(b, options), moved: make(chan bool, 64), log: &gatewaytest.Log{}}
	state, dir := filepath.Join(e.card.dir, "state"), b.TempDir()
	if err := os.Mkdir(state, 0o700); err != nil {
		b.Fatal(err)
	}
	e.box = t.enrolIn(b, state, "house", "gw1")
	stop := e.box.online(b, t.broker)
	e.held, _ = e.box.checkIn(b, 1) // number 0 is one that such modules make up
	eventually(b, "the list names the tenant", func() bool { return t.settled(b, e.box) && e.box.lets(b, e.held) })
	stop()
	if err := errors.Join(e.box.keyring.Close(), house.HasRun(e.card.dir)); err != nil {
		b.Fatal(err)
	}
	var err error
	if e.reader, err = devicetest.NewSerialTerminal(filepath.Join(dir, "tty"), "rdm6300"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.reader.Close() })
	e.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: []devicetest.Line{{Name: "relay", Offset: 0, Output: true}, {Name: "contact", Offset: 1}},
		Changed: func(c devicetest.Change) {
			if c.Line == "relay" && c.Driven {
				e.moved <- c.Active
			}
		}})
	if err != nil {
		b.Fatal(err)
	}
	e.wire = t.through(b, 0)
	parsed, err := site.Parse(fmt.Appendf(nil, passageSite, dir, e.card.dir, e.wire.Addr()))
	if err != nil {
		b.Fatal(err)
	}
	r := gatewaytest.Run(b, gatewaytest.Setup{Site: parsed, Board: e.board, Log: e.log, Change: func(o *gateway.Options) { o.Time = house.Time() }})
	e.stop = func() {
		if err := r.Stop(); err != nil {
			b.Error(err)
		}
	}
	client := control.NewClient(parsed.Socket)
	eventually(b, "the door is served", func() bool { s, err := client.Status(b.Context()); return err == nil && gatewaytest.Online(s) })
	eventually(b, "the registry has what there is", func() bool {
		all, err := t.front.Gateways(b.Context(), "house")
		return err == nil && len(all) == 1 && all[0].Online
	})
	return e
}

// passages are n, one after the other; it returns when the next one would begin.
func (e *entrance) passages(n int) {
	e.b.Helper()
	for range n {
		began := time.Now()
		e.drain()
		for range 2 { // twice at once: a card whose second frame is late, on a busy machine, is a ghost
			if err := e.reader.Present(e.b.Context(), e.held.Bytes(), 0); err != nil {
				e.b.Fatal(err)
			}
		}
		e.awaits(true)
		released := time.Now()
		e.contact(released.Add(time.Second), true)
		e.contact(released.Add(4*time.Second), false)
		e.awaits(false)
		time.Sleep(time.Until(began.Add(passageEvery)))
	}
}

// drain forgets what the relay did before.
func (e *entrance) drain() {
	for len(e.moved) > 0 {
		<-e.moved
	}
}

func (e *entrance) awaits(released bool) {
	e.b.Helper()
	for end := time.After(10 * time.Second); ; {
		select {
		case is := <-e.moved:
			if is == released {
				return
			}
		case <-end:
			e.b.Fatalf("the relay never became: released %v\n%s", released, e.log)
		}
	}
}

func (e *entrance) contact(at time.Time, open bool) {
	e.b.Helper()
	time.Sleep(time.Until(at))
	if err := e.board.Set("contact", open); err != nil {
		e.b.Fatal(err)
	}
}

// fullStop is what an orderly stop writes that has half a day's entries to put in order: less
// what the entries themselves cost.
func (e *entrance) fullStop() written {
	e.b.Helper()
	const entries = passagesADay / 2 * 5
	e.box.journal = e.box.openJournal(e.b)
	stop := background(e.b, "journal", e.box.journal.Run)
	for range entries {
		e.box.granted(e.b)
	}
	return e.card.during(e.b, 1, stop)
}
