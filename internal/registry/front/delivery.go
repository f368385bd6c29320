package front

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// deliveryWork is a tenancy record, with its person in a seal that this
// process can't open.
type deliveryWork struct {
	maker    *gateway // whose record it is; not the sender's: a sibling brings it
	key      wire.Key // the maker's
	record   wire.Record
	envelope []byte
	person   []byte
}

var (
	errOtherPerson   = errors.New("the sealed person is not the one that the record names")
	errSiblingPerson = errors.New("a person comes only from the gateway that made the record")
)

func (f *Front) openDelivery(m message, payload []byte) (*deliveryWork, error) {
	var d wire.Delivery
	if err := wire.Decode(payload, &d); err != nil {
		return nil, err
	}
	maker, key, err := f.maker(m, d.Record)
	if err != nil {
		return nil, err
	}
	inner, _, err := wire.Open(d.Record, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: maker.address}, []wire.Key{key})
	if err != nil {
		return nil, err
	}
	w := &deliveryWork{maker: maker, key: key, envelope: d.Record, person: d.Person}
	if err := wire.Decode(inner, &w.record); err != nil {
		return nil, err
	}
	if len(d.Person) > 0 && maker != m.g {
		return nil, errSiblingPerson
	}
	if len(d.Person) > 0 && sha256.Sum256(d.Person) != w.record.Person {
		return nil, errOtherPerson
	}
	return w, nil
}

// maker returns whose record a gateway delivers: its own, or that of a sibling
// that may have lost it, be cut off or dead.
func (f *Front) maker(m message, record []byte) (*gateway, wire.Key, error) {
	_, p, _ := wire.Open(record, wire.Expect{}, nil) // only to learn who made it
	if p.Address == m.g.address {
		return m.g, m.key, nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	g := f.gateways[p.Address]
	if g == nil || !g.member || g.place.Building != m.g.place.Building {
		return nil, wire.Key{}, fmt.Errorf("%w: the record is of no gateway of the building", wire.ErrUnknownKey)
	}
	return g, g.key, nil
}

// store takes a record if it is the next of its line. Only what the maker itself
// delivers is acked, and says in which line it numbers now.
func (w *deliveryWork) store(t *txn, g *gateway) error {
	l, err := t.ledger(w.maker)
	if err != nil {
		return err
	}
	own := w.maker == g
	if own {
		t.ack(g, l.epoch)
	}
	count := l.count
	if w.record.Line != l.line {
		if count, err = t.Line(l.id, w.record.Line); err != nil {
			return err
		}
	}
	switch {
	case w.record.Number > count+1:
		return nil // one before it is missing: the ack says so
	case w.record.Number <= count:
		return w.again(t, g, l)
	}
	if room, err := w.add(t, g, l.id, w.record.Line); err != nil || !room {
		return err
	}
	if !own && w.record.Person != (wire.Hash{}) {
		l.owing = true
		if err := t.Owe(l.id, w.record.Line, w.record.Number); err != nil {
			return err
		}
	}
	return w.advance(t, l, own)
}

// add stores the record in a line. It reports whether its sender, g, may still
// have one stored.
func (w *deliveryWork) add(t *txn, g *gateway, id int64, line uint64) (bool, error) {
	if room, err := t.roomForRecord(g, len(w.envelope)+len(w.person)); err != nil || !room {
		return false, err
	}
	r := store.Record{Gateway: id, Line: line, Record: w.record.Number, Envelope: w.envelope, Stored: t.now}
	if w.record.Person != (wire.Hash{}) {
		r.Person = w.record.Person[:]
	}
	t.records, t.heard = true, append(t.heard, g)
	_, err := t.AddRecord(r, w.person)
	return err == nil, err
}

// advance notes how far the maker's newest line has come. An old delivery of an
// earlier line, repeated or late, does not make that the newest again.
func (w *deliveryWork) advance(t *txn, l *ledger, own bool) error {
	switch {
	case w.record.Line == l.line:
		l.count = w.record.Number
		return nil
	case l.line == 0, own && w.record.Number == 1:
		l.line, l.count, l.renew = w.record.Line, w.record.Number, false
		return t.SetLine(l.id, l.line, false)
	}
	return nil
}

// again takes a record whose number is stored already. If it is another one, the
// maker's disk was set back and it has made two of one number.
func (w *deliveryWork) again(t *txn, g *gateway, l *ledger) error {
	own := w.maker == g
	old, err := t.Record(l.id, w.record.Line, w.record.Number)
	switch {
	case err != nil:
		return err
	case !w.same(old):
		return w.fork(t, g, l)
	case !own:
		return w.handAgain(t, l)
	}
	owed, err := t.Paid(l.id, w.record.Line, w.record.Number)
	if err != nil || !owed || len(w.person) == 0 {
		return err
	}
	return t.AddPerson(w.person, t.now)
}

// handAgain gives a record to the issuer once more, at most once a day: a sibling
// brings it since no list settles it, maybe because none names its line any more.
func (w *deliveryWork) handAgain(t *txn, l *ledger) error {
	l.budget.renew(t.now)
	at := [2]uint64{w.record.Line, w.record.Number}
	if l.budget.handed[at] {
		return nil
	}
	if l.budget.handed == nil {
		l.budget.handed = make(map[[2]uint64]bool)
	}
	l.budget.handed[at] = true
	t.records = true
	return t.HandAgain(l.id, w.record.Line, w.record.Number)
}

func (w *deliveryWork) same(old []byte) bool {
	if bytes.Equal(old, w.envelope) {
		return true
	}
	inner, _, err := wire.Open(old, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: w.maker.address}, []wire.Key{w.key})
	var r wire.Record
	return err == nil && wire.Decode(inner, &r) == nil && r.ID == w.record.ID
}

// fork keeps the second record of one number as evidence, which is an alarm. Its
// maker is made to begin a new line, in which it brings the record again. From a
// sibling it is stored beside the first: its maker may have it no more.
func (w *deliveryWork) fork(t *txn, g *gateway, l *ledger) error {
	sum := sha256.Sum256(w.envelope)
	fresh, err := t.AddFork(l.id, w.record.Line, w.record.Number, sum, w.envelope, maxForks, t.now)
	if err != nil {
		return err
	}
	if fresh {
		t.front.o.Log.Error().Str("gateway", w.maker.address).Uint64("record", w.record.Number).
			Msg("two tenancy records have one number: the gateway's disk was set back")
	}
	if w.maker == g {
		if w.record.Line != l.line || l.renew {
			return nil // the acks name another line
		}
		l.renew = true
		return t.SetLine(l.id, l.line, true)
	}
	beside := binary.BigEndian.Uint64(sum[:]) | 1 // a line of its own
	if n, err := t.Line(l.id, beside); err != nil || n > 0 {
		return err
	}
	_, err = w.add(t, g, l.id, beside)
	return err
}

// numbering is what an ack says of a gateway's records: the line that it numbers
// in, and how many of it need not be delivered any more.
func (t *txn) numbering(l *ledger) (line, count uint64, err error) {
	if l.renew {
		return 0, 0, nil
	}
	if !l.owing {
		return l.line, l.count, nil
	}
	owed, err := t.Owed(l.id, l.line)
	if err != nil || owed == 0 {
		return l.line, l.count, err
	}
	return l.line, owed - 1, nil
}
