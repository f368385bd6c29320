package uplink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"gatehouse/sync/wire"
)

const (
	rollEvery   = 10 * time.Minute
	rollKeyless = time.Minute // while this gateway waits for the building key
	rollFirst   = 2 * time.Second
	answerEvery = time.Minute // one sibling is answered at most so often
	relayMost   = 64          // siblings' records that go to the registry at a time
)

// siblings talks with the other gateways of the building, with the registry
// away too.
type siblings struct {
	rollDue time.Time
	talked  map[string]time.Time    // when a sibling was answered last; of the House document only
	heldFor map[wire.Hash]time.Time // since when siblings' unsettled envelopes are here
	relayed wire.Hash               // the last of them that went to the registry
}

func (a *actor) rollSoon(now time.Time) {
	a.rollDue = now.Add(a.o.Chance(min(rollFirst, a.o.Roll)))
}

// talk says which records this gateway holds, so that its siblings send the rest.
func (a *actor) talk(ctx context.Context, now time.Time) time.Time {
	reg := a.o.Keyring.Registry()
	if !a.connection.up || !hasOthers(reg.House, a.place.Gateway) {
		return time.Time{}
	}
	if now.Before(a.rollDue) {
		return a.rollDue
	}
	roll := wire.Roll{KeyNumber: a.o.Keyring.Status().KeyNumber}
	if a.o.Records != nil {
		_, roll.Have = a.o.Records.Unsettled()
		slices.SortFunc(roll.Have, func(x, y wire.ID) int { return bytes.Compare(x[:], y[:]) })
		roll.Have = roll.Have[:min(len(roll.Have), wire.MaxHave)]
	}
	a.outbox.say(ctx, message{building: true, kind: wire.TypeRoll, body: roll})
	every := a.o.Roll
	if roll.KeyNumber == 0 {
		every = min(every, rollKeyless)
	}
	a.relay(ctx, now)
	a.rollDue = now.Add(every*3/4 + a.o.Chance(every/2))
	return a.rollDue
}

// relay brings the registry what siblings' records no list has settled although
// they are here for long: their maker may have lost them, be cut off or dead. The
// registry takes each once and answers nothing; the list settles it.
func (a *actor) relay(ctx context.Context, now time.Time) {
	if a.o.Records == nil || !a.connection.agrees() {
		return
	}
	held, due, start := make(map[wire.Hash]time.Time), [][]byte(nil), 0
	for _, envelope := range a.o.Records.Siblings() {
		h := wire.Hash(sha256.Sum256(envelope))
		if held[h] = a.heldFor[h]; held[h].IsZero() {
			held[h] = now
		}
		if now.Sub(held[h]) < a.o.Roll/2 {
			continue
		}
		if due = append(due, envelope); h == a.relayed {
			start = len(due) // each gets its turn
		}
	}
	a.heldFor = held
	for i := range min(len(due), relayMost) {
		envelope := due[(start+i)%len(due)]
		a.outbox.say(ctx, message{kind: wire.TypeDelivery, body: wire.Delivery{Record: envelope}})
		a.relayed = sha256.Sum256(envelope)
	}
}

func hasOthers(h wire.House, own string) bool {
	return slices.ContainsFunc(h.Gateways, func(g wire.HouseGateway) bool { return g.ID != own })
}

// sibling takes a message of another gateway of the building and returns its
// type. One that the House document does not name (yet) is not heard.
func (a *actor) sibling(ctx context.Context, from wire.Place, envelope []byte) (kind string, err error) {
	g := a.o.Keyring.Registry().House.Gateway(from.Gateway)
	if g == nil || from.District != a.place.District || from.Town != a.place.Town {
		return wire.TypeRecord, wire.ErrUnknownKey
	}
	expect := wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: from.Address()}
	payload, p, err := wire.Open(envelope, expect, []wire.Key{g.Key()})
	if errors.Is(err, wire.ErrWrongType) && (p.Type == wire.TypeRoll || p.Type == wire.TypeKey || p.Type == wire.TypeHolding && a.o.Formats > 1) {
		expect.Type = p.Type
		payload, _, err = wire.Open(envelope, expect, []wire.Key{g.Key()})
	}
	switch {
	case err != nil:
	case expect.Type == wire.TypeRoll:
		err = a.roll(ctx, g, payload)
	case expect.Type == wire.TypeKey:
		err = a.keyShare(payload)
	case expect.Type == wire.TypeHolding:
		err = a.sharedList(ctx, g.ID, payload)
	case a.o.Records != nil:
		err = a.o.Records.Hear(from.Gateway, envelope)
	}
	return expect.Type, err
}

// roll sends a sibling what it lacks.
func (a *actor) roll(ctx context.Context, g *wire.HouseGateway, payload []byte) error {
	var r wire.Roll
	if err := wire.Decode(payload, &r); err != nil {
		return err
	}
	now := time.Now()
	if last, ok := a.talked[g.ID]; ok && now.Sub(last) < answerEvery {
		return nil
	}
	if a.o.Records != nil {
		own, _ := a.o.Records.Unsettled()
		for _, envelope := range own {
			if !slices.Contains(r.Have, idOf(envelope, a)) {
				a.talked[g.ID] = now
				a.outbox.say(ctx, message{building: true, signed: envelope})
			}
		}
	}
	if r.KeyNumber == 0 && a.o.Keyring.Status().HasKey {
		a.talked[g.ID] = now
		return a.shareKey(ctx, g)
	}
	return nil
}

// idOf reads the id of one of our own records.
func idOf(envelope []byte, a *actor) wire.ID {
	own := wire.Key{Role: wire.RoleGateway, Public: publicOf(a.o.Key)}
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: a.address}, []wire.Key{own})
	var r wire.Record
	if err != nil || wire.Decode(payload, &r) != nil {
		return wire.ID{}
	}
	return r.ID
}

// shareKey seals the building key to a gateway that an issuer says is of the
// building.
func (a *actor) shareKey(ctx context.Context, g *wire.HouseGateway) error {
	sealed, err := a.o.Keyring.ShareBuildingKey(g.KEM, a.place.Building+"/"+g.ID)
	if err != nil {
		a.o.Log.Error().Err(err).Str("gateway", g.ID).Msg("building key can't be sealed to a sibling")
		return nil
	}
	a.outbox.say(ctx, message{building: true, kind: wire.TypeKey, body: wire.KeyShare{To: g.ID, Sealed: sealed}})
	return nil
}

// keyShare takes the building key where there is none.
func (a *actor) keyShare(payload []byte) error {
	var k wire.KeyShare
	if err := wire.Decode(payload, &k); err != nil {
		return err
	}
	if k.To != a.place.Gateway || a.o.Keyring.Status().HasKey {
		return nil
	}
	if err := a.withoutDisk(a.o.Keyring.TakeBuildingKey(k.Sealed)); err != nil {
		return err
	}
	a.rollSoon(time.Now()) // siblings' records could not be read so far
	number := a.o.Keyring.Status().KeyNumber
	a.o.Log.Info().Uint8("number", number).Msg("building key came from a sibling")
	a.o.Journal.Queue(wire.Header{Kind: wire.KindAuthority, Outcome: wire.OutcomeDone, Source: wire.TypeKey, Count: uint64(number)}, wire.Who{})
	return nil
}
