package uplink

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
)

const (
	rollEvery   = 10 * time.Minute
	rollKeyless = time.Minute // while this gateway lacks the building key
	rollFirst   = 2 * time.Second
	answerEvery = time.Minute // each sibling is answered at most this often
	relayMost   = 64          // limit of siblings' records that go to the registry at a time
)

// siblings handles the exchange with the other gateways of the building, also while the registry is
// away.
type siblings struct {
	place   wire.Place // of this gateway
	formats uint64     // this gateway speaks formats 1 to this one
	keyring Keyring
	records Records
	roll    time.Duration // mean period of rolls
	chance  func(limit time.Duration) time.Duration
	log     zerolog.Logger

	due     time.Time               // of the next roll
	talked  map[string]time.Time    // when a sibling was last answered; siblings of the House document only
	keyless map[string]bool         // whether a sibling's last roll said that it has no building key
	heldFor map[wire.Hash]time.Time // since when siblings' unsettled envelopes are here
	relayed wire.Hash               // the last envelope that went to the registry

	newcomers newcomers
}

// soon makes the next roll due in a moment.
func (s *siblings) soon(now time.Time) { s.due = now.Add(s.chance(min(rollFirst, s.roll))) }

// talk returns the roll, which names the records that this gateway holds, so that its siblings send
// the rest; and, where both ends agree, the records to relay to the registry.
func (s *siblings) talk(agrees bool, now time.Time) (list []message, next time.Time) {
	if !hasOthers(s.keyring.House(), s.place.Gateway) {
		return nil, time.Time{}
	}
	if now.Before(s.due) {
		return nil, s.due
	}
	roll := wire.Roll{KeyNumber: s.keyring.Lists().KeyNumber}
	_, roll.Have = s.records.Unsettled()
	slices.SortFunc(roll.Have, func(x, y wire.ID) int { return bytes.Compare(x[:], y[:]) })
	roll.Have = roll.Have[:min(len(roll.Have), wire.MaxHave)]
	list = append(list, message{building: true, kind: wire.TypeRoll, body: roll})
	every := s.roll
	if roll.KeyNumber == 0 {
		every = min(every, rollKeyless)
	}
	if agrees {
		list = append(list, s.relay(now)...)
	}
	s.due = now.Add(every*3/4 + s.chance(every/2))
	return list, s.due
}

// relay returns siblings' records that no list has settled for long, for the registry: their maker
// may be cut off or dead. The registry takes each once; a list settles it.
func (s *siblings) relay(now time.Time) (list []message) {
	held, due, start := make(map[wire.Hash]time.Time), [][]byte(nil), 0
	for _, envelope := range s.records.Siblings() {
		h := wire.Hash(sha256.Sum256(envelope))
		if held[h] = s.heldFor[h]; held[h].IsZero() {
			held[h] = now
		}
		if now.Sub(held[h]) < s.roll/2 {
			continue
		}
		if due = append(due, envelope); h == s.relayed {
			start = len(due) // every record gets its turn
		}
	}
	s.heldFor = held
	for i := range min(len(due), relayMost) {
		envelope := due[(start+i)%len(due)]
		list = append(list, message{kind: wire.TypeDelivery, body: wire.Delivery{Record: envelope}})
		s.relayed = sha256.Sum256(envelope)
	}
	return list
}

func hasOthers(h wire.House, own string) bool {
	return slices.ContainsFunc(h.Gateways, func(g wire.HouseGateway) bool { return g.ID != own })
}

// open verifies a message of another gateway of the House document, and returns its type, also that
// of a refused one.
func (s *siblings) open(from wire.Place, envelope []byte) (kind string, payload []byte, err error) {
	g := s.keyring.House().Gateway(from.Gateway)
	if g == nil || from.District != s.place.District || from.Town != s.place.Town {
		return wire.TypeRecord, nil, wire.ErrUnknownKey
	}
	expect := wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: from.Address()}
	payload, p, err := wire.Open(envelope, expect, []wire.Key{g.Key()})
	if errors.Is(err, wire.ErrWrongType) && (p.Type == wire.TypeRoll || p.Type == wire.TypeKey || p.Type == wire.TypeHolding && s.formats > 1) {
		expect.Type = p.Type
		payload, _, err = wire.Open(envelope, expect, []wire.Key{g.Key()})
	}
	return expect.Type, payload, err
}

// answer returns the records and the key that a sibling's roll shows it lacks.
func (s *siblings) answer(gateway string, payload []byte, now time.Time) (list []message, err error) {
	var r wire.Roll
	if err := wire.Decode(payload, &r); err != nil {
		return nil, err
	}
	s.keyless[gateway] = r.KeyNumber == 0
	if last, ok := s.talked[gateway]; ok && now.Sub(last) < answerEvery {
		return nil, nil
	}
	own, _ := s.records.Unsettled()
	for _, envelope := range own {
		if !slices.Contains(r.Have, idOf(envelope)) {
			s.talked[gateway] = now
			list = append(list, message{building: true, signed: envelope})
		}
	}
	if r.KeyNumber == 0 && s.keyring.Lists().HasKey {
		s.talked[gateway] = now
		list = append(list, s.shareKey(gateway)...)
	}
	return list, nil
}

// idOf returns the id of an own record.
func idOf(envelope []byte) wire.ID {
	var r wire.Record
	if payload, err := wire.PayloadOf(envelope); err != nil || wire.Decode(payload, &r) != nil {
		return wire.ID{}
	}
	return r.ID
}

// keyNowhere reports whether all gateways of the building say that they lack its key: then none can
// send it.
func (s *siblings) keyNowhere() bool {
	return !s.keyring.Lists().HasKey && !slices.ContainsFunc(s.keyring.House().Gateways, func(g wire.HouseGateway) bool {
		return g.ID != s.place.Gateway && !s.keyless[g.ID]
	})
}

// shareKey seals the building key to a gateway of the House document.
func (s *siblings) shareKey(gateway string) []message {
	g := s.keyring.House().Gateway(gateway)
	if g == nil {
		return nil
	}
	sealed, err := s.keyring.ShareBuildingKey(g.KEM, s.place.Building+"/"+g.ID)
	if err != nil {
		s.log.Error().Err(err).Str("gateway", g.ID).Msg("building key can't be sealed to a sibling")
		return nil
	}
	return []message{{building: true, kind: wire.TypeKey, body: wire.KeyShare{To: g.ID, Sealed: sealed}}}
}

// takeKey takes the building key where there is none, and returns the entries to be recorded.
func (s *siblings) takeKey(payload []byte, now time.Time) ([]wire.Header, error) {
	var k wire.KeyShare
	if err := wire.Decode(payload, &k); err != nil {
		return nil, err
	}
	if k.To != s.place.Gateway || s.keyring.Lists().HasKey {
		return nil, nil
	}
	if err := withoutDisk(s.log, s.keyring.TakeBuildingKey(k.Sealed)); err != nil {
		return nil, err
	}
	s.soon(now) // siblings' records could not be read until now
	number := s.keyring.Lists().KeyNumber
	s.log.Info().Uint8("number", number).Msg("building key came from a sibling")
	return []wire.Header{{Kind: wire.KindAuthority, Outcome: wire.OutcomeDone, Source: wire.TypeKey, Count: uint64(number)}}, nil
}
