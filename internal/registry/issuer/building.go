package issuer

import (
	"database/sql"
	"errors"
	"fmt"
	"gatehouse/internal/registry/issuer/fold"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// building is what the issuer knows of one, in memory. It is worked out from
// the store, and thrown away when a transaction fails.
type building struct {
	id, district, town string
	flats              []string
	noticeDays         uint8
	keyNumber          uint8  // of the building key; 0: no gateway has made it
	escrowOf           string // gateway that made it
	house              wire.House
	houseEnvelope      []byte
	houseOld           []byte // the same in the first format; nil: houseEnvelope is

	events  map[wire.ID][]fold.Event // by grant
	grants  map[wire.ID]*fold.Grant  // what they add up to
	records map[recordKey]wire.ID    // grants of the changes that were taken in
	seen    map[lineKey]lineState
	uses    uint64 // of lines so far: the newest has the highest

	log      tree.Range // of all manifests that were taken into account
	list     signedList // the newest that was released
	held     *signedList
	known    map[wire.Hash]bool // buckets that the front has, as far as this process knows
	logSent  uint64             // manifests of the log that it has, as far as this process knows
	covered  map[lineKey]cover  // records that a list has seen which was taken over
	asks     map[string]ask     // by gateway: that want a second signature on the list that was released
	refused  map[string]uint64  // by gateway: version of the list that it takes only with a second signature, as it says
	revoked  map[wire.ID]revocation
	removals map[wire.ID]uint32 // tenancies that a released list removed, and when
	applied  map[string]uint64  // by gateway: version of the newest list that it has proved
	setBacks map[string]uint64  // by gateway: how many set-backs of its disk were heeded
	clocks   map[string]shown   // by gateway: in this run
	healed   bool               // the newest list says of a grant that it is over, and only a clock had said so
	zone     string             // time zone, as its gateways say; empty: not heard in this run
}

type recordKey struct {
	gateway string
	id      wire.ID
}

type lineKey struct {
	gateway string
	line    uint64
}

// cover is what a list has seen of a line which was taken over.
type cover struct {
	number uint64
	events int // that the building had when it was: what these say was compared with the list
}

// lineState is how far a line of records has been taken in.
type lineState struct {
	number uint64
	at     uint32 // greatest time so far
	used   uint64 // when a record last came, among those of the building: the later, the higher
}

// revocation is since which version a grant has stood revoked in the list.
type revocation struct {
	version uint64
	dropped bool // every gateway has proved it: it is in the list no more
}

func newBuilding(id string) *building {
	return &building{id: id, events: make(map[wire.ID][]fold.Event), grants: make(map[wire.ID]*fold.Grant), records: make(map[recordKey]wire.ID),
		seen: make(map[lineKey]lineState), known: make(map[wire.Hash]bool), revoked: make(map[wire.ID]revocation),
		removals: make(map[wire.ID]uint32), applied: make(map[string]uint64), setBacks: make(map[string]uint64), asks: make(map[string]ask), refused: make(map[string]uint64), covered: make(map[lineKey]cover), clocks: make(map[string]shown)}
}

// add takes an event in; fold its grant afterwards.
func (b *building) add(e fold.Event) {
	e.Arrival = len(b.records)
	b.events[e.Change.Grant] = append(b.events[e.Change.Grant], e)
	b.records[recordKey{e.Source, e.Record}] = e.Change.Grant
}

func (b *building) fold(id wire.ID) { b.grants[id] = fold.Of(id, b.events[id]) }

func (b *building) foldAll() {
	for id := range b.events {
		b.fold(id)
	}
}

// limits of what one gateway can make the issuer keep.
const (
	maxWaiting  = 2048         // records that came before the one that they follow
	maxProblems = 2048         // that are shown
	maxAhead    = 24 * 60 * 60 // s: a record is never from further ahead, or it would be the last word for ever
)

// change is a transaction: what it touched is forgotten when it fails.
type change struct {
	*sql.Tx
	issuer  *Issuer
	touched map[string]bool // buildings; true: its list must be made anew
}

// update runs f in one transaction, makes the lists that follow from it, and
// commits. The caller holds mu.
func (i *Issuer) update(f func(c *change) error) error {
	wrote, err := i.transact(f)
	switch {
	case dbfile.Full(err):
		i.full = true
		return api.Hinted("make room there; what gateways have sent is taken in then by itself, and the operator's commands can be given again",
			"the disk of %s is full: %v", i.opts.Dir, err)
	case err == nil && wrote:
		i.full = false
	}
	return err
}

// transact reports whether it had anything to write.
func (i *Issuer) transact(f func(c *change) error) (wrote bool, err error) {
	tx, err := i.db.Begin()
	if err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	c := &change{Tx: tx, issuer: i, touched: make(map[string]bool)}
	defer func() {
		if err == nil {
			return
		}
		_ = tx.Rollback()
		for id := range c.touched {
			delete(i.buildings, id) // read again from what is stored
		}
	}()
	if err := c.storeSent(); err != nil {
		return false, fmt.Errorf("keep what was sent: %w", err)
	}
	if err := f(c); err != nil {
		return false, err
	}
	for id, relist := range c.touched {
		if relist {
			if err := c.relist(i.buildings[id]); err != nil {
				return false, fmt.Errorf("list of building %s: %w", id, err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("commit: %w", err)
	}
	clear(i.sent)
	return len(c.touched) > 0, nil
}

// open returns a building that must be there, and notes that it may change.
func (c *change) open(id string) (*building, error) {
	b, err := c.issuer.building(c, id)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, api.Hinted("registryd gateway list shows the buildings", "no building %q", id)
	}
	c.touch(b)
	return b, nil
}

// touch notes that a building may change, so that it is forgotten should the
// transaction fail.
func (c *change) touch(b *building) {
	if _, there := c.touched[b.id]; !there {
		c.touched[b.id] = false
	}
}

// take adds an event to store and memory.
func (c *change) take(b *building, e fold.Event, line, number uint64) error {
	e.Line, e.Number = line, number
	e.Settled = e.Settled || b.resumedSince(e)
	body, err := wire.Encode(e.Change)
	if err != nil {
		return err
	}
	_, err = c.Exec(`INSERT INTO changes (building, gateway, line, number, record, grant_id, tenancy, at, body, person, settled, least)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`,
		b.id, e.Source, blob(line), int64(number), e.Record[:], e.Change.Grant[:], e.Change.Tenancy[:], e.At, body, e.Person[:], e.Settled, e.Least)
	if err != nil {
		return fmt.Errorf("keep change: %w", err)
	}
	b.add(e)
	b.fold(e.Change.Grant)
	return nil
}

// deliver takes a tenancy record in that the front handed over. An error means
// that nothing can be stored; whatever is wrong with the record is kept.
func (c *change) deliver(d api.Delivery) error {
	b, err := c.issuer.building(c, d.Place.Building)
	if err != nil {
		return err
	}
	if b == nil {
		return c.problem(d.Place, d.Line, d.Record, "record of a building that is not known here", d.Envelope)
	}
	c.touch(b)
	r, err := b.openRecord(d.Place.Gateway, d.Envelope)
	if err != nil {
		return c.problem(d.Place, d.Line, d.Record, fmt.Sprintf("record refused: %v", err), d.Envelope)
	}
	key := lineKey{d.Place.Gateway, r.Line}
	s := b.seen[key]
	grant, known := b.records[recordKey{key.gateway, r.ID}]
	switch {
	case r.Number <= s.number && known:
		if err := c.nameLine(b, key); err != nil {
			return err
		}
		return c.nameAgain(b, grant)
	case r.Number <= s.number: // two of one number, made by a gateway whose disk was set back: both count
		return c.record(b, key, r, d.Envelope)
	case r.Number > s.number+1:
		return c.wait(b, key, r.Number, d)
	}
	for envelope := d.Envelope; ; {
		if err := c.record(b, key, r, envelope); err != nil {
			return err
		}
		if envelope, err = c.next(b, key); envelope == nil || err != nil {
			return err
		}
		if r, err = b.openRecord(key.gateway, envelope); err != nil {
			return c.problem(d.Place, key.line, b.seen[key].number+1, fmt.Sprintf("record refused: %v", err), envelope)
		}
	}
}

// openRecord verifies a record by the gateway's key.
func (b *building) openRecord(gateway string, envelope []byte) (r wire.Record, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: b.id + "/" + gateway}, b.keyset(gateway))
	if err != nil {
		return r, err
	}
	return r, wire.Decode(payload, &r)
}

// record takes the next record of a line in.
func (c *change) record(b *building, key lineKey, r wire.Record, envelope []byte) error {
	s := b.seen[key]
	s.number = max(s.number, r.Number)
	place := api.Place{District: b.district, Town: b.town, Building: b.id, Gateway: key.gateway}
	grant, known := b.records[recordKey{key.gateway, r.ID}]
	if !known {
		change, err := c.issuer.unseal(place.Address(), r)
		if err != nil {
			if err := c.problem(place, r.Line, r.Number, fmt.Sprintf("record can't be read: %v", err), envelope); err != nil {
				return err
			}
		} else {
			s.at, grant = max(s.at, min(change.At, c.issuer.ahead())), change.Grant
			e := fold.Event{Record: r.ID, Source: key.gateway, At: s.at, Change: change, Person: r.Person, Least: c.issuer.leastEnd(b, change)}
			if err := c.take(b, e, r.Line, r.Number); err != nil {
				return err
			}
			if change.Op == wire.OpCheckIn {
				if err := c.endCovered(b, key, r.Number, grant); err != nil {
					return err
				}
			}
		}
	}
	c.touched[b.id] = true
	if err := c.nameAgain(b, grant); err != nil {
		return err
	}
	return c.useLine(b, key, s)
}

// leastEnd is when a notice that is heard of now ends something, at the earliest: when
// the building's days have passed, whatever the clock said at which it was given.
func (i *Issuer) leastEnd(b *building, c wire.Change) uint32 {
	if c.Op != wire.OpNotice {
		return 0
	}
	days := uint64(grantlist.NoticeDays(wire.House{NoticeDays: b.noticeDays}))
	return uint32(min(uint64(i.now())+days*24*3600, 1<<32-1))
}

// unseal opens the change of a record with the desk key. A gateway can't speak
// in the registry's name.
func (i *Issuer) unseal(address string, r wire.Record) (change wire.Change, err error) {
	plain, err := wire.Unseal(i.keys.Desk, wire.SealChange, address, r.Desk)
	if err != nil {
		return change, err
	}
	if err := wire.Decode(plain, &change); err != nil {
		return change, err
	}
	if change.Proof == wire.ProofRegistry {
		return change, errors.New("a gateway speaks in the registry's name")
	}
	return change, nil
}

// wait keeps a record that came before the one that it follows.
func (c *change) wait(b *building, key lineKey, number uint64, d api.Delivery) error {
	var n int
	if err := c.QueryRow(`SELECT count(*) FROM waiting WHERE building = ? AND gateway = ?`, b.id, key.gateway).Scan(&n); err != nil {
		return err
	}
	if n >= maxWaiting {
		return c.problem(d.Place, key.line, number, "record before too many that are missing", d.Envelope)
	}
	_, err := c.Exec(`INSERT INTO waiting (building, gateway, line, number, envelope) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING`,
		b.id, key.gateway, blob(key.line), int64(number), d.Envelope)
	return err
}

// next returns the record that follows what was taken in, if it waits.
func (c *change) next(b *building, key lineKey) (envelope []byte, err error) {
	args := []any{b.id, key.gateway, blob(key.line), int64(b.seen[key].number + 1)}
	err = c.QueryRow(`SELECT envelope FROM waiting WHERE building = ? AND gateway = ? AND line = ? AND number = ?`, args...).Scan(&envelope)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		_, err = c.Exec(`DELETE FROM waiting WHERE building = ? AND gateway = ? AND line = ? AND number = ?`, args...)
	}
	return envelope, err
}

// problem keeps what could not be taken in, with its bytes: once for each record,
// and no more of one gateway than somebody can look at.
func (c *change) problem(p api.Place, line, number uint64, text string, envelope []byte) error {
	r, err := c.Exec(`INSERT INTO problems (at, building, gateway, line, number, text, envelope) SELECT ?1,?2,?3,?4,?5,?6,?7
		WHERE NOT EXISTS (SELECT 1 FROM problems WHERE building = ?2 AND gateway = ?3 AND line = ?4 AND number = ?5 AND text = ?6)
		AND (SELECT count(*) FROM problems WHERE building = ?2 AND gateway = ?3) < ?8`,
		c.issuer.now(), p.Building, p.Gateway, blob(line), int64(number), text, envelope, maxProblems)
	if err != nil {
		return fmt.Errorf("keep problem: %w", err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return err
	}
	c.issuer.opts.Log.Warn().Str("gateway", p.Building+"/"+p.Gateway).Uint64("record", number).Msg(text)
	return nil
}
