package desk

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
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
	registry      keyring.Registry // without a gateway
	building      *keyring.BuildingKey
	gateways      map[string]ed25519.PrivateKey
}

// newTown makes a building with gateways gw1 and gw2.
func newTown(t testing.TB) *town {
	t.Helper()
	w := &town{gateways: map[string]ed25519.PrivateKey{}}
	var err error
	w.building, err = keyring.GenerateBuildingKey(1)
	must(t, err)
	seal := func() (private, public []byte) {
		private, public, err := wire.GenerateSealKey()
		must(t, err)
		return private, public
	}
	trust := wire.Trust{Version: 1, Issued: 1, Registry: "town"}
	w.records, trust.Records = seal()
	w.desk, trust.Desk = seal()
	_, trust.Escrow = seal()
	issuer, _, err := ed25519.GenerateKey(rand.Reader)
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
	w.registry = keyring.Registry{Place: wire.Place{District: "panyu", Town: "shiqiao", Building: "lane-7"}, Name: "town", Trust: trust, House: house}
	return w
}

// office is one gateway's desk with the keyring and journal behind it.
type office struct {
	*Desk
	t       testing.TB
	dir     string
	town    *town
	gateway string
	keyring *keyring.Keyring
	journal *memory
	clock   Time
	log     strings.Builder
}

const noon = 1_900_000_000

func newOffice(t testing.TB, w *town, gateway string) *office {
	o := &office{t: t, dir: t.TempDir(), town: w, gateway: gateway, journal: &memory{}, clock: Time{Now: noon, Trusted: true, Quality: wire.ClockNTP}}
	o.open()
	t.Cleanup(func() { _ = o.keyring.Close() })
	return o
}

func (o *office) open() {
	o.t.Helper()
	reg := o.town.registry
	reg.Place.Gateway = o.gateway
	var err error
	o.keyring, err = keyring.Open(keyring.Options{Dir: o.dir, Building: "lane-7", Log: zerolog.New(&o.log),
		Keys: keyring.Keys{Building: o.town.building, Gateway: o.town.gateways[o.gateway], Registry: &reg}})
	must(o.t, err)
	o.Desk, err = New(Parts{Dir: o.dir, Keyring: o.keyring, Journal: o.journal, Key: o.town.gateways[o.gateway],
		Clock: func() Time { return o.clock }, Log: zerolog.New(&o.log)})
	must(o.t, err)
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
func invented() string {
	digits := "44000019900307123"
	sum := 0
	for i := range digits {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

const tenant = "Testperson Eins"

func arrival() Arrival {
	return Arrival{Document: "resident_id", Number: invented(), Name: tenant, Flat: "3B", Label: "left door", Basis: "contract", Informed: true, PIN: "4711"}
}

// arrive checks a tenant in with a card.
func (o *office) arrive(card device.Card, change ...func(*Arrival)) (Done, error) {
	o.t.Helper()
	a := arrival()
	for _, f := range change {
		f(&a)
	}
	a.Session = o.begin()
	if _, _, err := o.Show(a.Session, false, card); err != nil {
		return Done{}, err
	}
	return o.CheckIn(o.t.Context(), a)
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
	d := access.Decide(o.keyring.Grants(), access.Query{Credential: access.CredentialID(id), Door: door, Now: o.clock.Now,
		Trusted: o.clock.Trusted, Floor: o.clock.Floor})
	return wire.Reason(d.Reason)
}

func (o *office) wants(door string, card device.Card, want wire.Reason) {
	o.t.Helper()
	if got := o.answer(door, card); got != want {
		o.t.Errorf("door %s says %s, want %s", door, got, want)
	}
}

// refused wants a Refusal that says a word.
func refused(t testing.TB, err error, word string) {
	t.Helper()
	var no *Refusal
	if !errors.As(err, &no) || !strings.Contains(no.Message+" "+no.Hint, word) {
		t.Errorf("%v, want a refusal that says %q", err, word)
	}
}

// TestCheckIn: the card opens at once, in all its forms, and after a restart;
// the registry can read who it is; the entry tells of the record.
func TestCheckIn(t *testing.T) {
	w := newTown(t)
	o := newOffice(t, w, "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	if len(done.Remarks) > 0 || done.Tenancy.State != stateActive || !done.Tenancy.HasPIN || len(done.Tenancy.Cards) != 1 || done.Tenancy.Cards[0].Forms != 3 {
		t.Errorf("%+v", done)
	}
	for range 2 {
		for _, form := range keyring.Derive(em(1)) {
			o.wants("front", form, wire.ReasonGranted)
			o.wants("yard", form, wire.ReasonGranted)
		}
		o.restart()
	}
	pending := o.Pending()
	if len(pending) != 1 || pending[0].Number != 1 {
		t.Fatalf("pending %+v", pending)
	}
	house := w.registry.House
	payload, _, err := wire.Open(pending[0].Envelope, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: "lane-7/gw1"},
		[]wire.Key{house.Gateway("gw1").Key()})
	must(t, err)
	var r wire.Record
	must(t, wire.Decode(payload, &r))
	plain, err := wire.Unseal(w.desk, wire.SealChange, "lane-7/gw1", r.Desk)
	must(t, err)
	var c wire.Change
	must(t, wire.Decode(plain, &c))
	if c.Flat != "3B" || !c.Informed || c.Basis != wire.BasisContract || c.Document != wire.DocumentResidentID || !slices.Equal(c.Doors, []string{"front", "yard"}) {
		t.Errorf("change %+v", c)
	}
	plain, err = wire.Unseal(w.records, wire.SealPerson, "lane-7/gw1", pending[0].Person)
	must(t, err)
	var p wire.Person
	must(t, wire.Decode(plain, &p))
	if p.Name != tenant || p.Number != invented() || p.Tenancy != c.Tenancy || len(p.Cards) != 1 || p.Cards[0].Bits != 40 ||
		r.Person != sha256.Sum256(pending[0].Person) {
		t.Error("the registry can't tell who it is")
	}
	want := sha256.Sum256(r.Desk)
	if len(o.journal.heads) != 1 || string(o.journal.heads[0].Detail) != string(want[:]) || *o.journal.whos[0].Tenancy != c.Tenancy {
		t.Errorf("entries %+v", o.journal.heads)
	}
	o.Stored(pending[0].Line, 1)
	if left := o.Pending(); len(left) != 0 {
		t.Errorf("still pending: %d", len(left))
	}
	if l := o.keyring.Locals(); len(l) != 1 || l[0].Person != nil {
		t.Error("the sealed person is still here")
	}
	o.noPerson()
}

// noPerson: nothing on disk or in the log names the person or the card.
func (o *office) noPerson() {
	o.t.Helper()
	all := o.log.String()
	must(o.t, filepath.WalkDir(o.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all += string(b)
		return err
	}))
	for _, c := range o.journal.heads {
		all += fmt.Sprintf("%+v", c)
	}
	for _, t := range o.Tenancies() {
		b, err := json.Marshal(t)
		must(o.t, err)
		all += string(b)
	}
	raw := em(1).Bytes()
	for what, text := range map[string]string{"name": tenant, "part of the name": "Testperson", "number": invented(), "date of birth": "19900307",
		"PIN": `"4711"`, "raw card": string(raw), "card in hex": fmt.Sprintf("%x", raw), "card upper": fmt.Sprintf("%X", raw)} {
		if strings.Contains(all, text) {
			o.t.Errorf("the %s stands somewhere", what)
		}
	}
}

// TestArrivalsRefused: each with an answer that helps, and nothing is changed.
func TestArrivalsRefused(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	for name, c := range map[string]struct {
		change func(*Arrival)
		word   string
	}{
		"document":        {func(a *Arrival) { a.Document = "library_card" }, "resident_id, passport"},
		"number":          {func(a *Arrival) { a.Number = a.Number[:16] + "00" }, "check digit"},
		"name":            {func(a *Arrival) { a.Name = " " }, "name"},
		"flat":            {func(a *Arrival) { a.Flat = "3C" }, "3A, 3B"},
		"no flat":         {func(a *Arrival) { a.Flat = "" }, "flat is missing"},
		"name as label":   {func(a *Arrival) { a.Label = "for " + tenant }, "holds the tenant's name"},
		"number as label": {func(a *Arrival) { a.Label = "tel 13800 001 111" }, "digits in a row"},
		"door":            {func(a *Arrival) { a.Doors = []string{"attic"} }, "front, yard"},
		"past":            {func(a *Arrival) { a.Until = noon - 1 }, "in the past"},
		"before it began": {func(a *Arrival) { a.From, a.Until = noon+20, noon+10 }, "before it begins"},
		"basis":           {func(a *Arrival) { a.Basis = "rent" }, "contract, duty, consent"},
		"not informed":    {func(a *Arrival) { a.Informed = false }, "told what is kept"},
		"PIN":             {func(a *Arrival) { a.PIN = "12" }, "4 to 8 digits"},
		"silly PIN":       {func(a *Arrival) { a.PIN = "1111" }, "first that anybody"},
		"other session":   {func(a *Arrival) { a.Session = "x" }, "begin anew"},
	} {
		t.Run(name, func(t *testing.T) {
			a := arrival()
			a.Session = o.begin()
			_, _, err := o.Show(a.Session, false, em(2))
			must(t, err)
			c.change(&a)
			_, err = o.CheckIn(t.Context(), a)
			refused(t, err, c.word)
			if err != nil && (strings.Contains(err.Error(), a.Number) || strings.Contains(err.Error(), tenant)) {
				t.Error("the answer repeats name or number")
			}
		})
	}
	a := arrival()
	a.Session = o.begin()
	_, err = o.CheckIn(t.Context(), a)
	refused(t, err, "no card has been shown")
	_, err = o.arrive(em(1))
	refused(t, err, "(3B, left door)")
	_, err = o.arrive(keyring.Derive(em(1))[1]) // the same card at another reader
	refused(t, err, "in use already")
	if _, n := o.Head(); n != 1 || len(o.Tenancies()) != 1 || o.journal.entries(wire.KindTenancy, wire.ReasonCheckIn) != 1 {
		t.Error("a refusal changed something")
	}
	o.wants("front", em(2), wire.ReasonUnknown)
}

// TestNoRegistry: a house by itself is told what to use.
func TestNoRegistry(t *testing.T) {
	w := newTown(t)
	k, err := keyring.Open(keyring.Options{Dir: t.TempDir(), Building: "lane-7", Log: zerolog.Nop(), Keys: keyring.Keys{Building: w.building}})
	must(t, err)
	defer k.Close()
	d, err := New(Parts{Dir: t.TempDir(), Keyring: k, Journal: &memory{}, Clock: func() Time { return Time{} }})
	must(t, err)
	_, err = d.Begin(false)
	refused(t, err, "gatehouse grant add")
	if line, n := d.Head(); line != 0 || n != 0 || d.Pending() != nil {
		t.Error("records without a registry")
	}
}

// TestUnsureClockCheckIn: allowed, from now on, and said.
func TestUnsureClockCheckIn(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	o.clock = Time{Now: 1000, Floor: noon - 500, Trusted: false}
	done, err := o.arrive(em(1), func(a *Arrival) { a.From, a.Until = noon, noon+1000 })
	must(t, err)
	if len(done.Remarks) != 1 || !strings.Contains(done.Remarks[0], "clock") {
		t.Errorf("remarks %q", done.Remarks)
	}
	o.wants("front", em(1), wire.ReasonGranted)
	c := o.keyring.Locals()[0].Change
	if c.From != 0 || c.Until != noon+1000 || c.At != noon-500 {
		t.Errorf("from %d until %d at %d", c.From, c.Until, c.At)
	}
}

// TestSickDisk: an arrival that no disk takes is none; a check-out holds all
// the same; an entry that is not durable is written after the next start.
func TestSickDisk(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	o.journal.sick = journal.ErrDegraded
	done, err := o.arrive(em(1))
	must(t, err)
	if len(done.Remarks) != 1 || !strings.Contains(done.Remarks[0], "waits for the disk") {
		t.Errorf("remarks %q", done.Remarks)
	}
	o.wants("front", em(1), wire.ReasonGranted)
	o.journal.sick = nil
	o.restart()
	o.upkeep(t.Context())
	o.upkeep(t.Context())
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonCheckIn); n != 1 {
		t.Errorf("%d entries of the check-in, want 1", n)
	}
	o.restart()
	o.upkeep(t.Context())
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonCheckIn); n != 1 {
		t.Errorf("%d entries after another start, want 1", n)
	}
}
