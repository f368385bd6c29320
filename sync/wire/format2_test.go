package wire

import (
	"errors"
	"reflect"
	"testing"
)

// TestFormats: what is read by the version of its envelope is what was said, and
// a body of one format is none of the other.
func TestFormats(t *testing.T) {
	for _, want := range []Hello2{sampleHello2(), {Hello: sampleHello(), Formats: []uint64{1}}} {
		version := uint64(len(want.Formats))
		body := Payload(want)
		if version == 1 {
			body = want.Hello
		}
		b, err := Encode(body)
		must(t, b, err)
		if VersionOf(body) != version {
			t.Errorf("%T goes into version %d", body, VersionOf(body))
		}
		if got, err := DecodeHello(version, b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("hello of format %d: %+v, %v", version, got, err)
		}
		if _, err := DecodeHello(3-version, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("hello of format %d read as the other: %v", version, err)
		}
	}
	for version, body := range map[uint64]Payload{1: sampleAck(), 2: sampleAck2()} {
		want := Ack2{Ack: sampleAck()}
		if version == 2 {
			want = sampleAck2()
		}
		b, err := Encode(body)
		must(t, b, err)
		if VersionOf(body) != version {
			t.Errorf("%T goes into version %d", body, VersionOf(body))
		}
		if got, err := DecodeAck(version, b); err != nil || got != want {
			t.Errorf("ack of format %d: %+v, %v", version, got, err)
		}
		if _, err := DecodeAck(3-version, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("ack of format %d read as the other: %v", version, err)
		}
	}
}
