package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/durable"
	"gatehouse/internal/enrol"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// drainEntries is how many entries wait for the registry; fewer are tried with
// GATEHOUSE_BENCH_ENTRIES.
func drainEntries() int {
	if n, err := strconv.Atoi(os.Getenv("GATEHOUSE_BENCH_ENTRIES")); err == nil {
		return n
	}
	return 200_000
}

// BenchmarkDrain is how fast a backlog comes to rest: from a cold journal on
// disk, through a real broker over TLS, to entries that the registry has
// committed and signed for. Beside it, in the same run and through the same
// broker: single entries published by QoS 1 with one in flight, which nobody
// stores; and this uplink with one entry a message.
func BenchmarkDrain(b *testing.B) {
	for _, roundTrip := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run("rtt="+roundTrip.String(), func(b *testing.B) {
			for range b.N {
				t := newTown(b, false)
				t.start(b)
				proxy := t.through(b, roundTrip)
				single := t.publishSingly(b, proxy.Addr())
				batched, cpu := t.drain(b, "batched", proxy.Addr(), drainEntries(), 0)
				one, _ := t.drain(b, "one", proxy.Addr(), drainEntries()/100, 1)
				b.ReportMetric(batched, "entries/s")
				b.ReportMetric(batched/single, "x_of_QoS1_singly")
				b.ReportMetric(batched/one, "x_of_one_a_message")
				b.ReportMetric(single, "QoS1_singly/s")
				b.ReportMetric(cpu, "cpu_us/entry")
			}
		})
	}
}

// processor is the time of all cores that this process took so far: what a
// busy machine changes least.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// drain returns entries a second, from the start of the journal to the last ack,
// and microseconds of all cores for each.
func (t *town) drain(b *testing.B, building, broker string, n, batch int) (rate, cpu float64) {
	b.Helper()
	g := t.enrol(b, building, "gw1")
	g.record(b, n)
	link := g.link(b, broker, 0)
	eventually(b, "the link is up", func() bool { up, _ := link.State(); return up })
	began, before := time.Now(), processor(b)
	g.connect(b, link, batch)
	for deadline := began.Add(5 * time.Minute); ; time.Sleep(time.Millisecond) {
		s := g.journal.Status()
		if s.Epoch != 0 && s.Sequence >= uint64(n) && s.Acked.Epoch == s.Epoch && s.Acked.Sequence >= uint64(n) {
			took, used := time.Since(began), processor(b)-before
			return float64(n) / took.Seconds(), float64(used.Nanoseconds()) / 1e3 / float64(n)
		}
		if time.Now().After(deadline) {
			b.Fatalf("drained up to %d of %d", s.Acked.Sequence, n)
		}
	}
}

// publishSingly is what a gateway without a protocol of its own would do.
func (t *town) publishSingly(b *testing.B, broker string) float64 {
	b.Helper()
	g := t.enrol(b, "singly", "gw1")
	config, err := enrol.Broker{Dir: filepath.Join(g.dir, "keys"), Now: time.Now, Trusted: func() bool { return true }}.TLS("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	config.MinVersion, config.ServerName = tls.VersionTLS13, "127.0.0.1"
	c := paho.NewClient(paho.NewClientOptions().AddBroker("ssl://" + broker).SetClientID(rand.Text()).SetProtocolVersion(4).
		SetTLSConfig(config).SetAutoReconnect(false))
	if err := answered(c.Connect()); err != nil {
		b.Fatal(err)
	}
	defer c.Disconnect(0)
	place := g.keyring.Keys.Registry().Place
	entry := make([]byte, 80)
	n, began := 0, time.Now()
	for ; time.Since(began) < 2*time.Second; n++ {
		if err := answered(c.Publish(place.Up(wire.TypeNotice), 1, false, entry)); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}

// answered waits for a broker's answer.
func answered(t paho.Token) error {
	if !t.WaitTimeout(time.Minute) {
		return errors.New("the broker did not answer")
	}
	return t.Error()
}

// BenchmarkRevocation is the time from the operator's command to the first swipe
// that is denied, 100 times, in a house of 100 tenancies: commit at the issuer,
// list, commit at the front, broker, two copies on the gateway's disk, snapshot.
// The swipe is a decision on the active snapshot, every 50 us. Beside each one
// small file, written and synced.
func BenchmarkRevocation(b *testing.B) {
	const tenants, suspended, times = 100, 5, 100 // one issuer takes from a tenth of a house a day
	for range b.N {
		t := newTown(b, false)
		t.start(b)
		g := t.enrol(b, "revoked", "gw1")
		link := g.link(b, t.broker, 0)
		g.connect(b, link, 0)
		var cards [tenants]device.Card
		var lived [tenants]tenancy.View
		for i := range lived {
			cards[i], lived[i] = g.checkIn(b, i)
		}
		eventually(b, "the registry's list names everybody", func() bool { return len(g.keyring.Records.All()) == 0 && g.keyring.Status().Version > 0 })
		var took, bare []time.Duration
		for i := range times {
			took = append(took, t.revoke(b, g, cards[i%suspended], lived[i%suspended]))
			t.restore(b, g, cards[i%suspended], lived[i%suspended])
			time.Sleep(20 * time.Millisecond) // the next one comes when this is settled
			bare = append(bare, syncedWrite(b, g.dir))
		}
		reportBeside(b, took, bare)
	}
}

// revoke returns the time from the command to the first denied swipe. It
// suspends, which goes the same way as an end and can be taken back.
func (t *town) revoke(b *testing.B, g *box, card device.Card, lived tenancy.View) time.Duration {
	began := time.Now()
	t.act(b, g, card, lived, operator.ActSuspend, "order", wire.ReasonSuspended)
	return time.Since(began)
}

// restore takes it back.
func (t *town) restore(b *testing.B, g *box, card device.Card, lived tenancy.View) {
	t.act(b, g, card, lived, operator.ActResume, "mistake", wire.ReasonGranted)
}

// act gives the operator's command and returns when a swipe is answered so, and
// not before the command is.
func (t *town) act(b *testing.B, g *box, card device.Card, lived tenancy.View, act, reason string, want wire.Reason) {
	b.Helper()
	id, err := g.keyring.Identify(card)
	if err != nil {
		b.Fatal(err)
	}
	q := access.Query{Credential: id, Door: "front", Time: access.At(time.Now().Unix())}
	began, done := time.Now(), make(chan error, 1)
	go func() {
		_, err := t.operator.Do(context.Background(), operator.Act{Act: act, Tenancy: lived.ID.String(), Reason: reason})
		done <- err
	}()
	for access.Decide(g.keyring.Grants(), &q).Reason != want {
		if time.Since(began) > 30*time.Second {
			b.Fatalf("%s did not arrive", act)
		}
		time.Sleep(50 * time.Microsecond)
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// syncedWrite is what one small file takes that is written so that it stays.
func syncedWrite(b *testing.B, dir string) time.Duration {
	b.Helper()
	began := time.Now()
	if err := durable.WriteFile(filepath.Join(dir, "probe"), make([]byte, 2048), 0o600); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// reportBeside reports both and how many times longer ours takes.
func reportBeside(b *testing.B, ours, bare []time.Duration) {
	slices.Sort(ours)
	slices.Sort(bare)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	n := len(ours)
	b.ReportMetric(ms(ours[n/2]), "p50_ms")
	b.ReportMetric(ms(ours[n*99/100-1]), "p99_ms")
	b.ReportMetric(ms(bare[n/2]), "p50_ms_synced_write")
	b.ReportMetric(ms(bare[n*99/100-1]), "p99_ms_synced_write")
	b.ReportMetric(float64(ours[n/2])/float64(bare[n/2]), "x_synced_write")
}

// BenchmarkCheckIn is how long the desk lets a tenant wait: from the command
// with person and card to the active grant, without a registry. Beside each one
// small file, written and synced.
func BenchmarkCheckIn(b *testing.B) {
	for range b.N {
		t := newTown(b, false)
		stop := t.start(b)
		g := t.enrol(b, "desk", "gw1")
		stop()
		g.connect(b, g.link(b, t.broker, 0), 0)
		var took, bare []time.Duration
		for i := range 100 {
			began := time.Now()
			g.checkIn(b, i)
			took = append(took, time.Since(began))
			bare = append(bare, syncedWrite(b, g.dir))
		}
		reportBeside(b, took, bare)
	}
}

// BenchmarkEnrol is one enrolment at a time: the operator's command, then the
// gateway's keys, two calls over TLS, the issuer's and the front's commits, and
// the files. Beside each one small file, written and synced.
func BenchmarkEnrol(b *testing.B) {
	for range b.N {
		t := newTown(b, false)
		config := filepath.Join(t.dir, authority.DirFront, api.FileConfig)
		had, err := os.ReadFile(config)
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(config, append(had, "\nenrol_per_minute = 10000\n"...), 0o600); err != nil { // all come from one address
			b.Fatal(err)
		}
		t.start(b)
		var took, bare []time.Duration
		for i := range 100 {
			began := time.Now()
			g := t.enrol(b, fmt.Sprint("b", i), "gw1")
			took = append(took, time.Since(began))
			bare = append(bare, syncedWrite(b, g.dir))
		}
		reportBeside(b, took, bare)
		all := time.Duration(0)
		for _, d := range took {
			all += d
		}
		b.ReportMetric(float64(len(took))/all.Seconds(), "enrolments/s")
	}
}

// BenchmarkIdle measures what a gateway that has nothing to say sends and gets:
// bytes of TLS of one connect with its hello, of each ping and of each look at the
// broker's certificate, and from these bytes a day at the intervals that a building
// uses, with a hello every 4 h, and every 10 min a roll: its own, which the broker also
// sends back to it, and that of one sibling. More than 15 MB a month fail it.
func BenchmarkIdle(b *testing.B) {
	for range b.N {
		t := newTown(b, false)
		t.start(b)
		g := t.enrol(b, "idle", "gw1")
		proxy := t.through(b, 0)
		total := func() float64 { there, back := proxy.Traffic(); return float64(there + back) }
		const every = 6 * time.Second // for its pings; a building's are rarer
		link := g.link(b, proxy.Addr(), every)
		g.connect(b, link, 0)
		eventually(b, "the hello is answered", func() bool {
			all, err := t.front.Gateways(b.Context(), "idle")
			return err == nil && len(all) == 1 && all[0].Stored > 0 && g.journal.Status().Acked.Sequence == all[0].Stored
		})
		time.Sleep(every / 2)
		connect := total()
		const pings = 4
		time.Sleep(pings * every)
		ping := (total() - connect) / pings
		// A look at the broker's certificate is a TLS handshake on a connection of its own;
		// 13 segments begin, carry and end it.
		before := total()
		if err := link.Look(b.Context()); err != nil {
			b.Fatal(err)
		}
		eventually(b, "its last bytes have passed", func() bool { was := total(); time.Sleep(time.Second / 2); return total() == was })
		look := total() - before + 13*52
		// A ping is a segment and an answer with 52 bytes of TCP and IPv4 each, and
		// one more for the last acknowledgement.
		perPing := ping + 3*52
		place := g.keyring.Keys.Registry().Place
		hello := g.onWire(b, place.Up(wire.TypeHello), wire.TypeHello, wire.Hello2{Hello: wire.Hello{Epoch: math.MaxUint64, CursorEpoch: math.MaxUint64, Line: math.MaxUint64,
			Next: 1 << 20, CursorNext: 1 << 20, Records: 1 << 10, List: 1 << 20, House: 1 << 10, Trust: 1 << 10, Wall: 1 << 41, Software: "gatehouse 10.10.10"},
			Formats: []uint64{1, 2}, Removed: 1 << 10, ListEpoch: 1, Cosigned: wire.Cosigned{Epoch: math.MaxUint64, Size: 1 << 20, Time: 1 << 31}})
		ack := g.onWire(b, place.Down(wire.TypeAck), wire.TypeAck, wire.Ack2{Ack: wire.Ack{Time: 1 << 31, Epoch: math.MaxUint64, Line: math.MaxUint64,
			Next: 1 << 20, Records: 1 << 10, List: 1 << 20, House: 1 << 10, Trust: 1 << 10, Window: 32},
			Safe: 1 << 20, SafeRecords: 1 << 10, Spread: 40, ListEpoch: 1})
		roll := g.onWire(b, place.House(place.Gateway), wire.TypeRoll, wire.Roll{KeyNumber: 1})
		day := 24*60*60/52*perPing + 24/4*(hello+ack) + 24*60/10*3*roll
		b.ReportMetric(connect, "B_connect_and_hello")
		b.ReportMetric(perPing, "B_ping")
		b.ReportMetric(hello+ack, "B_hello_and_ack")
		b.ReportMetric(roll, "B_roll")
		b.ReportMetric(day/1e6, "MB_a_day")
		b.ReportMetric(look, "B_look")
		b.ReportMetric(day*31/1e6, "MB_a_month")              // of 31 days
		b.ReportMetric((day+look)*31/1e6, "MB_a_month_looks") // one in which the registry's certificate ends: a look each day
		if (day+look)*31 > 15e6 {
			b.Error("more than 15 MB a month")
		}
	}
}

// onWire is what a message takes on the wire: MQTT and TLS around it (5 and 22
// bytes), and a segment and its acknowledgement with 52 bytes each.
func (b *box) onWire(tb testing.TB, topic, kind string, body wire.Payload) float64 {
	tb.Helper()
	payload, err := wire.Encode(body)
	if err != nil {
		tb.Fatal(err)
	}
	envelope, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: b.keyring.Keys.Registry().Place.Address(), Version: wire.VersionOf(body)},
		payload, b.keys.Gateway)
	if err != nil {
		tb.Fatal(err)
	}
	return float64(5 + len(topic) + len(envelope) + 22 + 2*52)
}
