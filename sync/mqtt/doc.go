// Package mqtt is the link to the broker: topics and bytes over MQTT 3.1.1,
// one connection that comes back by itself. It knows no messages.
//
// The broker is only transport and may belong to an enemy, so nothing here is a
// promise. QoS 0 both ways, clean session, no store: Publish returns nil when
// the packet was written to the socket, which is not delivery. Brokers drop
// what their access list denies without a word. Whoever needs to know that a
// message arrived waits for a signed answer and says it again.
//
// It refuses TLS below 1.3, a plain connection to anything but this machine,
// payloads above MaxPayload both ways, and every packet of the broker that it
// has no reason to send: its client library would allocate what a length field
// says, and panic on a SUBACK with too many codes.
//
// # What brokers do differently
//
// Tried with Mosquitto 2.0.11 and nats-server 2.15.2. A client thrown out by
// its own id leaves its will with Mosquitto, none with NATS. Mosquitto's
// access file grants every subscription and then serves nothing: only its
// dynamic security plugin refuses, so a link that is up may be deaf, and only an
// answer proves that it is not. Mosquitto needs set_tcp_nodelay, else each
// connect waits 40 ms. NATS cuts 1.5 times KeepAlive to whole seconds.
//
// # Idle traffic
//
// A PINGREQ each KeepAlive is 24 bytes in a TLS record, and so is the answer.
// With headers of TCP and IPv4 (52 bytes a segment) and the last acknowledgement
// that makes 204 bytes, 339 KB a day at 52 s. TCP's own
// keep-alive is off: Go's default, a probe each 15 s, costs 600 KB a day and
// tells less. A broker should have it off as well.
package mqtt
