package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// recordWork is a tenancy record, with its person sealed to a key that this process does not have.
type recordWork struct {
	maker    *roster.Gateway // the gateway that made it; another than the sender: a sibling delivers it
	key      wire.Key        // the maker's
	record   wire.Record
	envelope []byte
	person   []byte
}

var (
	errOtherPerson   = errors.New("the sealed person is not the one that the record names")
	errSiblingPerson = errors.New("a person comes only from the gateway that made the record")
)

func openRecord(r *roster.Roster, m message, payload []byte) (*recordWork, error) {
	var d wire.Delivery
	if err := wire.Decode(payload, &d); err != nil {
		return nil, err
	}
	maker, key, err := makerOf(r, m, d.Record)
	if err != nil {
		return nil, err
	}
	inner, _, err := wire.Open(d.Record, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: maker.Address()}, []wire.Key{key})
	if err != nil {
		return nil, err
	}
	w := &recordWork{maker: maker, key: key, envelope: d.Record, person: d.Person}
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

// makerOf returns the gateway that made a record: the sender, or a sibling that may have lost it,
// be cut off or dead.
func makerOf(r *roster.Roster, m message, record []byte) (*roster.Gateway, wire.Key, error) {
	_, p, _ := wire.Open(record, wire.Expect{}, nil) // only to learn who made it
	if p.Address == m.g.Address() {
		return m.g, m.key, nil
	}
	if g := r.Find(p.Address); g != nil {
		if s := r.Look(g); s.Member && s.Place.Building == r.Look(m.g).Place.Building {
			return g, s.Key, nil
		}
	}
	return nil, wire.Key{}, fmt.Errorf("%w: the record is of no gateway of the building", wire.ErrUnknownKey)
}

// Store stores a record if it is the next of its line. Only deliveries by the maker itself are
// acked, and set the line in which it numbers now.
func (w *recordWork) Store(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) (err error) {
	own := w.maker == g
	if own {
		t.Ack(g, l.Epoch)
	} else if l, err = t.Ledger(w.maker); err != nil {
		return err
	}
	count := l.Records
	if w.record.Line != l.Line {
		if count, err = t.Line(l.ID, w.record.Line); err != nil {
			return err
		}
	}
	switch {
	case w.record.Number > count+1:
		return nil // an earlier one is missing: the ack says so
	case w.record.Number <= count:
		return w.again(t, g, l)
	}
	if admitted, err := w.add(t, g, l.ID, w.record.Line); err != nil || !admitted {
		return err
	}
	if !own && w.record.Person != (wire.Hash{}) {
		l.Pending = true
		if err := t.AddPending(l.ID, w.record.Line, w.record.Number); err != nil {
			return err
		}
	}
	return w.advance(t, l, own)
}

// add stores the record in a line. It returns false if the quota of the sender, g, does not admit
// it.
func (w *recordWork) add(t *commit.Txn, g *roster.Gateway, id int64, line uint64) (bool, error) {
	if admitted, err := t.AdmitRecord(g, len(w.envelope)+len(w.person)); err != nil || !admitted {
		return false, err
	}
	r := api.Delivery{Line: line, Record: w.record.Number, Envelope: w.envelope, Stored: t.Now}
	if w.record.Person != (wire.Hash{}) {
		r.PersonHash = w.record.Person[:]
	}
	t.Outcome.Records = true
	t.Heard(g)
	err := t.AddRecord(id, r, w.person)
	return err == nil, err
}

// advance notes the newest record of the maker's newest line. A late or repeated delivery of an
// earlier line does not make that line the newest again.
func (w *recordWork) advance(t *commit.Txn, l *commit.Ledger, own bool) error {
	switch {
	case w.record.Line == l.Line:
		l.Records = w.record.Number
		return nil
	case l.Line == 0, own && w.record.Number == 1:
		l.Line, l.Records, l.Renew = w.record.Line, w.record.Number, false
		return t.SetLine(l.ID, l.Line, false)
	}
	return nil
}

// again handles a record whose number is already stored. If it is another record, the maker's disk
// was rolled back and it has used one number twice.
func (w *recordWork) again(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) error {
	own := w.maker == g
	old, err := t.Record(l.ID, w.record.Line, w.record.Number)
	switch {
	case err != nil:
		return err
	case !w.same(old):
		return w.fork(t, g, l)
	case !own:
		return w.handAgain(t, l)
	}
	pending, err := t.TakePending(l.ID, w.record.Line, w.record.Number)
	if err != nil || !pending || len(w.person) == 0 {
		return err
	}
	return t.AddPerson(w.person, t.Now)
}

// handAgain gives a record to the issuer again, at most once a day: a sibling delivers it because
// no list settles it, perhaps because none names its line any more.
func (w *recordWork) handAgain(t *commit.Txn, l *commit.Ledger) error {
	if !l.Again(w.record.Line, w.record.Number, t.Now) {
		return nil
	}
	t.Outcome.Records = true
	return t.HandAgain(l.ID, w.record.Line, w.record.Number)
}

func (w *recordWork) same(old []byte) bool {
	if bytes.Equal(old, w.envelope) {
		return true
	}
	inner, _, err := wire.Open(old, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: w.maker.Address()}, []wire.Key{w.key})
	var r wire.Record
	return err == nil && wire.Decode(inner, &r) == nil && r.ID == w.record.ID
}

// fork stores the second record of one number as evidence and raises an alarm. The maker is told to
// begin a new line, in which it delivers the record again. A sibling's delivery is stored beside
// the first, since the maker may have lost it.
func (w *recordWork) fork(t *commit.Txn, g *roster.Gateway, l *commit.Ledger) error {
	sum := sha256.Sum256(w.envelope)
	fresh, err := t.AddFork(l.ID, w.record.Line, w.record.Number, sum, w.envelope, maxForks, t.Now)
	if err != nil {
		return err
	}
	if fresh {
		t.Log.Error().Str("gateway", w.maker.Address()).Uint64("record", w.record.Number).
			Msg("two tenancy records have one number: the gateway's disk was rolled back")
	}
	if w.maker == g {
		if w.record.Line != l.Line || l.Renew {
			return nil // the acks name another line
		}
		l.Renew = true
		return t.SetLine(l.ID, l.Line, true)
	}
	beside := binary.BigEndian.Uint64(sum[:]) | 1 // a line of its own
	if n, err := t.Line(l.ID, beside); err != nil || n > 0 {
		return err
	}
	_, err = w.add(t, g, l.ID, beside)
	return err
}
