package uplink

import (
	"crypto/ed25519"
	"testing"
	"time"

	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// TestNewcomers: a sibling that is heard before the House document which names it,
// and what it said with the key before that comes late, is entered nowhere; what no
// document explains is, five minutes later, with its number.
func TestNewcomers(t *testing.T) {
	other := wire.Place{District: "d", Town: "t", Building: "b", Gateway: "other"}
	key := func(n byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(append(make([]byte, 31), n)) }
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		says := func(key ed25519.PrivateKey) {
			t.Helper()
			payload, err := wire.Encode(wire.Roll{KeyNumber: 1})
			if err != nil {
				t.Fatal(err)
			}
			w.broker.Inject(mqtt.Message{Topic: other.House("other"), Payload: sign(wire.TypeRoll, wire.RoleGateway, other.Address(), payload, key)})
			time.Sleep(time.Second)
		}
		own := wire.HouseGateway{ID: "g", Public: [32]byte(publicOf(w.keys.gateway)), KEM: w.keys.kemPublic}
		named := func(version uint64, key ed25519.PrivateKey) {
			t.Helper()
			b, err := wire.Encode(w.keys.house(version, own, wire.HouseGateway{ID: "other", Public: [32]byte(publicOf(key)), KEM: w.keys.kemPublic}))
			if err != nil {
				t.Fatal(err)
			}
			w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeHouse), Payload: sign(wire.TypeHouse, wire.RoleIssuer, "b", b, w.keys.issuer)})
			time.Sleep(time.Second)
		}
		entered := func() (messages uint64) {
			w.count(func(h wire.Header) bool {
				if h.Kind == wire.KindRefused {
					messages += h.Count
				}
				return true
			})
			return messages
		}
		for _, step := range []struct {
			what string
			do   func()
			wait time.Duration
			want uint64 // messages that are entered by then
		}{
			{"a sibling that is named a moment later", func() { says(key(7)); says(key(7)); named(2, key(7)) }, time.Hour, 0},
			{"a sibling that has another key, before the document and after it", func() { says(key(8)); named(3, key(8)); says(key(7)) }, time.Hour, 0},
			{"the key before, an hour later, at once", func() { says(key(7)); says(key(7)) }, 2 * time.Minute, 0},
			{"the same, in the end", func() {}, 5 * time.Minute, 2},
			{"a stranger, while the document names no other key", func() { says(key(9)); named(4, key(8)) }, 10 * time.Minute, 3},
		} {
			step.do()
			time.Sleep(step.wait)
			if n := entered(); n != step.want {
				t.Errorf("%s: %d messages entered as refused, want %d", step.what, n, step.want)
			}
		}
	})
}
