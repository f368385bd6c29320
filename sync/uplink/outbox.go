package uplink

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
)

// publishFor bounds one publish: a link that takes nothing for this long counts as down, and others
// wait.
const publishFor = 30 * time.Second

// outbox signs messages and hands them to the link. A lost message is sent again by the part that
// needs it, so errors are only logged.
type outbox struct {
	link  Link
	key   ed25519.PrivateKey
	place wire.Place
	log   zerolog.Logger
}

// message is one message to the registry or to the gateways of the building.
type message struct {
	building bool
	kind     string       // of body
	body     wire.Payload // to be signed
	signed   []byte       // an envelope, in place of body
}

func holdingMessages(parts []wire.Holding, building bool) (list []message) {
	for _, p := range parts {
		list = append(list, message{building: building, kind: wire.TypeHolding, body: p})
	}
	return list
}

// say sends one message, and reports whether the link has taken it.
func (o *outbox) say(ctx context.Context, m message) bool {
	topic := o.place.Up(m.kind)
	switch {
	case m.building:
		topic = o.place.House(o.place.Gateway)
	case m.kind == wire.TypeStatus: // replaces the last will of the connection
		topic = o.place.Status()
	}
	envelope := m.signed
	if envelope == nil {
		var err error
		envelope, err = wire.SignBody(wire.Protected{Type: m.kind, Role: wire.RoleGateway, Address: o.place.Address()}, m.body, o.key)
		if err != nil {
			o.log.Error().Err(err).Str("type", m.kind).Msg("message to the registry can't be made")
			return false
		}
	}
	ctx, cancel := context.WithTimeout(ctx, publishFor)
	defer cancel()
	if err := o.link.Publish(ctx, topic, envelope); err != nil {
		o.log.Debug().Err(err).Str("topic", topic).Msg("not published")
		return false
	}
	return true
}

func (o *outbox) sayAll(ctx context.Context, list []message) {
	for _, m := range list {
		o.say(ctx, m)
	}
}
