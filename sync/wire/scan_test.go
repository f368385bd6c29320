package wire

import (
	"bytes"
	"reflect"
	"testing"

	"gatehouse/sync/wire/internal/canonical"
)

// sameBatch has a batch read by hand and by the library.
func sameBatch(t *testing.T, b []byte) {
	var ours Batch
	err := Decode(b, &ours)
	var theirs Batch
	theirErr := canonical.Decode("batch", b, &theirs)
	if theirErr == nil {
		theirErr = theirs.check()
	}
	if (err == nil) != (theirErr == nil) {
		t.Fatalf("%x: by hand %v, by the library %v", b, err, theirErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Fatalf("%x: by hand %+v, by the library %+v", b, ours, theirs)
	}
	want, err := canonical.Marshal(theirs)
	if err != nil || !bytes.Equal(ours.encode(), want) {
		t.Fatalf("written by hand %x, by the library %x, %v", ours.encode(), want, err)
	}
}

func testBatch() Batch {
	return Batch{Epoch: 1 << 63, First: 300, Headers: [][]byte{{0xa0}, bytes.Repeat([]byte{1}, 30), bytes.Repeat([]byte{2}, 24)},
		Whos: [][]byte{nil, bytes.Repeat([]byte{3}, 32), {}}, Root: Hash{4}, Sealed: bytes.Repeat([]byte{5}, 30), Signature: Signature{6}}
}

// TestBatchByHand: the library takes and refuses the same, after any one byte
// was changed to any of many values.
func TestBatchByHand(t *testing.T) {
	good := must(t, testBatch().encode(), nil)
	sameBatch(t, good)
	for i := range good {
		for _, v := range []byte{0x00, 0x17, 0x18, 0x1a, 0x1b, 0x20, 0x40, 0x41, 0x58, 0x59, 0x5f, 0x80, 0x81, 0xa6, 0xc1, 0xf4, 0xf6, 0xf8, 0xff} {
			b := bytes.Clone(good)
			b[i] = v
			sameBatch(t, b)
		}
	}
}

func FuzzBatchByHand(f *testing.F) {
	f.Add(testBatch().encode())
	f.Fuzz(sameBatch)
}

// FuzzGlanceHeader: of a header that is good, the same is seen at a glance.
func FuzzGlanceHeader(f *testing.F) {
	header, _, _ := goldenParts(f)
	f.Add(header)
	early, err := Header{Wall: -1 << 63, Clock: ClockNTP, Kind: KindAccess, Ref: &Ref{Boot: 1}, Detail: []byte("x")}.Encode()
	f.Add(must(f, early, err))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, wall, clock, ok := GlanceHeader(b)
		h, err := DecodeHeader(b)
		if err == nil && (!ok || kind != h.Kind || wall != h.Wall || clock != h.Clock) {
			t.Fatalf("%x: kind %d at %d by clock %d, %v at a glance; it is kind %d at %d by %d", b, kind, wall, clock, ok, h.Kind, h.Wall, h.Clock)
		}
	})
}

// goldenParts is one access entry with every common field, by made-up numbers.
func goldenParts(t testing.TB) (header []byte, salt [16]byte, who []byte) {
	t.Helper()
	h := Header{
		Boot: 7, Counter: 300, BootTime: 86_400_000_000_000, Wall: 1_795_392_000_000, Clock: ClockNTP,
		Kind: KindAccess, Outcome: OutcomeGranted, Reason: ReasonGranted,
		Door: "front", Source: "street", Direction: DirectionIn,
	}
	credential := CredentialID{0x01, 0x9d, 0x23, 0x47}
	grant, tenancy := ID{0xaa}, ID{0xbb}
	header, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	who, err = Who{Credential: &credential, Grant: &grant, Tenancy: &tenancy}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range salt {
		salt[i] = byte(i)
	}
	return header, salt, who
}
