package mqtt_test

import (
	"bytes"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/rs/zerolog"

	"gatehouse/sync/mqtt"
)

// connack and suback are what an honest broker answers, granting one filter.
var (
	connack = []byte{0x20, 2, 0, 0}
	suback  = []byte{0x90, 3, 0, 1, 0}
)

// enemy accepts connections and answers CONNECT and SUBSCRIBE with the bytes
// given, then leaves the connection open.
func enemy(t *testing.T, onConnect, onSubscribe []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				for {
					p, err := packets.ReadPacket(c)
					if err != nil {
						return
					}
					switch p.(type) {
					case *packets.ConnectPacket:
						c.Write(onConnect)
					case *packets.SubscribePacket:
						c.Write(onSubscribe)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestHostileBroker: whatever a broker sends, the process lives, makes no room
// for what it will not take, says what was wrong, and stops when told to. Some
// of it makes paho panic, hang or allocate 256 MB.
func TestHostileBroker(t *testing.T) {
	with := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	const late = "timeout|deadline exceeded"
	many := with([]byte{0x90, 102, 0, 1}, make([]byte, 100))
	for name, c := range map[string]struct {
		onConnect, onSubscribe []byte
		problem                string // pattern of the error
	}{
		"silence":                {nil, nil, late},
		"silence after connect":  {connack, nil, late},
		"half a packet":          {connack[:3], nil, late},
		"unknown refusal":        {[]byte{0x20, 2, 0, 77}, nil, "code 77"},
		"not authorised":         {[]byte{0x20, 2, 0, 5}, nil, "not Authorized"},
		"long CONNACK":           {[]byte{0x20, 3, 0, 0, 0}, nil, "broken packet"},
		"something before":       {with([]byte{0xd0, 0}, connack), nil, "broken packet"},
		"two CONNACKs":           {connack, connack, "broken packet"},
		"HTTP":                   {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), nil, "broken packet"},
		"too many codes":         {connack, many, "broken packet"},
		"no codes":               {connack, []byte{0x90, 2, 0, 1}, "broken packet"},
		"answer to another":      {connack, []byte{0x90, 3, 0, 9, 0}, late},
		"refused":                {connack, []byte{0x90, 3, 0, 1, 0x80}, "refused subscription x"},
		"more than asked for":    {connack, []byte{0x90, 3, 0, 1, 2}, "refused subscription x"},
		"UNSUBACK for SUBACK":    {connack, []byte{0xb0, 2, 0, 1}, "broken packet"},
		"PUBACK for SUBACK":      {connack, []byte{0x40, 2, 0, 1}, "broken packet"},
		"message of 256 MB":      {connack, with(suback, []byte{0x30, 0xff, 0xff, 0xff, 0x7f}), "message of 268435455 bytes"},
		"length without an end":  {connack, with(suback, []byte{0x30, 0xff, 0xff, 0xff, 0xff}), "more than four bytes"},
		"QoS 1":                  {connack, with(suback, []byte{0x32, 6, 0, 1, 'x', 0, 1, 'y'}), "broken packet"},
		"topic past its message": {connack, with(suback, []byte{0x30, 3, 0xff, 0xff, 'x'}), "payload length"},
		"message without topic":  {connack, with(suback, []byte{0x30, 0}), "broken packet"},
		"a client's packet":      {connack, with(suback, []byte{0xc0, 0}), "broken packet"},
		"type 15":                {connack, with(suback, []byte{0xf0, 0}), "broken packet"},
		"goodbye of MQTT 5":      {connack, with(suback, []byte{0xe0, 1, 0x8e}), "broken packet"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := waitLimit
			if c.problem == late {
				limit = 200 * time.Millisecond
			}
			l := run(t, mqtt.Config{Broker: "mqtt://" + enemy(t, c.onConnect, c.onSubscribe), Subscribe: []string{"x"},
				Jitter: never, ConnectTimeout: limit, Log: zerolog.Nop()})
			l.until("an error", func(s mqtt.Status) bool { return s.Err != nil })
			if err := l.Status().Err; !regexp.MustCompile(c.problem).MatchString(err.Error()) {
				t.Errorf("error %v, want %q", err, c.problem)
			}
			l.stop()
			noGoroutines(t)
		})
	}
}

// TestTakesWhatIsAllowed knows that the frames' check can say yes: the longest
// topic with the largest payload, an empty message, pings, in pieces.
func TestTakesWhatIsAllowed(t *testing.T) {
	large := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	large.TopicName, large.Payload = strings.Repeat("t", 1<<10), make([]byte, mqtt.MaxPayload)
	over := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	over.TopicName, over.Payload = "x", make([]byte, mqtt.MaxPayload+1)
	var b bytes.Buffer
	b.Write(suback)
	for _, p := range []*packets.PublishPacket{large, over} {
		if err := p.Write(&b); err != nil {
			t.Fatal(err)
		}
	}
	b.Write([]byte{0xd0, 0, 0x30, 3, 0, 1, 'x'})
	l := run(t, mqtt.Config{Broker: "mqtt://" + enemy(t, connack, b.Bytes()), Subscribe: []string{"x"}, Jitter: never, Log: zerolog.Nop()})
	l.is(true)
	l.hear(large.TopicName, large.Payload)
	l.hear("x", nil)
	if s := l.Status(); !s.Up || s.Dropped != 1 {
		t.Errorf("a payload one byte too large: %+v", s)
	}
}
