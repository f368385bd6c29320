package main_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/issue"
	"gatehouse/sync/wire"
)

const (
	// entrances is how many doors take turns. One alone would be opened twice a second and more: its
	// contact would be taken for one that rattles, and the door be secured by its timer, after 3 s.
	entrances = 8
	// residents are so many that nobody is soon at the same door again: the same card within 1.5 s is one
	// presentation.
	residents = 9
	// turn is how many come in until the pages open or close: in more than the 2 s in which the page's
	// program looks at the daemon.
	turn = 3 * entrances
)

// BenchmarkSwipe is the time from a card's last edge to the move of its door's relay, in turns
// without a page and with twenty pages that are live. Daemon and page are programs of their own;
// the daemon is the simulator's, which is gatehoused on lines of a board in this process. Beside
// each card stands a bare commit of as many bytes, which has nothing to do with a page: by how much
// its times differ between the turns is what other work on the machine makes of them. In memory,
// where a sync costs nothing, no disk decides.
func BenchmarkSwipe(b *testing.B) {
	for _, on := range []struct{ name, base string }{{"disk", ""}, {"memory", "/dev/shm"}} {
		b.Run(on.name, func(b *testing.B) {
			if _, err := os.Stat(on.base); on.base != "" && err != nil {
				b.Skipf("SKIP (needs %s)", on.base)
			}
			s := newStreet(b, on.base)
			base, page := s.program(b)
			phones := s.phones(base, 20)
			var alone, watched swipes
			for b.Loop() {
				s.turn(b, page, &alone)
				leave := s.watch(base, phones)
				s.turn(b, page, &watched)
				leave()
			}
			s.healthy(b)
			alone.report(b, "alone")
			watched.report(b, "watched")
			for _, p := range []int{50, 99} {
				b.ReportMetric(percentile(watched.took, p)/percentile(alone.took, p), fmt.Sprintf("x_p%d", p))
				b.ReportMetric(percentile(watched.bare, p)/percentile(alone.bare, p), fmt.Sprintf("x_bare_p%d", p))
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// swipes are the times of cards, and of the bare commits beside them.
type swipes struct {
	took, bare []time.Duration
	page, all  time.Duration // what the page's program used of a processor, and how long all took
}

func (s swipes) report(b *testing.B, name string) {
	for _, p := range []int{50, 99} {
		b.ReportMetric(percentile(s.took, p), fmt.Sprintf("ms_%s_p%d", name, p))
		b.ReportMetric(percentile(s.bare, p), fmt.Sprintf("ms_bare_%s_p%d", name, p))
	}
	b.ReportMetric(100*s.page.Seconds()/s.all.Seconds(), "%cpu_page_"+name)
}

// street is a house of some doors whose daemon is a process, and the building around it.
type street struct {
	*house
	doors  []entrance
	cards  []device.Card
	commit func() time.Duration
	next   int // who comes in next
}

// entrance is one door, as the building sees it.
type entrance struct {
	reader  *devicetest.WiegandSource
	contact string
	moved   chan devicetest.Change // of its relay
}

func newStreet(b *testing.B, base string) *street {
	b.Helper()
	var text strings.Builder
	text.WriteString(siteHead)
	config := devicetest.BoardConfig{Chip: "sim0"}
	s := &street{doors: make([]entrance, entrances)}
	byRelay, doors := map[string]entrance{}, []string{}
	for i := range s.doors {
		name, at := fmt.Sprintf("door%d", i), 4*i
		fmt.Fprintf(&text, siteDoor, name, at, at+1, at+2, at+3)
		config.Lines = append(config.Lines,
			devicetest.Line{Name: name + "-d0", Offset: at, PullUp: true, ActiveLow: true}, devicetest.Line{Name: name + "-d1", Offset: at + 1, PullUp: true, ActiveLow: true},
			devicetest.Line{Name: name + "-relay", Offset: at + 2, Output: true}, devicetest.Line{Name: name + "-contact", Offset: at + 3})
		s.doors[i] = entrance{contact: name + "-contact", moved: make(chan devicetest.Change, 10),
			reader: &devicetest.WiegandSource{D0: name + "-d0", D1: name + "-d1", Interval: time.Millisecond}}
		byRelay[name+"-relay"], doors = s.doors[i], append(doors, name)
	}
	config.Changed = func(c devicetest.Change) { byRelay[c.Line].moved <- c }
	board, err := devicetest.NewBoard(config)
	must(b, err)
	for _, d := range s.doors {
		d.reader.Board = board
	}
	s.house = standing(b, base, text.String())
	s.board = board
	s.daemon(b)
	s.moveIn(b, doors)
	s.commit = committer(b, filepath.Join(s.dir, "bare.db"))
	return s
}

// daemon starts the daemon's program on the board's lines.
func (s *street) daemon(b *testing.B) {
	b.Helper()
	near, far, err := devicetest.Socketpair()
	must(b, err)
	served := make(chan error, 1)
	go func() { served <- s.board.Serve(context.Background(), near) }()
	b.Cleanup(func() { must(b, <-served) })
	start(b, []*os.File{far}, "gatesim", "daemon", "--config", filepath.Join(s.dir, "site.toml"))
	must(b, far.Close())
	s.eventually("the daemon is in service", func() bool {
		st, err := s.client.Status(context.Background())
		return err == nil && gatewaytest.Online(st)
	})
}

// moveIn gives each resident a card that opens the doors.
func (s *street) moveIn(b *testing.B, doors []string) {
	b.Helper()
	_, err := issue.Issuer{Client: s.client, Key: s.issuer}.Edit(b.Context(), func(e *grantlist.Editor) error {
		for i := range residents {
			c := numbered(b, uint64(5000+i))
			if _, err := e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: doors, Credentials: []wire.CredentialID{s.building.Identify(c)}, Label: fmt.Sprintf("4-%d", i)}); err != nil {
				return err
			}
			s.cards = append(s.cards, c)
		}
		return nil
	})
	must(b, err)
}

// turn lets a turn of residents in.
func (s *street) turn(b *testing.B, page int, into *swipes) {
	b.Helper()
	began, used := time.Now(), processor(b, page)
	for range turn {
		took, bare := s.passage(s.doors[s.next%entrances], s.cards[s.next%residents])
		into.took, into.bare = append(into.took, took), append(into.bare, bare)
		s.next++
	}
	into.all, into.page = into.all+time.Since(began), into.page+processor(b, page)-used
}

// passage is a resident who comes in: how long the card waited for the release, and how long a bare
// commit takes while they are in the door, after all that followed the release is on the disk. The door
// is secured when it returns.
func (s *street) passage(d entrance, c device.Card) (took, bare time.Duration) {
	s.t.Helper()
	for len(d.moved) > 0 { // how it came to be secured at the start
		<-d.moved
	}
	began := s.board.Now()
	must(s.t, d.reader.Send(c))
	took = s.moves(d, true) - began
	must(s.t, s.board.Set(d.contact, true))
	time.Sleep(50 * time.Millisecond)
	bare = s.commit()
	must(s.t, s.board.Set(d.contact, false))
	s.moves(d, false)
	time.Sleep(10 * time.Millisecond)
	return took, bare
}

// moves waits for a door's relay and returns when it moved.
func (s *street) moves(d entrance, released bool) time.Duration {
	s.t.Helper()
	for late := time.After(time.Minute); ; {
		select {
		case c := <-d.moved:
			if c.Driven && c.Active == released {
				return c.At
			}
		case <-late:
			s.t.Fatalf("%s: the relay does not move", d.contact)
		}
	}
}

// healthy fails where something at the doors was not as it is in a house: then the times are of
// something else.
func (s *street) healthy(b *testing.B) {
	b.Helper()
	st, err := s.client.Status(context.Background())
	must(b, err)
	for _, d := range st.Doors {
		for _, dev := range d.Devices {
			if dev.Fault != "" || !dev.Online {
				b.Errorf("%s, %s: fault %q", d.ID, dev.ID, dev.Fault)
			}
		}
	}
}

// committer returns a function that commits what an entry has on the disk, and says how long that took.
func committer(b *testing.B, path string) func() time.Duration {
	b.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType, InitialMmapSize: 16 << 20})
	must(b, err)
	b.Cleanup(func() { _ = db.Close() })
	bucket, entry, n := []byte("entries"), make([]byte, 150), uint64(0)
	must(b, db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }))
	return func() time.Duration {
		began := time.Now()
		must(b, db.Update(func(tx *bolt.Tx) error {
			n++
			return tx.Bucket(bucket).Put(binary.BigEndian.AppendUint64(nil, n), entry)
		}))
		return time.Since(began)
	}
}

// siteHead and siteDoor are the site file of the street. A busy machine is no sick disk.
const siteHead = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
journal = {budget_ms = 2000}
`

const siteDoor = `
[[door]]
id = "%[1]s"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = %[4]d, pull = "down"}
contact = {chip = "sim0", line = %[5]d, active = "high", bias = "pull-down", filter_ms = 20}
[[door.reader]]
id = "%[1]s-in"
type = "wiegand"
chip = "sim0"
d0 = %[2]d
d1 = %[3]d
formats = ["H10301"]
`
