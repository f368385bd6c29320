package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/cmd/gatesim/internal/enrolled"
	"gatehouse/device"
	"gatehouse/internal/desk"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/enrol"
	"gatehouse/internal/faultnet"
	"gatehouse/internal/forward"
	"gatehouse/internal/freeport"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// town is a registry within this process: real broker, real store, real issuer,
// over real sockets.
type town struct {
	dir      string
	broker   string
	front    *api.Client
	operator *operator.Client
	tend     time.Duration // how often the issuer asks for proofs; 0: as it does
}

// background starts f. It is ended by stop, or when the test is over.
func background(tb testing.TB, what string, f func(context.Context) error) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("%s: %v", what, err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

// eventually waits for something that must happen.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	const limit = 2 * time.Minute // the machine may be busy
	for end := time.Now().Add(limit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("this did not happen within %v: %s", limit, what)
		}
	}
}

func newTown(tb testing.TB, outside bool) *town {
	tb.Helper()
	dir := tb.TempDir()
	var ports [2]int
	release, err := freeport.Hold(ports[:])
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(release)
	t := &town{dir: dir, broker: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	conf := fmt.Sprintf("mqtt_listen = %q\nenrol_listen = \"127.0.0.1:%d\"\n", t.broker, ports[1])
	if outside {
		conf = fmt.Sprintf("broker = \"mqtts://%s\"\nenrol_listen = \"127.0.0.1:%d\"\n", t.broker, ports[1])
	}
	if err := authority.Init(dir, authority.Setup{Registry: "bench", Hosts: []string{"127.0.0.1"}, Broker: ports[0], Enrol: ports[1],
		Config: []byte(conf), Now: time.Now()}); err != nil {
		tb.Fatal(err)
	}
	return t
}

// start runs front and issuer, until stop or the end of the test.
func (t *town) start(tb testing.TB) (stop func()) {
	tb.Helper()
	directory, own := filepath.Join(t.dir, authority.DirFront), filepath.Join(t.dir, authority.DirIssuer)
	config, err := front.LoadConfig(filepath.Join(directory, api.FileConfig))
	if err != nil {
		tb.Fatal(err)
	}
	ready := make(chan struct{})
	f, err := front.New(front.Options{Config: config, Log: zerolog.Nop(), Ready: func(string, string) { close(ready) }})
	if err != nil {
		tb.Fatal(err)
	}
	stops := []func(){background(tb, "front", f.Run)}
	<-ready
	t.front = api.NewClient(filepath.Join(directory, api.FileSocket))
	i, err := issuer.Open(issuer.Options{Dir: own, Front: t.front, Log: zerolog.Nop(), Tend: t.tend})
	if err != nil {
		tb.Fatal(err)
	}
	stops = append(stops, func() { _ = i.Close() })
	tb.Cleanup(func() { _ = i.Close() })
	stops = append(stops, background(tb, "issuer", i.Run),
		background(tb, "issuer's socket", func(ctx context.Context) error { return i.Serve(ctx, filepath.Join(own, issuer.FileSocket)) }))
	t.operator = operator.NewClient(filepath.Join(own, issuer.FileSocket))
	eventually(tb, "the issuer takes work", func() bool {
		s, err := t.front.Status(context.Background())
		_, err2 := t.operator.Status(context.Background())
		return err == nil && err2 == nil && s.Issuer
	})
	return func() {
		for _, stop := range slices.Backward(stops) {
			stop()
		}
	}
}

// box is a gateway without doors: its keys, journal and uplink.
type box struct {
	dir     string
	keys    keys.Keys
	keyring *keyring.Keyring
	journal *journal.Journal
	desk    *desk.Desk
	roll    time.Duration // between two rolls; 0: as it does
}

// enrol makes a gateway known.
func (t *town) enrol(tb testing.TB, building, gateway string) *box {
	tb.Helper()
	return t.enrolIn(tb, tb.TempDir(), building, gateway)
}

// enrolIn does so with a state directory that is there.
func (t *town) enrolIn(tb testing.TB, dir, building, gateway string) *box {
	tb.Helper()
	token, err := t.operator.AddGateway(tb.Context(), operator.NewGateway{
		Place: api.Place{District: "d", Town: "t", Building: building, Gateway: gateway}})
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := wire.ParseToken(token.Text)
	if err != nil {
		tb.Fatal(err)
	}
	b := &box{dir: dir}
	if _, err := enrol.Enrol(tb.Context(), enrol.Options{Token: parsed, Dir: filepath.Join(b.dir, "keys"), Building: building,
		Gateway: gateway, Doors: []string{"front"}, Software: "bench"}); err != nil {
		tb.Fatal(err)
	}
	if b.keys, err = keys.LoadKeys(filepath.Join(b.dir, "keys")); b.keys.Gateway == nil || b.keys.Registry == nil {
		tb.Fatal(err) // a second gateway gets the building's key from the first
	}
	b.keyring, err = keyring.Open(keyring.Options{Dir: filepath.Join(b.dir, "grants"), Building: building, Keys: b.keys, Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.keyring.Close() })
	return b
}

func stamp() journal.Stamp {
	return journal.Stamp{BootTime: uint64(time.Now().UnixNano()), Wall: time.Now().UnixMilli(), Quality: wire.ClockNTP, Trusted: true}
}

// record opens the journal, writes n entries of cards and closes it: a cold one.
func (b *box) record(tb testing.TB, n int) {
	tb.Helper()
	j := b.openJournal(tb)
	ctx, cancel := context.WithCancel(tb.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	id := wire.ID{1}
	var card wire.CredentialID
	card[0] = 1
	for i := range n {
		_, _ = rand.Read(card[1:])
		j.Queue(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "in",
			Direction: wire.DirectionIn}, wire.Who{Credential: &card, Grant: &id, Tenancy: &id})
		if i%5000 == 4999 {
			eventually(tb, "entries are durable", func() bool { return j.Status().Queued == 0 })
		}
	}
	eventually(tb, "entries are durable", func() bool { return j.Status().Queued == 0 })
	cancel()
	if err := <-done; err != nil {
		tb.Fatal(err)
	}
}

func (b *box) openJournal(tb testing.TB) *journal.Journal {
	tb.Helper()
	j, err := journal.Open(journal.Options{Dir: filepath.Join(b.dir, "journal"), Clock: stamp, Log: zerolog.Nop(), Uplink: true})
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

// link connects through a proxy to the broker.
func (b *box) link(tb testing.TB, broker string, keepAlive time.Duration) *mqtt.Link {
	tb.Helper()
	l, _ := b.linked(tb, broker, keepAlive)
	return l
}

// linked is a link that can be ended before the test is over.
func (b *box) linked(tb testing.TB, broker string, keepAlive time.Duration) (l *mqtt.Link, stop func()) {
	tb.Helper()
	place := b.keyring.Keys.Registry().Place
	l, err := mqtt.New(mqtt.Config{Broker: "mqtts://" + broker, Subscribe: []string{place.Down("+"), place.House("+")},
		TLS: enrol.Broker{Dir: filepath.Join(b.dir, "keys"), Now: time.Now, Trusted: func() bool { return true }}.TLS, KeepAlive: keepAlive,
		Jitter: mqtt.Jitter{First: time.Millisecond, Loss: 50 * time.Millisecond, Max: time.Second}, Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	return l, background(tb, "link", l.Run)
}

// connect runs journal, desk and uplink over a link, until stop or the end of
// the test.
func (b *box) connect(tb testing.TB, l uplink.Link, batch int) (stop func()) {
	tb.Helper()
	b.journal = b.openJournal(tb)
	stops := []func(){background(tb, "journal", b.journal.Run)}
	var err error
	b.desk, err = desk.New(desk.Parts{Dir: filepath.Join(b.dir, "grants"), Keyring: b.keyring, Journal: b.journal, Key: b.keys.Gateway,
		Clock: func() tenancy.Time {
			return tenancy.Time{Now: time.Now().Unix(), Trusted: true, Quality: wire.ClockNTP}
		}, Classed: func() bool { return false }, Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	stops = append(stops, background(tb, "desk", b.desk.Run))
	u, err := uplink.New(uplink.Options{Link: l, Place: b.keys.Registry.Place, Registry: b.keys.Registry.Name, Journal: b.journal, Keyring: forward.Keyring{Keyring: b.keyring},
		Records: forward.Records{Records: b.desk.Records}, Key: b.keys.Gateway, Clock: stamp,
		Software: "bench", Batch: batch, Roll: b.roll, Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	stops = append(stops, background(tb, "uplink", u.Run))
	return func() {
		for _, stop := range slices.Backward(stops) {
			stop()
		}
	}
}

// through is a proxy to the broker with a round trip of its own.
func (t *town) through(tb testing.TB, roundTrip time.Duration) *faultnet.Proxy {
	tb.Helper()
	p, err := faultnet.Listen("127.0.0.1:0", t.broker)
	if err != nil {
		tb.Fatal(err)
	}
	p.Set(faultnet.Weather{RoundTrip: roundTrip})
	background(tb, "proxy", p.Run)
	return p
}

// checkIn makes a tenancy at the desk, for a card of its own.
func (b *box) checkIn(tb testing.TB, i int) (device.Card, tenancy.View) {
	tb.Helper()
	card := device.CardOf(uint64(0x0100000000+i), 40)
	visit, err := b.desk.Begin(false)
	if err != nil {
		tb.Fatal(err)
	}
	defer b.desk.Leave(visit.ID)
	if _, _, err := b.desk.Show(visit.ID, false, card); err != nil {
		tb.Fatal(err)
	}
	done, err := b.desk.CheckIn(tb.Context(), visit.ID, tenancy.Arrival{Document: wire.DocumentResidentID.String(), Number: enrolled.MadeUpNumber(i),
		Name: "某某", Flat: fmt.Sprint("flat ", i), Basis: wire.BasisContract.String(), Informed: true})
	if err != nil {
		tb.Fatal(err)
	}
	return card, done.Tenancy
}
