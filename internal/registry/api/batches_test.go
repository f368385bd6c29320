package api

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// sent are the bytes of batches as they go to the command, with how they end.
func sent(t testing.TB, all []SealedBatch, failed error) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewBatchWriter(&b)
	for _, s := range all {
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(failed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// received reads them back.
func received(b []byte) (all []SealedBatch, err error) {
	return all, readBatches(bytes.NewReader(b), func(s SealedBatch) error { all = append(all, s); return nil })
}

func equal(a, b SealedBatch) bool {
	return a.First == b.First && a.Next == b.Next && bytes.Equal(a.Body, b.Body) && bytes.Equal(a.Sealed, b.Sealed) && bytes.Equal(a.Encapsulated, b.Encapsulated)
}

// some are batches with two keys, one of which is named twice in a row and again later, and some without.
func some() []SealedBatch {
	one, two := bytes.Repeat([]byte{1}, 1120), bytes.Repeat([]byte{2}, 1120)
	return []SealedBatch{{First: 0, Next: 1 << 40, Body: []byte("body")}, {First: 1, Next: 2, Body: []byte("b"), Sealed: []byte("seals"), Encapsulated: one},
		{First: 2, Next: 3, Body: []byte("c"), Sealed: []byte("s"), Encapsulated: bytes.Clone(one)}, {First: 3, Next: 4, Body: []byte("d"), Sealed: []byte("s")},
		{First: 4, Next: 5, Body: []byte("e"), Sealed: []byte("s"), Encapsulated: two}, {First: 5, Next: 6, Body: bytes.Repeat([]byte("f"), 70_000), Sealed: []byte("s"), Encapsulated: one}}
}

// TestBatches: batches arrive as they were sent, a key is sent once as long as it stays, and what is cut short is an error.
func TestBatches(t *testing.T) {
	b := sent(t, some(), nil)
	all, err := received(b)
	if err != nil || len(all) != len(some()) {
		t.Fatalf("%d batches, %v", len(all), err)
	}
	for i, want := range some() {
		if !equal(all[i], want) {
			t.Errorf("batch %d: %+v", i, all[i])
		}
	}
	if n := bytes.Count(b, bytes.Repeat([]byte{1}, 1120)); n != 2 {
		t.Errorf("the key was sent %d times", n)
	}
	short := sent(t, some()[:5], nil)
	for n := range short {
		if _, err := received(short[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("of %d of %d bytes: %v", n, len(short), err)
		}
	}
}

// TestBatchesFail: the command hears what failed at the front, and of a front of another version that it is one.
func TestBatchesFail(t *testing.T) {
	all, err := received(sent(t, some()[:1], errors.New("the disk is gone")))
	if known := (*Error)(nil); !errors.As(err, &known) || known.Message != "the disk is gone" || len(all) != 1 {
		t.Errorf("%d batches, %v", len(all), err)
	}
	if _, err := received([]byte(`{"first":0,"next":1}`)); err == nil || !strings.Contains(err.Error(), "of one version") {
		t.Errorf("%v", err)
	}
	if _, err := received([]byte{frameBatch, 0xff, 0xff, 0xff, 0xff, 0x0f}); err == nil || !strings.Contains(err.Error(), "a frame of") {
		t.Errorf("%v", err)
	}
	stop := errors.New("enough")
	if err := readBatches(bytes.NewReader(sent(t, some(), nil)), func(SealedBatch) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// FuzzBatches: no bytes make the reader fall, and what it has read it reads again from what the writer makes of it.
func FuzzBatches(f *testing.F) {
	f.Add(sent(f, some()[:3], nil))
	f.Add(sent(f, nil, errors.New("failed")))
	f.Add([]byte{frameBatch, 5, 0, 1, 2, 3, 4, frameSame, 4, 1, 2, 0, 0, frameEnd, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := received(b)
		if err != nil {
			return
		}
		again, err := received(sent(t, all, nil))
		if err != nil || len(again) != len(all) {
			t.Fatalf("%d of %d batches, %v", len(again), len(all), err)
		}
		for i := range all {
			if !equal(all[i], again[i]) {
				t.Errorf("batch %d: %+v, %+v", i, all[i], again[i])
			}
		}
	})
}
