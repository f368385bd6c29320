package mqtt_test

import (
	"net"
	"os"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/nats-io/nats-server/v2/server"
)

type natsOptions = server.Options

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sendRaw publishes what a link would refuse to.
func sendRaw(t testing.TB, addr, topic string, payload []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession, hello.ClientIdentifier = "MQTT", 4, true, "raw"
	if err := hello.Write(c); err != nil {
		t.Fatal(err)
	}
	if _, err := packets.ReadPacket(c); err != nil {
		t.Fatal(err)
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, payload
	if err := p.Write(c); err != nil {
		t.Fatal(err)
	}
	if err := packets.NewControlPacket(packets.Disconnect).Write(c); err != nil {
		t.Fatal(err)
	}
	packets.ReadPacket(c) // until the broker has read all of it
}
