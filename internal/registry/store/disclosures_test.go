package store

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// byKey is how batches are found by when they were stored, or by their sequence numbers.
var byKey = regexp.MustCompile(`\(gateway=\? AND (stored_at>\?|epoch=\? AND first>\? AND first<\?)\)`)

// TestUsesAreFoundByKeys: what is asked of the batches for each answer reads no whole table.
func TestUsesAreFoundByKeys(t *testing.T) {
	s := openSQLite(t)
	for text, args := range map[string][]any{since: {"b", now, 2048}, beyond: {int64(1), now, now, int64(1)}, usedKeys: {int64(1), int64(1), 0, 9, 0}} {
		steps, err := list(s.reading(t.Context()), "explain", func(step *plan) []any { return []any{&step.id, &step.parent, &step.unused, &step.text} }, `EXPLAIN QUERY PLAN `+text, args...)
		if err != nil || len(steps) == 0 {
			t.Fatal(err)
		}
		for _, step := range steps {
			if scanned.MatchString(step.text) || strings.HasPrefix(step.text, "SEARCH b ") && !byKey.MatchString(step.text) {
				t.Errorf("%s\n%s", step.text, text)
			}
		}
	}
}

// TestLogHasItsKeys: batches with entries asked for come with their seals and the key of the context that they are in; of
// others neither, and of one that is erased no more than its body.
func TestLogHasItsKeys(t *testing.T) {
	s := openSQLite(t)
	id := gateway(t, s, place)
	update(t, s, func(tx *Tx) error {
		numbers := []uint64{0}
		for i := range 3 {
			n, err := tx.AddContext(id, bigEpoch, wire.ID{byte(i)}, fmt.Append(nil, "key ", i), now)
			if err != nil {
				return err
			}
			numbers = append(numbers, n)
		}
		for i, context := range []int{1, 1, 0, 2, 2, 3} { // of two entries each; the third is sealed at once
			first := uint64(2 * i)
			b := Batch{Gateway: id, Epoch: bigEpoch, First: first, Next: first + 2, Body: []byte{byte(i)}, Sealed: []byte{9}, Context: numbers[context]}
			if err := tx.AddBatch(b, now); err != nil {
				return err
			}
		}
		return tx.Reseal(Batch{Gateway: id, Epoch: bigEpoch, First: 8})
	})
	got := ""
	for b, err := range s.Seals().Log(t.Context(), id, bigEpoch, 11, 3, 10) {
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprintf("%d-%d %x %x %s\n", b.First, b.Next, b.Body, b.Sealed, b.Encapsulated)
	}
	want := "0-2 00  \n2-4 01 09 key 0\n4-6 02 09 \n6-8 03 09 key 1\n8-10 04  \n10-12 05  \n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
