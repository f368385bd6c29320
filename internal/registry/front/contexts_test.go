package front

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
	"gatehouse/sync/wire/whos"
)

// sealed is a scene whose gateway seals who parts in contexts.
type sealed struct {
	*scene
	private []byte // the records key
	public  []byte
}

func newSealed(t *testing.T) *sealed {
	s := &sealed{scene: newScene(t)}
	var err error
	s.private, s.public, err = sealing.GenerateKey()
	s.must(err)
	s.g.fill(200)
	return s
}

func (s *sealed) begin(g *model) *whos.Context {
	s.t.Helper()
	c, err := whos.Begin(s.public, g.place.Address(), g.epoch)
	s.must(err)
	return c
}

// parts are the who parts of a batch: the first entries of three, as model.add makes them.
func (s *sealed) parts(first, n int) (all []whos.Part) {
	for i := range n {
		all = append(all, whos.Part{Index: uint16(i), Salt: [16]byte{byte(first + i)}, Who: []byte{1}})
	}
	return all
}

// batch is a batch of a gateway whose seals are in a context: brought, or named.
func (s *sealed) batch(g *model, c *whos.Context, first, n int, brought bool) wire.Batch {
	s.t.Helper()
	b := g.batch(first, n)
	var err error
	b.Sealed, err = c.Seal(b.First, s.parts(first, n))
	s.must(err)
	id := c.ID()
	if b.Context = id[:]; brought {
		b.Context = c.Encapsulated()
	}
	return b
}

// say sends a message of the gateway and returns the context that the ack names; nil: none.
func (s *sealed) say(kind string, p wire.Payload) (wire.Ack2, *wire.ID) {
	s.t.Helper()
	s.link.receive(s.g.say(kind, p))
	envelope, err := s.link.next(s.g.place.Down(wire.TypeAck), timeout)
	s.must(err)
	k := s.g.ack2(envelope)
	return k, k.Context
}

func (s *sealed) hello(formats ...uint64) wire.Hello2 {
	s.g.nonce[0]++
	return wire.Hello2{Hello: s.g.hello(), Formats: formats}
}

// stands fails the test unless so much is stored after a batch, and the ack names a context.
func (s *sealed) stands(what string, b wire.Batch, next uint64, context wire.ID) {
	s.t.Helper()
	k, id := s.say(wire.TypeBatch, b)
	if k.Next != next || id == nil || *id != context {
		s.t.Errorf("%s: stored through %d, context %v; want %d, %v", what, k.Next, id, next, context)
	}
}

// database opens the front's, or a copy.
func (s *sealed) database(name string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, name)+"?_pragma=busy_timeout(10000)") // the front writes meanwhile
	s.must(err)
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

// count returns the number of rows of a table.
func (s *sealed) count(table string) (n int) {
	s.t.Helper()
	s.must(s.database(api.FileDatabase).QueryRow("SELECT COUNT(*) FROM " + table).Scan(&n))
	return n
}

// opened reads the gateway's who parts from the database as the holder of the records key would, and fails the
// test unless they are those of the first n entries.
func (s *sealed) opened(n int) {
	s.t.Helper()
	rows, err := s.database(api.FileDatabase).Query(`SELECT g.building || '/' || g.gateway, b.epoch, b.first, b.sealed, c.encapsulated
		FROM batches b JOIN gateways g ON g.id = b.gateway JOIN contexts c ON c.number = b.context
		WHERE g.gateway = ? ORDER BY b.first`, s.g.place.Gateway)
	s.must(err)
	defer rows.Close()
	read := 0
	for rows.Next() {
		var address string
		var epoch, first uint64
		var sealed, encapsulated []byte
		s.must(rows.Scan(&address, &epoch, &first, &sealed, &encapsulated))
		c, err := whos.Open(s.private, address, epoch, encapsulated)
		s.must(err)
		parts, err := c.Unseal(first, sealed)
		s.must(err)
		for i, p := range parts {
			if want := s.parts(int(first), len(parts))[i]; int(first) != read || p.Index != want.Index || p.Salt != want.Salt || !bytes.Equal(p.Who, want.Who) {
				s.t.Fatalf("part %d of the batch from %d is %+v", i, first, p)
			}
		}
		read += len(parts)
	}
	s.must(rows.Err())
	if read != n {
		s.t.Errorf("%d who parts open, want %d", read, n)
	}
}

// TestContextIsStoredOnce: the key that a batch brings is stored once, whoever says it how often, and opens what
// names it; after a restart, too.
func TestContextIsStoredOnce(t *testing.T) {
	s := newSealed(t)
	c := s.begin(s.g)
	if k, id := s.say(wire.TypeHello, s.hello(1, 2, 3)); id == nil || *id != (wire.ID{}) || s.g.format != 3 {
		t.Errorf("answer to the hello: context %v in format %d, %+v", id, s.g.format, k)
	}
	s.stands("brought", s.batch(s.g, c, 0, 10, true), 10, c.ID())
	s.stands("brought again, before the ack came", s.batch(s.g, c, 10, 10, true), 20, c.ID())
	s.stands("named", s.batch(s.g, c, 20, 10, false), 30, c.ID())
	s.stands("a batch said twice", s.batch(s.g, c, 20, 10, false), 30, c.ID())
	s.stands("one that lies across", s.batch(s.g, c, 20, 20, false), 40, c.ID())
	s.restart()
	if _, id := s.say(wire.TypeHello, s.hello(1, 2, 3)); id == nil || *id != (wire.ID{}) {
		t.Errorf("after a restart the answer to the hello names %v", id)
	}
	s.stands("named after a restart", s.batch(s.g, c, 40, 10, false), 50, c.ID())
	s.restart()
	s.stands("brought after a restart, before a hello", s.batch(s.g, c, 50, 10, true), 60, c.ID())
	next := s.begin(s.g)
	s.stands("an hour later", s.batch(s.g, next, 60, 10, true), 70, next.ID())
	if n := s.count("contexts"); n != 2 {
		t.Errorf("%d keys are stored", n)
	}
	// The batch that lies across has the seals of its first ten twice, since its row has all of it.
	rows := s.database(api.FileDatabase)
	var first int
	s.must(rows.QueryRow(`SELECT first FROM batches WHERE next = 40`).Scan(&first))
	if _, err := rows.Exec(`DELETE FROM batches WHERE next = 30; UPDATE batches SET first = 20 WHERE next = 40`); err != nil || first != 30 {
		t.Fatal(first, err)
	}
	s.opened(70)
}

// TestUnknownContext: no entry is acked whose who part nobody could open: of a context that never came, that is
// another gateway's, or of another epoch. With its key it is stored.
func TestUnknownContext(t *testing.T) {
	s := newSealed(t)
	other := s.gateway("g2", 7)
	other.fill(10)
	if _, err := s.front.client.PutHouse(t.Context(), s.house(2, s.g, other)); err != nil {
		t.Fatal(err)
	}
	theirs, own := s.begin(other), s.begin(s.g)
	g := s.g
	s.g = other
	s.say(wire.TypeHello, s.hello(1, 2, 3))
	s.stands("the other's", s.batch(other, theirs, 0, 10, true), 10, theirs.ID())
	s.g = g
	s.say(wire.TypeHello, s.hello(1, 2, 3))
	s.stands("one that never came", s.batch(g, own, 0, 10, false), 0, wire.ID{})
	s.stands("the other gateway's", s.batch(g, theirs, 0, 10, false), 0, wire.ID{})
	s.stands("with its key", s.batch(g, own, 0, 10, true), 10, own.ID())
	s.stands("the other gateway's again", s.batch(g, theirs, 10, 10, false), 10, own.ID())
	later := s.gateway("g1", 8)
	later.key, later.nonce = g.key, g.nonce
	later.fill(10)
	s.g = later
	if k, _ := s.say(wire.TypeBatch, s.batch(later, own, 0, 10, false)); k.Epoch != 8 || k.Next != 0 {
		t.Errorf("of another epoch: %+v", k)
	}
	s.g = g
	s.opened(10)
	if n := s.count("contexts"); n != 2 {
		t.Errorf("%d keys are stored", n)
	}
}

// TestContextsOfFormats: the context is told only to a gateway that reads it, by a front that does; a front of
// the version before refuses batches that have one.
func TestContextsOfFormats(t *testing.T) {
	s := newSealed(t)
	c := s.begin(s.g)
	if _, id := s.say(wire.TypeHello, s.hello(1, 2)); id != nil || s.g.format != 2 {
		t.Errorf("a gateway of the version before is told %v in format %d", id, s.g.format)
	}
	if k, id := s.say(wire.TypeBatch, s.g.batch(0, 10)); k.Next != 10 || id != nil {
		t.Errorf("its batch: %d, %v", k.Next, id)
	}
	named := s.batch(s.g, c, 10, 10, true)
	payload := s.encode(named)
	for version := range uint64(wire.ContextFormat) { // in an envelope of a format that has none
		envelope, err := wire.Sign(wire.Protected{Type: wire.TypeBatch, Role: wire.RoleGateway, Address: s.g.place.Address(), Version: version}, payload, s.g.key)
		s.must(err)
		s.silent(s.g.place.Up(wire.TypeBatch), envelope)
	}
	named.Sealed = []byte("sealed")
	s.silent(s.g.say(wire.TypeBatch, named)) // no seals
	s.front.stop()
	link, dial := newMemory()
	s.link, s.front = link, s.start(Options{Link: dial, Formats: 2})
	if _, id := s.say(wire.TypeHello, s.hello(1, 2, 3)); id != nil || s.g.format != 2 {
		t.Errorf("a front of the version before tells %v in format %d", id, s.g.format)
	}
	s.silent(s.g.say(wire.TypeBatch, s.batch(s.g, c, 10, 10, true)))
	s.front.stop()
	s.run()
	s.say(wire.TypeHello, s.hello(1, 2, 3))
	s.stands("a new one in its place", s.batch(s.g, c, 10, 10, true), 20, c.ID())
}

// TestContextOfTooMuch: what a gateway may not store has no key stored, either; nor has a fork.
func TestContextOfTooMuch(t *testing.T) {
	s := newSealed(t)
	s.say(wire.TypeHello, s.hello(1, 2, 3))
	s.say(wire.TypeBatch, s.batch(s.g, s.begin(s.g), 0, 10, true))
	forged := s.batch(s.g, s.begin(s.g), 10, 10, true)
	forged.Root[0]++
	end := s.g.checkpoint(20)
	end.Root = forged.Root
	forged.Signature = end.Sign(s.g.key)
	s.say(wire.TypeBatch, forged)
	s.front.stop()
	c := s.config()
	c.GatewayPerDay = 1
	link, dial := newMemory()
	s.link, s.front = link, s.start(Options{Link: dial, Config: c})
	large := func(first int, c *whos.Context) wire.Batch {
		b := s.batch(s.g, c, first, 10, true)
		b.Sealed = whos.Join([]whos.Sealed{{Index: 0, Bytes: make([]byte, 50<<10)}})
		return b
	}
	s.g.fill(200)
	one, first := s.begin(s.g), 10
	for stored := true; stored; { // its quota is a mebibyte
		k, _ := s.say(wire.TypeBatch, large(first, one))
		if stored = k.Next == uint64(first+10); stored {
			first += 10
		}
	}
	if k, _ := s.say(wire.TypeBatch, large(first, s.begin(s.g))); k.Next != uint64(first) || k.Window != 0 {
		t.Errorf("more than the quota is stored: %+v", k)
	}
	if n := s.count("contexts"); n != 2 {
		t.Errorf("%d keys are stored, want that of the first batch and that of the large ones", n)
	}
}

// TestContextsAndBackups: a copy of the database has the keys of all that it has; one that lacks a key is told
// when it is checked, and of a front that goes on with a copy from before a key no entry is acked without it.
func TestContextsAndBackups(t *testing.T) {
	s := newSealed(t)
	s.say(wire.TypeHello, s.hello(1, 2, 3))
	first, second := s.begin(s.g), s.begin(s.g)
	s.stands("the first", s.batch(s.g, first, 0, 10, true), 10, first.ID())
	copied := filepath.Join(s.dir, "copy.db")
	s.must(s.front.store.Copy(t.Context(), copied))
	s.stands("the second", s.batch(s.g, second, 10, 10, true), 20, second.ID())
	s.must(dbfile.Check(t.Context(), copied))
	s.front.stop()
	body, err := os.ReadFile(copied)
	s.must(err)
	s.must(os.WriteFile(filepath.Join(s.dir, api.FileDatabase), body, 0o600))
	s.run()
	s.say(wire.TypeHello, s.hello(1, 2, 3))
	s.stands("what names the lost one", s.batch(s.g, second, 10, 10, false), 10, wire.ID{})
	s.stands("with its key", s.batch(s.g, second, 10, 10, true), 20, second.ID())
	s.stands("the first, which the copy has", s.batch(s.g, first, 20, 10, false), 30, first.ID())
	s.opened(30)
	if _, err := s.database("copy.db").Exec(`DELETE FROM contexts`); err != nil {
		t.Fatal(err)
	}
	if err := dbfile.Check(t.Context(), copied); err == nil {
		t.Error("a copy without a key that its entries need passes")
	}
}
