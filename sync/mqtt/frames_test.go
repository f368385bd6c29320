package mqtt

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// accepted returns how much of a stream the framer takes when it comes in
// pieces of size n.
func accepted(stream []byte, n int) (int, error) {
	f := framer{subscriptions: 2}
	for i := 0; i < len(stream); i += n {
		if err := f.scan(stream[i:min(i+n, len(stream))]); err != nil {
			return i, err
		}
	}
	return len(stream), nil
}

// FuzzFrames: how a stream is cut into reads does not change the verdict, and
// of what passes the library reads every packet without a panic, of a type and
// size that were allowed. What passed and is whole passes again as the library
// writes it.
func FuzzFrames(f *testing.F) {
	hello := []byte{0x20, 2, 0, 0}
	for _, more := range [][]byte{{}, {0x90, 4, 0, 1, 0, 0x80}, {0x30, 5, 0, 1, 'x', 'y', 'z'}, {0x31, 0x83, 0, 0, 1, 'x'}, {0xd0, 0},
		{0x30, 0xff, 0xff, 0xff, 0x7f}, {0x32, 5, 0, 1, 'x', 0, 1}, {0x20, 2, 0, 0}, {0x38, 2, 0, 0}, {0x30, 3, 0xff, 0xff, 0}} {
		f.Add(append(bytes.Clone(hello), more...))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		_, whole := accepted(stream, max(1, len(stream)))
		good, single := accepted(stream, 1)
		_, threes := accepted(stream, 3)
		if (whole == nil) != (single == nil) || (whole == nil) != (threes == nil) {
			t.Fatalf("the verdict depends on the cut: %v, %v, %v", whole, single, threes)
		}
		r, first := bytes.NewReader(stream[:good]), true
		var again bytes.Buffer
		for {
			p, err := packets.ReadPacket(r)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				return // the body: the library may refuse what the frame allows
			}
			checkPacket(t, p, first)
			first = false
			if err := p.Write(&again); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := accepted(again.Bytes(), 1); err != nil {
			t.Fatalf("%x was taken, %x is not: %v", stream, again.Bytes(), err)
		}
	})
}

func checkPacket(t *testing.T, p packets.ControlPacket, first bool) {
	t.Helper()
	switch p := p.(type) {
	case *packets.ConnackPacket:
		if !first || p.ReturnCode > lastConnack {
			t.Fatalf("passed %v", p)
		}
	case *packets.PublishPacket:
		if first || p.Qos != 0 || len(p.TopicName)+len(p.Payload) > maxTopic+MaxPayload {
			t.Fatalf("passed QoS %d, %d bytes", p.Qos, len(p.Payload))
		}
	case *packets.SubackPacket:
		if first || len(p.ReturnCodes) != 2 {
			t.Fatalf("passed %d codes", len(p.ReturnCodes))
		}
	case *packets.PingrespPacket:
	default:
		t.Fatalf("passed %T", p)
	}
}
