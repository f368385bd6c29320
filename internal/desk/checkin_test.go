package desk

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// TestCheckIn: the card opens at once, in all its forms, and after a restart;
// the registry can read who it is; the entry tells of the record.
func TestCheckIn(t *testing.T) {
	w := newTown(t)
	o := newOffice(t, w, "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	if len(done.Remarks) > 0 || done.Tenancy.State != tenancy.Active || !done.Tenancy.HasPIN || len(done.Tenancy.Cards) != 1 || done.Tenancy.Cards[0].Forms != 3 {
		t.Errorf("%+v", done)
	}
	for range 2 {
		for _, form := range cardnumber.Derive(em(1)) {
			o.wants("front", form, wire.ReasonGranted)
			o.wants("yard", form, wire.ReasonGranted)
		}
		o.restart()
	}
	pending := o.Pending()
	if len(pending) != 1 || pending[0].Record.Number != 1 {
		t.Fatalf("pending %+v", pending)
	}
	house := w.registry.House
	payload, _, err := wire.Open(pending[0].Envelope, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: "lane-7/gw1"},
		[]wire.Key{house.Gateway("gw1").Key()})
	must(t, err)
	var r wire.Record
	must(t, wire.Decode(payload, &r))
	plain, err := sealing.Unseal(w.desk, sealing.Change, "lane-7/gw1", r.Desk)
	must(t, err)
	var c wire.Change
	must(t, wire.Decode(plain, &c))
	if c.Flat != "3B" || !c.Informed || c.Basis != wire.BasisContract || c.Document != wire.DocumentResidentID || !slices.Equal(c.Doors, []string{"front", "yard"}) {
		t.Errorf("change %+v", c)
	}
	plain, err = sealing.Unseal(w.records, sealing.Person, "lane-7/gw1", pending[0].Person)
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
	o.Stored(pending[0].Record.Line, 1)
	if left := o.Pending(); len(left) != 0 {
		t.Errorf("still pending: %d", len(left))
	}
	if l := o.keyring.Records.All(); len(l) != 1 || l[0].Person != nil {
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
		change func(*tenancy.Arrival)
		word   string
	}{
		"document":        {func(a *tenancy.Arrival) { a.Document = "library_card" }, "resident_id, passport"},
		"number":          {func(a *tenancy.Arrival) { a.Number = a.Number[:16] + "00" }, "check digit"},
		"name":            {func(a *tenancy.Arrival) { a.Name = " " }, "name"},
		"flat":            {func(a *tenancy.Arrival) { a.Flat = "3C" }, "3A, 3B"},
		"no flat":         {func(a *tenancy.Arrival) { a.Flat = "" }, "flat is missing"},
		"name as label":   {func(a *tenancy.Arrival) { a.Label = "for " + tenant }, "holds the tenant's name"},
		"number as label": {func(a *tenancy.Arrival) { a.Label = "tel 13800 001 111" }, "so many digits"},
		"nines as label":  {func(a *tenancy.Arrival) { a.Label = "tel 909090" }, "so many digits"},
		"door":            {func(a *tenancy.Arrival) { a.Doors = []string{"attic"} }, "front, yard"},
		"past":            {func(a *tenancy.Arrival) { a.Until = noon - 1 }, "in the past"},
		"before it began": {func(a *tenancy.Arrival) { a.From, a.Until = noon+20, noon+10 }, "before it begins"},
		"of no length":    {func(a *tenancy.Arrival) { a.From, a.Until = noon+20, noon+20 }, "before it begins"},
		"basis":           {func(a *tenancy.Arrival) { a.Basis = "rent" }, "contract, duty, consent"},
		"not informed":    {func(a *tenancy.Arrival) { a.Informed = false }, "told what is kept"},
		"PIN":             {func(a *tenancy.Arrival) { a.PIN = "12" }, "4 to 8 digits"},
		"silly PIN":       {func(a *tenancy.Arrival) { a.PIN = "1111" }, "first that anybody"},
	} {
		t.Run(name, func(t *testing.T) {
			a := arrival()
			session := o.begin()
			_, _, err := o.Show(session, false, em(2))
			must(t, err)
			c.change(&a)
			_, err = o.Judge(session, a)
			refused(t, err, c.word)
			_, err = o.CheckIn(t.Context(), session, a)
			refused(t, err, c.word)
			if err != nil && (strings.Contains(err.Error(), a.Number) || strings.Contains(err.Error(), tenant)) {
				t.Error("the answer repeats name or number")
			}
		})
	}
	_, err = o.CheckIn(t.Context(), "x", arrival())
	refused(t, err, "begin anew")
	session := o.begin()
	_, err = o.Judge("x", arrival())
	refused(t, err, "begin anew")
	if _, err := o.Judge(session, arrival()); err != nil {
		t.Errorf("before a card is held up: %v", err)
	}
	_, err = o.CheckIn(t.Context(), session, arrival())
	refused(t, err, "no card has been shown")
	_, err = o.arrive(em(1))
	refused(t, err, "(3B, left door)")
	_, err = o.arrive(cardnumber.Derive(em(1))[1]) // the same card at another reader
	refused(t, err, "in use already")
	if _, n := o.Head(); n != 1 || len(o.Tenancies()) != 1 || o.journal.entries(wire.KindTenancy, wire.ReasonCheckIn) != 1 {
		t.Error("a refusal changed something")
	}
	o.wants("front", em(2), wire.ReasonUnknown)
}

// TestNoRegistry: a standalone house is told what to use.
func TestNoRegistry(t *testing.T) {
	w := newTown(t)
	k, err := keyring.Open(keyring.Options{Dir: t.TempDir(), Building: "lane-7", Log: zerolog.Nop(), Keys: keys.Keys{Building: w.building}})
	must(t, err)
	defer k.Close()
	d, err := New(Parts{Dir: t.TempDir(), Keyring: k, Journal: &memory{}, Clock: func() tenancy.Time { return tenancy.Time{} }, Classed: func() bool { return true }})
	must(t, err)
	_, err = d.Begin(false)
	refused(t, err, "gatehouse grant add")
	if line, n := d.Records.Head(); line != 0 || n != 0 || d.Records.Pending() != nil {
		t.Error("records without a registry")
	}
}

// TestLastDayOver: a last day that has passed is refused by the gateway's time as
// long as that is trusted, however little is sure of it: the card would open until
// all is sure. A clock that can't be trusted judges only what is surely over.
func TestLastDayOver(t *testing.T) {
	over := func(a *tenancy.Arrival) { a.Until = noon - 2000*tenancy.DaySeconds }
	for name, c := range map[string]struct {
		clock tenancy.Time
		word  string
	}{
		"trusted, nothing sure": {tenancy.Time{Now: noon, Sure: 0, Latest: noon, Trusted: true}, "the last day is over"},
		"trusted, sure":         {tenancy.Time{Now: noon, Sure: noon, Latest: noon, Trusted: true}, "the last day is over"},
		"untrusted, sure":       {tenancy.Time{Now: noon, Sure: noon, Latest: math.MaxInt64}, "the last day is over"},
		"untrusted":             {tenancy.Time{Now: noon, Sure: 0, Latest: math.MaxInt64}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, newTown(t), "gw1")
			o.clock, o.apart = c.clock, true
			_, err := o.arrive(em(1), over)
			if c.word == "" {
				must(t, err)
				return
			}
			refused(t, err, c.word)
			if len(o.Tenancies()) != 0 {
				t.Error("a refusal changed something")
			}
		})
	}
}

// TestUnsureClockCheckIn: allowed, from now on, and said.
func TestUnsureClockCheckIn(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	o.clock = tenancy.Time{Now: 1000, Sure: noon - 500, Latest: math.MaxInt64, Trusted: false}
	done, err := o.arrive(em(1), func(a *tenancy.Arrival) { a.From, a.Until = noon, noon+1000 })
	must(t, err)
	if len(done.Remarks) != 1 || !strings.Contains(done.Remarks[0], "clock") {
		t.Errorf("remarks %q", done.Remarks)
	}
	o.wants("front", em(1), wire.ReasonGranted)
	c := o.keyring.Records.All()[0].Change
	if c.From != 0 || c.Until != noon+1000 || c.At != noon-500 {
		t.Errorf("from %d until %d at %d", c.From, c.Until, c.At)
	}
}

// TestSickDisk: an arrival that no disk takes is none; a check-out holds all
// the same, and is on disk when it can be.
func TestSickDisk(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	records := filepath.Join(o.dir, "records")
	sick := func() { must(t, os.RemoveAll(records)); must(t, os.WriteFile(records, nil, 0o600)) }
	sick()
	if _, err := o.arrive(em(1)); err == nil {
		t.Error("an arrival that the next start forgets")
	}
	o.wants("front", em(1), wire.ReasonUnknown)
	if _, n := o.Head(); n != 0 || len(o.Tenancies()) != 0 || o.journal.entries(wire.KindTenancy, wire.ReasonCheckIn) != 0 {
		t.Error("it left something behind")
	}
	must(t, os.Remove(records))
	_, err := o.arrive(em(1))
	must(t, err)
	sick()
	done, err := o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(1)), nil)
	must(t, err)
	if len(done.Remarks) == 0 || !strings.Contains(done.Remarks[0], "disk") || done.Tenancy.State != tenancy.Ended {
		t.Errorf("%+v", done)
	}
	o.wants("front", em(1), wire.ReasonRevoked)
}

// TestEntryLater: an entry that is not durable is written after the next start,
// once.
func TestEntryLater(t *testing.T) {
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

// TestFieldsKept: what the desk's file may hold is a closed list. A field that
// is added has to be added here, by somebody who has thought about it.
func TestFieldsKept(t *testing.T) {
	allowed := []string{"line", "number", "stored", "tenancies", "id", "flat", "label", "doors", "since", "until", "notice", "noticed", "objected",
		"withdrew", "cause", "ended", "end_cause", "gone", "was_told", "pin", "cards", "salt", "hash", "rounds", "wrong", "grant", "credentials",
		"format", "ahead", "unproven", "word", "stopped", "reported", "stop", "left", "used", "own", "against", "brief"}
	var all pages
	fill(reflect.ValueOf(&all).Elem())
	text, err := json.Marshal(all)
	must(t, err)
	for _, name := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(allowed, name[1]) {
			t.Errorf("%q is kept, which is not allowed", name[1])
		}
	}
	for _, name := range allowed {
		if !strings.Contains(string(text), `"`+name+`":`) {
			t.Errorf("%q is kept no more, or was not filled in", name)
		}
	}
}

// fill sets all that is exported to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Int:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
}
