package uplink

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
)

// publishFor bounds one publish: a link that takes nothing for so long is as
// good as down, and the others wait.
const publishFor = 30 * time.Second

// outbox signs what this gateway says and hands it to the link. What is lost is
// sent again by whoever needs it, so an error is only logged.
type outbox struct {
	link  Link
	key   ed25519.PrivateKey
	place wire.Place
	log   zerolog.Logger
}

// message is one thing to say, to the registry or to the gateways of the building.
type message struct {
	building bool
	kind     string       // of body
	body     wire.Payload // to be signed
	signed   []byte       // instead of body: an envelope
}

// toSiblings is a question for a list; nil: none.
func toSiblings(ask *wire.Holding) []message {
	if ask == nil {
		return nil
	}
	return holdingMessages([]wire.Holding{*ask}, true)
}

// holdingMessages are parts of what a gateway holds, for its siblings or the registry.
func holdingMessages(parts []wire.Holding, building bool) (list []message) {
	for _, p := range parts {
		list = append(list, message{building: building, kind: wire.TypeHolding, body: p})
	}
	return list
}

// say sends one message, and reports whether the link has taken it.
func (o *outbox) say(ctx context.Context, m message) bool {
	topic := o.place.Up(m.kind)
	if m.building {
		topic = o.place.House(o.place.Gateway)
	}
	if m.signed != nil {
		return o.put(ctx, topic, m.signed)
	}
	return o.publish(ctx, m.kind, topic, m.body)
}

func (o *outbox) sayAll(ctx context.Context, list []message) {
	for _, m := range list {
		o.say(ctx, m)
	}
}

// status sends what the last will of the connection takes back.
func (o *outbox) status(ctx context.Context, s wire.Status) {
	o.publish(ctx, wire.TypeStatus, o.place.Status(), s)
}

func (o *outbox) publish(ctx context.Context, kind, topic string, p wire.Payload) bool {
	payload, err := wire.Encode(p)
	if err == nil {
		var envelope []byte
		if envelope, err = o.sign(kind, wire.VersionOf(p), payload); err == nil {
			return o.put(ctx, topic, envelope)
		}
	}
	o.log.Error().Err(err).Str("type", kind).Msg("message to the registry can't be made")
	return false
}

func (o *outbox) sign(kind string, version uint64, payload []byte) ([]byte, error) {
	return wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: o.place.Address(), Version: version}, payload, o.key)
}

func (o *outbox) put(ctx context.Context, topic string, envelope []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, publishFor)
	defer cancel()
	if err := o.link.Publish(ctx, topic, envelope); err != nil {
		o.log.Debug().Err(err).Str("topic", topic).Msg("not published")
		return false
	}
	return true
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}
