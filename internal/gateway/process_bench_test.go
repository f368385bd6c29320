package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/wiegand"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/journal"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"
)

// build makes a program as it ships, for this machine.
func build(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", path, "gatehouse/cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return path
}

// fill makes the keys of building lane-7 in a state directory and a list of n
// grants, in which the card 123-4567 opens the front door.
func fill(b *testing.B, state string, n int) {
	b.Helper()
	dir := filepath.Join(state, "keys")
	must(b, os.MkdirAll(dir, 0o700))
	public, issuer, err := ed25519.GenerateKey(nil)
	must(b, err)
	building, err := keys.GenerateBuildingKey(1)
	must(b, err)
	must(b, keys.SaveBuildingKey(filepath.Join(dir, keys.BuildingKeyFile), building))
	must(b, keys.SaveIssuer(filepath.Join(dir, keys.IssuerFile), wire.Key{Role: wire.RoleIssuer, Public: public}))
	must(b, keys.SavePrivateKey(filepath.Join(dir, keys.GatewayKeyFile), issuer))
	keys, err := keys.LoadKeys(dir)
	must(b, err)
	k, err := keyring.Open(keyring.Options{Dir: filepath.Join(state, "grants"), Building: "lane-7", Keys: keys, Log: zerolog.Nop()})
	must(b, err)
	defer k.Close()
	e, err := grantlist.NewEditor(grantlist.List{}, "lane-7", issuer, 0)
	must(b, err)
	for i := range n {
		ids := []wire.CredentialID{{1}}
		binary.BigEndian.PutUint64(ids[0][1:], uint64(i+1)*0x9e3779b97f4a7c15) // as even as an HMAC
		if i == 0 {
			ids, err = k.IdentifyAll(device.CardOf(emNumber, 40))
			must(b, err)
		}
		_, err = e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: ids})
		must(b, err)
	}
	u, err := e.Sign(time.Now())
	must(b, err)
	must(b, k.Apply(u))
}

// fillJournal writes n entries, which all stand in the newest file.
func fillJournal(b *testing.B, state string, n int) {
	b.Helper()
	clock := func() journal.Stamp {
		return journal.Stamp{BootTime: 1, Wall: time.Now().UnixMilli(), Quality: wire.ClockNTP, Trusted: true}
	}
	j, err := journal.Open(journal.Options{Dir: filepath.Join(state, "journal"), Clock: clock, Log: zerolog.Nop(), Queue: n + 10})
	must(b, err)
	for i := range n {
		j.Queue(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "in"},
			wire.Who{Credential: &wire.CredentialID{1, byte(i)}, Grant: &wire.ID{1}, Tenancy: &wire.ID{1}})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	must(b, j.Run(ctx)) // writes what is queued, and ends
	fillTree(b, filepath.Join(state, "journal"))
}

// fillTree writes the tree of the newest file, which a journal that runs writes behind its entries.
func fillTree(b *testing.B, dir string) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*-*.db"))
	must(b, err)
	tiles := segment.Tiles{Path: filepath.Join(dir, segment.TreeName)}
	must(b, segment.View(files[len(files)-1], func(t segment.Tx) error {
		s, err := t.Segment()
		must(b, err)
		var leaves []tlog.Hash
		must(b, t.Each(0, s.Size, int(s.Size), func(_ uint64, stored []byte) error {
			e, err := journaled.Decode(stored)
			leaves = append(leaves, tlog.RecordHash(e.Leaf()))
			return err
		}))
		_, err = tiles.Add(s.Epoch, tree.Range{}, leaves)
		return err
	}))
}

const startSite = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 5, pull = "down"}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "sim0"
d0 = 0
d1 = 1
formats = ["H10301"]
`

// BenchmarkProcessStart measures from the exec of the daemon's program (the
// simulator's, which is gatehoused on lines of a fake board in this process) to
// the release by the first card that a Wiegand reader may give: bits in the
// first 100 ms on a line are never a card. The limit beside it is the start of
// the same program to say its usage, reading the list, and those 100 ms.
func BenchmarkProcessStart(b *testing.B) {
	for _, c := range []struct{ grants, entries int }{{20, 0}, {20_000, 0}, {100_000, 0}, {100_000, 49_000}} {
		b.Run(fmt.Sprintf("grants=%d,entries=%d", c.grants, c.entries), func(b *testing.B) {
			program, dir := build(b, "gatesim"), b.TempDir()
			state := filepath.Join(dir, "state")
			fill(b, state, c.grants)
			must(b, os.WriteFile(filepath.Join(dir, "site.toml"), fmt.Appendf(nil, startSite, dir), 0o600))
			if c.entries > 0 {
				fillJournal(b, state, c.entries)
			}
			var lines, release, cpu, limit []time.Duration
			for b.Loop() {
				limit = append(limit, bareStart(b, program, state))
				l, r, used := startOnce(b, program, dir)
				lines, release, cpu = append(lines, l), append(release, r), append(cpu, used)
			}
			b.ReportMetric(ms(lines), "ms_to_lines_p50")
			b.ReportMetric(ms(release), "ms_to_release_p50")
			b.ReportMetric(ms(release, 90), "ms_to_release_p90")
			b.ReportMetric(ms(cpu), "ms_cpu_p50")
			b.ReportMetric(ms(limit), "ms_limit_p50")
			b.ReportMetric(ms(release)/ms(limit), "x_limit")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// neverACard is how long after opening a Wiegand reader's bits do not count.
const neverACard = 100 * time.Millisecond

// bareStart is what no daemon can be faster than.
func bareStart(b *testing.B, program, state string) time.Duration {
	b.Helper()
	begin := time.Now()
	must(b, exec.Command(program, "--help").Run())
	_, err := os.ReadFile(filepath.Join(state, "grants", "grants-a.db"))
	must(b, err)
	return time.Since(begin) + neverACard
}

// startOnce starts the daemon, holds up a card and stops it. cpu is what the
// process used from its start to its end, which other load changes little.
func startOnce(b *testing.B, program, dir string) (lines, release, cpu time.Duration) {
	b.Helper()
	released := make(chan time.Time, 10)
	config := houseBoard()
	config.Changed = func(c devicetest.Change) {
		if c.Line == "yard-relay" && c.Driven && c.Active {
			released <- time.Now()
		}
	}
	board, err := devicetest.NewBoard(config)
	must(b, err)
	near, far, err := devicetest.Socketpair()
	must(b, err)
	served := make(chan error, 1)
	go func() { served <- board.Serve(context.Background(), near) }()
	daemon := exec.Command(program, "daemon", "--config", filepath.Join(dir, "site.toml"))
	var log bytes.Buffer
	daemon.Stderr, daemon.ExtraFiles = &log, []*os.File{far}
	begin := time.Now()
	must(b, daemon.Start())
	must(b, far.Close())
	waitFor(b, &log, func() bool { return board.Requested("d0") })
	lines = time.Since(begin)
	time.Sleep(neverACard + 2*time.Millisecond)
	f, _ := wiegand.Lookup("H10301")
	card, err := f.Encode(wiegand.Fields{Facility: 123, Card: 4567, HasFacility: true})
	must(b, err)
	source := &devicetest.WiegandSource{Board: board, D0: "d0", D1: "d1",
		Interval: 200 * time.Microsecond, Pause: 30 * time.Millisecond}
	for release == 0 { // a frame that came too early is no card: the next may be
		must(b, source.Send(card))
		select {
		case at := <-released:
			release = at.Sub(begin)
		case <-time.After(10 * time.Millisecond):
		}
	}
	must(b, daemon.Process.Signal(syscall.SIGTERM))
	if err := errors.Join(daemon.Wait(), <-served); err != nil {
		b.Fatalf("%v: %s", err, &log)
	}
	return lines, release, daemon.ProcessState.UserTime() + daemon.ProcessState.SystemTime()
}

func waitFor(b *testing.B, log fmt.Stringer, ok func() bool) {
	b.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			b.Fatalf("never; log:\n%s", log)
		}
	}
}

// ms is a percentile in milliseconds, the median unless told.
func ms(t []time.Duration, percent ...int) float64 {
	p := append(percent, 50)[0]
	s := slices.Sorted(slices.Values(t))
	return float64(s[min(len(s)-1, len(s)*p/100)].Microseconds()) / 1000
}

const memorySite = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "no-such-chip", line = 5, pull = "down"}
[[door.reader]]
id = "in"
type = "serial"
port = "%[1]s/tty"
`

// BenchmarkMemory reports the resident memory of gatehoused itself, a few
// seconds after it granted a card from a serial reader on a pty. There is no
// GPIO here, so its relay is out of order; nothing else is left out.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{20, 20_000, 100_000} {
		b.Run(fmt.Sprintf("grants=%d", n), func(b *testing.B) {
			program, dir := build(b, "gatehoused"), b.TempDir()
			fill(b, filepath.Join(dir, "state"), n)
			must(b, os.WriteFile(filepath.Join(dir, "site.toml"), fmt.Appendf(nil, memorySite, dir), 0o600))
			serial, err := devicetest.NewSerialTerminal(filepath.Join(dir, "tty"), "rdm6300")
			must(b, err)
			b.Cleanup(func() { _ = serial.Close() })
			for b.Loop() {
				resident(b, program, dir, serial)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func resident(b *testing.B, program, dir string, serial *devicetest.SerialModule) {
	b.Helper()
	daemon := exec.Command(program, "--config", filepath.Join(dir, "site.toml"))
	log := &gatewaytest.Log{}
	daemon.Stderr = log
	must(b, daemon.Start())
	client := control.NewClient(filepath.Join(dir, "sock"))
	before := granted(dir)
	waitFor(b, log, func() bool { _, err := client.Status(context.Background()); return err == nil })
	must(b, serial.Present(context.Background(), devicetest.EM4100(emNumber), time.Second))
	waitFor(b, log, func() bool { return granted(dir) > before })
	time.Sleep(2 * time.Second)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", daemon.Process.Pid))
	must(b, err)
	for name, unit := range map[string]string{"VmRSS:": "MB_rss", "RssAnon:": "MB_own", "VmHWM:": "MB_peak"} {
		_, rest, _ := strings.Cut(string(text), name)
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			b.Fatalf("no %s in the status of the process", name)
		}
		kib, err := strconv.Atoi(fields[0])
		must(b, err)
		b.ReportMetric(float64(kib)*1024/1e6, unit)
	}
	must(b, daemon.Process.Signal(syscall.SIGTERM))
	_ = daemon.Wait() // its relay could not be driven safe
}

func granted(dir string) (n int) {
	all, _ := standaloneEntries(dir, dir)
	for _, e := range all {
		if entryName(e) == "front access granted granted" {
			n++
		}
	}
	return n
}
