package wire

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

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

// TestEntryByHand: whatever stands in a header or a who part, the library writes the same.
func TestEntryByHand(t *testing.T) {
	name := rapid.StringMatching(`([a-z0-9-]{1,32})?`)
	rapid.Check(t, func(t *rapid.T) {
		h := Header{
			Boot: rapid.Uint64().Draw(t, "boot"), Counter: rapid.Uint64().Draw(t, "counter"), BootTime: rapid.Uint64().Draw(t, "boot time"), Wall: rapid.Int64().Draw(t, "wall"),
			Clock: ClockQuality(rapid.Uint8().Draw(t, "clock")), Kind: Kind(rapid.Uint8Min(1).Draw(t, "kind")), Outcome: Outcome(rapid.Uint8().Draw(t, "outcome")),
			Reason: Reason(rapid.Uint16().Draw(t, "reason")), Door: name.Draw(t, "door"), Source: name.Draw(t, "source"), Direction: Direction(rapid.Uint8().Draw(t, "direction")),
			Count: rapid.Uint64().Draw(t, "count"), Detail: rapid.SliceOfN(rapid.Byte(), 0, maxDetail).Draw(t, "detail"),
		}
		if rapid.Bool().Draw(t, "sealed") {
			h.Kind, h.Detail = KindSealed, bytes.Repeat(h.Detail, SealedSize)[:min(SealedSize, SealedSize*len(h.Detail))]
		}
		if rapid.Bool().Draw(t, "refers") {
			h.Ref = &Ref{Boot: rapid.Uint64().Draw(t, "its boot"), Counter: rapid.Uint64().Draw(t, "its counter")}
		}
		if theirs, err := canonical.Marshal(h); err != nil || !bytes.Equal(h.encode(), theirs) {
			t.Fatalf("%+v: by hand %x, by the library %x, %v", h, h.encode(), theirs, err)
		}
		w := Who{Method: Method(rapid.Uint8().Draw(t, "method"))}
		for i, id := range []**ID{&w.Grant, &w.Tenancy} {
			if rapid.Bool().Draw(t, "named") {
				*id = &ID{byte(i), rapid.Byte().Draw(t, "id")}
			}
		}
		if rapid.Bool().Draw(t, "a card") {
			w.Credential = &CredentialID{rapid.Byte().Draw(t, "key"), 1}
		}
		if theirs, err := canonical.Marshal(w); err != nil || !bytes.Equal(w.encode(), theirs) {
			t.Fatalf("%+v: by hand %x, by the library %x, %v", w, w.encode(), theirs, err)
		}
	})
}
