package wire

import (
	"bytes"
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
	three := sampleAck3()
	for version, body := range map[uint64]Payload{1: sampleAck(), 2: sampleAck2(), 3: three} {
		want := [...]Ack2{1: {Ack: sampleAck()}, 2: sampleAck2(), 3: three}[version]
		b, err := Encode(body)
		must(t, b, err)
		if VersionOf(body) != version {
			t.Errorf("%T goes into version %d", body, VersionOf(body))
		}
		if got, err := DecodeAck(version, b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ack of format %d: %+v, %v", version, got, err)
		}
		for other := uint64(1); other <= Formats; other++ {
			if _, err := DecodeAck(other, b); other != version && !errors.Is(err, ErrMalformed) {
				t.Errorf("ack of format %d read as one of %d: %v", version, other, err)
			}
		}
	}
	batch := sampleBatch(t)
	if before, now := VersionOf(batch), VersionOf(with(batch, func(b *Batch) { b.Context = seq(0, 16) })); before != 1 || now != ContextFormat {
		t.Errorf("a batch goes into version %d, with a context into %d", before, now)
	}
	b, err := Encode(batch)
	must(t, b, err)
	empty := append(bytes.Clone(b), 8, 0x40) // a context that is there and empty
	empty[0]++
	if err := Decode(empty, &batch); !errors.Is(err, ErrMalformed) {
		t.Errorf("a batch with an empty context: %v", err)
	}
}
