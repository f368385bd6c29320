package desk

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/doorcode"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memory is a journal in memory, with a disk that can be sick.
type memory struct {
	mu    sync.Mutex
	heads []wire.Header
	whos  []wire.Who
	sick  error
}

func (m *memory) Append(_ context.Context, h wire.Header, who wire.Who) (wire.Ref, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sick != nil {
		return wire.Ref{}, m.sick
	}
	m.heads, m.whos = append(m.heads, h), append(m.whos, who)
	return wire.Ref{Counter: uint64(len(m.heads))}, nil
}

func (m *memory) Queue(h wire.Header, who wire.Who) wire.Ref {
	ref, _ := m.Append(context.Background(), h, who)
	return ref
}

// entries counts those of a kind and reason.
func (m *memory) entries(kind wire.Kind, reason wire.Reason) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.heads {
		if h.Kind == kind && h.Reason == reason {
			n++
		}
	}
	return n
}

// town has the registry's private keys, which no gateway has.
type town struct {
	records, desk []byte
	issuer        ed25519.PrivateKey
	registry      keys.Registry // without a gateway
	building      *keys.BuildingKey
	gateways      map[string]ed25519.PrivateKey
}

// newTown makes a building with gateways gw1 and gw2.
func newTown(t testing.TB) *town {
	t.Helper()
	w := &town{gateways: map[string]ed25519.PrivateKey{}}
	var err error
	w.building, err = keys.GenerateBuildingKey(1)
	must(t, err)
	seal := func() (private, public []byte) {
		private, public, err := sealing.GenerateKey()
		must(t, err)
		return private, public
	}
	trust := wire.Trust{Version: 1, Issued: 1, Registry: "town"}
	w.records, trust.Records = seal()
	w.desk, trust.Desk = seal()
	_, trust.Escrow = seal()
	var issuer ed25519.PublicKey
	issuer, w.issuer, err = ed25519.GenerateKey(rand.Reader)
	must(t, err)
	trust.Keys = []wire.RoleKey{{Role: wire.RoleIssuer, Public: [32]byte(issuer)}}
	house := wire.House{Version: 1, Issued: 1, District: "panyu", Town: "shiqiao", Flats: []string{"3A", "3B", "4A"}}
	for id, door := range map[string]string{"gw1": "front", "gw2": "yard"} {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		w.gateways[id] = private
		_, kem := seal()
		house.Gateways = append(house.Gateways, wire.HouseGateway{ID: id, Public: [32]byte(public), KEM: kem, Doors: []string{door}})
	}
	slices.SortFunc(house.Gateways, func(a, b wire.HouseGateway) int { return strings.Compare(a.ID, b.ID) })
	w.registry = keys.Registry{Place: wire.Place{District: "panyu", Town: "shiqiao", Building: "lane-7"}, Name: "town", Trust: trust, House: house}
	return w
}

// office is one gateway's desk with the keyring and journal behind it.
type office struct {
	*Desk
	*Records
	*Doors
	t        testing.TB
	dir      string
	town     *town
	gateway  string
	keyring  *keyring.Keyring
	journal  *memory
	clock    tenancy.Time
	ran      time.Duration // the machine's own clock
	apart    bool          // somebody on site has confirmed a clock: what it says and what is sure are two things
	log      strings.Builder
	keys     []string // doors whose readers take one-time codes
	scanners []string // doors with a scanner

	unclassed bool // the issuer reads no class of a tenancy
	codes     *doorcode.Store
}

const noon = 1_900_000_000

func newOffice(t testing.TB, w *town, gateway string) *office {
	o := &office{t: t, dir: t.TempDir(), town: w, gateway: gateway, journal: &memory{}, clock: tenancy.Time{Now: noon, Trusted: true, Quality: wire.ClockNTP}}
	o.open()
	t.Cleanup(func() { _ = o.keyring.Close() })
	return o
}

func (o *office) open() {
	o.t.Helper()
	reg := o.town.registry
	reg.Place.Gateway = o.gateway
	var err error
	// The machine's own clock stands, most often at 0, at which a notice is an old one: what it does
	// to a notice is the keyring's matter, and a slow machine must make no difference here.
	o.keyring, err = keyring.Open(keyring.Options{Dir: o.dir, Building: "lane-7", Log: zerolog.New(&o.log), Elapsed: func() time.Duration { return o.ran },
		Keys: keys.Keys{Building: o.town.building, Gateway: o.town.gateways[o.gateway], Registry: &reg}})
	must(o.t, err)
	o.codes = doorcode.New(doorcode.Parts{Dir: o.dir, Key: o.town.gateways[o.gateway], Epoch: func() uint64 { return 1 }, Grants: o.keyring.Grants,
		Lost: func(id wire.CredentialID) bool { return o.Doors.Lost(id) }, Journal: o.journal, Log: zerolog.New(&o.log)})
	o.codes.Recall(nil)
	o.Desk, err = New(Parts{Dir: o.dir, Keyring: o.keyring, Journal: o.journal, Key: o.town.gateways[o.gateway],
		Clock: o.time, Classed: func() bool { return !o.unclassed }, Codes: Codes{o.codes, o.keys, o.scanners}, Log: zerolog.New(&o.log)})
	must(o.t, err)
	o.Records, o.Doors = o.Desk.Records, o.Desk.Doors
}

// time is sure where it is trusted.
func (o *office) time() tenancy.Time {
	t := o.clock
	if t.Trusted && !o.apart {
		t.Sure, t.Latest = t.Now, t.Now
	}
	return t
}

// restart is a crash and a new start.
func (o *office) restart() {
	o.t.Helper()
	must(o.t, o.keyring.Close())
	o.open()
}

// begin opens a visit, whoever is there.
func (o *office) begin() string {
	o.t.Helper()
	s, err := o.Begin(true)
	must(o.t, err)
	return s.ID
}

// em is a made-up card of 40 bits.
func em(n uint64) device.Card { return device.CardOf(0x0100000000+n, 40) }

// invented is a citizen's number of no area that was ever given out.
func invented() string { return bornOn("19900307") }

// bornOn is a number of no area, of who was born on a day.
func bornOn(day string) string {
	digits := "440000" + day + "123"
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

const tenant = "Testperson Eins"

func arrival() tenancy.Arrival {
	return tenancy.Arrival{Document: "resident_id", Number: invented(), Name: tenant, Flat: "3B", Label: "left door", Basis: "contract", Informed: true, PIN: "4711"}
}

// arrive checks a tenant in with a card.
func (o *office) arrive(card device.Card, change ...func(*tenancy.Arrival)) (Done, error) {
	o.t.Helper()
	a := arrival()
	for _, f := range change {
		f(&a)
	}
	session := o.begin()
	if _, _, err := o.Show(session, false, card); err != nil {
		return Done{}, err
	}
	return o.CheckIn(o.t.Context(), session, a)
}

// choosePIN lets the tenant of a card choose one.
func (o *office) choosePIN(card device.Card, digits string) {
	o.t.Helper()
	_, err := o.ask(Request{Action: tenancy.SetPIN, Proof: "card", NewPIN: digits}, []device.Card{card}, nil)
	must(o.t, err)
}

// ask changes a tenancy, with cards held up for proof and to be given.
func (o *office) ask(r Request, proof, fresh []device.Card) (Done, error) {
	o.t.Helper()
	r.Session = o.begin()
	for _, c := range proof {
		if _, _, err := o.Show(r.Session, true, c); err != nil {
			return Done{}, err
		}
	}
	for _, c := range fresh {
		if _, _, err := o.Show(r.Session, false, c); err != nil {
			return Done{}, err
		}
	}
	return o.Change(o.t.Context(), r)
}

// answer is what a door would say to a card.
func (o *office) answer(door string, card device.Card) wire.Reason {
	id, err := o.keyring.Identify(card)
	must(o.t, err)
	d := access.Decide(o.keyring.Grants(), &access.Query{Credential: id, Door: door,
		Time: access.Time{Sure: o.time().Sure, Lo: o.time().Sure, Hi: o.time().Latest}})
	return d.Reason
}

func (o *office) wants(door string, card device.Card, want wire.Reason) {
	o.t.Helper()
	if got := o.answer(door, card); got != want {
		o.t.Errorf("door %s says %s, want %s", door, got, want)
	}
}

// refused wants a tenancy.Refusal that says a word.
func refused(t testing.TB, err error, word string) {
	t.Helper()
	var no *tenancy.Refusal
	if !errors.As(err, &no) || !strings.Contains(no.Message+" "+no.Hint, word) {
		t.Errorf("%v, want a refusal that says %q", err, word)
	}
}
